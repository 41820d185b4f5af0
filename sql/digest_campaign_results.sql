-- One row per day from $first_day to $last_day with campaign results: a digest of the day's rows.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT
    date,
    digest(
        CAST(
            group_concat(
                quote(customer_id) || quote(status) || quote(type) || quote(category) || quote(revenue) || quote(conversions)
                || quote(impressions) || quote(clicks)
            ) AS blob
        )
    ) AS digest
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
