-- One row per day from $first_day to $last_day with a conversion: a digest of the values by which the day's conversions are broken down.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
SELECT conv_date AS date, row_digest(conv_id, dimension, value) AS digest
FROM conversion_dimension
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
