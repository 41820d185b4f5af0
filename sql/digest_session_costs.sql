-- One row per day from $first_day to $last_day with a session that has a cost: a digest of what the day's sessions cost.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
SELECT session.event_date AS date, row_digest(session.session_id, costs.cost, costs.currency) AS digest
FROM session_sources AS session
JOIN session_costs AS costs ON costs.session_id = session.session_id
WHERE session.event_date BETWEEN $first_day AND $last_day
  AND costs.cost IS NOT NULL -- so DuckDB expects few costs: it holds them in memory, and not the sessions
GROUP BY session.event_date
