-- One row per day with a claim or credit of a campaign: what is shown beside it: what all platforms claim, and what is credited.
SELECT
    date AS day,
    count(*) AS campaigns,
    round(total(claimed_conversions), 2) AS "claimed conversions",
    round(total(credited_orders), 2) AS "credited orders",
    round(total(claimed_revenue), 2) AS "claimed revenue",
    round(total(credited_revenue), 2) AS "credited revenue"
FROM platform_claims
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
ORDER BY date
