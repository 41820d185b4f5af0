-- One row per conversion of the days: when it was, and its revenue.
SELECT conv_id, conv_date || ' ' || conv_time AS converted_at, revenue
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
ORDER BY conv_id
