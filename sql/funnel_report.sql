-- One row per day, channel and step: the sessions of the day, those that reached the step, and those that reached it or a later one (level).
-- $steps: the event types that are steps, in order, as a JSON array.
WITH step AS (
    SELECT key + 1 AS position, value AS name FROM names_in($steps)
),

kind AS ( -- of sessions that are alike
    SELECT date, coalesce(channel, '(unknown)') AS channel, steps, furthest, count(*) AS sessions
    FROM session_funnel
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, coalesce(channel, '(unknown)'), steps, furthest
),

counted AS (
    SELECT
        kind.date,
        kind.channel,
        step.name AS step,
        step.position,
        CAST(sum(kind.sessions) AS bigint) AS sessions,
        CAST(sum(CASE WHEN instr(',' || kind.steps || ',', ',' || step.name || ',') > 0 THEN kind.sessions ELSE 0 END) AS bigint)
            AS reached,
        CAST(sum(CASE WHEN kind.furthest >= step.position THEN kind.sessions ELSE 0 END) AS bigint) AS level
    FROM kind
    CROSS JOIN step
    GROUP BY kind.date, kind.channel, step.name, step.position
)

SELECT
    date,
    channel,
    step,
    position,
    sessions,
    reached,
    level,
    CAST(reached AS double) / sessions AS rate,
    CAST(level AS double) / sessions AS level_rate,
    1 - CAST(level AS double) / nullif(coalesce(lag(level) OVER (PARTITION BY date, channel ORDER BY position), sessions), 0) AS drop_off
FROM counted
ORDER BY date, channel, position
