-- One row per day with conversions that no session can be credited with: what is shown beside it.
SELECT
    conv_date AS day,
    count(CASE WHEN channel_name = 'Not tracked' THEN 1 END) AS "not tracked",
    count(CASE WHEN channel_name = 'No session' THEN 1 END) AS "no session",
    rounded(coalesce(sum(revenue), 0.0), 2) AS revenue
FROM uncredited_conversion
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
ORDER BY conv_date
