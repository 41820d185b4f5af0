-- One row per day, channel, campaign and market: the sessions, whose they were and what they cost, and the conversions of which one of them
-- was the last session before. So each conversion counts once, on the day of that session.
WITH session AS (
    SELECT
        session_id,
        user_id,
        event_date AS date,
        channel_name AS channel,
        coalesce(nullif(campaign_id, ''), '(none)') AS campaign_id,
        coalesce(nullif(market, ''), '(none)') AS market
    FROM session_sources
    WHERE event_date BETWEEN $first_day AND $last_day
),

amount AS (
    SELECT session.date, session.channel, session.campaign_id, session.market, session_costs.cost
    FROM session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE NOT EXISTS (
        SELECT 1 FROM session_spend
        WHERE session_spend.date = session.date AND session_spend.session_id = session.session_id AND $spend_wins = 'platform'
    )
    UNION ALL
    SELECT spend.date, spend.channel_name, spend.campaign_id, coalesce(nullif(session_sources.market, ''), '(none)'), spend.cost
    FROM session_spend AS spend
    CROSS JOIN session_sources -- CROSS JOIN: the spend drives
    WHERE spend.date BETWEEN $first_day AND $last_day AND $spend_wins <> '' AND session_sources.session_id = spend.session_id
    UNION ALL
    SELECT date, channel_name, campaign_id, '(none)', cost
    FROM session_spend
    WHERE date BETWEEN $first_day AND $last_day AND $spend_wins <> '' AND session_id = ''
),

last_session AS (
    SELECT
        substr(journey.timestamp, 1, 10) AS date,
        journey.channel_label AS channel,
        coalesce(nullif(session_sources.campaign_id, ''), '(none)') AS campaign_id,
        coalesce(nullif(session_sources.market, ''), '(none)') AS market,
        conversions.revenue
    FROM customer_journeys AS journey
    JOIN conversions ON conversions.conv_id = journey.conv_id
    CROSS JOIN session_sources -- CROSS JOIN: the journeys drive
    WHERE journey.conv_date BETWEEN $first_day AND $last_conversion_day
      AND journey.conversion = 1
      AND session_sources.session_id = journey.session_id
),

figure AS (
    SELECT date, channel, campaign_id, market, count(*) AS sessions, count(DISTINCT user_id) AS users,
        0 AS conversions, 0.0 AS revenue, 0.0 AS cost
    FROM session
    GROUP BY date, channel, campaign_id, market
    UNION ALL
    SELECT date, channel, campaign_id, market, 0, 0, count(*), exact_total(revenue), 0.0
    FROM last_session
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, channel, campaign_id, market
    UNION ALL
    SELECT date, channel, campaign_id, market, 0, 0, 0, 0.0, exact_total(cost)
    FROM amount
    GROUP BY date, channel, campaign_id, market
)

SELECT
    date,
    channel,
    campaign_id,
    market,
    CAST(sum(sessions) AS bigint) AS sessions,
    CAST(sum(users) AS bigint) AS users,
    CAST(sum(conversions) AS bigint) AS conversions,
    sum(revenue) AS revenue,
    sum(cost) AS cost,
    sum(cost) / nullif(sum(sessions), 0) AS CPC
FROM figure
GROUP BY date, channel, campaign_id, market
ORDER BY date, channel, campaign_id, market
