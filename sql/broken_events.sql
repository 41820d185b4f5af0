-- One row per event from $first_day to $last_day, or without a day, that belongs to no session, step or day: which one, and why.
-- A run that would read such a row stops before it writes anything. The condition is that of the index events_broken, which finds the rows.
SELECT
    'events: ' || quote(event_id) || ' ' || CASE
        WHEN session_id IS NULL OR session_id = '' THEN 'has no session_id'
        WHEN event_type IS NULL OR event_type = '' THEN 'has no event_type'
        ELSE 'has created_at ' || quote(created_at) || ', which is not YYYY-MM-DD HH:MM:SS'
    END AS problem
FROM events
WHERE (
        session_id IS NULL OR session_id = '' OR event_type IS NULL OR event_type = '' OR created_at IS NULL
        OR created_at NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*'
        OR date(substr(created_at, 1, 10), '+0 days') IS NOT substr(created_at, 1, 10)
    )
    AND (
        substr(created_at, 1, 10) BETWEEN $first_day AND $last_day
        OR date(substr(created_at, 1, 10), '+0 days') IS NOT substr(created_at, 1, 10)
    )
ORDER BY problem
