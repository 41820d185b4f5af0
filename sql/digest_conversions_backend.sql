-- One row per day from $first_day to $last_day with a conversion in the shop's backend, or in the tracking alone: a digest of all rows
-- that either side has of the day's ids, whatever their dates.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
WITH id_of_day AS (
    SELECT conv_date AS date, conv_id FROM conversions_backend WHERE conv_date BETWEEN $first_day AND $last_day
    UNION
    SELECT conv_date, conv_id
    FROM tracked_conversion AS conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
      AND NOT EXISTS (SELECT 1 FROM conversions_backend WHERE conversions_backend.conv_id = conversions.conv_id)
),

row_of_day AS (
    SELECT id_of_day.date, 'backend' AS side, seen.conv_id, seen.user_id, seen.conv_date, seen.market, seen.revenue, seen.currency
    FROM id_of_day
    JOIN conversions_backend AS seen ON seen.conv_id = id_of_day.conv_id
    UNION ALL
    SELECT id_of_day.date, 'tracked', seen.conv_id, seen.user_id, seen.conv_date, seen.market, seen.revenue, seen.currency
    FROM id_of_day
    JOIN tracked_conversion AS seen ON seen.conv_id = id_of_day.conv_id
)

SELECT date, row_digest(side, conv_id, user_id, conv_date, market, revenue, currency) AS digest
FROM row_of_day
GROUP BY date
