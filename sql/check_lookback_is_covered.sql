-- One row per unbroken stretch of days without any session, as far as a conversion from $first_day to $last_conversion_day
-- reaches back to them: its journey may lack its beginning. `conversions`: how many of these there are.
-- `not_yet` is 1 for the stretch before the very first session: no row tells a young shop from one whose history was not loaded.
WITH day AS (
    SELECT day FROM days_from(days_before($first_day, $lookback_days), $last_day)
),

conversion_day AS (
    SELECT conv_date, count(*) AS conversions
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_conversion_day
    GROUP BY conv_date
),

uncovered_day AS (
    SELECT day, days_before(day, row_number() OVER (ORDER BY day)) AS stretch
    FROM day
    WHERE NOT EXISTS (SELECT 1 FROM session_sources WHERE event_date = day)
      AND EXISTS (
          SELECT 1 FROM conversion_day
          WHERE conv_date BETWEEN CASE WHEN day > $first_day THEN day ELSE $first_day END
            AND CASE WHEN days_before(day, -$lookback_days) < $last_conversion_day THEN days_before(day, -$lookback_days) ELSE $last_conversion_day END
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
    WHERE event_date >= '1970' AND is_date(event_date)
    ORDER BY event_date
    LIMIT 1
),

reach AS (
    SELECT
        from_day,
        to_day,
        days,
        CASE WHEN from_day > $first_day THEN from_day ELSE $first_day END AS reaches_from,
        CASE WHEN days_before(to_day, -$lookback_days) < $last_conversion_day THEN days_before(to_day, -$lookback_days) ELSE $last_conversion_day END AS reaches_to
    FROM gap
)

SELECT
    from_day,
    to_day,
    days,
    CAST(coalesce(sum(conversion_day.conversions), 0) AS bigint) AS conversions,
    CASE WHEN to_day < (SELECT day FROM first_session) THEN 1 ELSE 0 END AS not_yet
FROM reach
LEFT JOIN conversion_day ON conversion_day.conv_date BETWEEN reach.reaches_from AND reach.reaches_to
GROUP BY from_day, to_day, days
ORDER BY from_day
