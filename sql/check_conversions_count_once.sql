-- One row per conversion of the days that does not count exactly once, or with another revenue than it has: how often it has a journey,
-- and how often it stands in uncredited_conversion.
WITH place AS (
    SELECT DISTINCT conv_id, 1 AS journeys, 0 AS uncredited, CAST(NULL AS double) AS stored_revenue, CAST(NULL AS double) AS revenue
    FROM customer_journeys
    WHERE conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_id, 0, 1, revenue, NULL FROM uncredited_conversion WHERE conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_id, 0, 0, NULL, revenue FROM conversions WHERE conv_date BETWEEN $first_day AND $last_day
),

placed AS (
    SELECT
        conv_id,
        sum(journeys) AS journeys,
        sum(uncredited) AS uncredited,
        sum(stored_revenue) AS stored_revenue,
        sum(revenue) AS revenue
    FROM place
    GROUP BY conv_id
)

SELECT conv_id, journeys, uncredited, stored_revenue, revenue
FROM placed
WHERE journeys + uncredited <> 1 OR revenue IS NULL OR stored_revenue <> revenue
ORDER BY conv_id
