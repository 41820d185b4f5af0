-- One row per conversion of the days' journeys that stands under another day than its own, or that has a session twice.
WITH conversion AS (
    SELECT DISTINCT conv_id FROM customer_journeys WHERE conv_date BETWEEN $first_day AND $last_day
),

journey AS (
    SELECT
        conv_id,
        min(conv_date) AS first_stands_on,
        max(conv_date) AS last_stands_on,
        count(*) AS touchpoints,
        count(DISTINCT session_id) AS sessions
    FROM customer_journeys
    WHERE conv_id IN (SELECT conv_id FROM conversion)
    GROUP BY conv_id
),

conversion_of_journey AS (
    SELECT
        *,
        (SELECT max(conversions.conv_date) FROM conversions WHERE conversions.conv_id = journey.conv_id) AS converted_on
    FROM journey
)

SELECT conv_id, first_stands_on, last_stands_on, converted_on, touchpoints, sessions
FROM conversion_of_journey
WHERE coalesce(first_stands_on <> converted_on, TRUE)
   OR last_stands_on <> converted_on
   OR sessions < touchpoints
ORDER BY conv_id
