-- One row per event from $first_day to $last_day, or without a day, that belongs to no session, step or day: which one, and why.
-- A run that would read such a row stops before it writes anything. The condition is that of the index events_broken, which finds the rows.
SELECT
    'events: ' || quote(event_id) || ' ' || CASE
        WHEN coalesce(session_id, '') = '' THEN 'has no session_id'
        WHEN coalesce(event_type, '') = '' THEN 'has no event_type'
        ELSE 'has created_at ' || quote(created_at) || ', which is not YYYY-MM-DD HH:MM:SS'
    END AS problem
FROM events
WHERE (
        coalesce(session_id, '') = '' OR coalesce(event_type, '') = ''
        OR coalesce(created_at, '') NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*'
        OR date(substr(coalesce(created_at, ''), 1, 10), '+0 days') IS NOT substr(coalesce(created_at, ''), 1, 10)
        OR substr(created_at, 12, 2) > '23' OR (length(created_at) > 19 AND (created_at NOT GLOB '???????????????????.?*' OR substr(created_at, 21) GLOB '*[^0-9]*'))
    )
    AND (
        substr(created_at, 1, 10) BETWEEN $first_day AND $last_day
        OR date(substr(coalesce(created_at, ''), 1, 10), '+0 days') IS NOT substr(coalesce(created_at, ''), 1, 10)
    )
ORDER BY problem
