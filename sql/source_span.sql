-- One row: the first day with a conversion, the last day until $last_day with a session or conversion, and what lies beyond
-- $first_day to $last_day. Rows whose date is no date (YYYY-MM-DD, since 1970) belong to no day: no run can reach them.
-- Reads only the ends of the date indexes, and the rows that the indexes of broken rows keep.
WITH session_span AS (
    SELECT
        (
            SELECT event_date FROM session_sources
            WHERE event_date BETWEEN '1970' AND $last_day AND date(event_date) = event_date
            ORDER BY event_date DESC LIMIT 1
        ) AS last_day,
        (
            SELECT count(*) FROM session_sources
            WHERE event_date >= '1970' AND event_date < $first_day AND date(event_date) = event_date
        ) AS earlier,
        (SELECT count(*) FROM session_sources WHERE event_date > $last_day AND date(event_date) = event_date) AS later,
        (SELECT count(*) FROM session_sources WHERE event_date < '1970' AND date(event_date) = event_date) + (
            SELECT count(*) FROM session_sources
            WHERE (session_id IS NULL OR session_id = '' OR channel_name IS NULL
                OR CASE WHEN event_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN date(event_date) IS NOT event_date ELSE 1 END
                OR CASE
                    WHEN event_time GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND event_time NOT GLOB '*[^0-9:.]*' AND event_time < '24' THEN time(event_time) IS NULL
                    ELSE 1
                END
                OR holder_engagement NOT IN (0, 1) OR holder_engagement IS NULL
                OR closer_engagement NOT IN (0, 1) OR closer_engagement IS NULL
                OR impression_interaction NOT IN (0, 1) OR impression_interaction IS NULL)
              AND CASE WHEN event_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN date(event_date) IS NOT event_date ELSE 1 END
        ) AS without_date
),

conversion_span AS (
    SELECT
        (
            SELECT conv_date FROM conversions
            WHERE conv_date >= '1970' AND date(conv_date) = conv_date
            ORDER BY conv_date LIMIT 1
        ) AS first_day,
        (
            SELECT conv_date FROM conversions
            WHERE conv_date BETWEEN '1970' AND $last_day AND date(conv_date) = conv_date
            ORDER BY conv_date DESC LIMIT 1
        ) AS last_day,
        (
            SELECT count(*) FROM conversions
            WHERE conv_date >= '1970' AND conv_date < $first_day AND date(conv_date) = conv_date
        ) AS earlier,
        (SELECT count(*) FROM conversions WHERE conv_date > $last_day AND date(conv_date) = conv_date) AS later,
        (SELECT count(*) FROM conversions WHERE conv_date < '1970' AND date(conv_date) = conv_date) + (
            SELECT count(*) FROM conversions
            WHERE (conv_id IS NULL OR conv_id = '' OR user_id IS NULL OR user_id = ''
                OR CASE WHEN conv_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN date(conv_date) IS NOT conv_date ELSE 1 END
                OR CASE
                    WHEN conv_time GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND conv_time NOT GLOB '*[^0-9:.]*' AND conv_time < '24' THEN time(conv_time) IS NULL
                    ELSE 1
                END
                OR typeof(revenue) NOT IN ('integer', 'real') OR abs(revenue) > 1e15)
              AND CASE WHEN conv_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN date(conv_date) IS NOT conv_date ELSE 1 END
        ) AS without_date
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
