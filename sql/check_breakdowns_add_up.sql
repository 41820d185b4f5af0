-- One row per day, model, date basis, channel, dimension and figure (cost, orders, revenue) in which all values together differ by half a
-- cent or more from the report by channel: channel_reporting, on the date of the conversions the credit itself, and model_reporting.
WITH dimension AS (
    SELECT value AS name FROM names_in($breakdowns)
),

channel AS (
    SELECT date, 'ihc' AS model, 'session' AS date_basis, channel_name AS channel, cost, ihc AS orders, ihc_revenue AS revenue
    FROM channel_reporting
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, 'ihc', 'conversion', channel_name, cost, 0.0, 0.0
    FROM channel_reporting
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT credit.conv_date, 'ihc', 'conversion', journey.channel_label, 0.0, credit.ihc, credit.ihc * conversions.revenue
    FROM attribution_customer_journey AS credit
    JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    JOIN conversions ON conversions.conv_id = credit.conv_id
    WHERE credit.conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_date, 'ihc', 'conversion', channel_name, 0.0, 1.0, revenue
    FROM uncredited_conversion
    WHERE conv_date BETWEEN $first_day AND $last_day AND $conversions = 'backend'
    UNION ALL
    SELECT date, model, date_basis, channel_name, cost, orders, revenue
    FROM model_reporting
    WHERE date BETWEEN $first_day AND $last_day
      AND model <> 'ihc'
      AND model IN (SELECT value FROM names_in($models))
),

figure AS (
    SELECT date, model, date_basis, channel, dimension.name AS dimension, 'cost' AS figure, 0.0 AS of_values, cost AS of_channel
    FROM channel CROSS JOIN dimension
    UNION ALL
    SELECT date, model, date_basis, channel, dimension.name, 'orders', 0.0, orders FROM channel CROSS JOIN dimension
    UNION ALL
    SELECT date, model, date_basis, channel, dimension.name, 'revenue', 0.0, revenue FROM channel CROSS JOIN dimension
    UNION ALL
    SELECT date, model, date_basis, channel, dimension, 'cost', cost, 0.0
    FROM breakdown_reporting
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, model, date_basis, channel, dimension, 'orders', orders, 0.0
    FROM breakdown_reporting
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT date, model, date_basis, channel, dimension, 'revenue', revenue, 0.0
    FROM breakdown_reporting
    WHERE date BETWEEN $first_day AND $last_day
),

compared AS (
    SELECT date, model, date_basis, channel, dimension, figure, sum(of_values) AS of_values, sum(of_channel) AS of_channel
    FROM figure
    GROUP BY date, model, date_basis, channel, dimension, figure
)

SELECT date, model, date_basis, channel, dimension, figure, of_values, of_channel
FROM compared
WHERE abs(of_values - of_channel) >= CASE figure WHEN 'orders' THEN 1e-6 ELSE 0.005 END
  AND abs(of_values - of_channel) >= 1e-12 * abs(of_channel)
ORDER BY date, model, date_basis, channel, dimension, figure
