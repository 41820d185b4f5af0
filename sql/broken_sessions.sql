-- One row per session that cannot be attributed or reported, or whose cost cannot: which one, and why. It looks at the
-- sessions from $first_day to $last_day, and at those of the days' buyers since $first_session_day.
-- A run that would read such a row stops before it writes anything. The view broken_session has those of all days.
WITH reached AS (
    SELECT * FROM broken_session WHERE event_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT *
    FROM broken_session
    WHERE event_date >= $first_session_day
      AND event_date < $first_day
      AND CAST(user_id AS text) IN (SELECT user_id FROM conversions WHERE conv_date BETWEEN $first_day AND $last_day)
),

unusual_cost AS (
    SELECT costs.session_id, costs.cost
    FROM session_costs AS costs
    CROSS JOIN session_sources AS session -- CROSS JOIN: the few unusual costs drive
    WHERE (typeof(costs.cost) NOT IN ('integer', 'real', 'null') OR abs(costs.cost) > 1e15)
      AND session.session_id = costs.session_id
      AND session.event_date BETWEEN $first_day AND $last_day
)

SELECT
    'session_sources: ' || quote(session_id) || ' ' || CASE
        WHEN session_id IS NULL OR session_id = '' THEN 'has no session_id'
        WHEN typeof(session_id) = 'real' THEN 'has session_id ' || quote(session_id) || ', a number with a point: store CAST(CAST(session_id AS integer) AS text)'
        WHEN typeof(session_id) = 'blob' THEN 'has session_id ' || quote(session_id) || ', bytes and no text: store CAST(session_id AS text)'
        WHEN typeof(user_id) = 'real' THEN 'has user_id ' || quote(user_id) || ', a number with a point: store CAST(CAST(user_id AS integer) AS text)'
        WHEN typeof(user_id) = 'blob' THEN 'has user_id ' || quote(user_id) || ', bytes and no text: store CAST(user_id AS text)'
        WHEN NOT decodes(CAST(session_id AS blob)) THEN 'has session_id ' || quote(session_id) || ', which is not UTF-8: load it again as UTF-8'
        WHEN NOT decodes(CAST(user_id AS blob)) THEN 'has user_id ' || quote(user_id) || ', which is not UTF-8: load it again as UTF-8'
        WHEN channel_name IS NULL THEN 'has no channel_name'
        WHEN typeof(channel_name) = 'blob' THEN 'has channel_name ' || quote(channel_name) || ', bytes and no text: store CAST(channel_name AS text)'
        WHEN NOT decodes(CAST(channel_name AS blob)) THEN 'has channel_name ' || quote(channel_name) || ', which is not UTF-8: load it again as UTF-8'
        WHEN date(event_date, '+0 days') IS NOT event_date
            THEN 'has event_date ' || quote(event_date) || ', which is not a date written YYYY-MM-DD'
        WHEN holder_engagement NOT IN (0, 1) OR holder_engagement IS NULL
            THEN 'has holder_engagement ' || quote(holder_engagement) || ', which is not 0 or 1'
        WHEN closer_engagement NOT IN (0, 1) OR closer_engagement IS NULL
            THEN 'has closer_engagement ' || quote(closer_engagement) || ', which is not 0 or 1'
        WHEN impression_interaction NOT IN (0, 1) OR impression_interaction IS NULL
            THEN 'has impression_interaction ' || quote(impression_interaction) || ', which is not 0 or 1'
        ELSE 'has event_time ' || quote(event_time) || ', which is not HH:MM:SS'
    END AS problem
FROM reached
UNION ALL
SELECT 'session_costs: ' || quote(session_id) || ' has cost ' || quote(cost) || ', which is not a number'
FROM unusual_cost
ORDER BY problem
