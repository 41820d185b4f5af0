-- One row per conversion id that the shop's backend or the tracking has: what each of them says. A view for other queries.
-- The date and the market are the backend's; those of an id that was only tracked, the tracking's. Where there are several rows of an
-- id, the one with the backend's user speaks for the tracking, else the first by user; the first by date for the backend.
WITH backend_row AS (
    SELECT *, row_number() OVER (PARTITION BY conv_id ORDER BY conv_date, user_id) AS place FROM conversions_backend
),

truth AS MATERIALIZED (
    SELECT conv_id, user_id, conv_date, market, revenue, currency FROM backend_row WHERE place = 1
),

tracked_row AS (
    SELECT
        conversions.conv_id,
        conversions.user_id,
        conversions.conv_date,
        conversions.conv_time,
        conversions.market,
        conversions.revenue,
        conversions.currency,
        truth.conv_id IS NULL AS is_only_tracked,
        count(*) OVER (PARTITION BY conversions.conv_id) AS rows_of_id,
        row_number() OVER (
            PARTITION BY conversions.conv_id
            ORDER BY CASE WHEN conversions.user_id = truth.user_id THEN 0 ELSE 1 END, conversions.user_id, conversions.conv_date
        ) AS place
    FROM tracked_conversion AS conversions
    LEFT JOIN truth ON truth.conv_id = conversions.conv_id
),

seen AS MATERIALIZED (
    SELECT * FROM tracked_row WHERE place = 1
)

SELECT
    truth.conv_date AS date,
    coalesce(truth.market, seen.market, '(none)') AS market,
    truth.conv_id,
    1 AS in_backend,
    coalesce(seen.rows_of_id, 0) AS tracked_rows,
    truth.user_id AS backend_user,
    seen.user_id AS tracked_user,
    seen.conv_date AS tracked_date,
    seen.conv_time AS tracked_time,
    truth.currency,
    truth.revenue AS backend_revenue,
    seen.revenue AS tracked_revenue
FROM truth
LEFT JOIN seen ON seen.conv_id = truth.conv_id
UNION ALL
SELECT conv_date, coalesce(market, '(none)'), conv_id, 0, rows_of_id, NULL, user_id, conv_date, conv_time, currency, NULL, revenue
FROM seen
WHERE is_only_tracked
