-- One row per day: what is shown beside its credits: the conversions and revenue that channels got, and those that none got.
WITH calendar AS (
    SELECT day FROM days_from($first_day, $last_day)
),

conversion AS MATERIALIZED ( -- so that each is looked up once
    SELECT
        conv_date AS day,
        revenue,
        EXISTS (
            SELECT 1 FROM attribution_customer_journey AS credit WHERE credit.conv_id = conversions.conv_id
        ) AS attributed
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
),

kind AS (
    SELECT day, attributed, count(*) AS conversions, exact_total(revenue) AS revenue FROM conversion GROUP BY day, attributed
)

SELECT
    calendar.day,
    coalesce(with_credit.conversions, 0) AS "conversions attributed",
    rounded(coalesce(with_credit.revenue, 0.0), 2) AS "revenue attributed",
    coalesce(without_credit.conversions, 0) AS "conversions not attributed",
    rounded(coalesce(without_credit.revenue, 0.0), 2) AS "revenue not attributed"
FROM calendar
LEFT JOIN kind AS with_credit ON with_credit.day = calendar.day AND with_credit.attributed
LEFT JOIN kind AS without_credit ON without_credit.day = calendar.day AND NOT without_credit.attributed
ORDER BY calendar.day
