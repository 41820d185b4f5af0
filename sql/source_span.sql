-- One row: the first day with a conversion, the last day until :last_day with a session or conversion, and what lies beyond.
-- Rows whose date is no date (YYYY-MM-DD) belong to no day; they are counted here, because no run can reach them.
WITH session AS (
    SELECT
        max(event_date) FILTER (WHERE event_date <= :last_day AND date(event_date) = event_date) AS last_day,
        count(*) FILTER (WHERE event_date > :last_day AND date(event_date) = event_date) AS later,
        count(*) FILTER (WHERE date(event_date) IS NOT event_date) AS without_date
    FROM session_sources
),

conversion AS (
    SELECT
        min(conv_date) FILTER (WHERE date(conv_date) = conv_date) AS first_day,
        max(conv_date) FILTER (WHERE conv_date <= :last_day AND date(conv_date) = conv_date) AS last_day,
        count(*) FILTER (WHERE conv_date > :last_day AND date(conv_date) = conv_date) AS later,
        count(*) FILTER (WHERE date(conv_date) IS NOT conv_date) AS without_date
    FROM conversions
)

SELECT
    conversion.first_day AS first_conversion_day,
    nullif(max(coalesce(session.last_day, ''), coalesce(conversion.last_day, '')), '') AS last_source_day,
    session.later AS later_sessions,
    conversion.later AS later_conversions,
    session.without_date AS sessions_without_date,
    conversion.without_date AS conversions_without_date
FROM session, conversion
