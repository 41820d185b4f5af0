-- The rows of funnel_report from $first_day to $last_day.
SELECT * FROM funnel_report WHERE date BETWEEN $first_day AND $last_day ORDER BY date, channel, position
