-- One row per row of campaign_results of the days and number that is missing or negative there.
WITH result AS (
    SELECT * FROM campaign_results WHERE date BETWEEN $first_day AND $last_day
),

number AS (
    SELECT date, customer_id, status, type, category, 'clicks' AS number, clicks AS value, CAST(clicks AS text) AS said FROM result
    UNION ALL
    SELECT date, customer_id, status, type, category, 'conversions', conversions, CAST(conversions AS text) FROM result
    UNION ALL
    SELECT date, customer_id, status, type, category, 'impressions', impressions, CAST(impressions AS text) FROM result
    UNION ALL
    SELECT date, customer_id, status, type, category, 'revenue', revenue, quote(rounded(revenue, 2)) FROM result
)

SELECT date, customer_id, status, type, category, number, CASE WHEN value IS NULL THEN 'missing' ELSE said END AS value
FROM number
WHERE value IS NULL OR value < 0
ORDER BY date, customer_id, status, type, category, number, value
