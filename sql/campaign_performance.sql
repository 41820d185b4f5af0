-- One row per day, customer, status, type and category: what the ad platform says that the campaigns brought.
-- A sum is that of the rows that have the number, and a rate is that of two sums. It is undefined (NULL) where the second is 0.
WITH summed AS (
    SELECT
        date,
        customer_id,
        coalesce(nullif(status, ''), '(none)') AS status,
        coalesce(nullif(type, ''), '(none)') AS type,
        coalesce(nullif(category, ''), '(none)') AS category,
        count(*) AS rows,
        CASE WHEN count(revenue) > 0 THEN exact_total(revenue) END AS revenue,
        CAST(sum(conversions) AS bigint) AS conversions,
        CAST(sum(impressions) AS bigint) AS impressions,
        CAST(sum(clicks) AS bigint) AS clicks,
        count(revenue) AS rows_with_revenue,
        count(conversions) AS rows_with_conversions
    FROM campaign_results
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY 1, 2, 3, 4, 5
)

SELECT
    *,
    CAST(clicks AS double) / nullif(impressions, 0) AS CTR,
    conversions / nullif(revenue, 0) AS conversions_per_revenue,
    CAST(conversions AS double) / nullif(clicks, 0) AS conversions_per_click
FROM summed
ORDER BY date, customer_id, status, type, category
