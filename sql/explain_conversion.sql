-- One row: the conversion, if there is one with this conv_id.
-- `is_nobody`: whether its user is in $nobody, a JSON array of ids.
SELECT conv_id, conv_date, conv_time, revenue,
    CASE WHEN is_among(user_id, $nobody) THEN 1 ELSE 0 END AS is_nobody
FROM conversions
WHERE conv_id = $conv_id
