-- One row per row of ad_costs from $first_day to $last_day, or without a day, that cannot be placed or summed: which one, and why.
SELECT
    'ad_costs: campaign ' || quote(campaign_id) || ' of ' || quote(date) || ' ' || CASE
        WHEN campaign_id IS NULL OR campaign_id = '' THEN 'has no campaign_id'
        WHEN is_no_date(date) THEN 'has no date written YYYY-MM-DD'
        WHEN is_no_amount(cost)
            THEN 'has cost ' || quote(cost) || ', which is not a number'
        WHEN currency <> $currency AND currency <> ''
            THEN 'is in ' || currency || ', and ATTRIBUTION_CURRENCY is ' || $currency || ', and exchange_rates has no rate for it'
        ELSE 'has clicks ' || quote(clicks) || ', which is not a whole number'
    END AS problem
FROM ad_costs
WHERE (date BETWEEN $first_day AND $last_day OR is_no_date(date))
  AND (
      campaign_id IS NULL OR campaign_id = ''
      OR is_no_date(date)
      OR is_no_amount(cost)
      OR (currency <> $currency AND currency <> '')
      OR is_wrong_count(clicks)
  )
ORDER BY problem
