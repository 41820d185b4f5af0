-- One row per day with a claim or credit of a campaign: what is shown beside it: what all platforms claim, and what is credited.
-- Without any claim, the claims are unknown (NULL).
SELECT
    date AS day,
    count(*) AS campaigns,
    rounded(sum(claimed_conversions), 2) AS "claimed conversions",
    rounded(coalesce(sum(credited_orders), 0.0), 2) AS "credited orders",
    rounded(sum(claimed_revenue), 2) AS "claimed revenue",
    rounded(coalesce(sum(credited_revenue), 0.0), 2) AS "credited revenue"
FROM platform_claims
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
ORDER BY date
