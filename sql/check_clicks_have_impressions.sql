-- One row per row of campaign_results of the days that has more clicks than impressions.
SELECT date, customer_id, status, type, category, clicks, impressions
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
  AND clicks > impressions AND typeof(clicks) = 'integer' AND typeof(impressions) = 'integer'
ORDER BY date, customer_id, status, type, category, clicks, impressions
