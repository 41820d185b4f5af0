-- One row: how many conversions have no date that is a day, written YYYY-MM-DD, so that they are in no report.
SELECT count(*) AS orders
FROM conversions
WHERE is_no_date(conv_date)
