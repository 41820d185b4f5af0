-- One row per row of ad_costs from $first_day to $last_day, or without a day, that cannot be placed or summed: which one, and why.
SELECT
    'ad_costs: campaign ' || quote(campaign_id) || ' of ' || quote(date) || ' ' || CASE
        WHEN campaign_id IS NULL OR campaign_id = '' THEN 'has no campaign_id'
        WHEN coalesce(date(date, '+0 days') <> date, 1) THEN 'has no date written YYYY-MM-DD'
        WHEN typeof(cost) NOT IN ('integer', 'real') OR abs(cost) > 1e15
            THEN 'has cost ' || quote(cost) || ', which is not a number'
        WHEN currency <> $currency AND currency <> ''
            THEN 'is in ' || currency || ', and ATTRIBUTION_CURRENCY is ' || $currency || ', and exchange_rates has no rate for it'
        ELSE 'has clicks ' || quote(clicks) || ', which is not a whole number'
    END AS problem
FROM ad_costs
WHERE (date BETWEEN $first_day AND $last_day OR coalesce(date(date, '+0 days') <> date, 1))
  AND (
      campaign_id IS NULL OR campaign_id = ''
      OR coalesce(date(date, '+0 days') <> date, 1)
      OR typeof(cost) NOT IN ('integer', 'real') OR abs(cost) > 1e15
      OR (currency <> $currency AND currency <> '')
      OR typeof(clicks) NOT IN ('integer', 'real', 'null') OR clicks <> CAST(clicks AS integer)
  )
ORDER BY problem
