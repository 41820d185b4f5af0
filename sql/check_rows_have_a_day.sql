-- One row per source and form of a date that is no day (YYYY-MM-DD, since 1970), the form of the most rows first: how many rows
-- have it, what they cost or earned, and what makes days of them. No run reads such a row, whatever its days are.
-- Reads only the broken rows (the views broken_session and broken_conversion), and the start of the date indexes.
WITH undated AS (
    SELECT
        'session_sources' AS source,
        'event_date' AS day_column,
        event_date AS found,
        (
            SELECT exact_total(CASE WHEN is_number(cost) THEN cost END) FROM session_costs
            WHERE session_costs.session_id = CAST(broken_session.session_id AS text)
        ) AS amount
    FROM broken_session
    WHERE is_no_date(event_date)
    UNION ALL
    SELECT
        'session_sources',
        'event_date',
        event_date,
        (
            SELECT exact_total(CASE WHEN is_number(cost) THEN cost END) FROM session_costs
            WHERE session_costs.session_id = session_sources.session_id
        )
    FROM session_sources
    WHERE event_date < '1970' AND is_date(event_date)
    UNION ALL
    SELECT 'conversions', 'conv_date', conv_date, revenue
    FROM broken_conversion
    WHERE is_no_date(conv_date)
    UNION ALL
    SELECT 'conversions', 'conv_date', conv_date, revenue
    FROM conversions
    WHERE conv_date < '1970' AND is_date(conv_date)
),

read AS (
    SELECT *, trim(coalesce(CAST(found AS text), '')) AS text FROM undated
),

shaped AS (
    SELECT *, CASE
        WHEN text = '' THEN 'NULL or empty'
        WHEN matches(text, '[0-9]{4}-[0-9]{2}-[0-9]{2}') THEN 'YYYY-MM-DD'
        WHEN matches(text, '(?s)[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*[+-][0-9]{2}:[0-9]{2}') THEN 'timestamp with +HH:MM'
        WHEN matches(text, '(?s)[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*:.*[+-][0-9]{2}') THEN 'timestamp with +HH'
        WHEN matches(text, '(?s)[0-9]{4}-[0-9]{2}-[0-9]{2}[T ].*') THEN 'timestamp'
        WHEN matches(text, '[1-9][0-9]{7}([.]0)?') THEN 'YYYYMMDD'
        WHEN matches(text, '[0-9]{2}[.][0-9]{2}[.][0-9]{4}') THEN 'DD.MM.YYYY'
        WHEN matches(text, '[0-9]{2}/[0-9]{2}/[0-9]{4}') THEN 'DD/MM/YYYY or MM/DD/YYYY'
        WHEN matches(text, '0*[1-9][0-9]{8,9}([.][0-9]*)?') THEN 'Unix seconds'
        WHEN matches(text, '0*[1-9][0-9]{11,12}([.][0-9]*)?') THEN 'Unix milliseconds'
        WHEN matches(text, '0*[1-9][0-9]{14,15}([.][0-9]*)?') THEN 'Unix microseconds'
        ELSE 'anything else'
    END AS shape
    FROM read
),

ordered AS ( -- a part above 12 is the day, and tells the order for all rows of the source
    SELECT *, CASE
        WHEN shape <> 'DD/MM/YYYY or MM/DD/YYYY' THEN shape
        WHEN (max(substr(text, 1, 2)) OVER same > '12') = (max(substr(text, 4, 2)) OVER same > '12') THEN shape
        WHEN max(substr(text, 1, 2)) OVER same > '12' THEN 'DD/MM/YYYY'
        ELSE 'MM/DD/YYYY'
    END AS form
    FROM shaped
    WINDOW same AS (PARTITION BY source, shape)
),

dated AS (
    SELECT *, CASE
        WHEN form = 'YYYYMMDD' THEN substr(text, 1, 4) || '-' || substr(text, 5, 2) || '-' || substr(text, 7, 2)
        WHEN form IN ('DD.MM.YYYY', 'DD/MM/YYYY') THEN substr(text, 7) || '-' || substr(text, 4, 2) || '-' || substr(text, 1, 2)
        WHEN form = 'MM/DD/YYYY' THEN substr(text, 7) || '-' || substr(text, 1, 2) || '-' || substr(text, 4, 2)
        WHEN form = 'YYYY-MM-DD' OR form LIKE 'timestamp%' THEN substr(text, 1, 10)
    END AS day
    FROM ordered
),

named AS (
    SELECT *, CASE
        WHEN day IS NOT NULL AND is_no_date(day) THEN 'no such day'
        WHEN day < '1970' THEN 'before 1970'
        WHEN form = 'YYYY-MM-DD' THEN 'YYYY-MM-DD between spaces, or as bytes'
        ELSE form
    END AS date_form
    FROM dated
)

SELECT
    source,
    date_form,
    count(*) AS "rows",
    exact_total(CASE WHEN is_number(amount) THEN amount END) AS amount,
    min(quote(found)) || CASE WHEN min(quote(found)) < max(quote(found)) THEN ', ' || max(quote(found)) ELSE '' END AS examples,
    replace(
        CASE date_form
            WHEN 'YYYY-MM-DD between spaces, or as bytes' THEN 'Convert: trim(CAST(# AS text)).'
            WHEN 'YYYYMMDD' THEN 'Convert: substr(#, 1, 4) || ''-'' || substr(#, 5, 2) || ''-'' || substr(#, 7, 2).'
            WHEN 'DD.MM.YYYY' THEN 'Convert: substr(#, 7) || ''-'' || substr(#, 4, 2) || ''-'' || substr(#, 1, 2).'
            WHEN 'DD/MM/YYYY' THEN 'Convert: substr(#, 7) || ''-'' || substr(#, 4, 2) || ''-'' || substr(#, 1, 2).'
            WHEN 'MM/DD/YYYY' THEN 'Convert: substr(#, 7) || ''-'' || substr(#, 1, 2) || ''-'' || substr(#, 4, 2).'
            WHEN 'DD/MM/YYYY or MM/DD/YYYY' THEN 'The rows do not tell which: find out where they come from.'
            WHEN 'timestamp' THEN 'Convert: substr(#, 1, 10).'
            WHEN 'timestamp with +HH:MM' THEN 'Convert to UTC: date(#).'
            WHEN 'timestamp with +HH' THEN 'Convert to UTC: date(# || '':00'').'
            WHEN 'Unix seconds' THEN 'Convert: date(#, ''unixepoch'').'
            WHEN 'Unix milliseconds' THEN 'Convert: date(# / 1000, ''unixepoch'').'
            WHEN 'Unix microseconds' THEN 'Convert: date(# / 1000000, ''unixepoch'').'
            ELSE 'Load # again as YYYY-MM-DD.'
        END, '#', day_column
    ) AS remedy
FROM named
GROUP BY source, date_form, day_column
ORDER BY "rows" DESC, source, date_form
