-- One row per day from $first_day to $last_day that has sessions or placed ad spend, and no costs in channel_costs yet.
WITH calendar AS (
    SELECT day FROM days_from($first_day, $last_day)
)

SELECT day
FROM calendar
WHERE (EXISTS (SELECT 1 FROM session_sources WHERE event_date = day) OR EXISTS (SELECT 1 FROM session_spend WHERE date = day))
  AND NOT EXISTS (SELECT 1 FROM channel_costs WHERE date = day)
ORDER BY day
