-- One row per conversion of the days that does not count exactly once, or with another revenue than it has: how often it has a journey,
-- and how often it stands in uncredited_conversion.
WITH place AS (
    SELECT DISTINCT conv_id, 1 AS journeys, 0 AS uncredited, NULL AS stored_revenue
    FROM customer_journeys
    WHERE conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_id, 0, 1, revenue FROM uncredited_conversion WHERE conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_id, 0, 0, NULL FROM conversions WHERE conv_date BETWEEN $first_day AND $last_day
),

placed AS (
    SELECT conv_id, sum(journeys) AS journeys, sum(uncredited) AS uncredited, sum(stored_revenue) AS stored_revenue
    FROM place
    GROUP BY conv_id
)

SELECT placed.conv_id, placed.journeys, placed.uncredited, placed.stored_revenue, conversions.revenue
FROM placed
LEFT JOIN conversions ON conversions.conv_id = placed.conv_id
WHERE placed.journeys + placed.uncredited <> 1
   OR conversions.conv_id IS NULL
   OR placed.stored_revenue <> conversions.revenue
ORDER BY placed.conv_id
