-- One row per day from $first_day to $last_day with a session that has a cost: a digest of what the day's sessions cost.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT session.event_date AS date, digest(CAST(group_concat(quote(session.session_id) || quote(costs.cost) || quote(costs.currency)) AS blob)) AS digest
FROM session_sources AS session
JOIN session_costs AS costs ON costs.session_id = session.session_id
WHERE session.event_date BETWEEN $first_day AND $last_day
GROUP BY session.event_date
