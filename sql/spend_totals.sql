-- One row: the ad spend that costs of the days get, the sessions' own costs that it displaces, and the part that no channel takes.
SELECT
    coalesce(exact_total(cost), 0.0) AS cost,
    coalesce(exact_total(displaced), 0.0) AS displaced,
    coalesce(exact_total(CASE WHEN session_id = '' AND channel_name = 'Unassigned spend' THEN cost END), 0.0) AS unassigned
FROM session_spend
WHERE date BETWEEN $first_day AND $last_day
