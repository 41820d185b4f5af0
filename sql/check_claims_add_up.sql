-- One row per day, campaign and figure in which platform_claims differs from what it is made of, in money by half a cent or more. The query
-- joins credit to the sessions of campaigns; here each credit looks for the campaign of its session, and what has none is left out.
WITH reported AS (
    SELECT * FROM platform_claims WHERE date BETWEEN $first_day AND $last_day
),

claim AS (
    SELECT * FROM ad_costs WHERE date BETWEEN $first_day AND $last_day
),

dated_credit AS (
    SELECT
        substr(journey.timestamp, 1, 10) AS date,
        (SELECT max(campaign_id) FROM session_sources WHERE session_sources.session_id = credit.session_id) AS campaign_id,
        credit.ihc AS orders,
        credit.ihc * conversions.revenue AS revenue
    FROM attribution_customer_journey AS credit
    JOIN conversions ON conversions.conv_id = credit.conv_id
    JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    WHERE credit.conv_date BETWEEN $first_day AND $last_conversion_day
      AND substr(journey.timestamp, 1, 10) BETWEEN $first_day AND $last_day
),

of_campaign AS (
    SELECT * FROM dated_credit WHERE campaign_id <> ''
),

figure AS (
    SELECT date, campaign_id, 'cost' AS figure, cost AS reported, 0.0 AS of_sources FROM reported
    UNION ALL
    SELECT date, campaign_id, 'claimed conversions', claimed_conversions, 0.0 FROM reported
    UNION ALL
    SELECT date, campaign_id, 'claimed revenue', claimed_revenue, 0.0 FROM reported
    UNION ALL
    SELECT date, campaign_id, 'credited orders', credited_orders, 0.0 FROM reported
    UNION ALL
    SELECT date, campaign_id, 'credited revenue', credited_revenue, 0.0 FROM reported
    UNION ALL
    SELECT date, campaign_id, 'cost', 0.0, cost FROM claim
    UNION ALL
    SELECT date, campaign_id, 'claimed conversions', 0.0, conversions FROM claim
    UNION ALL
    SELECT date, campaign_id, 'claimed revenue', 0.0, revenue FROM claim
    UNION ALL
    SELECT date, campaign_id, 'credited orders', 0.0, orders FROM of_campaign
    UNION ALL
    SELECT date, campaign_id, 'credited revenue', 0.0, revenue FROM of_campaign
),

compared AS (
    SELECT
        date,
        campaign_id,
        figure,
        coalesce(sum(reported), 0.0) AS reported,
        coalesce(sum(of_sources), 0.0) AS of_sources
    FROM figure
    GROUP BY date, campaign_id, figure
)

SELECT date, campaign_id, figure, reported, of_sources
FROM compared
WHERE abs(reported - of_sources) >= 0.005 AND abs(reported - of_sources) >= 1e-12 * abs(of_sources)
ORDER BY date, campaign_id, figure
