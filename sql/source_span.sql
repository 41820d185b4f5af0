-- One row: the first day with a conversion, the last day until :last_day with a session or conversion, and what lies beyond
-- :first_day to :last_day. Rows whose date is no date (YYYY-MM-DD, since 1970) belong to no day: no run can reach them.
WITH session AS (
    SELECT event_date AS day, event_date >= '1970' AND date(event_date) = event_date AS is_day FROM session_sources
),

conversion AS (
    SELECT conv_date AS day, conv_date >= '1970' AND date(conv_date) = conv_date AS is_day FROM conversions
),

session_span AS (
    SELECT
        max(day) FILTER (WHERE is_day AND day <= :last_day) AS last_day,
        count(*) FILTER (WHERE is_day AND day < :first_day) AS earlier,
        count(*) FILTER (WHERE is_day AND day > :last_day) AS later,
        count(*) FILTER (WHERE is_day IS NOT 1) AS without_date
    FROM session
),

conversion_span AS (
    SELECT
        min(day) FILTER (WHERE is_day) AS first_day,
        max(day) FILTER (WHERE is_day AND day <= :last_day) AS last_day,
        count(*) FILTER (WHERE is_day AND day < :first_day) AS earlier,
        count(*) FILTER (WHERE is_day AND day > :last_day) AS later,
        count(*) FILTER (WHERE is_day IS NOT 1) AS without_date
    FROM conversion
)

SELECT
    conversion_span.first_day AS first_conversion_day,
    nullif(max(coalesce(session_span.last_day, ''), coalesce(conversion_span.last_day, '')), '') AS last_day,
    session_span.earlier AS earlier_sessions,
    conversion_span.earlier AS earlier_conversions,
    session_span.later AS later_sessions,
    conversion_span.later AS later_conversions,
    session_span.without_date AS sessions_without_date,
    conversion_span.without_date AS conversions_without_date
FROM session_span, conversion_span
