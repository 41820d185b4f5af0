-- One row per day and campaign: what the ad platform charged, held against the campaign's sessions and what these cost.
WITH spend AS (
    SELECT date, campaign_id, exact_total(cost) AS cost, CAST(sum(clicks) AS bigint) AS clicks
    FROM ad_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, campaign_id
),

tracked AS (
    SELECT
        session_sources.event_date AS date,
        session_sources.campaign_id,
        count(*) AS sessions,
        exact_total(coalesce(tracked_cost.cost, 0.0)) AS session_cost
    FROM session_sources
    LEFT JOIN tracked_cost ON tracked_cost.session_id = session_sources.session_id
    WHERE session_sources.event_date BETWEEN $first_day AND $last_day AND session_sources.campaign_id <> ''
    GROUP BY session_sources.event_date, session_sources.campaign_id
),

campaign_day AS (
    SELECT date, campaign_id FROM spend
    UNION
    SELECT date, campaign_id FROM tracked
)

SELECT
    campaign_day.date,
    campaign_day.campaign_id,
    coalesce(spend.cost, 0.0) AS cost,
    spend.clicks,
    coalesce(tracked.sessions, 0) AS sessions,
    coalesce(tracked.session_cost, 0.0) AS session_cost
FROM campaign_day
LEFT JOIN spend ON spend.date = campaign_day.date AND spend.campaign_id = campaign_day.campaign_id
LEFT JOIN tracked ON tracked.date = campaign_day.date AND tracked.campaign_id = campaign_day.campaign_id
ORDER BY campaign_day.date, campaign_day.campaign_id
