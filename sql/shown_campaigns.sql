-- One row per day and customer: what the campaigns brought, the customer with the most revenue first.
WITH brought AS (
    SELECT
        date AS day,
        customer_id AS customer,
        CAST(sum(rows) AS bigint) AS rows,
        CASE WHEN count(revenue) > 0 THEN exact_total(revenue) END AS revenue,
        CAST(sum(conversions) AS bigint) AS conversions,
        CAST(sum(impressions) AS bigint) AS impressions,
        CAST(sum(clicks) AS bigint) AS clicks
    FROM campaign_performance
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, customer_id
)

SELECT * FROM brought ORDER BY day, coalesce(revenue, 0.0) DESC, customer
