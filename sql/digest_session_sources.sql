-- One row per day from $first_day to $last_day with a session: a digest of the day's sessions.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT
    event_date AS date,
    digest(
        CAST(
            group_concat(
                quote(session_id) || quote(user_id) || quote(event_time) || quote(channel_name)
                || quote(holder_engagement) || quote(closer_engagement) || quote(impression_interaction)
                || quote(campaign_id) || quote(market) || quote(cpc)
            ) AS blob
        )
    ) AS digest
FROM session_sources
WHERE event_date BETWEEN $first_day AND $last_day
GROUP BY event_date
