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

unusual AS (
    SELECT costs.session_id, costs.cost
    FROM unusual_cost AS costs
    CROSS JOIN session_sources AS session -- CROSS JOIN: the few unusual costs drive
    WHERE session.session_id = costs.session_id
      AND session.event_date BETWEEN $first_day AND $last_day
)

SELECT
    'session_sources: ' || quote(session_id) || ' ' || CASE
        WHEN session_id IS NULL OR CAST(session_id AS text) = '' THEN 'has no session_id'
        WHEN type_of(session_id) = 'real' THEN 'has session_id ' || quote(session_id) || ', a number with a point: store CAST(CAST(session_id AS integer) AS text)'
        WHEN type_of(session_id) = 'blob' THEN 'has session_id ' || quote(session_id) || ', bytes and no text: store CAST(session_id AS text)'
        WHEN type_of(user_id) = 'real' THEN 'has user_id ' || quote(user_id) || ', a number with a point: store CAST(CAST(user_id AS integer) AS text)'
        WHEN type_of(user_id) = 'blob' THEN 'has user_id ' || quote(user_id) || ', bytes and no text: store CAST(user_id AS text)'
        WHEN NOT is_utf8(session_id) THEN 'has session_id ' || quote(session_id) || ', which is not UTF-8: load it again as UTF-8'
        WHEN NOT is_utf8(user_id) THEN 'has user_id ' || quote(user_id) || ', which is not UTF-8: load it again as UTF-8'
        WHEN channel_name IS NULL THEN 'has no channel_name'
        WHEN type_of(channel_name) = 'blob' THEN 'has channel_name ' || quote(channel_name) || ', bytes and no text: store CAST(channel_name AS text)'
        WHEN NOT is_utf8(channel_name) THEN 'has channel_name ' || quote(channel_name) || ', which is not UTF-8: load it again as UTF-8'
        WHEN is_no_date(event_date)
            THEN 'has event_date ' || quote(event_date) || ', which is not a date written YYYY-MM-DD'
        WHEN is_no_flag(holder_engagement)
            THEN 'has holder_engagement ' || quote(holder_engagement) || ', which is not 0 or 1'
        WHEN is_no_flag(closer_engagement)
            THEN 'has closer_engagement ' || quote(closer_engagement) || ', which is not 0 or 1'
        WHEN is_no_flag(impression_interaction)
            THEN 'has impression_interaction ' || quote(impression_interaction) || ', which is not 0 or 1'
        ELSE 'has event_time ' || quote(event_time) || ', which is not HH:MM:SS'
    END AS problem
FROM reached
UNION ALL
SELECT 'session_costs: ' || quote(session_id) || ' has cost ' || quote(cost) || ', which is not a number'
FROM unusual
ORDER BY problem
