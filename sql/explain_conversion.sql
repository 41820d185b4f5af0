-- One row: the conversion, if there is one with this conv_id.
SELECT CAST(conv_id AS text) AS conv_id, conv_date, conv_time, revenue
FROM conversions
WHERE conv_id = $conv_id
