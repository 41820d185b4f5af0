-- One row: the orders and revenue that conversions of the days credit to sessions before $first_partition.
-- These sessions' days have no report, so no channel shows this credit.
SELECT
    coalesce(exact_total(credit.ihc), 0.0) AS orders,
    coalesce(exact_total(credit.ihc * conversions.revenue), 0.0) AS revenue
FROM attribution_customer_journey AS credit
JOIN conversions ON conversions.conv_id = credit.conv_id
JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
WHERE credit.conv_date BETWEEN $first_day AND $last_day
  AND credit.conv_date < days_before($first_partition, -$lookback_days) -- later ones do not reach back so far
  AND journey.timestamp < $first_partition
