-- One row per campaign in platform_claims from $first_day to $last_day: the sums of the days, and the ratios of
-- the sums of those days that have the claim.
WITH summed AS (
    SELECT
        campaign_id,
        CASE WHEN count(cost) > 0 THEN exact_total(cost) END AS cost,
        CASE WHEN count(claimed_conversions) > 0 THEN exact_total(claimed_conversions) END AS claimed_conversions,
        exact_total(credited_orders) AS credited_orders,
        CASE WHEN count(claimed_revenue) > 0 THEN exact_total(claimed_revenue) END AS claimed_revenue,
        exact_total(credited_revenue) AS credited_revenue,
        exact_total(CASE WHEN claimed_conversions IS NOT NULL THEN credited_orders END) AS orders_of_claims,
        exact_total(CASE WHEN claimed_revenue IS NOT NULL THEN credited_revenue END) AS revenue_of_claims
    FROM platform_claims
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY campaign_id
)

SELECT
    campaign_id,
    cost,
    claimed_conversions,
    credited_orders,
    claimed_conversions / nullif(orders_of_claims, 0) AS orders_ratio,
    claimed_revenue,
    credited_revenue,
    claimed_revenue / nullif(revenue_of_claims, 0) AS revenue_ratio
FROM summed
ORDER BY campaign_id
