-- One row per session date of the days and channel: how many sessions it had, and what they cost.
-- Every session counts once, credited or not; a session has one cost, several, or none.
WITH ledger AS (
    SELECT event_date AS date, channel_name, 1 AS sessions, NULL AS cost
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT session.event_date, session.channel_name, 0, session_costs.cost
    FROM session_sources AS session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
)

SELECT date, channel_name, CAST(sum(sessions) AS integer) AS sessions, exact_total(cost) AS cost
FROM ledger
GROUP BY date, channel_name
ORDER BY date, channel_name
