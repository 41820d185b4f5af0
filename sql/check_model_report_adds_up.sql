-- One row per day, model, date basis and figure (cost, orders, revenue) in which the report by models differs from what it is made
-- of by 1e-6 or more (of large sums, by more than rounding). On the date of the conversion, orders and revenue are those of the
-- conversions that have a journey, under every model alike; on that of the session, the sum of their credit.
-- $models: the names as a JSON array; what others have left on days that did not run since is not looked at.
WITH chosen AS (
    SELECT trim(value, '"') AS name FROM json_each($models) -- DuckDB leaves text in its quotes
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
    SELECT conversions.conv_date AS date, count(*) AS orders, sum(conversions.revenue) AS revenue
    FROM conversions
    WHERE conversions.conv_date BETWEEN $first_day AND $last_day
      AND conversions.conv_id IN (SELECT conv_id FROM customer_journeys WHERE conv_date BETWEEN $first_day AND $last_day)
    GROUP BY conversions.conv_date
),

credited AS (
    SELECT attribution.date, attribution.model, sum(credit) AS orders, sum(credit * conversions.revenue) AS revenue
    FROM model_attribution AS attribution
    JOIN conversions ON conversions.conv_id = attribution.conv_id
    WHERE attribution.conv_date BETWEEN $first_day AND $last_conversion_day
      AND attribution.date BETWEEN $first_day AND $last_day
      AND model IN (SELECT name FROM chosen)
    GROUP BY attribution.date, attribution.model
),

spent AS (
    SELECT date, sum(cost) AS cost
    FROM channel_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date
),

reported AS (
    SELECT *
    FROM model_reporting
    WHERE date BETWEEN $first_day AND $last_day AND model IN (SELECT name FROM chosen)
),

figure AS (
    SELECT date, model, date_basis, 'cost' AS figure, cost AS reported, 0.0 AS of_sources FROM reported
    UNION ALL
    SELECT date, model, date_basis, 'orders', orders, 0.0 FROM reported
    UNION ALL
    SELECT date, model, date_basis, 'revenue', revenue, 0.0 FROM reported
    UNION ALL
    SELECT date, model.name, basis.name, 'cost', 0.0, cost FROM spent CROSS JOIN model CROSS JOIN basis
    UNION ALL
    SELECT date, model.name, 'conversion', 'orders', 0.0, orders FROM attributed CROSS JOIN model
    UNION ALL
    SELECT date, model.name, 'conversion', 'revenue', 0.0, revenue FROM attributed CROSS JOIN model
    UNION ALL
    SELECT date, model, 'session', 'orders', 0.0, orders FROM credited
    UNION ALL
    SELECT date, model, 'session', 'revenue', 0.0, revenue FROM credited
),

compared AS (
    SELECT date, model, date_basis, figure, sum(reported) AS reported, sum(of_sources) AS of_sources
    FROM figure
    GROUP BY date, model, date_basis, figure
)

SELECT date, model, date_basis, figure, reported, of_sources
FROM compared
WHERE abs(reported - of_sources) >= 1e-6
  AND abs(reported - of_sources) >= 1e-11 * abs(of_sources)
ORDER BY date, model, date_basis, figure
