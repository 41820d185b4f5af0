-- One row per day, model, date basis, channel, dimension and value: the sessions with this value, what they cost, and the orders and revenue
-- credited to them. A dimension is a column of session_sources, or `conversions.column`: the value is then that of the conversion, and
-- sessions and cost stand under the value ''.
-- $breakdowns, $models: names as JSON arrays; the model ihc is always among them, with channels as they are. $channel_groups: a JSON
-- object, by channel the one that stands for it under the other models.
WITH dimension AS (
    SELECT value AS name FROM names_in($breakdowns)
),

model AS (
    SELECT 'ihc' AS name, 0 AS is_grouped
    UNION ALL
    SELECT value, 1 FROM names_in($models) WHERE value <> 'ihc'
),

naming AS (
    SELECT DISTINCT is_grouped FROM model
),

basis AS (
    SELECT 'session' AS name UNION ALL SELECT 'conversion'
),

traffic AS (
    SELECT
        naming.is_grouped,
        session.event_date AS date,
        CASE WHEN naming.is_grouped = 1 THEN group_of(session.channel_name, $channel_groups) ELSE session.channel_name END AS channel,
        session.dimension,
        session.value,
        count(*) AS sessions,
        count(DISTINCT session.user_id) AS users
    FROM session_dimension AS session
    CROSS JOIN naming
    WHERE session.event_date BETWEEN $first_day AND $last_day
    GROUP BY naming.is_grouped, session.event_date, channel, session.dimension, session.value
),

amount AS (
    SELECT session.event_date AS date, session.channel_name, session.dimension, session.value, session_costs.cost
    FROM session_dimension AS session
    JOIN session_costs ON session_costs.session_id = session.session_id
    WHERE session.event_date BETWEEN $first_day AND $last_day
      AND NOT EXISTS (
          SELECT 1 FROM session_spend
          WHERE session_spend.date = session.event_date AND session_spend.session_id = session.session_id AND $spend_wins = 'platform'
      )
    UNION ALL
    SELECT spend.date, spend.channel_name, session.dimension, session.value, spend.cost
    FROM session_spend AS spend
    CROSS JOIN session_dimension AS session
    WHERE spend.date BETWEEN $first_day AND $last_day
      AND $spend_wins <> ''
      AND session.session_id = spend.session_id
    UNION ALL
    SELECT
        spend.date,
        spend.channel_name,
        dimension.name,
        CASE WHEN dimension.name = 'campaign_id' THEN spend.campaign_id WHEN dimension.name LIKE 'conversions.%' THEN '' ELSE '(none)' END,
        spend.cost
    FROM session_spend AS spend
    CROSS JOIN dimension
    WHERE spend.date BETWEEN $first_day AND $last_day AND $spend_wins <> '' AND spend.session_id = ''
),

spent AS (
    SELECT date, channel_name, dimension, value, exact_total(cost) AS cost
    FROM amount
    GROUP BY date, channel_name, dimension, value
),

credit AS (
    SELECT
        'ihc' AS model,
        credit.conv_id,
        credit.session_id,
        credit.conv_date,
        substr(journey.timestamp, 1, 10) AS date,
        journey.channel_label AS channel,
        credit.ihc AS orders
    FROM attribution_customer_journey AS credit
    JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
    WHERE credit.conv_date BETWEEN $first_day AND $last_conversion_day
    UNION ALL
    SELECT model, conv_id, session_id, conv_date, date, channel_name, credit
    FROM model_attribution
    WHERE conv_date BETWEEN $first_day AND $last_conversion_day
      AND model IN (SELECT name FROM model WHERE is_grouped = 1)
      AND credit <> 0
),

valued_credit AS (
    SELECT credit.model, credit.conv_date, credit.date, credit.channel, session.dimension, session.value, credit.conv_id, credit.orders
    FROM credit
    CROSS JOIN session_dimension AS session
    WHERE session.session_id = credit.session_id AND session.dimension NOT LIKE 'conversions.%'
    UNION ALL
    SELECT credit.model, credit.conv_date, credit.date, credit.channel, conversion.dimension, conversion.value, credit.conv_id, credit.orders
    FROM credit
    CROSS JOIN conversion_dimension AS conversion
    WHERE conversion.conv_id = credit.conv_id
    UNION ALL
    SELECT 'ihc', conv_date, conv_date, channel_name, dimension.name, '(none)', conv_id, 1.0
    FROM uncredited_conversion
    CROSS JOIN dimension
    WHERE conv_date BETWEEN $first_day AND $last_day AND $conversions = 'backend' AND dimension.name NOT LIKE 'conversions.%'
    UNION ALL
    SELECT 'ihc', lost.conv_date, lost.conv_date, lost.channel_name, conversion.dimension, conversion.value, lost.conv_id, 1.0
    FROM uncredited_conversion AS lost
    CROSS JOIN conversion_dimension AS conversion
    WHERE lost.conv_date BETWEEN $first_day AND $last_day AND $conversions = 'backend' AND conversion.conv_id = lost.conv_id
),

earned AS (
    SELECT valued_credit.*, valued_credit.orders * conversions.revenue AS revenue
    FROM valued_credit
    JOIN conversions ON conversions.conv_id = valued_credit.conv_id
),

ledger AS (
    SELECT date, model.name AS model, basis.name AS date_basis, channel, dimension, value,
        sessions, users, 0.0 AS cost, 0.0 AS orders, 0.0 AS revenue
    FROM traffic
    JOIN model ON model.is_grouped = traffic.is_grouped
    CROSS JOIN basis
    UNION ALL
    SELECT date, model.name, basis.name,
        CASE WHEN model.is_grouped = 1 THEN group_of(channel_name, $channel_groups) ELSE channel_name END,
        dimension, value, 0, 0, cost, 0.0, 0.0
    FROM spent
    CROSS JOIN model
    CROSS JOIN basis
    UNION ALL
    SELECT date, model, 'session', channel, dimension, value, 0, 0, 0.0, orders, revenue
    FROM earned
    WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conv_date, model, 'conversion', channel, dimension, value, 0, 0, 0.0, orders, revenue
    FROM earned
    WHERE conv_date BETWEEN $first_day AND $last_day
),

total AS (
    SELECT date, model, date_basis, channel, dimension, value,
        CAST(sum(sessions) AS bigint) AS sessions, CAST(sum(users) AS bigint) AS users,
        exact_total(cost) AS cost, exact_total(orders) AS orders, exact_total(revenue) AS revenue,
        dimension LIKE 'conversions.%' AS is_of_conversion
    FROM ledger
    GROUP BY date, model, date_basis, channel, dimension, value
)

SELECT
    date,
    model,
    date_basis,
    channel,
    dimension,
    value,
    sessions,
    users,
    cost,
    cost / nullif(sessions, 0) AS CPC,
    orders,
    revenue,
    CASE WHEN NOT is_of_conversion THEN cost / nullif(orders, 0) END AS CPO,
    CASE WHEN NOT is_of_conversion THEN revenue / nullif(cost, 0) END AS ROAS,
    CASE WHEN NOT is_of_conversion THEN orders / nullif(sessions, 0) END AS conversion_rate
FROM total
ORDER BY date, model, date_basis, channel, dimension, value
