-- One row per channel with sessions on the days or in their lookback, if none of these is direct traffic ($direct_channels, a JSON
-- array, after grouping by $channel_groups) and a model or a path rule asks which is ($asks_for_direct = 1).
-- is_direct(channel, names) is a function that the connection brings.
WITH visited AS (
    SELECT channel_name, sessions FROM channel_costs WHERE date BETWEEN $first_session_day AND $last_day
    UNION ALL
    SELECT channel_label, 1 FROM customer_journeys WHERE conv_date BETWEEN $first_day AND $last_day
),

channel AS (
    SELECT group_of(channel_name, $channel_groups) AS channel_name, sum(sessions) AS visits
    FROM visited
    GROUP BY group_of(channel_name, $channel_groups)
)

SELECT channel_name AS channel
FROM channel
WHERE $asks_for_direct = 1
  AND NOT EXISTS (SELECT 1 FROM channel WHERE is_direct(channel_name, $direct_channels))
ORDER BY visits DESC, channel_name
