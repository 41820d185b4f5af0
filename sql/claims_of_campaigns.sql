-- One row per campaign in platform_claims from $first_day to $last_day: the sums of the days, and the ratios of these sums.
WITH summed AS (
    SELECT
        campaign_id,
        CASE WHEN count(cost) > 0 THEN exact_total(cost) END AS cost,
        CASE WHEN count(claimed_conversions) > 0 THEN exact_total(claimed_conversions) END AS claimed_conversions,
        exact_total(credited_orders) AS credited_orders,
        CASE WHEN count(claimed_revenue) > 0 THEN exact_total(claimed_revenue) END AS claimed_revenue,
        exact_total(credited_revenue) AS credited_revenue
    FROM platform_claims
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY campaign_id
)

SELECT
    campaign_id,
    cost,
    claimed_conversions,
    credited_orders,
    claimed_conversions / nullif(credited_orders, 0) AS orders_ratio,
    claimed_revenue,
    credited_revenue,
    claimed_revenue / nullif(credited_revenue, 0) AS revenue_ratio
FROM summed
ORDER BY campaign_id
