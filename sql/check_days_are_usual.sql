-- One row per day with unusually many or few conversions, and the bounds of usual days: the quartiles of the days, and of the four weeks
-- before them, and 1.5 of their ranges beyond. Of fewer than eight days, none is unusual.
-- This is Tukey's rule, with quartiles between two days interpolated as numpy and pandas do.
WITH day AS (
    SELECT conv_date AS date, count(*) AS conversions
    FROM conversions
    WHERE conv_date BETWEEN days_before($first_day, 28) AND $last_day
    GROUP BY conv_date
),

ranked AS (
    SELECT
        conversions,
        row_number() OVER (ORDER BY conversions) - 1 AS place,
        CAST((SELECT count(*) FROM day) - 1 AS double) / 4 AS lower_place,
        CAST((SELECT count(*) FROM day) - 1 AS double) * 3 / 4 AS upper_place
    FROM day
),

quartile AS (
    SELECT
        sum(conversions * CASE WHEN abs(place - lower_place) < 1 THEN 1 - abs(place - lower_place) ELSE 0.0 END) AS lower,
        sum(conversions * CASE WHEN abs(place - upper_place) < 1 THEN 1 - abs(place - upper_place) ELSE 0.0 END) AS upper,
        count(*) AS days
    FROM ranked
)

SELECT
    day.date,
    day.conversions,
    quartile.lower - 1.5 * (quartile.upper - quartile.lower) AS least,
    quartile.upper + 1.5 * (quartile.upper - quartile.lower) AS most
FROM day
CROSS JOIN quartile
WHERE day.date >= $first_day
  AND quartile.days >= 8
  AND day.conversions NOT BETWEEN quartile.lower - 1.5 * (quartile.upper - quartile.lower)
  AND quartile.upper + 1.5 * (quartile.upper - quartile.lower)
ORDER BY day.date
