-- One row per day from $first_day to $last_day with a conversion: a digest of the day's conversions.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT
    conv_date AS date,
    digest(
        CAST(
            group_concat(
                quote(conv_id) || quote(user_id) || quote(conv_time) || quote(revenue) || quote(market) || quote(currency)
            ) AS blob
        )
    ) AS digest
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
