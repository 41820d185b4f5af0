-- One row per day, model, date basis and channel: what the channel's sessions of the day cost, and the orders and revenue that the
-- model credits to it, on the date of the session or on that of the conversion. Cost stands on the session's date in both.
-- $models: the names as a JSON array; $channel_groups: a JSON object, by channel the one that stands for it.
WITH chosen AS (
    SELECT value AS name FROM names_in($models)
),

basis AS (
    SELECT 'session' AS name UNION ALL SELECT 'conversion'
),

credited AS (
    SELECT model, date, attribution.conv_date, channel_name, credit AS orders, credit * conversions.revenue AS revenue
    FROM model_attribution AS attribution
    JOIN conversions ON conversions.conv_id = attribution.conv_id
    WHERE attribution.conv_date BETWEEN $first_day AND $last_conversion_day
      AND model IN (SELECT name FROM chosen)
      AND credit <> 0
),

ledger AS (
    SELECT date, chosen.name AS model, basis.name AS date_basis, group_of(channel_name, $channel_groups) AS channel_name,
        cost, 0.0 AS orders, 0.0 AS revenue
    FROM channel_costs
    CROSS JOIN chosen
    CROSS JOIN basis
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, model, 'session', channel_name, 0.0, orders, revenue
    FROM credited
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_date, model, 'conversion', channel_name, 0.0, orders, revenue
    FROM credited
    WHERE conv_date BETWEEN $first_day AND $last_day
),

total AS (
    SELECT date, model, date_basis, channel_name,
        exact_total(cost) AS cost, exact_total(orders) AS orders, exact_total(revenue) AS revenue
    FROM ledger
    GROUP BY date, model, date_basis, channel_name
)

SELECT
    date,
    model,
    date_basis,
    channel_name,
    cost,
    orders,
    revenue,
    cost / nullif(orders, 0) AS CPO,
    revenue / nullif(cost, 0) AS ROAS,
    $rules AS rules,
    $settings AS settings
FROM total
ORDER BY date, model, date_basis, channel_name
