-- One row per day from $first_day to $last_day with a conversion: a digest of the day's conversions.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
SELECT
    conv_date AS date,
    row_digest(conv_id, user_id, conv_time, revenue, market, currency) AS digest
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
