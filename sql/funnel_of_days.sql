-- One row per day from $first_day to $last_day, channel and step: that of funnel_report.
SELECT * FROM funnel_report WHERE date BETWEEN $first_day AND $last_day ORDER BY date, channel, position
