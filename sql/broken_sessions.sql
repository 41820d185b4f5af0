-- One row per session from :first_day to :last_day that cannot be reported, or whose cost cannot: which one, and why.
-- A run that would read such a row stops before it writes anything.
WITH broken_session AS (
    SELECT
        session_id,
        CASE
            WHEN session_id IS NULL OR session_id = '' THEN 'has no session_id'
            WHEN user_id IS NULL OR user_id = '' THEN 'has no user_id'
            WHEN channel_name IS NULL THEN 'has no channel_name'
            WHEN date(event_date) IS NOT event_date THEN 'has event_date ' || quote(event_date) || ', not YYYY-MM-DD'
            WHEN time(event_time) IS NULL OR event_time NOT GLOB '[0-9][0-9]:[0-9][0-9]:[0-9][0-9]*'
                THEN 'has event_time ' || quote(event_time) || ', not HH:MM:SS'
            WHEN holder_engagement NOT IN (0, 1) OR holder_engagement IS NULL
                THEN 'has holder_engagement ' || quote(holder_engagement) || ', not 0 or 1'
            WHEN closer_engagement NOT IN (0, 1) OR closer_engagement IS NULL
                THEN 'has closer_engagement ' || quote(closer_engagement) || ', not 0 or 1'
        END AS what
    FROM session_sources
    WHERE event_date BETWEEN :first_day AND :last_day
),

broken_cost AS (
    SELECT costs.session_id, 'has cost ' || quote(costs.cost) || ', not a number' AS what
    FROM session_costs AS costs
    CROSS JOIN session_sources AS session -- CROSS JOIN: one pass over the costs, few of which are broken
    WHERE (typeof(costs.cost) NOT IN ('integer', 'real', 'null') OR abs(costs.cost) > 1e300)
      AND session.session_id = costs.session_id
      AND session.event_date BETWEEN :first_day AND :last_day
)

SELECT 'session_sources: ' || quote(session_id) || ' ' || what AS problem FROM broken_session WHERE what IS NOT NULL
UNION ALL
SELECT 'session_costs: ' || quote(session_id) || ' ' || what FROM broken_cost
ORDER BY problem
