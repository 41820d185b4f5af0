-- One row per date and market: the conversions that the tracking saw, held against those of the shop's backend. Each id counts once,
-- but `tracked`, which counts rows.
SELECT
    date,
    market,
    sum(tracked_rows) AS tracked,
    sum(in_backend) AS backend,
    sum(in_backend AND tracked_rows = 0) AS missing,
    sum(NOT in_backend) AS only_tracked,
    sum(tracked_rows > 1) AS tracked_twice,
    sum(coalesce(abs(tracked_revenue - backend_revenue) >= 0.005, 0)) AS other_revenue,
    sum(coalesce(tracked_user <> backend_user, 0)) AS other_user,
    sum(coalesce(in_backend AND tracked_date <> date, 0)) AS other_date,
    exact_total(coalesce(tracked_revenue, 0.0)) AS tracked_revenue,
    exact_total(coalesce(backend_revenue, 0.0)) AS backend_revenue,
    1.0 * sum(in_backend AND tracked_rows > 0) / nullif(sum(in_backend), 0) AS match_rate
FROM reconciled_conversion
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date, market
ORDER BY date, market
