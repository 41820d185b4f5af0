-- One row per row of campaign_results of the days that has more clicks than impressions.
SELECT date, customer_id, status, type, category, CAST(clicks AS integer) AS clicks, CAST(impressions AS integer) AS impressions
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
  AND clicks > impressions AND typeof(clicks) IN ('integer', 'real') AND typeof(impressions) IN ('integer', 'real')
ORDER BY date, customer_id, status, type, category, clicks, impressions
