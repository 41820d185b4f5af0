-- One row per conversion of the days and session of its journey: the session's share of the conversion.
-- The model's answers are rounded or nearly 1; dividing by their sum makes each conversion count exactly once.
SELECT
    conv_id,
    session_id,
    ihc / sum(ihc) OVER (
        PARTITION BY conv_id ORDER BY session_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    ) AS ihc,
    conv_date
FROM ihc_results
WHERE conv_date BETWEEN :first_day AND :last_day
ORDER BY conv_date, conv_id, session_id
