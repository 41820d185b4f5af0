-- One row per conversion from $first_day to $last_day without an event of the last step that names it, within the days that have events.
-- $last_step: the event type that is the last step.
SELECT conv_id, conv_date, revenue
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_day
  AND conv_date >= (SELECT substr(min(created_at), 1, 10) FROM events)
  AND NOT EXISTS (
      SELECT 1 FROM events
      WHERE events.order_id = conversions.conv_id
        AND events.event_type = $last_step
  )
ORDER BY conv_date, conv_id
