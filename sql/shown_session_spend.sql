-- One row per day with ad spend: what is shown beside it: the spend that costs get, the costs that it displaces, the sessions that
-- carry it, and the spend of campaigns without sessions.
SELECT
    date AS day,
    round(total(cost), 2) AS spend,
    round(total(displaced), 2) AS "costs displaced",
    count(nullif(session_id, '')) AS sessions,
    round(total(CASE WHEN session_id = '' THEN cost END), 2) AS "spend without sessions"
FROM session_spend
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
ORDER BY date
