-- One row per model and parameters by which IHC results of conversions of $first_day to $last_day were computed.
-- One result speaks for its day, which is computed as a whole. (Gaps of the API that the embedded model fills are told apart.)
WITH calendar AS (
    SELECT day
    FROM days_from(
        (SELECT min(conv_date) FROM ihc_results WHERE conv_date BETWEEN $first_day AND $last_day),
        (SELECT max(conv_date) FROM ihc_results WHERE conv_date BETWEEN $first_day AND $last_day)
    )
),

result_of_day AS (
    SELECT of_a_result(backend, day) AS computed_by, of_a_result(parameters, day) AS parameters FROM calendar
)

SELECT DISTINCT computed_by, parameters
FROM result_of_day
WHERE computed_by IS NOT NULL
ORDER BY computed_by, parameters
