-- One row per conversion of the days' journeys that stands under another day than its own, or that has a session twice.
WITH conversion AS (
    SELECT DISTINCT conv_id FROM customer_journeys WHERE conv_date BETWEEN :first_day AND :last_day
),

journey AS (
    SELECT
        conv_id,
        min(customer_journeys.conv_date) AS first_stands_on,
        max(customer_journeys.conv_date) AS last_stands_on,
        count(*) AS touchpoints,
        count(DISTINCT session_id) AS sessions
    FROM conversion
    CROSS JOIN customer_journeys USING (conv_id) -- CROSS JOIN: the days' conversions drive
    GROUP BY conv_id
)

SELECT journey.conv_id, first_stands_on, last_stands_on, conversions.conv_date AS converted_on, touchpoints, sessions
FROM journey
LEFT JOIN conversions ON conversions.conv_id = journey.conv_id
WHERE first_stands_on IS NOT conversions.conv_date
   OR last_stands_on IS NOT conversions.conv_date
   OR sessions < touchpoints
ORDER BY journey.conv_id
