-- One row per day from $first_day to $last_day on which product_funnel has other views or purchases than the events and orders of the
-- day's sessions: the number of sessions and products that belong together.
-- $first_step, $last_step: the event types that are the first and the last step.
WITH seen AS (
    SELECT
        session.date,
        count(DISTINCT CASE WHEN events.event_type = $first_step THEN nullif(events.product_id, '') END) AS viewed,
        count(DISTINCT CASE WHEN events.event_type = $last_step THEN order_items.product_id END) AS bought
    FROM session_funnel AS session
    CROSS JOIN events -- CROSS JOIN: the sessions drive
    LEFT JOIN order_items ON order_items.order_id = events.order_id
    WHERE session.date BETWEEN $first_day AND $last_day
      AND events.session_id = session.session_id
      AND events.event_type IN ($first_step, $last_step)
    GROUP BY session.date, session.session_id
),

part AS (
    SELECT date, CASE WHEN $first_step <> $last_step THEN viewed ELSE 0 END AS viewed, bought FROM seen
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
