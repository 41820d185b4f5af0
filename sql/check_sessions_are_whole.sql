-- One row per day from $first_day to $last_day on which session_funnel has other sessions, orders or revenue than the events give: each
-- session on the day of its first event, and each order in the session that placed it first.
-- $last_step: the event type that is the last step.
WITH begun AS ( -- of many days, all sessions; of a few days, those that have an event on them
    SELECT
        session_id,
        substr(min(created_at), 1, 10) AS date,
        count(CASE WHEN event_type = $last_step AND order_id <> '' THEN 1 END) AS placings
    FROM events
    WHERE days_before($last_day, 31) >= $first_day
    GROUP BY session_id
    UNION ALL
    SELECT
        session_id,
        substr(min(created_at), 1, 10) AS date,
        count(CASE WHEN event_type = $last_step AND order_id <> '' THEN 1 END) AS placings
    FROM events
    WHERE days_before($last_day, 31) < $first_day
      AND session_id IN (SELECT session_id FROM events WHERE created_at BETWEEN $first_day AND $last_day || ' 24')
    GROUP BY session_id
),

placed AS (
    SELECT DISTINCT events.order_id
    FROM begun
    CROSS JOIN events -- CROSS JOIN: the sessions drive
    WHERE begun.placings > 0
      AND begun.date BETWEEN $first_day AND $last_day
      AND events.session_id = begun.session_id
      AND events.event_type = $last_step
      AND events.order_id <> ''
),

naming AS (
    SELECT events.order_id, events.session_id,
        row_number() OVER (PARTITION BY events.order_id ORDER BY events.created_at, events.session_id) AS place
    FROM placed
    CROSS JOIN events
    WHERE events.order_id = placed.order_id AND events.event_type = $last_step
),

part AS (
    SELECT date, count(*) AS sessions, 0 AS orders, 0.0 AS revenue
    FROM begun
    GROUP BY date
    UNION ALL
    SELECT begun.date, 0, count(*), exact_total(conversions.revenue)
    FROM naming
    JOIN begun ON begun.session_id = naming.session_id
    LEFT JOIN conversions ON conversions.conv_id = naming.order_id
    WHERE naming.place = 1
    GROUP BY begun.date
    UNION ALL
    SELECT date, -count(*), -sum(orders), -exact_total(revenue)
    FROM session_funnel
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
)

SELECT date, sum(sessions) AS sessions_missing, sum(orders) AS orders_missing, sum(revenue) AS revenue_missing
FROM part
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
HAVING sum(sessions) <> 0 OR sum(orders) <> 0 OR abs(sum(revenue)) > 1e-6
ORDER BY date
