-- One row: the first day with a conversion, the last day until $last_day with a session or conversion, and what lies beyond
-- $first_day to $last_day. Rows whose date is no date (YYYY-MM-DD, since 1970) belong to no day: no run can reach them.
-- Reads only the ends of the date indexes, and the broken rows (the views broken_session and broken_conversion).
WITH session_span AS (
    SELECT
        (
            SELECT event_date FROM session_sources
            WHERE event_date BETWEEN '1970' AND $last_day AND is_date(event_date)
            ORDER BY event_date DESC LIMIT 1
        ) AS last_day,
        (
            SELECT count(*) FROM session_sources
            WHERE event_date >= '1970' AND event_date < $first_day AND is_date(event_date)
        ) AS earlier,
        (SELECT count(*) FROM session_sources WHERE event_date > $last_day AND is_date(event_date)) AS later,
        (SELECT count(*) FROM session_sources WHERE event_date < '1970' AND is_date(event_date)) + (
            SELECT count(*) FROM broken_session WHERE is_no_date(event_date)
        ) AS without_date
),

conversion_span AS (
    SELECT
        (
            SELECT conv_date FROM conversions
            WHERE conv_date >= '1970' AND is_date(conv_date)
            ORDER BY conv_date LIMIT 1
        ) AS first_day,
        (
            SELECT conv_date FROM conversions
            WHERE conv_date BETWEEN '1970' AND $last_day AND is_date(conv_date)
            ORDER BY conv_date DESC LIMIT 1
        ) AS last_day,
        (
            SELECT count(*) FROM conversions
            WHERE conv_date >= '1970' AND conv_date < $first_day AND is_date(conv_date)
        ) AS earlier,
        (SELECT count(*) FROM conversions WHERE conv_date > $last_day AND is_date(conv_date)) AS later,
        (SELECT count(*) FROM conversions WHERE conv_date < '1970' AND is_date(conv_date)) + (
            SELECT count(*) FROM broken_conversion WHERE is_no_date(conv_date)
        ) AS without_date
)

SELECT
    conversion_span.first_day AS first_conversion_day,
    CASE
        WHEN session_span.last_day > coalesce(conversion_span.last_day, '') THEN session_span.last_day
        ELSE conversion_span.last_day
    END AS last_day,
    session_span.earlier AS earlier_sessions,
    conversion_span.earlier AS earlier_conversions,
    session_span.later AS later_sessions,
    conversion_span.later AS later_conversions,
    session_span.without_date AS sessions_without_date,
    conversion_span.without_date AS conversions_without_date
FROM session_span, conversion_span
