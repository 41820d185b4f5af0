-- One row per row of campaign_results of the days that has more conversions than clicks.
SELECT date, customer_id, status, type, category, conversions, clicks
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
  AND conversions > clicks AND typeof(conversions) = 'integer' AND typeof(clicks) = 'integer'
ORDER BY date, customer_id, status, type, category, conversions, clicks
