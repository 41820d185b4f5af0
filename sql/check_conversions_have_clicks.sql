-- One row per row of campaign_results of the days that has more conversions than clicks.
SELECT date, customer_id, status, type, category, CAST(conversions AS bigint) AS conversions, CAST(clicks AS bigint) AS clicks
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
  AND conversions > clicks AND is_number(conversions) AND is_number(clicks)
ORDER BY date, customer_id, status, type, category, conversions, clicks
