-- One row per model, day of the conversion and value of $dimension: the orders that the model credits to sessions of $channel, 0 where it
-- credits others alone. The value is that of sql/orders_by_value.sql, and the channel is named as in the sources, before it is grouped.
WITH valued AS (
    SELECT conv_id, value
    FROM conversion_dimension
    WHERE dimension = $dimension AND conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT journey.conv_id, session.value
    FROM customer_journeys AS journey
    CROSS JOIN session_dimension AS session -- CROSS JOIN: the journeys drive
    WHERE journey.conv_date BETWEEN $first_day AND $last_day
      AND journey.conversion = 1
      AND session.session_id = journey.session_id
      AND session.dimension = $dimension
      AND $dimension NOT LIKE 'conversions.%'
),

credit AS (
    SELECT 'ihc' AS model, conv_id, session_id, conv_date, ihc AS orders
    FROM attribution_customer_journey
    WHERE conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT model, conv_id, session_id, conv_date, credit
    FROM model_attribution
    WHERE conv_date BETWEEN $first_day AND $last_day AND model <> 'ihc' AND credit <> 0
)

SELECT
    credit.model,
    credit.conv_date AS date,
    valued.value,
    exact_total(CASE WHEN journey.channel_label = $channel THEN credit.orders ELSE 0.0 END) AS orders
FROM credit
JOIN valued ON valued.conv_id = credit.conv_id
JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
GROUP BY credit.model, credit.conv_date, valued.value
ORDER BY credit.model, credit.conv_date, valued.value
