-- One row per campaign with spend on the days that has no session, or whose sessions cost more than $most_spend_apart of the spend
-- more or less: why, and both costs.
WITH campaign AS (
    SELECT
        campaign_id,
        exact_total(cost) AS cost,
        sum(clicks) AS clicks,
        sum(sessions) AS sessions,
        exact_total(session_cost) AS session_cost
    FROM spend_reconciliation
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY campaign_id
)

SELECT
    campaign_id,
    CASE
        WHEN sessions = 0 THEN 'it has no session'
        WHEN session_cost = 0 THEN 'its sessions cost nothing'
        ELSE 'its sessions cost ' || printf('%.2f', rounded(session_cost, 2))
    END AS problem,
    cost,
    clicks,
    sessions,
    session_cost
FROM campaign
WHERE cost > 0 AND abs(cost - session_cost) > $most_spend_apart * cost
ORDER BY cost DESC, campaign_id
