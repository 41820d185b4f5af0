-- One row per day and value of $dimension: the conversions of the day with this value. Of `conversions.column`, the value is that of the
-- conversion; of a column of session_sources, that of the last session before it, and `(none)` where there is none.
SELECT conv_date AS date, value, CAST(count(*) AS bigint) AS orders
FROM (
    SELECT conv_date, value
    FROM conversion_dimension
    WHERE dimension = $dimension AND conv_date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT conversions.conv_date, coalesce(session.value, '(none)')
    FROM conversions
    LEFT JOIN customer_journeys AS journey ON journey.conv_id = conversions.conv_id AND journey.conversion = 1
    LEFT JOIN session_dimension AS session ON session.session_id = journey.session_id AND session.dimension = $dimension
    WHERE conversions.conv_date BETWEEN $first_day AND $last_day AND $dimension NOT LIKE 'conversions.%'
) AS valued
GROUP BY conv_date, value
ORDER BY conv_date, value
