-- One row per day with an order: what is shown beside it.
SELECT
    date AS day,
    orders,
    rounded(revenue, 2) AS revenue,
    new_buyers AS "new buyers",
    returning_buyers AS "returning buyers",
    rounded(repeat_rate, 4) AS "repeat rate",
    rounded(hours_to_first_order, 2) AS "hours to first order"
FROM customer_report
WHERE date BETWEEN $first_day AND $last_day
ORDER BY date
