-- One row per day from $first_day to $last_day on which customer_report has other orders or revenue than the sources, or buyers that are
-- neither new nor returning.
-- $orders_of: whose rows are the orders: conversions, or events. $last_step: the event type that is the last step.
WITH placed AS ( -- an order, on the day of its first event
    SELECT substr(min(created_at), 1, 10) AS date
    FROM events
    WHERE $orders_of = 'events'
      AND event_type = $last_step
      AND order_id <> ''
    GROUP BY order_id
),

part AS (
    SELECT conv_date AS date, count(*) AS orders, exact_total(revenue) AS revenue, 0 AS buyers
    FROM conversions
    WHERE $orders_of = 'conversions' AND conv_date BETWEEN $first_day AND $last_day
    GROUP BY conv_date
    UNION ALL
    SELECT date, count(*), 0.0, 0
    FROM placed
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
    UNION ALL
    SELECT date, -orders, -coalesce(revenue, 0), buyers - new_buyers - returning_buyers
    FROM customer_report
    WHERE date BETWEEN $first_day AND $last_day
)

SELECT date, sum(orders) AS orders_missing, sum(revenue) AS revenue_missing, sum(buyers) AS buyers_of_no_kind
FROM part
GROUP BY date
HAVING sum(orders) <> 0 OR abs(sum(revenue)) > 1e-6 OR sum(buyers) <> 0
ORDER BY date
