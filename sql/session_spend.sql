-- One row per session of a campaign and day that has ad spend: its part of the spend, and its own cost that the spend displaces.
-- Spend of a campaign and day without sessions has rows without a session, by channel.
-- A campaign's spend is divided by the sessions' cpc, or equally where none has one. $spend_wins = 'platform' displaces the sessions'
-- own costs by the spend; 'session' keeps them and divides only what the spend is more. What rounding leaves of a campaign's spend
-- goes to one of its parts, so that exact_total of these is the spend.
WITH spend AS MATERIALIZED (
    SELECT date, campaign_id, exact_total(cost) AS cost
    FROM ad_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, campaign_id
),

session AS MATERIALIZED (
    SELECT
        spend.date,
        spend.campaign_id,
        session_sources.session_id,
        session_sources.channel_name,
        CASE WHEN session_sources.cpc + 0.0 > 0 THEN session_sources.cpc + 0.0 ELSE 0.0 END AS weight,
        coalesce(
            (SELECT sum(session_costs.cost) FROM session_costs WHERE session_costs.session_id = session_sources.session_id), 0.0
        ) AS own_cost
    FROM session_sources
    CROSS JOIN spend -- CROSS JOIN: the days' sessions drive, each once
    WHERE session_sources.event_date BETWEEN $first_day AND $last_day
      AND spend.date = session_sources.event_date AND spend.campaign_id = session_sources.campaign_id
),

with_sessions AS MATERIALIZED (
    SELECT
        session.date,
        session.campaign_id,
        count(*) AS sessions,
        exact_total(session.weight) AS weight,
        exact_total(session.own_cost) AS own_cost,
        coalesce(min(CASE WHEN session.weight > 0 THEN session.session_id END), min(session.session_id)) AS first_session
    FROM session
    GROUP BY session.date, session.campaign_id
),

without_session AS MATERIALIZED (
    SELECT ad_costs.date, ad_costs.campaign_id, nullif(ad_costs.channel_name, '') AS channel_name, exact_total(ad_costs.cost) AS cost
    FROM ad_costs
    LEFT JOIN with_sessions ON with_sessions.date = ad_costs.date AND with_sessions.campaign_id = ad_costs.campaign_id
    WHERE ad_costs.date BETWEEN $first_day AND $last_day AND with_sessions.date IS NULL
    GROUP BY ad_costs.date, ad_costs.campaign_id, nullif(ad_costs.channel_name, '')
),

without_channel AS (
    SELECT date, campaign_id, cost FROM without_session WHERE channel_name IS NULL
),

sessions_of_day AS (
    SELECT event_date, campaign_id, channel_name, count(*) AS sessions
    FROM session_sources
    WHERE event_date BETWEEN days_before($first_day, 90) AND $last_day
      AND campaign_id IN (SELECT campaign_id FROM without_channel)
    GROUP BY event_date, campaign_id, channel_name
),

earlier AS MATERIALIZED (
    SELECT lost.date, lost.campaign_id, day.channel_name, CAST(sum(day.sessions) AS double) AS weight
    FROM without_channel AS lost
    JOIN sessions_of_day AS day ON day.campaign_id = lost.campaign_id
        AND day.event_date >= days_before(lost.date, 90)
        AND day.event_date < lost.date
    GROUP BY lost.date, lost.campaign_id, day.channel_name
),

divided AS MATERIALIZED (
    SELECT
        spend.date,
        spend.campaign_id,
        CASE
            WHEN $spend_wins = 'platform' OR carried.own_cost <= 0 OR spend.cost <= 0 THEN spend.cost
            WHEN carried.own_cost < spend.cost THEN spend.cost - carried.own_cost
            ELSE 0.0
        END AS cost,
        carried.weight,
        carried.sessions,
        carried.first_session AS first
    FROM spend
    JOIN with_sessions AS carried ON carried.date = spend.date AND carried.campaign_id = spend.campaign_id
    UNION ALL
    SELECT lost.date, lost.campaign_id, lost.cost, exact_total(earlier.weight), 1, coalesce(min(earlier.channel_name), 'Unassigned spend')
    FROM without_channel AS lost
    LEFT JOIN earlier ON earlier.date = lost.date AND earlier.campaign_id = lost.campaign_id
    GROUP BY lost.date, lost.campaign_id, lost.cost
),

carrier AS (
    SELECT date, campaign_id, session_id, channel_name, weight, own_cost, session_id AS place FROM session
    UNION ALL
    SELECT date, campaign_id, '', channel_name, weight, 0.0, channel_name FROM earlier
    UNION ALL
    SELECT lost.date, lost.campaign_id, '', 'Unassigned spend', 0.0, 0.0, 'Unassigned spend'
    FROM without_channel AS lost
    LEFT JOIN earlier ON earlier.date = lost.date AND earlier.campaign_id = lost.campaign_id
    WHERE earlier.date IS NULL
),

part AS MATERIALIZED (
    SELECT
        carrier.*,
        carrier.place = divided.first AS is_first,
        divided.cost AS divided,
        CASE WHEN divided.weight > 0 THEN divided.cost * (carrier.weight / divided.weight) ELSE divided.cost / divided.sessions END AS cost
    FROM carrier
    JOIN divided ON divided.date = carrier.date AND divided.campaign_id = carrier.campaign_id
),

rounded AS (
    SELECT date, campaign_id, divided - exact_total(cost) AS rest FROM part GROUP BY date, campaign_id, divided
),

placed AS (
    SELECT part.*, part.cost + CASE WHEN part.is_first THEN rounded.rest ELSE 0.0 END AS whole
    FROM part
    JOIN rounded ON rounded.date = part.date AND rounded.campaign_id = part.campaign_id
),

placed_without_session AS (
    SELECT date, campaign_id, channel_name, whole FROM placed WHERE session_id = ''
    UNION ALL
    SELECT date, campaign_id, channel_name, cost FROM without_session WHERE channel_name IS NOT NULL
)

SELECT
    date,
    session_id,
    campaign_id,
    channel_name,
    whole AS cost,
    CASE WHEN $spend_wins = 'platform' THEN own_cost ELSE 0.0 END AS displaced
FROM placed
WHERE session_id <> ''
UNION ALL
SELECT date, '', campaign_id, channel_name, exact_total(whole), 0.0
FROM placed_without_session
GROUP BY date, campaign_id, channel_name
ORDER BY 1, 2, 3, 4
