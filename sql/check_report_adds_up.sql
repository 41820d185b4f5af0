-- One row per channel, day and figure (cost, orders, revenue) in which the report differs from what it is made of, by half a
-- cent or more. The report joins credit to journeys; here no credit is left out: without a journey, it stands under the day and
-- channel of its session. Credit before the first day of the report, and after the days, is not the report's.
-- With $conversions = 'backend', conversions without credit are the report's too.
WITH placed_credit AS MATERIALIZED (
    SELECT
        credit.session_id,
        journey.channel_label,
        substr(journey.timestamp, 1, 10) AS date,
        credit.ihc,
        credit.ihc * conversions.revenue AS revenue
    FROM attribution_customer_journey AS credit
    JOIN conversions ON conversions.conv_id = credit.conv_id
    LEFT JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    WHERE credit.conv_date BETWEEN $first_day AND $last_conversion_day
),

dated_credit AS (
    SELECT channel_label AS channel_name, date, ihc, revenue FROM placed_credit WHERE channel_label IS NOT NULL
    UNION ALL
    SELECT session.channel_name, session.event_date, placed_credit.ihc, placed_credit.revenue
    FROM placed_credit
    JOIN session_sources AS session ON session.session_id = placed_credit.session_id
    WHERE placed_credit.channel_label IS NULL
),

all_credit AS (
    SELECT channel_name, date, ihc, revenue FROM dated_credit
    UNION ALL
    SELECT channel_name, conv_date, 1.0, revenue
    FROM uncredited_conversion
    WHERE conv_date BETWEEN $first_day AND $last_day AND $conversions = 'backend'
),

credit_of_channel AS (
    SELECT channel_name, date, sum(ihc) AS orders, sum(revenue) AS revenue
    FROM all_credit
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY channel_name, date
),

reported AS (
    SELECT * FROM channel_reporting WHERE date BETWEEN $first_day AND $last_day
),

figure AS (
    SELECT channel_name, date, 'cost' AS figure, cost AS reported, 0.0 AS of_sources FROM reported
    UNION ALL
    SELECT channel_name, date, 'orders', ihc, 0.0 FROM reported
    UNION ALL
    SELECT channel_name, date, 'revenue', ihc_revenue, 0.0 FROM reported
    UNION ALL
    SELECT channel_name, date, 'cost', 0.0, cost FROM channel_costs WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT channel_name, date, 'orders', 0.0, orders FROM credit_of_channel
    UNION ALL
    SELECT channel_name, date, 'revenue', 0.0, revenue FROM credit_of_channel
),

compared AS (
    SELECT channel_name, date, figure, sum(reported) AS reported, coalesce(sum(of_sources), 0) AS of_sources
    FROM figure
    GROUP BY channel_name, date, figure
)

SELECT channel_name, date, figure, reported, of_sources
FROM compared
WHERE abs(reported - of_sources) >= CASE figure WHEN 'orders' THEN 1e-6 ELSE 0.005 END
  AND abs(reported - of_sources) >= 1e-12 * abs(of_sources)
ORDER BY date, channel_name, figure
