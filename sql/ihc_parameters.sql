-- One row per day from $first_day to $last_day that has IHC results: by which model and parameters they were computed.
-- One result speaks for its day, which is computed as a whole. (Gaps of the API that the embedded model fills are told apart.)
WITH calendar AS (
    SELECT day
    FROM days_from(
        (SELECT min(conv_date) FROM ihc_results WHERE conv_date BETWEEN $first_day AND $last_day),
        (SELECT max(conv_date) FROM ihc_results WHERE conv_date BETWEEN $first_day AND $last_day)
    )
),

result_of_day AS (
    SELECT day, of_a_result(backend, day) AS computed_by, of_a_result(parameters, day) AS parameters FROM calendar
)

SELECT day, computed_by, parameters
FROM result_of_day
WHERE computed_by IS NOT NULL
ORDER BY day
