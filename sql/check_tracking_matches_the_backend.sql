-- One row per conversion that the tracking and the shop's backend do not have alike, and why, if these are more than
-- $most_untracked of the backend's conversions of the days.
WITH conversion AS MATERIALIZED (
    SELECT
        *,
        CASE
            WHEN tracked_rows = 0 THEN 'was not tracked'
            WHEN in_backend = 0 THEN 'was only tracked'
            WHEN abs(tracked_revenue - backend_revenue) >= 0.005 THEN 'has another revenue'
            WHEN tracked_user <> backend_user THEN 'has another user'
            WHEN tracked_date <> date THEN 'has another date'
            WHEN tracked_rows > 1 THEN 'was tracked more than once'
        END AS problem
    FROM reconciled_conversion
    WHERE date BETWEEN $first_day AND $last_day
),

counted AS (
    SELECT sum(in_backend) AS backend_conversions, count(problem) AS problems FROM conversion
)

SELECT
    date,
    market,
    conv_id,
    problem,
    tracked_user,
    backend_user,
    tracked_date,
    tracked_revenue,
    backend_revenue,
    counted.backend_conversions
FROM conversion
CROSS JOIN counted
WHERE problem IS NOT NULL AND counted.problems > $most_untracked * counted.backend_conversions
ORDER BY date, market, conv_id
