-- One row per session from $first_day to $last_day, users one after another, with the date of the user's next conversion until
-- $last_day, '' if there is none.
-- A conversion at the session's very second is the next one if its journey has the session ($include_converting_session = 1).
-- Users in $nobody, a JSON array of ids, are left out.
-- Beside the journeys of conversions, these are what channel_values are learned from.
WITH event AS (
    SELECT user_id, event_date || ' ' || event_time AS timestamp, 1 AS is_session, session_id, event_date, channel_name, CAST(NULL AS text) AS conv_date
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day AND user_id <> '' -- without a user, it belongs to no journey
      AND user_id NOT IN (SELECT value FROM names_in($nobody))
    UNION ALL
    SELECT user_id, conv_date || ' ' || conv_time, 0, conv_id, NULL, NULL, conv_date
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
      AND user_id NOT IN (SELECT value FROM names_in($nobody))
),

followed AS (
    SELECT
        *,
        min(conv_date) OVER (
            PARTITION BY user_id
            ORDER BY timestamp DESC, CASE $include_converting_session WHEN 1 THEN is_session ELSE 1 - is_session END
            ROWS UNBOUNDED PRECEDING
        ) AS next_conv_date
    FROM event
)

SELECT user_id, session_id, event_date, timestamp, channel_name AS channel_label, coalesce(next_conv_date, '') AS next_conv_date
FROM followed
WHERE is_session = 1
ORDER BY user_id, timestamp, session_id
