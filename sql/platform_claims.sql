-- One row per day and campaign that ad_costs has on the day, or whose sessions of the day have credit: what the ad platform charged and
-- claims, and the orders and revenue that the campaign's sessions are credited with. What the platform did not say is unknown (NULL).
-- Sessions without a campaign are in no row.
WITH claim AS (
    SELECT
        date,
        campaign_id,
        exact_total(cost) AS cost,
        CASE WHEN count(conversions) > 0 THEN exact_total(conversions) END AS claimed_conversions,
        CASE WHEN count(revenue) > 0 THEN exact_total(revenue) END AS claimed_revenue
    FROM ad_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, campaign_id
),

session_credit AS (
    SELECT
        substr(journey.timestamp, 1, 10) AS date,
        session_sources.campaign_id,
        credit.ihc,
        credit.ihc * conversions.revenue AS revenue
    FROM attribution_customer_journey AS credit
    JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    JOIN conversions ON conversions.conv_id = credit.conv_id
    CROSS JOIN session_sources -- CROSS JOIN: the credit drives
    WHERE credit.conv_date BETWEEN $first_day AND $last_conversion_day
      AND substr(journey.timestamp, 1, 10) BETWEEN $first_day AND $last_day
      AND session_sources.session_id = credit.session_id
      AND session_sources.campaign_id <> ''
),

credited AS (
    SELECT date, campaign_id, exact_total(ihc) AS credited_orders, exact_total(revenue) AS credited_revenue
    FROM session_credit
    GROUP BY date, campaign_id
),

campaign_day AS (
    SELECT date, campaign_id FROM claim
    UNION
    SELECT date, campaign_id FROM credited
)

SELECT
    campaign_day.date,
    campaign_day.campaign_id,
    claim.cost,
    claim.claimed_conversions,
    coalesce(credited.credited_orders, 0.0) AS credited_orders,
    claim.claimed_conversions / nullif(credited.credited_orders, 0) AS orders_ratio,
    claim.claimed_revenue,
    coalesce(credited.credited_revenue, 0.0) AS credited_revenue,
    claim.claimed_revenue / nullif(credited.credited_revenue, 0) AS revenue_ratio
FROM campaign_day
LEFT JOIN claim ON claim.date = campaign_day.date AND claim.campaign_id = campaign_day.campaign_id
LEFT JOIN credited ON credited.date = campaign_day.date AND credited.campaign_id = campaign_day.campaign_id
ORDER BY campaign_day.date, campaign_day.campaign_id
