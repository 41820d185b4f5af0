-- One row per day with an order: how many buyers were new, and how long orders took from the buyer's first session.
-- $orders_of: whose rows are the orders: conversions, or events, whose last step names them. $last_step: its event type.
-- $nobody: ids of users that are nobody, as a JSON array; their orders count, but they are no buyers.
WITH placed AS (
    SELECT conv_id AS order_id, user_id, conv_date AS date, conv_date || ' ' || conv_time AS placed_at, revenue
    FROM conversions
    WHERE $orders_of = 'conversions' AND is_date(conv_date)
    UNION ALL
    SELECT order_id, min(nullif(user_id, '')), substr(min(created_at), 1, 10), min(created_at), NULL
    FROM events
    WHERE $orders_of = 'events'
      AND order_id <> ''
      AND event_type = $last_step
    GROUP BY order_id
),

day_order AS (
    SELECT
        order_id,
        date,
        placed_at,
        revenue,
        CASE WHEN NOT is_among(user_id, $nobody) THEN nullif(user_id, '') END AS buyer
    FROM placed
    WHERE date BETWEEN $first_day AND $last_day
),

first_order AS (
    SELECT user_id AS buyer, min(date) AS date
    FROM placed
    WHERE user_id IN (SELECT buyer FROM day_order)
    GROUP BY user_id
),

visit AS MATERIALIZED ( -- the user's first session by its events, and by itself
    SELECT
        buyer,
        first_of(session_id, events, events.user_id = buyer, created_at, session_id) AS session_of_event,
        first_of(event_date || ' ' || event_time, session_sources, session_sources.user_id = buyer, event_date, event_time)
            AS first_session
    FROM (SELECT DISTINCT buyer FROM day_order WHERE buyer IS NOT NULL) AS buyers
),

begun AS MATERIALIZED (
    SELECT
        buyer,
        first_session,
        (SELECT min(created_at) FROM events WHERE events.session_id = visit.session_of_event) AS first_event
    FROM visit
),

first_visit AS (
    SELECT buyer, CASE WHEN first_session < coalesce(first_event, '~') THEN first_session ELSE first_event END AS began_at
    FROM begun
),

timed AS (
    SELECT
        day_order.date,
        day_order.revenue,
        day_order.buyer,
        first_order.date = day_order.date AS is_new,
        row_number() OVER (PARTITION BY day_order.buyer, day_order.date ORDER BY day_order.placed_at, day_order.order_id) AS place,
        CASE
            WHEN first_visit.began_at <= day_order.placed_at
                THEN (seconds_of(day_order.placed_at) - seconds_of(first_visit.began_at)) / 3600.0
        END AS hours
    FROM day_order
    LEFT JOIN first_order ON first_order.buyer = day_order.buyer
    LEFT JOIN first_visit ON first_visit.buyer = day_order.buyer
)

SELECT
    date,
    count(*) AS orders,
    CASE WHEN count(revenue) > 0 THEN exact_total(revenue) END AS revenue,
    count(DISTINCT buyer) AS buyers,
    count(DISTINCT CASE WHEN is_new THEN buyer END) AS new_buyers,
    count(DISTINCT CASE WHEN NOT is_new THEN buyer END) AS returning_buyers,
    CAST(count(DISTINCT CASE WHEN NOT is_new THEN buyer END) AS double) / nullif(count(DISTINCT buyer), 0) AS repeat_rate,
    count(hours) AS orders_with_session,
    exact_total(hours) / nullif(count(hours), 0) AS hours_to_order,
    count(CASE WHEN is_new AND place = 1 THEN hours END) AS first_orders_with_session,
    exact_total(CASE WHEN is_new AND place = 1 THEN hours END) / nullif(count(CASE WHEN is_new AND place = 1 THEN hours END), 0)
        AS hours_to_first_order
FROM timed
GROUP BY date
ORDER BY date
