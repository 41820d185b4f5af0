-- One row per day from $first_day to $last_day with ad spend: a digest of the day's spend and claims. With spend of a campaign goes where its
-- sessions of the 90 days before came from: without sessions on the day, the spend is divided like them.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
WITH spend AS (
    SELECT
        date,
        row_digest(campaign_id, platform, market, channel_name, cost, clicks, impressions, conversions, revenue, currency) AS digest
    FROM ad_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
),

without_session AS (
    SELECT date, campaign_id FROM ad_costs WHERE date BETWEEN $first_day AND $last_day
    EXCEPT
    SELECT event_date, campaign_id FROM session_sources WHERE event_date BETWEEN $first_day AND $last_day
),

sessions_of_day AS MATERIALIZED (
    SELECT event_date, campaign_id, channel_name, count(*) AS sessions
    FROM session_sources
    WHERE event_date BETWEEN days_before((SELECT min(date) FROM without_session), 90) AND $last_day
      AND campaign_id IN (SELECT campaign_id FROM without_session)
    GROUP BY event_date, campaign_id, channel_name
),

earlier AS (
    SELECT lost.date, lost.campaign_id, day.channel_name, sum(day.sessions) AS sessions
    FROM without_session AS lost
    JOIN sessions_of_day AS day ON day.campaign_id = lost.campaign_id
        AND day.event_date >= days_before(lost.date, 90)
        AND day.event_date < lost.date
    GROUP BY lost.date, lost.campaign_id, day.channel_name
),

origin AS (
    SELECT date, row_digest(campaign_id, channel_name, sessions) AS digest FROM earlier GROUP BY date
)

SELECT spend.date, spend.digest || coalesce(origin.digest, '') AS digest
FROM spend
LEFT JOIN origin ON origin.date = spend.date
