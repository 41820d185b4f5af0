-- One row per conversion of the tracking or the shop's backend that cannot be told apart or valued, from $first_day to $last_day or
-- without a day: which one, and why.
WITH conversion AS (
    SELECT 'conversions' AS source, conv_id, user_id, conv_date, revenue FROM tracked_conversion
    UNION ALL
    SELECT 'conversions_backend', conv_id, user_id, conv_date, revenue FROM conversions_backend
)

SELECT
    source || ': ' || quote(conv_id) || ' ' || CASE
        WHEN conv_id IS NULL OR conv_id = '' THEN 'has no conv_id'
        WHEN user_id IS NULL OR user_id = '' THEN 'has no user_id'
        WHEN is_no_date(conv_date)
            THEN 'has conv_date ' || quote(conv_date) || ', which is not a date written YYYY-MM-DD'
        ELSE 'has revenue ' || quote(revenue) || ', which is not a number'
    END AS problem
FROM conversion
WHERE (conv_date BETWEEN $first_day AND $last_day OR is_no_date(conv_date))
  AND (
      conv_id IS NULL OR conv_id = '' OR user_id IS NULL OR user_id = ''
      OR is_no_date(conv_date)
      OR is_no_amount(revenue)
  )
ORDER BY problem
