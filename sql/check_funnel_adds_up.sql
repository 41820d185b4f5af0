-- One row per day from $first_day to $last_day and step with other sessions in funnel_report than in session_funnel.
-- $steps: the event types that are steps, in order, as a JSON array.
WITH step AS (
    SELECT CAST(key AS integer) + 1 AS position, $steps ->> ('$[' || key || ']') AS name FROM json_each($steps)
),

part AS (
    SELECT session.date, step.name AS step, 1 AS sessions, session.steps = step.name OR session.steps LIKE step.name || ',%'
        OR session.steps LIKE '%,' || step.name OR session.steps LIKE '%,' || step.name || ',%' AS reached,
        session.furthest >= step.position AS level
    FROM session_funnel AS session
    CROSS JOIN step
    WHERE session.date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, step, -sessions, -reached, -level
    FROM funnel_report
    WHERE date BETWEEN $first_day AND $last_day
)

SELECT date, step, sum(sessions) AS sessions_missing, sum(reached) AS reached_missing, sum(level) AS level_missing
FROM part
GROUP BY date, step
HAVING sum(sessions) <> 0 OR sum(reached) <> 0 OR sum(level) <> 0
ORDER BY date, step
