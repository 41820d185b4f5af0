-- One row per day from $first_day to $last_day on which product_funnel has other views or purchases than the events and orders of the
-- day's sessions: the number of sessions and products that belong together.
-- $first_step, $last_step: the event types that are the first and the last step.
WITH part AS (
    SELECT session.date, count(DISTINCT session.session_id || ' ' || events.product_id) AS viewed, 0 AS bought
    FROM session_funnel AS session
    JOIN events ON events.session_id = session.session_id
    WHERE session.date BETWEEN $first_day AND $last_day
      AND events.event_type = $first_step
      AND $first_step <> $last_step
      AND events.product_id <> ''
    GROUP BY session.date
    UNION ALL
    SELECT session.date, 0, count(DISTINCT session.session_id || ' ' || order_items.product_id)
    FROM session_funnel AS session
    JOIN events ON events.session_id = session.session_id
    JOIN order_items ON order_items.order_id = events.order_id
    WHERE session.date BETWEEN $first_day AND $last_day
      AND events.event_type = $last_step
    GROUP BY session.date
    UNION ALL
    SELECT date, -sum(viewed), -sum(bought)
    FROM product_funnel
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
)

SELECT date, sum(viewed) AS views_missing, sum(bought) AS purchases_missing
FROM part
GROUP BY date
HAVING sum(viewed) <> 0 OR sum(bought) <> 0
ORDER BY date
