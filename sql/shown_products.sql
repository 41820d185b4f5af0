-- One row per day and product, what was bought most first: what is shown of it beside the day.
SELECT date AS day, coalesce(name, product_id) AS product, viewed, added, bought
FROM product_funnel
WHERE date BETWEEN $first_day AND $last_day
ORDER BY date, bought DESC, viewed DESC, product
