-- One row per dimension, value and channel: breakdown_reporting under $model on $date_basis, the days added up. Users are left out: one who
-- comes on two days would count twice.
-- The ratios are undefined (NULL) where their divisor is 0, and, as in the table, CPO, ROAS and the rate for columns of conversions.
WITH day AS (
    SELECT day AS date FROM days_from($first_day, $last_day)
),

total AS (
    SELECT
        dimension,
        value,
        channel,
        CAST(sum(sessions) AS bigint) AS sessions,
        exact_total(cost) AS cost,
        exact_total(orders) AS orders,
        exact_total(revenue) AS revenue,
        dimension LIKE 'conversions.%' AS is_of_conversion
    FROM day
    CROSS JOIN breakdown_reporting AS report -- CROSS JOIN: the days drive, each by the key
    WHERE report.date = day.date AND report.model = $model AND report.date_basis = $date_basis
    GROUP BY dimension, value, channel
)

SELECT
    dimension,
    value,
    channel,
    sessions,
    cost,
    cost / nullif(sessions, 0) AS cpc,
    orders,
    revenue,
    CASE WHEN NOT is_of_conversion THEN cost / nullif(orders, 0) END AS cpo,
    CASE WHEN NOT is_of_conversion THEN revenue / nullif(cost, 0) END AS roas,
    CASE WHEN NOT is_of_conversion THEN orders / nullif(sessions, 0) END AS conversion_rate
FROM total
ORDER BY dimension, revenue DESC, cost DESC, value, channel
