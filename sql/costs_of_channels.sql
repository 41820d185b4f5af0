-- One row per channel with sessions on the days: what they cost.
SELECT channel_name, exact_total(cost) AS cost
FROM channel_costs
WHERE date BETWEEN $first_day AND $last_day
GROUP BY channel_name
ORDER BY channel_name
