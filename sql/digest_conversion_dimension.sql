-- One row per day from $first_day to $last_day with a conversion: a digest of the values by which the day's conversions are broken down.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT conv_date AS date, digest(CAST(group_concat(quote(conv_id) || quote(dimension) || quote(value)) AS blob)) AS digest
FROM conversion_dimension
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
