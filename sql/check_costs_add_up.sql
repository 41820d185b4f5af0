-- One row per session date of the days and channel whose sessions or cost in channel_costs differ from what the sources and
-- session_spend add up to, in cost by half a cent or more. channel_costs reads each session's costs by a join and leaves out those
-- that spend displaces; here sessions, costs, spend and what it displaces are added up apart, and by channel, so that what stands
-- under another channel shows.
WITH figure AS (
    SELECT date, channel_name, sessions, cost, 0 AS sessions_of_sources, 0.0 AS cost_of_sources
    FROM channel_costs
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT event_date, channel_name, 0, 0.0, count(*), 0.0
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day
    GROUP BY event_date, channel_name
    UNION ALL
    SELECT session.event_date, session.channel_name, 0, 0.0, 0, sum(session_costs.cost)
    FROM session_sources AS session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
      -- so DuckDB expects few costs and holds them in memory, and not the sessions, of which there are more, but for one day
      AND (session_costs.cost IS NOT NULL OR $first_day = $last_day)
    GROUP BY session.event_date, session.channel_name
    UNION ALL
    SELECT date, channel_name, 0, 0.0, 0, sum(cost - displaced)
    FROM session_spend
    WHERE date BETWEEN $first_day AND $last_day AND $spend_wins <> ''
    GROUP BY date, channel_name
),

compared AS (
    SELECT
        date,
        channel_name,
        CAST(sum(sessions) AS bigint) AS sessions,
        CAST(sum(sessions_of_sources) AS bigint) AS sessions_of_sources,
        sum(cost) AS cost,
        sum(cost_of_sources) AS cost_of_sources
    FROM figure
    GROUP BY date, channel_name
)

SELECT date, channel_name, sessions, sessions_of_sources, cost, cost_of_sources
FROM compared
WHERE sessions <> sessions_of_sources
   OR abs(cost - cost_of_sources) >= 0.005 AND abs(cost - cost_of_sources) >= 1e-12 * abs(cost_of_sources)
ORDER BY date, channel_name
