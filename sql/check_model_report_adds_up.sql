-- One row per day, model, date basis, channel and figure (cost, orders, revenue) in which the report by models differs from what it is
-- made of by 1e-6 or more (of large sums, by more than rounding): of each channel from its costs and its credit. On the date of the
-- conversion, all channels together (no channel_name) have the orders and revenue of the conversions that have a journey, under every
-- model alike: no credit is read for that.
-- $models: the names as a JSON array; what others have left on days that did not run since is not looked at. $channel_groups: a JSON
-- object, by channel the one that stands for it.
WITH chosen AS (
    SELECT value AS name FROM names_in($models)
),

basis AS (
    SELECT 'session' AS name UNION ALL SELECT 'conversion'
),

model AS (
    SELECT model AS name
    FROM model_attribution
    WHERE conv_date BETWEEN $first_day AND $last_conversion_day AND model IN (SELECT name FROM chosen)
    UNION
    SELECT model
    FROM model_reporting
    WHERE date BETWEEN $first_day AND $last_day AND model IN (SELECT name FROM chosen)
),

attributed AS (
    SELECT conversions.conv_date AS date, CAST(count(*) AS double) AS orders, sum(conversions.revenue) AS revenue
    FROM conversions
    WHERE conversions.conv_date BETWEEN $first_day AND $last_day
      AND conversions.conv_id IN (SELECT conv_id FROM customer_journeys WHERE conv_date BETWEEN $first_day AND $last_day)
    GROUP BY conversions.conv_date
),

credited AS (
    SELECT attribution.date, attribution.conv_date, attribution.model, attribution.channel_name, credit, credit * conversions.revenue AS revenue
    FROM model_attribution AS attribution
    JOIN conversions ON conversions.conv_id = attribution.conv_id
    WHERE attribution.conv_date BETWEEN $first_day AND $last_conversion_day
      AND model IN (SELECT name FROM chosen)
),

credit_of_channel AS (
    SELECT date, model, 'session' AS date_basis, channel_name, sum(credit) AS orders, sum(revenue) AS revenue
    FROM credited
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, model, channel_name
    UNION ALL
    SELECT conv_date, model, 'conversion', channel_name, sum(credit), sum(revenue)
    FROM credited
    WHERE conv_date BETWEEN $first_day AND $last_day
    GROUP BY conv_date, model, channel_name
),

spent AS (
    SELECT date, group_of(channel_name, $channel_groups) AS channel_name, sum(cost) AS cost
    FROM channel_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, group_of(channel_name, $channel_groups)
),

reported AS (
    SELECT date, model, date_basis, channel_name, cost, orders, revenue
    FROM model_reporting
    WHERE date BETWEEN $first_day AND $last_day AND model IN (SELECT name FROM chosen)
),

figure AS (
    SELECT date, model, date_basis, channel_name, 'cost' AS figure, cost AS reported, 0.0 AS of_sources FROM reported
    UNION ALL
    SELECT date, model, date_basis, channel_name, 'orders', orders, 0.0 FROM reported
    UNION ALL
    SELECT date, model, date_basis, channel_name, 'revenue', revenue, 0.0 FROM reported
    UNION ALL
    SELECT date, model, date_basis, NULL, 'orders', orders, 0.0 FROM reported WHERE date_basis = 'conversion'
    UNION ALL
    SELECT date, model, date_basis, NULL, 'revenue', revenue, 0.0 FROM reported WHERE date_basis = 'conversion'
    UNION ALL
    SELECT date, model.name, basis.name, channel_name, 'cost', 0.0, cost FROM spent CROSS JOIN model CROSS JOIN basis
    UNION ALL
    SELECT date, model, date_basis, channel_name, 'orders', 0.0, orders FROM credit_of_channel
    UNION ALL
    SELECT date, model, date_basis, channel_name, 'revenue', 0.0, revenue FROM credit_of_channel
    UNION ALL
    SELECT date, model.name, 'conversion', NULL, 'orders', 0.0, orders FROM attributed CROSS JOIN model
    UNION ALL
    SELECT date, model.name, 'conversion', NULL, 'revenue', 0.0, revenue FROM attributed CROSS JOIN model
),

compared AS (
    SELECT date, model, date_basis, channel_name, figure, sum(reported) AS reported, sum(of_sources) AS of_sources
    FROM figure
    GROUP BY date, model, date_basis, channel_name, figure
)

SELECT date, model, date_basis, channel_name, figure, reported, of_sources
FROM compared
WHERE abs(reported - of_sources) >= 1e-6
  AND abs(reported - of_sources) >= 1e-11 * abs(of_sources)
ORDER BY date, model, date_basis, CASE WHEN channel_name IS NULL THEN 0 ELSE 1 END, channel_name, figure
