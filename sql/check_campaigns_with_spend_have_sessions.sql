-- One row per campaign with spend on the days that has no session, or whose sessions cost more than $most_spend_apart of the spend
-- more or less: why, and both costs.
WITH spend AS (
    SELECT campaign_id, exact_total(cost) AS cost, sum(clicks) AS clicks
    FROM ad_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY campaign_id
),

tracked AS (
    SELECT
        session_sources.campaign_id,
        count(*) AS sessions,
        exact_total(coalesce(session_costs.cost, 0.0)) AS session_cost
    FROM session_sources
    LEFT JOIN session_costs ON session_costs.session_id = session_sources.session_id
    WHERE session_sources.event_date BETWEEN $first_day AND $last_day AND session_sources.campaign_id <> ''
    GROUP BY session_sources.campaign_id
),

campaign AS (
    SELECT
        spend.campaign_id,
        spend.cost,
        spend.clicks,
        coalesce(tracked.sessions, 0) AS sessions,
        coalesce(tracked.session_cost, 0.0) AS session_cost
    FROM spend
    LEFT JOIN tracked ON tracked.campaign_id = spend.campaign_id
    WHERE spend.cost > 0
)

SELECT
    campaign_id,
    CASE
        WHEN sessions = 0 THEN 'it has no session'
        WHEN session_cost = 0 THEN 'its sessions cost nothing'
        ELSE 'its sessions cost ' || printf('%.2f', session_cost)
    END AS problem,
    cost,
    clicks,
    sessions,
    session_cost
FROM campaign
WHERE abs(cost - session_cost) > $most_spend_apart * cost
ORDER BY cost DESC, campaign_id
