-- One row per day: what is shown beside its journeys: the conversions that have one, and those that have no session.
WITH calendar AS (
    SELECT day FROM days_from($first_day, $last_day)
),

conversion AS MATERIALIZED ( -- so that each is looked up once
    SELECT
        conv_date AS day,
        revenue,
        EXISTS (SELECT 1 FROM customer_journeys WHERE customer_journeys.conv_id = conversions.conv_id) AS has_session
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
),

kind AS (
    SELECT day, has_session, count(*) AS conversions, exact_total(revenue) AS revenue FROM conversion GROUP BY day, has_session
)

SELECT
    calendar.day,
    coalesce(reached.conversions, 0) AS "conversions with a session",
    coalesce(unreached.conversions, 0) AS "conversions without a session",
    rounded(coalesce(unreached.revenue, 0.0), 2) AS "revenue without a session"
FROM calendar
LEFT JOIN kind AS reached ON reached.day = calendar.day AND reached.has_session
LEFT JOIN kind AS unreached ON unreached.day = calendar.day AND NOT unreached.has_session
ORDER BY calendar.day
