-- One row per day from $first_day to $last_day with a session: a digest of the values by which the day's sessions are broken down.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT event_date AS date, digest(CAST(group_concat(quote(session_id) || quote(dimension) || quote(value)) AS blob)) AS digest
FROM session_dimension
WHERE event_date BETWEEN $first_day AND $last_day
GROUP BY event_date
