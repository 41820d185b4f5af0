-- One row per session of a journey of the days without credit, and per credit of the days without its session in the journey.
SELECT conv_id, session_id, conv_date, 'in the journey, but without credit' AS problem
FROM customer_journeys AS journey
WHERE conv_date BETWEEN $first_day AND $last_day
  AND NOT EXISTS (
      SELECT 1 FROM attribution_customer_journey AS credit
      WHERE credit.conv_id = journey.conv_id AND credit.session_id = journey.session_id AND credit.conv_date = journey.conv_date
  )
UNION ALL
SELECT conv_id, session_id, conv_date, 'with credit, but not in the journey'
FROM attribution_customer_journey AS credit
WHERE conv_date BETWEEN $first_day AND $last_day
  AND NOT EXISTS (
      SELECT 1 FROM customer_journeys AS journey
      WHERE journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id AND journey.conv_date = credit.conv_date
  )
ORDER BY conv_date, conv_id, session_id
