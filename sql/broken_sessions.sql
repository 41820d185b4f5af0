-- One row per session that cannot be attributed or reported, or whose cost cannot: which one, and why. It looks at the
-- sessions from :first_day to :last_day, and at those of the days' buyers as far back as :lookback_days days.
-- A run that would read such a row stops before it writes anything.
WITH session AS (
    SELECT *
    FROM session_sources
    WHERE event_date BETWEEN :first_day AND :last_day
    UNION ALL
    SELECT earlier.*
    FROM conversions
    CROSS JOIN session_sources AS earlier -- CROSS JOIN: conversions drive, the index on sessions serves
    WHERE conversions.conv_date BETWEEN :first_day AND :last_day
      AND earlier.user_id = conversions.user_id
      AND earlier.event_date >= date(:first_day, '-' || :lookback_days || ' days')
      AND earlier.event_date < :first_day
),

broken_session AS (
    SELECT
        session_id,
        CASE
            WHEN session_id IS NULL OR session_id = '' THEN 'has no session_id'
            WHEN channel_name IS NULL THEN 'has no channel_name'
            WHEN date(event_date) IS NOT event_date THEN 'has event_date ' || quote(event_date) || ', not YYYY-MM-DD'
            WHEN time(event_time) IS NULL OR event_time NOT GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' OR event_time GLOB '*[^0-9:.]*' OR event_time >= '24'
                THEN 'has event_time ' || quote(event_time) || ', not HH:MM:SS'
            WHEN holder_engagement NOT IN (0, 1) OR holder_engagement IS NULL
                THEN 'has holder_engagement ' || quote(holder_engagement) || ', not 0 or 1'
            WHEN closer_engagement NOT IN (0, 1) OR closer_engagement IS NULL
                THEN 'has closer_engagement ' || quote(closer_engagement) || ', not 0 or 1'
            WHEN impression_interaction NOT IN (0, 1) OR impression_interaction IS NULL
                THEN 'has impression_interaction ' || quote(impression_interaction) || ', not 0 or 1'
        END AS what
    FROM session
),

broken_cost AS (
    SELECT costs.session_id, 'has cost ' || quote(costs.cost) || ', not a number' AS what
    FROM session_costs AS costs
    CROSS JOIN session_sources AS session -- CROSS JOIN: the few unusual costs drive
    WHERE (typeof(costs.cost) NOT IN ('integer', 'real', 'null') OR abs(costs.cost) > 1e15)
      AND session.session_id = costs.session_id
      AND session.event_date BETWEEN :first_day AND :last_day
)

SELECT DISTINCT 'session_sources: ' || quote(session_id) || ' ' || what AS problem
FROM broken_session
WHERE what IS NOT NULL
UNION ALL
SELECT 'session_costs: ' || quote(session_id) || ' ' || what
FROM broken_cost
ORDER BY problem
