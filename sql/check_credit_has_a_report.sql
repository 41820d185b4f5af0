-- One row per credit of the days that falls on a session before $first_partition: its day has no report.
SELECT credit.conv_id, credit.session_id, journey.timestamp, credit.ihc, credit.ihc * conversions.revenue AS ihc_revenue
FROM attribution_customer_journey AS credit
JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
JOIN conversions ON conversions.conv_id = credit.conv_id
WHERE credit.conv_date BETWEEN $first_day AND $last_day
  AND credit.conv_date < days_before($first_partition, -$lookback_days) -- later ones do not reach back so far
  AND journey.timestamp < $first_partition
  AND credit.ihc > 0
ORDER BY credit.conv_date, credit.conv_id, credit.session_id
