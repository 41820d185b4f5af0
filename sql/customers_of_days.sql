-- The rows of customer_report from $first_day to $last_day.
SELECT * FROM customer_report WHERE date BETWEEN $first_day AND $last_day ORDER BY date
