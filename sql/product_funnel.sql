-- One row per day and product that sessions of the day viewed, added or bought: how many sessions did.
-- $steps: the event types that are steps, in order, as a JSON array. The first is a view, the last an order, those between add to
-- the cart. $last_step: the last of them.
WITH step AS (
    SELECT key + 1 AS position, value AS name FROM names_in($steps)
),

event AS (
    SELECT
        session.date,
        session.session_id,
        events.product_id,
        events.order_id,
        step.position = 1 AS is_view,
        step.position = (SELECT max(position) FROM step) AS is_order
    FROM session_funnel AS session
    CROSS JOIN events -- CROSS JOIN: the sessions drive
    JOIN step ON step.name = events.event_type
    WHERE session.date BETWEEN $first_day AND $last_day
      AND events.session_id = session.session_id
),

naming AS ( -- of an order, the sessions that name it; it counts in the first
    SELECT
        events.order_id,
        events.session_id,
        row_number() OVER (PARTITION BY events.order_id ORDER BY events.created_at, events.session_id) AS place
    FROM (SELECT DISTINCT order_id FROM event WHERE is_order AND order_id <> '') AS placed
    CROSS JOIN events -- CROSS JOIN: the orders drive
    WHERE events.order_id = placed.order_id AND events.event_type = $last_step
),

deed AS (
    SELECT DISTINCT date, session_id, product_id, is_view AS viewed, NOT is_view AS added, 1 = 0 AS bought
    FROM event
    WHERE product_id <> '' AND NOT is_order
    UNION ALL
    SELECT DISTINCT event.date, event.session_id, order_items.product_id, 1 = 0, 1 = 0, 1 = 1
    FROM event
    JOIN naming ON naming.order_id = event.order_id AND naming.session_id = event.session_id AND naming.place = 1
    JOIN order_items ON order_items.order_id = event.order_id
    WHERE event.is_order AND order_items.product_id <> ''
),

counted AS (
    SELECT
        date,
        product_id,
        count(CASE WHEN viewed THEN 1 END) AS viewed,
        count(CASE WHEN added THEN 1 END) AS added,
        count(CASE WHEN bought THEN 1 END) AS bought
    FROM deed
    GROUP BY date, product_id
)

SELECT
    counted.date,
    counted.product_id,
    products.name,
    counted.viewed,
    counted.added,
    counted.bought,
    CAST(counted.bought AS double) / nullif(counted.viewed, 0) AS conversion
FROM counted
LEFT JOIN products ON products.product_id = counted.product_id
ORDER BY counted.date, counted.product_id
