-- One row per day that has results: what is shown beside them: who computed them, with which parameters.
SELECT
    conv_date AS day,
    group_concat(DISTINCT backend) AS model,
    group_concat(DISTINCT parameters) AS parameters
FROM ihc_results
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
ORDER BY conv_date
