-- One row per channel, day and figure (cost, orders, revenue) in which the report differs from its sources, by half a cent or more.
-- The report joins credit to session_sources; here the day of a credit is that of its journey (or the session's, where there is
-- no journey), so that what is lost or doubled on one of the two ways shows. Credit before the first day of the report, and
-- after the days, is not the report's.
WITH cost_of_channel AS (
    SELECT session.channel_name, session.event_date AS date, total(costs.cost) AS cost
    FROM session_sources AS session
    JOIN session_costs AS costs ON costs.session_id = session.session_id
    WHERE session.event_date BETWEEN :first_day AND :last_day
    GROUP BY session.channel_name, session.event_date
),

dated_credit AS (
    SELECT
        coalesce(session.channel_name, journey.channel_label) AS channel_name,
        coalesce(substr(journey.timestamp, 1, 10), session.event_date) AS date,
        credit.ihc,
        credit.ihc * conversions.revenue AS revenue
    FROM attribution_customer_journey AS credit
    JOIN conversions ON conversions.conv_id = credit.conv_id
    LEFT JOIN session_sources AS session ON session.session_id = credit.session_id
    LEFT JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    WHERE credit.conv_date BETWEEN :first_day AND :last_conversion_day
),

credit_of_channel AS MATERIALIZED (
    SELECT channel_name, date, total(ihc) AS orders, total(revenue) AS revenue
    FROM dated_credit
    WHERE date BETWEEN :first_day AND :last_day
    GROUP BY channel_name, date
),

reported AS (
    SELECT * FROM channel_reporting WHERE date BETWEEN :first_day AND :last_day
),

figure AS (
    SELECT channel_name, date, 'cost' AS figure, cost AS reported, 0 AS of_sources FROM reported
    UNION ALL
    SELECT channel_name, date, 'orders', ihc, 0 FROM reported
    UNION ALL
    SELECT channel_name, date, 'revenue', ihc_revenue, 0 FROM reported
    UNION ALL
    SELECT CAST(channel_name AS text), date, 'cost', 0, cost FROM cost_of_channel
    UNION ALL
    SELECT CAST(channel_name AS text), date, 'orders', 0, orders FROM credit_of_channel
    UNION ALL
    SELECT CAST(channel_name AS text), date, 'revenue', 0, revenue FROM credit_of_channel
)

SELECT channel_name, date, figure, total(reported) AS reported, total(of_sources) AS of_sources
FROM figure
GROUP BY channel_name, date, figure
HAVING abs(total(reported) - total(of_sources))
    >= max(CASE figure WHEN 'orders' THEN 1e-6 ELSE 0.005 END, 1e-12 * abs(total(of_sources)))
ORDER BY date, channel_name, figure
