-- One row per day from $first_day to $last_day and step with other sessions in funnel_report than in session_funnel.
-- $steps: the event types that are steps, in order, as a JSON array.
WITH step AS (
    SELECT key + 1 AS position, value AS name FROM names_in($steps)
),

kind AS ( -- of sessions that are alike
    SELECT date, ',' || steps || ',' AS steps, furthest, count(*) AS sessions
    FROM session_funnel
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, steps, furthest
),

part AS (
    SELECT
        kind.date,
        step.name AS step,
        kind.sessions,
        CASE WHEN replace(kind.steps, ',' || step.name || ',', '') <> kind.steps THEN kind.sessions ELSE 0 END AS reached,
        CASE WHEN kind.furthest >= step.position THEN kind.sessions ELSE 0 END AS level
    FROM kind
    CROSS JOIN step
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
