-- One row per date: how many conversions the tracking has.
SELECT conv_date AS date, count(*) AS conversions
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
ORDER BY conv_date
