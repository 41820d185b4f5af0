-- One row per row of campaign_results of the days that has more conversions than clicks.
SELECT date, customer_id, status, type, category, CAST(conversions AS integer) AS conversions, CAST(clicks AS integer) AS clicks
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
  AND conversions > clicks AND typeof(conversions) IN ('integer', 'real') AND typeof(clicks) IN ('integer', 'real')
ORDER BY date, customer_id, status, type, category, conversions, clicks
