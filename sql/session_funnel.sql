-- One row per session whose first event is of the days: the steps that it reached, and the orders that were placed in it. A session is
-- found whole, whatever the days of its events.
-- $steps: the event types that are steps, in order, as a JSON array. $last_step: the last of them.
-- $is_ordered: 1 if a step counts only once the step before was reached.
WITH RECURSIVE step AS (
    SELECT
        key + 1 AS position,
        value AS name,
        CAST(1 AS bigint) << CAST(key AS integer) AS bit
    FROM names_in($steps)
),

combination AS ( -- of steps, with the sum of their bits
    SELECT CAST(0 AS bigint) AS position, CAST(0 AS bigint) AS furthest, CAST(0 AS bigint) AS bits, '' AS steps
    UNION ALL
    SELECT
        step.position,
        CASE WHEN has THEN step.position ELSE combination.furthest END,
        combination.bits + CASE WHEN has THEN step.bit ELSE 0 END,
        combination.steps || CASE WHEN NOT has THEN '' WHEN combination.steps = '' THEN step.name ELSE ',' || step.name END
    FROM combination
    JOIN step ON step.position = combination.position + 1
    CROSS JOIN (SELECT 1 = 1 AS has UNION ALL SELECT 1 = 0) AS either
),

visit AS ( -- of many days, all sessions are read in their order; of a few days, those that have an event on them
    SELECT
        events.session_id,
        min(events.created_at) AS first_event,
        max(events.created_at) AS last_event,
        max(events.created_at || ' ' || nullif(events.user_id, '')) AS last_user,
        CAST(coalesce(sum(DISTINCT step.bit), 0) AS bigint) AS bits,
        min(CASE WHEN step.position = 1 AND $is_ordered = 1 THEN events.created_at END) AS entered_at,
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
        CAST(coalesce(sum(DISTINCT step.bit), 0) AS bigint) AS bits,
        min(CASE WHEN step.position = 1 AND $is_ordered = 1 THEN events.created_at END) AS entered_at,
        count(CASE WHEN events.event_type = $last_step AND events.order_id <> '' THEN 1 END) AS placings
    FROM events
    LEFT JOIN step ON step.name = events.event_type
    WHERE days_before($last_day, 31) < $first_day
      AND events.session_id IN (SELECT session_id FROM events WHERE created_at BETWEEN $first_day AND $last_day || ' 24')
    GROUP BY events.session_id
    HAVING substr(min(events.created_at), 1, 10) BETWEEN $first_day AND $last_day
),

chain AS ( -- of a session, each step after the one before, with the time when it was first reached
    SELECT session_id, 1 AS position, entered_at AS reached_at
    FROM visit
    WHERE entered_at IS NOT NULL AND $is_ordered = 1
    UNION ALL
    SELECT
        chain.session_id,
        chain.position + 1,
        (
            SELECT min(events.created_at) FROM events
            WHERE events.session_id = chain.session_id AND events.event_type = step.name AND events.created_at >= chain.reached_at
        )
    FROM chain
    JOIN step ON step.position = chain.position + 1
    WHERE chain.reached_at IS NOT NULL
),

in_order AS (
    SELECT chain.session_id, CAST(sum(step.bit) AS bigint) AS bits
    FROM chain
    JOIN step ON step.position = chain.position
    WHERE chain.reached_at IS NOT NULL
    GROUP BY chain.session_id
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
    combination.steps,
    combination.furthest,
    visit.first_event,
    visit.last_event,
    coalesce(basket.orders, 0) AS orders,
    CASE WHEN basket.known > 0 THEN basket.revenue END AS revenue
FROM visit
LEFT JOIN in_order ON in_order.session_id = visit.session_id
JOIN combination ON combination.position = (SELECT max(position) FROM step)
    AND combination.bits = CASE WHEN $is_ordered = 1 THEN coalesce(in_order.bits, 0) ELSE visit.bits END
LEFT JOIN basket ON basket.session_id = visit.session_id
LEFT JOIN session_sources ON session_sources.session_id = visit.session_id
ORDER BY date, visit.session_id
