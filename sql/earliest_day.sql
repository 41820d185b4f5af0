-- One row: the earliest real date of a session or a conversion, NULL where there is none: the first partition.
-- Walks the date indexes from their start and passes over text that is no date since 1970.
SELECT min(day) AS day
FROM (
    SELECT (
        SELECT event_date FROM session_sources
        WHERE event_date >= '1970' AND date(event_date) = event_date
        ORDER BY event_date LIMIT 1
    ) AS day
    UNION ALL
    SELECT (
        SELECT conv_date FROM conversions
        WHERE conv_date >= '1970' AND date(conv_date) = conv_date
        ORDER BY conv_date LIMIT 1
    )
)
