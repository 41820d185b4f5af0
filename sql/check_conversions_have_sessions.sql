-- One row per conversion of the days without a session in its journey, if these are more than $most_without_session of all.
-- Conversions of users in $nobody, a JSON array of ids, do not count here.
WITH conversion AS MATERIALIZED (
    SELECT
        conv_id,
        user_id,
        conv_date,
        revenue,
        NOT EXISTS (
            SELECT 1 FROM customer_journeys
            WHERE customer_journeys.conv_id = conversions.conv_id
              AND customer_journeys.conv_date || '' = conversions.conv_date -- so the key serves, not the index of the day
        ) AS has_none
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
      AND user_id IS NOT NULL -- a conversion of the backend that was not tracked has none
      AND user_id NOT IN (SELECT value FROM names_in($nobody))
)

SELECT conv_id, user_id, conv_date, revenue, (SELECT sum(revenue) FROM conversion WHERE has_none) AS revenue_of_all
FROM conversion
WHERE has_none
  AND (SELECT avg(CASE WHEN has_none THEN 1.0 ELSE 0.0 END) FROM conversion) > $most_without_session
ORDER BY conv_date, conv_id
