-- One row per day, customer, status, type and category: what the ad platform says that the campaigns brought.
-- A rate is that of the rows that have both of its numbers.
SELECT
    date,
    customer_id,
    coalesce(nullif(status, ''), '(none)') AS status,
    coalesce(nullif(type, ''), '(none)') AS type,
    coalesce(nullif(category, ''), '(none)') AS category,
    count(*) AS rows,
    CASE WHEN count(revenue) > 0 THEN exact_total(revenue) END AS revenue,
    CAST(sum(conversions) AS integer) AS conversions,
    CAST(sum(impressions) AS integer) AS impressions,
    CAST(sum(clicks) AS integer) AS clicks,
    count(revenue) AS rows_with_revenue,
    count(conversions) AS rows_with_conversions,
    CAST(sum(CASE WHEN impressions IS NOT NULL THEN clicks END) AS double)
        / nullif(sum(CASE WHEN clicks IS NOT NULL THEN impressions END), 0) AS CTR,
    CAST(sum(CASE WHEN revenue IS NOT NULL THEN conversions END) AS double)
        / nullif(exact_total(CASE WHEN conversions IS NOT NULL THEN revenue END), 0) AS conversions_per_revenue,
    CAST(sum(CASE WHEN clicks IS NOT NULL THEN conversions END) AS double)
        / nullif(sum(CASE WHEN conversions IS NOT NULL THEN clicks END), 0) AS conversions_per_click
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
GROUP BY 1, 2, 3, 4, 5
ORDER BY 1, 2, 3, 4, 5
