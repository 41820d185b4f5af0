-- One row per day, customer and figure in which campaign_performance differs from campaign_results, in revenue by half a cent or more.
-- The query adds rows up by status, type and category. Here each row counts against its day and customer, whatever these are.
WITH reported AS (
    SELECT * FROM campaign_performance WHERE date BETWEEN $first_day AND $last_day
),

result AS (
    SELECT * FROM campaign_results WHERE date BETWEEN $first_day AND $last_day
),

figure AS (
    SELECT date, customer_id, 'rows' AS figure, rows AS reported, 0 AS of_sources FROM reported
    UNION ALL
    SELECT date, customer_id, 'revenue', revenue, 0 FROM reported
    UNION ALL
    SELECT date, customer_id, 'conversions', conversions, 0 FROM reported
    UNION ALL
    SELECT date, customer_id, 'impressions', impressions, 0 FROM reported
    UNION ALL
    SELECT date, customer_id, 'clicks', clicks, 0 FROM reported
    UNION ALL
    SELECT date, customer_id, 'rows with revenue', rows_with_revenue, 0 FROM reported
    UNION ALL
    SELECT date, customer_id, 'rows with conversions', rows_with_conversions, 0 FROM reported
    UNION ALL
    SELECT date, customer_id, 'rows', 0, 1 FROM result
    UNION ALL
    SELECT date, customer_id, 'revenue', 0, revenue FROM result
    UNION ALL
    SELECT date, customer_id, 'conversions', 0, conversions FROM result
    UNION ALL
    SELECT date, customer_id, 'impressions', 0, impressions FROM result
    UNION ALL
    SELECT date, customer_id, 'clicks', 0, clicks FROM result
    UNION ALL
    SELECT date, customer_id, 'rows with revenue', 0, CASE WHEN revenue IS NULL THEN 0 ELSE 1 END FROM result
    UNION ALL
    SELECT date, customer_id, 'rows with conversions', 0, CASE WHEN conversions IS NULL THEN 0 ELSE 1 END FROM result
),

compared AS (
    SELECT date, customer_id, figure, coalesce(sum(CAST(reported AS double)), 0.0) AS reported, coalesce(sum(CAST(of_sources AS double)), 0.0) AS of_sources
    FROM figure
    GROUP BY date, customer_id, figure
)

SELECT date, customer_id, figure, reported, of_sources
FROM compared
WHERE abs(reported - of_sources) >= 0.005 AND abs(reported - of_sources) >= 1e-12 * abs(of_sources)
ORDER BY date, customer_id, figure
