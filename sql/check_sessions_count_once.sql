-- One row per day, channel and figure (sessions, cost, conversions) in which session_report differs from what it is made of: the costs of
-- the channel, and the journeys whose last session the channel had.
WITH figure AS (
    SELECT date, channel, 'sessions' AS figure, sessions AS reported, 0.0 AS of_sources
    FROM session_report WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, channel, 'cost', cost, 0.0 FROM session_report WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, channel, 'conversions', conversions, 0.0 FROM session_report WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, channel_name, 'sessions', 0.0, sessions FROM channel_costs WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, channel_name, 'cost', 0.0, cost FROM channel_costs WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT substr(timestamp, 1, 10), channel_label, 'conversions', 0.0, 1
    FROM customer_journeys
    WHERE conv_date BETWEEN $first_day AND $last_conversion_day
      AND conversion = 1
      AND substr(timestamp, 1, 10) BETWEEN $first_day AND $last_day
),

compared AS (
    SELECT date, channel, figure, CAST(sum(reported) AS double) AS reported, CAST(sum(of_sources) AS double) AS of_sources
    FROM figure
    GROUP BY date, channel, figure
)

SELECT date, channel, figure, reported, of_sources
FROM compared
WHERE abs(reported - of_sources) >= 0.005 AND abs(reported - of_sources) >= 1e-12 * abs(of_sources)
ORDER BY date, channel, figure
