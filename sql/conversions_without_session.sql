-- One row: how many conversions of the days have no session in their window, and their revenue, which no channel gets.
-- Run it after customer_journeys of these days.
SELECT count(*) AS conversions, coalesce(exact_total(revenue), 0.0) AS revenue
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
  AND NOT EXISTS (
      SELECT 1 FROM customer_journeys
      WHERE customer_journeys.conv_id = conversions.conv_id
        AND customer_journeys.conv_date || '' = conversions.conv_date -- so the key serves, not the index of the day
  )
