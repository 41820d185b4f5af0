-- One row per type of events from $first_day to $last_day that is no step of the funnel: how many events it has; most first.
-- $steps: the event types that are steps, in order, as a JSON array.
SELECT event_type, count(*) AS events
FROM events
WHERE created_at BETWEEN $first_day AND $last_day || ' 24'
  AND event_type NOT IN (SELECT value FROM names_in($steps))
GROUP BY event_type
ORDER BY events DESC, event_type
