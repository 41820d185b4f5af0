-- One row per channel and session date of the days: what its sessions cost, and the orders and revenue credited to them.
-- The costs are those of channel_costs; every credit of conversions up to $last_conversion_day brings its share, to the channel
-- and the date that the session has in its journey. No session is read.
-- $conversions = 'backend' adds the conversions that no session can be credited with, on their own date: so the report has the revenue
-- of the shop.
WITH session_credit AS (
    SELECT
        substr(journey.timestamp, 1, 10) AS date,
        journey.channel_label AS channel_name,
        credit.ihc,
        credit.ihc * conversions.revenue AS ihc_revenue
    FROM attribution_customer_journey AS credit
    JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    JOIN conversions ON conversions.conv_id = credit.conv_id
    WHERE credit.conv_date BETWEEN $first_day AND $last_conversion_day
),

ledger AS (
    SELECT date, channel_name, cost, 0.0 AS ihc, 0.0 AS ihc_revenue
    FROM channel_costs
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, channel_name, 0.0, ihc, ihc_revenue
    FROM session_credit
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_date, channel_name, 0.0, 1.0, revenue
    FROM uncredited_conversion
    WHERE conv_date BETWEEN $first_day AND $last_day AND $conversions = 'backend'
)

SELECT
    channel_name,
    date,
    exact_total(cost) AS cost,
    exact_total(ihc) AS ihc,
    exact_total(ihc_revenue) AS ihc_revenue
FROM ledger
GROUP BY channel_name, date
ORDER BY date, channel_name
