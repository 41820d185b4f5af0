-- One row per channel and session date, all days so far: channel_reporting with cost per order and return on ad spend.
-- CPO is undefined (empty) without an order, ROAS without a cost.
SELECT
    channel_name,
    date,
    cost,
    ihc,
    ihc_revenue,
    cost / nullif(ihc, 0) AS CPO,
    ihc_revenue / nullif(cost, 0) AS ROAS
FROM channel_reporting
ORDER BY date, channel_name
