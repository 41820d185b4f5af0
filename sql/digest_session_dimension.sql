-- One row per day from $first_day to $last_day with a session: a digest of the values by which the day's sessions are broken down.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
SELECT event_date AS date, row_digest(session_id, dimension, value) AS digest
FROM session_dimension
WHERE event_date BETWEEN $first_day AND $last_day
GROUP BY event_date
