-- One row: how many conversions of the days only the tracking has, and their revenue: for the shop's backend they do not exist.
SELECT count(*) AS conversions, coalesce(exact_total(tracked_revenue), 0.0) AS revenue
FROM reconciled_conversion
WHERE date BETWEEN $first_day AND $last_day AND in_backend = 0
