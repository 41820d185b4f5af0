-- One row per event from $first_day to $last_day, or without a day, that belongs to no session, step or day: which one, and why.
-- A run that would read such a row stops before it writes anything. On SQLite, the index events_broken finds the rows.
SELECT
    'events: ' || quote(event_id) || ' ' || CASE
        WHEN coalesce(session_id, '') = '' THEN 'has no session_id'
        WHEN coalesce(event_type, '') = '' THEN 'has no event_type'
        ELSE 'has created_at ' || quote(created_at) || ', which is not YYYY-MM-DD HH:MM:SS'
    END AS problem
FROM events
WHERE is_broken_event(session_id, event_type, created_at)
  AND (substr(created_at, 1, 10) BETWEEN $first_day AND $last_day OR is_no_date(substr(created_at, 1, 10)))
ORDER BY problem
