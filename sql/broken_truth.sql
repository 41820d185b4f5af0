-- One row per conversion of the shop's backend from $first_day to $last_conversion_day, or without a day, that cannot be true: which one,
-- and why. A conversion that stands twice has two truths, or none.
WITH conversion AS (
    SELECT *, count(*) OVER (PARTITION BY conv_id) AS times FROM conversions_backend
)

SELECT DISTINCT
    'conversions_backend: ' || quote(conv_id) || ' ' || CASE
        WHEN conv_id IS NULL OR conv_id = '' THEN 'has no conv_id'
        WHEN is_no_date(conv_date)
            THEN 'has conv_date ' || quote(conv_date) || ', which is not a date written YYYY-MM-DD'
        WHEN times > 1 THEN 'stands ' || times || ' times: keep one row per conv_id'
        WHEN currency <> $currency AND currency <> ''
            THEN 'is in ' || currency || ', and ATTRIBUTION_CURRENCY is ' || $currency || ', and exchange_rates has no rate for it'
        ELSE 'has revenue ' || quote(revenue) || ', which is not a number'
    END AS problem
FROM conversion
WHERE (conv_date BETWEEN $first_day AND $last_conversion_day OR is_no_date(conv_date))
  AND (
      conv_id IS NULL OR conv_id = ''
      OR is_no_date(conv_date)
      OR times > 1
      OR (currency <> $currency AND currency <> '')
      OR is_no_amount(revenue)
  )
ORDER BY problem
