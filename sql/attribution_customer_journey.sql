-- One row per conversion of the days and session of its journey: the session's share of the conversion.
-- The model's answers are rounded or nearly 1; dividing by their sum makes each conversion count exactly once.
WITH conversion AS (
    SELECT conv_id, nullif(exact_total(ihc), 0) AS ihc
    FROM ihc_results
    WHERE conv_date BETWEEN $first_day AND $last_day
    GROUP BY conv_id
)

SELECT
    result.conv_id,
    result.session_id,
    result.ihc / conversion.ihc AS ihc,
    result.conv_date
FROM ihc_results AS result
JOIN conversion ON conversion.conv_id = result.conv_id
WHERE result.conv_date BETWEEN $first_day AND $last_day
ORDER BY result.conv_id, result.session_id
