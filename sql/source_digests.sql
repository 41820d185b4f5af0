-- One row per day from $first_day to $last_day with a session or a conversion: a digest of each source's rows of that day.
-- digest(text) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
WITH session_day AS (
    SELECT
        session.event_date AS date,
        digest(
            group_concat(
                quote(session.session_id) || quote(session.user_id) || quote(session.event_time) || quote(session.channel_name)
                || quote(session.holder_engagement) || quote(session.closer_engagement)
                || quote(session.impression_interaction)
            )
        ) AS sessions,
        digest(group_concat(quote(session.session_id) || quote(costs.cost))) AS costs
    FROM session_sources AS session
    LEFT JOIN session_costs AS costs ON costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
    GROUP BY session.event_date
),

conversion_day AS (
    SELECT conv_date AS date, digest(group_concat(quote(conv_id) || quote(user_id) || quote(conv_time) || quote(revenue))) AS conversions
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
    GROUP BY conv_date
),

source_day AS (
    SELECT date, sessions, costs, '' AS conversions FROM session_day
    UNION ALL
    SELECT date, '', '', conversions FROM conversion_day
)

SELECT date, max(sessions) AS sessions, max(costs) AS costs, max(conversions) AS conversions
FROM source_day
GROUP BY date
ORDER BY date
