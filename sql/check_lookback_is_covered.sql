-- One row per unbroken stretch of days without any session, as far as a conversion from $first_day to $last_conversion_day
-- reaches back to them: its journey may lack its beginning. `conversions`: how many of these there are.
-- `not_yet` is 1 for the stretch before the very first session: no row tells a young shop from one whose history was not loaded.
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
),

gap AS (
    SELECT min(day) AS from_day, max(day) AS to_day, count(*) AS days
    FROM uncovered_day
    GROUP BY stretch
),

first_session AS (
    SELECT event_date AS day
    FROM session_sources
    WHERE event_date >= '1970' AND date(event_date, '+0 days') = event_date
    ORDER BY event_date
    LIMIT 1
)

SELECT
    from_day,
    to_day,
    days,
    (
        SELECT count(*) FROM conversions
        WHERE conv_date BETWEEN max(from_day, $first_day)
          AND min(date(to_day, '+' || $lookback_days || ' days'), $last_conversion_day)
    ) AS conversions,
    coalesce(to_day < (SELECT day FROM first_session), 0) AS not_yet
FROM gap
ORDER BY from_day
