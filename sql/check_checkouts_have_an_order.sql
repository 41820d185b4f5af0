-- One row per event of the last step from $first_day to $last_day that names no order, or one that conversions does not have.
-- $last_step: the event type that is the last step. $orders_of: whose rows are the orders: conversions, or events.
SELECT
    event_id,
    created_at,
    session_id,
    CASE WHEN coalesce(order_id, '') = '' THEN 'names none' ELSE 'names ' || order_id || ', which is not in conversions' END AS problem
FROM events
WHERE created_at BETWEEN $first_day AND $last_day || ' 24'
  AND event_type = $last_step
  AND (
      coalesce(order_id, '') = ''
      OR ($orders_of = 'conversions' AND NOT EXISTS (SELECT 1 FROM conversions WHERE conversions.conv_id = events.order_id))
  )
ORDER BY created_at, event_id
