-- One row per day: what is shown beside its journeys: the conversions that have one, and those that have no session.
WITH RECURSIVE calendar AS (
    SELECT $first_day AS day
    UNION ALL
    SELECT date(day, '+1 day') FROM calendar WHERE day < $last_day
),

conversion AS MATERIALIZED ( -- so that each is looked up once
    SELECT
        conv_date AS day,
        revenue,
        EXISTS (SELECT 1 FROM customer_journeys WHERE customer_journeys.conv_id = conversions.conv_id) AS has_session
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
)

SELECT
    day,
    count(*) FILTER (WHERE has_session) AS "conversions with a session",
    count(*) FILTER (WHERE NOT has_session) AS "conversions without a session",
    round(coalesce(exact_total(revenue) FILTER (WHERE NOT has_session), 0.0), 2) AS "revenue without a session"
FROM calendar
LEFT JOIN conversion USING (day)
GROUP BY day
ORDER BY day
