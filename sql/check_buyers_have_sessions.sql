-- One row per conversion from $first_day to $last_conversion_day whose user has no session at all, at any time.
-- Users in $nobody, a JSON array of ids, need none.
SELECT conv_id, user_id, conv_date, revenue
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_conversion_day
  AND user_id IS NOT NULL -- a conversion of the backend that was not tracked has none
  AND user_id NOT IN (SELECT value FROM names_in($nobody))
  AND NOT EXISTS (SELECT 1 FROM session_sources WHERE session_sources.user_id = conversions.user_id)
ORDER BY conv_date, conv_id
