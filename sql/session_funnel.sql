-- One row per session whose first event is of the days: the steps that it reached, and the orders that were placed in it. A session is
-- found whole, whatever the days of its events.
-- $steps: the event types that are steps, in order, as a JSON array. $last_step: the last of them.
-- $is_ordered: 1 if a step counts only once the step before was reached.
WITH step AS (
    SELECT
        key + 1 AS position,
        value AS name,
        CAST(1 AS bigint) << CAST(key AS integer) AS bit
    FROM names_in($steps)
),

visit AS ( -- of many days, all sessions are read in their order; of a few days, those that have an event on them
    SELECT
        events.session_id,
        min(events.created_at) AS first_event,
        max(events.created_at) AS last_event,
        max(events.created_at || ' ' || nullif(events.user_id, '')) AS last_user,
        CASE WHEN $is_ordered = 1 THEN (CAST(1 AS bigint) << CAST(reached_in_order(step.position, events.created_at, $is_ordered = 1) AS integer)) - 1
            ELSE CAST(coalesce(sum(DISTINCT step.bit), 0) AS bigint) END AS bits,
        count(CASE WHEN events.event_type = $last_step AND events.order_id <> '' THEN 1 END) AS placings
    FROM events
    LEFT JOIN step ON step.name = events.event_type
    WHERE days_before($last_day, 31) >= $first_day
    GROUP BY events.session_id
    HAVING substr(min(events.created_at), 1, 10) BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT
        events.session_id,
        min(events.created_at) AS first_event,
        max(events.created_at) AS last_event,
        max(events.created_at || ' ' || nullif(events.user_id, '')) AS last_user,
        CASE WHEN $is_ordered = 1 THEN (CAST(1 AS bigint) << CAST(reached_in_order(step.position, events.created_at, $is_ordered = 1) AS integer)) - 1
            ELSE CAST(coalesce(sum(DISTINCT step.bit), 0) AS bigint) END AS bits,
        count(CASE WHEN events.event_type = $last_step AND events.order_id <> '' THEN 1 END) AS placings
    FROM events
    LEFT JOIN step ON step.name = events.event_type
    WHERE days_before($last_day, 31) < $first_day
      AND events.session_id IN (SELECT session_id FROM events WHERE created_at BETWEEN $first_day AND $last_day || ' 24')
    GROUP BY events.session_id
    HAVING substr(min(events.created_at), 1, 10) BETWEEN $first_day AND $last_day
),

combination AS ( -- of steps that sessions reached, with the sum of their bits
    SELECT bits, max(position) AS furthest, in_order(name, ',', position) AS steps
    FROM (
        SELECT kind.bits, step.position, step.name
        FROM (SELECT DISTINCT bits FROM visit) AS kind
        CROSS JOIN step
        WHERE (kind.bits & step.bit) <> 0
        ORDER BY kind.bits, step.position
    ) AS reached
    GROUP BY bits
),

placed AS ( -- an order, and the session that placed it first
    SELECT DISTINCT event.session_id, event.order_id
    FROM visit
    CROSS JOIN events AS event -- CROSS JOIN: the sessions drive
    WHERE visit.placings > 0
      AND event.session_id = visit.session_id
      AND event.event_type = $last_step
      AND event.order_id <> ''
      AND NOT EXISTS (
          SELECT 1 FROM events AS other
          WHERE other.order_id = event.order_id
            AND other.event_type = $last_step
            AND (other.created_at < event.created_at OR (other.created_at = event.created_at AND other.session_id < event.session_id))
            AND other.session_id <> event.session_id
      )
),

basket AS (
    SELECT placed.session_id, count(*) AS orders, count(conversions.revenue) AS known, exact_total(conversions.revenue) AS revenue
    FROM placed
    LEFT JOIN conversions ON conversions.conv_id = placed.order_id
    GROUP BY placed.session_id
)

SELECT
    substr(visit.first_event, 1, 10) AS date,
    visit.session_id,
    substr(visit.last_user, 12 + instr(substr(visit.last_user, 12), ' ')) AS user_id, -- after the time, which may have a fraction
    nullif(session_sources.channel_name, '') AS channel,
    coalesce(combination.steps, '') AS steps,
    coalesce(combination.furthest, 0) AS furthest,
    visit.first_event,
    visit.last_event,
    coalesce(basket.orders, 0) AS orders,
    CASE WHEN basket.known > 0 THEN basket.revenue END AS revenue
FROM visit
LEFT JOIN combination ON combination.bits = visit.bits
LEFT JOIN basket ON basket.session_id = visit.session_id
LEFT JOIN session_sources ON session_sources.session_id = visit.session_id
ORDER BY date, visit.session_id
