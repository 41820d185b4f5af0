-- One row per conversion of the days that no session can be credited with, and why: `Not tracked`, if the shop's backend alone has it,
-- or `No session`, if it has no journey.
SELECT
    conv_id,
    conv_date,
    CASE WHEN user_id IS NULL THEN 'Not tracked' ELSE 'No session' END AS channel_name,
    revenue
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
  AND NOT EXISTS (SELECT 1 FROM customer_journeys WHERE customer_journeys.conv_id = conversions.conv_id)
ORDER BY conv_id
