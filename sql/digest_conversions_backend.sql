-- One row per day from $first_day to $last_day with a conversion in the shop's backend, or in the tracking alone: a digest of what both
-- say of the day's conversions.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT
    date,
    digest(
        CAST(
            group_concat(
                quote(conv_id) || quote(market) || tracked_rows || quote(backend_user) || quote(tracked_user) || quote(tracked_date)
                || quote(backend_revenue) || quote(tracked_revenue)
            ) AS blob
        )
    ) AS digest
FROM reconciled_conversion
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
