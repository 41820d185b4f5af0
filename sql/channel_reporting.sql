-- One row per channel and session date of the days: what its sessions cost, and the orders and revenue credited to them.
-- Every session brings its cost once, credited or not; every credit of conversions up to :last_conversion_day brings its share.
WITH session_cost AS (
    SELECT
        session.channel_name,
        session.event_date AS date,
        session.session_id,
        '' AS conv_id,
        coalesce((SELECT sum(cost) FROM session_costs WHERE session_costs.session_id = session.session_id), 0) AS cost,
        0 AS ihc,
        0 AS ihc_revenue
    FROM session_sources AS session
    WHERE session.event_date BETWEEN :first_day AND :last_day
),

session_credit AS (
    SELECT
        session.channel_name,
        session.event_date AS date,
        session.session_id,
        credit.conv_id,
        0 AS cost,
        credit.ihc,
        credit.ihc * conversions.revenue AS ihc_revenue
    FROM attribution_customer_journey AS credit
    JOIN conversions ON conversions.conv_id = credit.conv_id
    JOIN session_sources AS session ON session.session_id = credit.session_id
    WHERE credit.conv_date BETWEEN :first_day AND :last_conversion_day
      AND session.event_date BETWEEN :first_day AND :last_day
),

ledger AS ( -- in one order, so that the same rows always add up to the same bits
    SELECT * FROM session_cost
    UNION ALL
    SELECT * FROM session_credit
    ORDER BY channel_name, date, session_id, conv_id
)

SELECT channel_name, date, total(cost) AS cost, total(ihc) AS ihc, total(ihc_revenue) AS ihc_revenue
FROM ledger
GROUP BY channel_name, date
ORDER BY date, channel_name
