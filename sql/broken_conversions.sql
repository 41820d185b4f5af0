-- One row per conversion from $first_day to $last_conversion_day that cannot be attributed or valued: which one, and why.
-- A run that would read such a row stops before it writes anything. The view broken_conversion has those of all days.
SELECT
    'conversions: ' || quote(conv_id) || ' ' || CASE
        WHEN conv_id IS NULL OR conv_id = '' THEN 'has no conv_id'
        WHEN user_id IS NULL OR user_id = '' THEN 'has no user_id'
        WHEN date(conv_date) IS NOT conv_date THEN 'has conv_date ' || quote(conv_date) || ', which is not YYYY-MM-DD'
        WHEN typeof(revenue) NOT IN ('integer', 'real') OR abs(revenue) > 1e15
            THEN 'has revenue ' || quote(revenue) || ', which is not a number'
        ELSE 'has conv_time ' || quote(conv_time) || ', which is not HH:MM:SS'
    END AS problem
FROM broken_conversion
WHERE conv_date BETWEEN $first_day AND $last_conversion_day
ORDER BY problem
