-- One row per day: what is shown beside its report by models: its cost, and the orders and revenue that each model credits to the
-- day's conversions, the same for all of them.
SELECT
    date AS day,
    count(DISTINCT model) AS models,
    rounded(coalesce(sum(cost), 0.0) / count(DISTINCT model), 2) AS cost,
    rounded(coalesce(sum(orders), 0.0) / count(DISTINCT model), 2) AS "orders of the day's conversions",
    rounded(coalesce(sum(revenue), 0.0) / count(DISTINCT model), 2) AS "revenue of the day's conversions"
FROM model_reporting
WHERE date BETWEEN $first_day AND $last_day AND date_basis = 'conversion'
GROUP BY date
ORDER BY date
