-- One row per row of campaign_results of the days that has more clicks than impressions.
SELECT date, customer_id, status, type, category, CAST(clicks AS bigint) AS clicks, CAST(impressions AS bigint) AS impressions
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
  AND clicks > impressions AND is_number(clicks) AND is_number(impressions)
ORDER BY date, customer_id, status, type, category, clicks, impressions
