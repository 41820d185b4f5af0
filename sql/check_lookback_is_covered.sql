-- One row per unbroken stretch of days without any session, as far as a conversion from $first_day to $last_conversion_day
-- reaches back to them: its journey may lack its beginning.
WITH RECURSIVE day (day) AS (
    SELECT date($first_day, '-' || $lookback_days || ' days')
    UNION ALL
    SELECT date(day, '+1 day') FROM day WHERE day < $last_day
),

uncovered_day AS (
    SELECT day, date(day, '-' || row_number() OVER (ORDER BY day) || ' days') AS stretch
    FROM day
    WHERE NOT EXISTS (SELECT 1 FROM session_sources WHERE event_date = day)
      AND EXISTS (
          SELECT 1 FROM conversions
          WHERE conv_date BETWEEN max(day, $first_day)
            AND min(date(day, '+' || $lookback_days || ' days'), $last_conversion_day)
      )
)

SELECT min(day) AS from_day, max(day) AS to_day, count(*) AS days
FROM uncovered_day
GROUP BY stretch
ORDER BY from_day
