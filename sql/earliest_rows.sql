-- One row per row of a source, the five earliest of $first_day to $last_day, in words: sessions and conversions.
SELECT kind || ' ' || id || ' of ' || day AS "row"
FROM (
    SELECT 'session' AS kind, session_id AS id, event_date AS day
    FROM (
        SELECT session_id, event_date FROM session_sources
        WHERE event_date BETWEEN $first_day AND $last_day AND is_date(event_date)
        ORDER BY event_date, session_id LIMIT 5
    ) AS first_session
    UNION ALL
    SELECT 'conversion', conv_id, conv_date
    FROM (
        SELECT conv_id, conv_date FROM conversions
        WHERE conv_date BETWEEN $first_day AND $last_day AND is_date(conv_date)
        ORDER BY conv_date, conv_id LIMIT 5
    ) AS first_conversion
) AS first_row
ORDER BY day, kind, id
LIMIT 5
