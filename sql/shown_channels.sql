-- One row per day and channel: the channel report of the days, the channel that earned most first.
-- CPO is undefined (NULL) without an order, ROAS without a cost.
SELECT
    date AS day,
    channel_name AS channel,
    cost,
    ihc AS orders,
    ihc_revenue AS revenue,
    cost / nullif(ihc, 0) AS CPO,
    ihc_revenue / nullif(cost, 0) AS ROAS
FROM channel_reporting
WHERE date BETWEEN $first_day AND $last_day
ORDER BY date, ihc_revenue DESC, cost DESC, channel_name
