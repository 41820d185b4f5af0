-- One row: how many conversions have no date that is a day, written YYYY-MM-DD, so that they are in no report.
SELECT count(*) AS orders
FROM conversions
WHERE date(coalesce(conv_date, ''), '+0 days') IS NOT coalesce(conv_date, '')
