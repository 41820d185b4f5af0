-- One row per day from $first_day to $last_day with ad spend, and none of it in session_spend yet.
SELECT DISTINCT date AS day
FROM ad_costs
WHERE date BETWEEN $first_day AND $last_day
  AND NOT EXISTS (SELECT 1 FROM session_spend WHERE session_spend.date = ad_costs.date)
ORDER BY day
