-- One row per customer, status, type and category in campaign_performance from $first_day to $last_day: the sums of the days.
SELECT
    customer_id,
    status,
    type,
    category,
    CAST(sum(rows) AS bigint) AS rows,
    CASE WHEN count(revenue) > 0 THEN exact_total(revenue) END AS revenue,
    CAST(sum(conversions) AS bigint) AS conversions,
    CAST(sum(rows_with_revenue) AS bigint) AS rows_with_revenue,
    CAST(sum(rows_with_conversions) AS bigint) AS rows_with_conversions
FROM campaign_performance
WHERE date BETWEEN $first_day AND $last_day
GROUP BY customer_id, status, type, category
ORDER BY customer_id, status, type, category
