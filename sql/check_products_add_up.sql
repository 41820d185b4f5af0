-- One row per day from $first_day to $last_day on which product_funnel has other views or purchases than the events and orders of the
-- day's sessions: the number of sessions and products that belong together.
-- $first_step, $last_step: the event types that are the first and the last step.
WITH event AS (
    SELECT session.date, session.session_id, events.event_type, events.product_id, events.order_id
    FROM session_funnel AS session
    CROSS JOIN events -- CROSS JOIN: the sessions drive
    WHERE session.date BETWEEN $first_day AND $last_day
      AND events.session_id = session.session_id
      AND events.event_type IN ($first_step, $last_step)
),

seen AS (
    SELECT DISTINCT date, session_id, product_id, 1 AS viewed, 0 AS bought
    FROM event
    WHERE event_type = $first_step AND $first_step <> $last_step AND product_id <> ''
    UNION ALL
    SELECT DISTINCT event.date, event.session_id, order_items.product_id, 0, 1
    FROM event
    JOIN order_items ON order_items.order_id = event.order_id
    WHERE event.event_type = $last_step
      AND order_items.product_id <> ''
      AND event.session_id = (
          SELECT substr(min(events.created_at || ' ' || events.session_id), 12 + instr(substr(min(events.created_at || ' ' || events.session_id), 12), ' '))
          FROM events
          WHERE events.order_id = event.order_id AND events.event_type = $last_step
      )
),

part AS (
    SELECT date, viewed, bought FROM seen
    UNION ALL
    SELECT date, -sum(viewed), -sum(bought)
    FROM product_funnel
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
)

SELECT date, CAST(sum(viewed) AS bigint) AS views_missing, CAST(sum(bought) AS bigint) AS purchases_missing
FROM part
GROUP BY date
HAVING sum(viewed) <> 0 OR sum(bought) <> 0
ORDER BY date
