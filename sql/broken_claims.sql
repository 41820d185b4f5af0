-- One row per row of ad_costs from $first_day to $last_day whose claims cannot be summed: which one, and why.
SELECT
    'ad_costs: campaign ' || quote(campaign_id) || ' of ' || quote(date) || ' ' || CASE
        WHEN typeof(conversions) NOT IN ('integer', 'real', 'null') OR abs(conversions) > 1e15
            THEN 'has conversions ' || quote(conversions) || ', which is not a number'
        ELSE 'has revenue ' || quote(revenue) || ', which is not a number'
    END AS problem
FROM ad_costs
WHERE date BETWEEN $first_day AND $last_day
  AND (
      typeof(conversions) NOT IN ('integer', 'real', 'null') OR abs(conversions) > 1e15
      OR typeof(revenue) NOT IN ('integer', 'real', 'null') OR abs(revenue) > 1e15
  )
ORDER BY problem
