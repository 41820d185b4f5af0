-- One row per session date of the days and channel: how many sessions it had, and what it cost: the sessions, and ad spend.
-- Every session counts once, credited or not; a session has one cost, several, or none. $spend_wins = 'platform' leaves out the own
-- costs of sessions that session_spend has; where it is empty, there is no ad spend.
WITH traffic AS (
    SELECT event_date AS date, channel_name, count(*) AS sessions
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day
    GROUP BY event_date, channel_name
),

amount AS (
    SELECT session.event_date AS date, session.channel_name, session_costs.cost
    FROM session_sources AS session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
      -- so DuckDB expects few costs and holds them in memory, and not the sessions, of which there are more, but for one day
      AND (session_costs.cost IS NOT NULL OR $first_day = $last_day)
      AND NOT EXISTS (
          SELECT 1 FROM session_spend
          WHERE session_spend.date = session.event_date AND session_spend.session_id = session.session_id AND $spend_wins = 'platform'
      )
    UNION ALL
    SELECT date, channel_name, cost
    FROM session_spend
    WHERE date BETWEEN $first_day AND $last_day AND $spend_wins <> ''
),

ledger AS (
    SELECT date, channel_name, sessions, 0.0 AS cost FROM traffic
    UNION ALL
    SELECT date, channel_name, 0, cost FROM amount
)

SELECT date, channel_name, CAST(sum(sessions) AS bigint) AS sessions, exact_total(cost) AS cost
FROM ledger
GROUP BY date, channel_name
ORDER BY date, channel_name
