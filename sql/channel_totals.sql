-- One row per channel: the channel report of the days added up.
-- CPO is undefined (NULL) without an order, ROAS without a cost.
WITH total_of_channel AS (
    SELECT channel_name AS channel, exact_total(cost) AS cost, exact_total(ihc) AS orders, exact_total(ihc_revenue) AS revenue
    FROM channel_reporting
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY channel_name
)

SELECT channel, cost, orders, revenue, cost / nullif(orders, 0) AS CPO, revenue / nullif(cost, 0) AS ROAS
FROM total_of_channel
ORDER BY revenue DESC, cost DESC, channel
