-- One row per conversion from $first_day to $last_conversion_day that cannot be attributed or valued: which one, and why.
-- A run that would read such a row stops before it writes anything. The view broken_conversion has those of all days.
SELECT
    'conversions: ' || quote(conv_id) || ' ' || CASE
        WHEN conv_id IS NULL OR CAST(conv_id AS text) = '' THEN 'has no conv_id'
        WHEN user_id IS NULL OR CAST(user_id AS text) = '' THEN 'has no user_id'
        WHEN type_of(conv_id) = 'real' THEN 'has conv_id ' || quote(conv_id) || ', a number with a point: store CAST(CAST(conv_id AS integer) AS text)'
        WHEN type_of(conv_id) = 'blob' THEN 'has conv_id ' || quote(conv_id) || ', bytes and no text: store CAST(conv_id AS text)'
        WHEN type_of(user_id) = 'real' THEN 'has user_id ' || quote(user_id) || ', a number with a point: store CAST(CAST(user_id AS integer) AS text)'
        WHEN type_of(user_id) = 'blob' THEN 'has user_id ' || quote(user_id) || ', bytes and no text: store CAST(user_id AS text)'
        WHEN NOT is_utf8(conv_id) THEN 'has conv_id ' || quote(conv_id) || ', which is not UTF-8: load it again as UTF-8'
        WHEN NOT is_utf8(user_id) THEN 'has user_id ' || quote(user_id) || ', which is not UTF-8: load it again as UTF-8'
        WHEN is_no_date(conv_date)
            THEN 'has conv_date ' || quote(conv_date) || ', which is not a date written YYYY-MM-DD'
        WHEN is_no_amount(revenue)
            THEN 'has revenue ' || quote(revenue) || ', which is not a number'
        ELSE 'has conv_time ' || quote(conv_time) || ', which is not HH:MM:SS'
    END AS problem
FROM broken_conversion
WHERE conv_date BETWEEN $first_day AND $last_conversion_day
ORDER BY problem
