-- One row per day and campaign whose ad spend is not placed whole, or which displaces other costs than those of its sessions: what the
-- sources say, added up apart, and what session_spend has of them. With $spend_wins = 'session', a campaign's spend is placed as far
-- as it is more than what the sessions of the day cost.
WITH figure AS (
    SELECT date, campaign_id, cost AS spend, 0.0 AS own_cost, 0.0 AS placed, 0.0 AS displaced
    FROM ad_costs
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT session_sources.event_date, session_sources.campaign_id, 0.0, session_costs.cost, 0.0, 0.0
    FROM session_sources
    JOIN session_costs ON session_costs.session_id = session_sources.session_id
    WHERE session_sources.event_date BETWEEN $first_day AND $last_day
      AND EXISTS (
          SELECT 1 FROM ad_costs
          WHERE ad_costs.date = session_sources.event_date AND ad_costs.campaign_id = session_sources.campaign_id
      )
    UNION ALL
    SELECT date, campaign_id, 0.0, 0.0, cost, displaced
    FROM session_spend
    WHERE date BETWEEN $first_day AND $last_day
),

campaign AS (
    SELECT
        date,
        campaign_id,
        sum(spend) AS spend,
        coalesce(sum(own_cost), 0.0) AS own_cost,
        sum(placed) AS placed,
        sum(displaced) AS displaced
    FROM figure
    GROUP BY date, campaign_id
),

expected AS (
    SELECT
        *,
        CASE
            WHEN $spend_wins = 'platform' OR own_cost <= 0 OR spend <= 0 THEN spend
            WHEN own_cost < spend THEN spend - own_cost
            ELSE 0.0
        END AS to_place,
        CASE WHEN $spend_wins = 'platform' THEN own_cost ELSE 0.0 END AS to_displace
    FROM campaign
)

SELECT date, campaign_id, spend, own_cost, placed, displaced
FROM expected
WHERE abs(placed - to_place) >= 0.005 AND abs(placed - to_place) >= 1e-12 * abs(spend)
   OR abs(displaced - to_displace) >= 0.005 AND abs(displaced - to_displace) >= 1e-12 * abs(own_cost)
ORDER BY date, campaign_id
