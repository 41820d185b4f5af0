-- One row per day with a session: what is shown beside it: the sessions, those that went on after the day, the orders and their revenue.
SELECT
    date AS day,
    count(*) AS sessions,
    count(CASE WHEN substr(last_event, 1, 10) > date THEN 1 END) AS "sessions with later events",
    sum(orders) AS orders,
    rounded(coalesce(sum(revenue), 0.0), 2) AS revenue
FROM session_funnel
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
ORDER BY date
