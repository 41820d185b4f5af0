-- One row per session date of the days and channel: how many sessions it had, and what they cost.
-- Every session counts once, credited or not; a session has one cost, several, or none.
WITH traffic AS (
    SELECT event_date AS date, channel_name, count(*) AS sessions
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day
    GROUP BY event_date, channel_name
),

spend AS (
    SELECT session.event_date AS date, session.channel_name, exact_total(session_costs.cost) AS cost
    FROM session_sources AS session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
      AND session_costs.cost IS NOT NULL -- so DuckDB expects few costs: it holds them in memory, and not the sessions
    GROUP BY session.event_date, session.channel_name
)

SELECT traffic.date, traffic.channel_name, traffic.sessions, coalesce(spend.cost, 0.0) AS cost
FROM traffic
LEFT JOIN spend ON spend.date = traffic.date AND spend.channel_name = traffic.channel_name
ORDER BY traffic.date, traffic.channel_name
