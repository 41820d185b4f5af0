-- One row per negative revenue of a conversion from $first_day to $last_conversion_day, and negative cost of a session of the days.
SELECT 'conversions' AS source, conv_id AS id, conv_date AS date, revenue AS amount
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_conversion_day
  AND revenue < 0
UNION ALL
SELECT 'session_costs', session.session_id, session.event_date, costs.cost
FROM session_costs AS costs
CROSS JOIN session_sources AS session -- CROSS JOIN: the few unusual costs drive
WHERE costs.cost < 0
  AND session.session_id = costs.session_id
  AND session.event_date BETWEEN $first_day AND $last_day
ORDER BY source, date, id
