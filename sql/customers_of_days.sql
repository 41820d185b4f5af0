-- One row per day from $first_day to $last_day: that of customer_report.
SELECT * FROM customer_report WHERE date BETWEEN $first_day AND $last_day ORDER BY date
