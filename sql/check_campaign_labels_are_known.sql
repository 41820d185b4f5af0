-- One row per status or type in campaign_results on the days that is none of $statuses or $types, or is missing: how many rows have it.
WITH label AS (
    SELECT 'status' AS label, coalesce(nullif(status, ''), '(none)') AS value
    FROM campaign_results WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT 'type', coalesce(nullif(type, ''), '(none)')
    FROM campaign_results WHERE date BETWEEN $first_day AND $last_day
)

SELECT label, value, count(*) AS results
FROM label
WHERE NOT is_among(value, CASE label WHEN 'status' THEN $statuses ELSE $types END)
GROUP BY label, value
ORDER BY results DESC, label, value
