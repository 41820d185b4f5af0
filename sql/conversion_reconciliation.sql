-- One row per date and market: the conversions that the tracking saw, held against those of the shop's backend. Each id counts once,
-- but `tracked`, which counts rows.
SELECT
    date,
    market,
    sum(tracked_rows) AS tracked,
    sum(in_backend) AS backend,
    count(CASE WHEN in_backend = 1 AND tracked_rows = 0 THEN 1 END) AS missing,
    count(CASE WHEN in_backend = 0 THEN 1 END) AS only_tracked,
    count(CASE WHEN tracked_rows > 1 THEN 1 END) AS tracked_twice,
    count(CASE WHEN abs(tracked_revenue - backend_revenue) >= 0.005 THEN 1 END) AS other_revenue,
    count(CASE WHEN tracked_user <> backend_user THEN 1 END) AS other_user,
    count(CASE WHEN in_backend = 1 AND tracked_date <> date THEN 1 END) AS other_date,
    exact_total(coalesce(tracked_revenue, 0.0)) AS tracked_revenue,
    exact_total(coalesce(backend_revenue, 0.0)) AS backend_revenue,
    CAST(count(CASE WHEN in_backend = 1 AND tracked_rows > 0 THEN 1 END) AS double) / nullif(sum(in_backend), 0) AS match_rate
FROM reconciled_conversion
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date, market
ORDER BY date, market
