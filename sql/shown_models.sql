-- One row per day, channel and model: what is shown of the report by models, on the date of the sessions: the channel that earned most
-- under all models first. Channels that neither cost nor earned anything are left out.
WITH of_channel AS (
    SELECT
        date AS day,
        channel_name AS channel,
        model,
        cost,
        orders,
        revenue,
        CPO,
        ROAS,
        sum(revenue) OVER channel AS earned,
        max(orders) OVER channel AS most_orders
    FROM model_reporting
    WHERE date BETWEEN $first_day AND $last_day AND date_basis = 'session'
    WINDOW channel AS (PARTITION BY date, channel_name)
)

SELECT day, channel, model, orders, revenue, CPO, ROAS
FROM of_channel
WHERE cost <> 0 OR most_orders <> 0 OR earned <> 0
ORDER BY day, earned DESC, cost DESC, channel, model
