-- One row per row of ad_costs from $first_day to $last_day whose claims cannot be summed: which one, and why.
SELECT
    'ad_costs: campaign ' || quote(campaign_id) || ' of ' || quote(date) || ' ' || CASE
        WHEN is_wrong_amount(conversions)
            THEN 'has conversions ' || quote(conversions) || ', which is not a number'
        ELSE 'has revenue ' || quote(revenue) || ', which is not a number'
    END AS problem
FROM ad_costs
WHERE date BETWEEN $first_day AND $last_day
  AND (
      is_wrong_amount(conversions)
      OR is_wrong_amount(revenue)
  )
ORDER BY problem
