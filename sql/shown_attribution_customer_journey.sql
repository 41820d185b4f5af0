-- One row per day: what is shown beside its credits: the conversions and revenue that channels got, and those that none got.
WITH RECURSIVE calendar AS (
    SELECT $first_day AS day
    UNION ALL
    SELECT date(day, '+1 day') FROM calendar WHERE day < $last_day
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
)

SELECT
    day,
    count(*) FILTER (WHERE attributed) AS "conversions attributed",
    round(coalesce(exact_total(revenue) FILTER (WHERE attributed), 0.0), 2) AS "revenue attributed",
    count(*) FILTER (WHERE NOT attributed) AS "conversions not attributed",
    round(coalesce(exact_total(revenue) FILTER (WHERE NOT attributed), 0.0), 2) AS "revenue not attributed"
FROM calendar
LEFT JOIN conversion USING (day)
GROUP BY day
ORDER BY day
