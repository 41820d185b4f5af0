-- One row per user whose sessions in the lookback of the days, times whose conversions of the days, are more than $most_touchpoints
-- and more than $most_of_all of the sum over all users: an id that a tracker gives to whoever it does not know.
-- $nobody, a JSON array: the ids that are known to be nobody's.
WITH buyer AS MATERIALIZED (
    SELECT user_id, count(*) AS conversions
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
      AND user_id NOT IN (SELECT value FROM names_in($nobody))
    GROUP BY user_id
),

visits AS MATERIALIZED ( -- of all buyers at once: before the first run there is no index
    SELECT user_id, count(*) AS sessions
    FROM session_sources
    WHERE event_date BETWEEN $first_session_day AND $last_day AND user_id IN (SELECT user_id FROM buyer)
    GROUP BY user_id
),

visitor AS MATERIALIZED (
    SELECT buyer.user_id, conversions, sessions FROM buyer JOIN visits ON visits.user_id = buyer.user_id
)

SELECT user_id, sessions, conversions
FROM visitor
WHERE sessions * conversions > $most_touchpoints
  AND sessions * conversions > $most_of_all * (SELECT sum(sessions * conversions) FROM visitor)
ORDER BY sessions * conversions DESC, user_id
