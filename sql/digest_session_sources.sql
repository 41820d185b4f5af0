-- One row per day from $first_day to $last_day with a session: a digest of the day's sessions.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
SELECT
    event_date AS date,
    row_digest(session_id, user_id, event_time, channel_name, holder_engagement, closer_engagement, impression_interaction, campaign_id, market, cpc) AS digest
FROM session_sources
WHERE event_date BETWEEN $first_day AND $last_day
GROUP BY event_date
