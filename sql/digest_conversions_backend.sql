-- One row per day from $first_day to $last_day with a conversion in the shop's backend, or in the tracking alone: a digest of all rows
-- that either side has of the day's ids, whatever their dates.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
WITH id_of_day AS (
    SELECT conv_date AS date, conv_id FROM conversions_backend WHERE conv_date BETWEEN $first_day AND $last_day
    UNION
    SELECT conv_date, conv_id
    FROM tracked_conversion AS conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
      AND NOT EXISTS (SELECT 1 FROM conversions_backend WHERE conversions_backend.conv_id = conversions.conv_id)
),

row_of_day AS (
    SELECT
        id_of_day.date,
        'backend' || quote(row.conv_id) || quote(row.user_id) || quote(row.conv_date) || quote(row.market) || quote(row.revenue)
        || quote(row.currency) AS row
    FROM id_of_day
    JOIN conversions_backend AS row ON row.conv_id = id_of_day.conv_id
    UNION ALL
    SELECT
        id_of_day.date,
        'tracked' || quote(row.conv_id) || quote(row.user_id) || quote(row.conv_date) || quote(row.market) || quote(row.revenue)
        || quote(row.currency)
    FROM id_of_day
    JOIN tracked_conversion AS row ON row.conv_id = id_of_day.conv_id
)

SELECT date, digest(CAST(group_concat(row) AS blob)) AS digest
FROM row_of_day
GROUP BY date
