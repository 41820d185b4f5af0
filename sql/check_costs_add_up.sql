-- One row per day whose sessions or cost in channel_costs differ from what the sources add up to, in cost by half a cent or more.
-- channel_costs adds up by channel; here each source is added up by day, so that a channel that was lost or stands twice shows.
WITH source_day AS (
    SELECT event_date AS date, count(*) AS sessions
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day
    GROUP BY event_date
),

cost_day AS (
    SELECT session.event_date AS date, sum(session_costs.cost) AS cost
    FROM session_sources AS session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
    GROUP BY session.event_date
),

summed_day AS (
    SELECT date, CAST(sum(sessions) AS integer) AS sessions, sum(cost) AS cost
    FROM channel_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
),

day AS (
    SELECT date FROM source_day
    UNION
    SELECT date FROM summed_day
)

SELECT
    day.date,
    coalesce(summed_day.sessions, 0) AS sessions,
    coalesce(source_day.sessions, 0) AS sessions_of_sources,
    coalesce(summed_day.cost, 0) AS cost,
    coalesce(cost_day.cost, 0) AS cost_of_sources
FROM day
LEFT JOIN source_day ON source_day.date = day.date
LEFT JOIN cost_day ON cost_day.date = day.date
LEFT JOIN summed_day ON summed_day.date = day.date
WHERE coalesce(summed_day.sessions, 0) <> coalesce(source_day.sessions, 0)
   OR abs(coalesce(summed_day.cost, 0) - coalesce(cost_day.cost, 0)) >= 0.005
      AND abs(coalesce(summed_day.cost, 0) - coalesce(cost_day.cost, 0)) >= 1e-12 * abs(coalesce(cost_day.cost, 0))
ORDER BY day.date
