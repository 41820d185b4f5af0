-- One row per day with ad spend: what is shown beside it: the spend that costs get, the costs that it displaces, the sessions that
-- carry it, and the spend of campaigns without sessions.
SELECT
    date AS day,
    rounded(coalesce(sum(cost), 0.0), 2) AS spend,
    rounded(coalesce(sum(displaced), 0.0), 2) AS "costs displaced",
    count(nullif(session_id, '')) AS sessions,
    rounded(coalesce(sum(CASE WHEN session_id = '' THEN cost END), 0.0), 2) AS "spend without sessions"
FROM session_spend
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
ORDER BY date
