-- One row per day that has sessions: what is shown beside its costs: how many sessions there were, and what they cost.
SELECT date AS day, sum(sessions) AS sessions, rounded(coalesce(sum(cost), 0.0), 2) AS cost
FROM channel_costs
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
ORDER BY date
