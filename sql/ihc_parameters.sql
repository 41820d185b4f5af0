-- One row per model and parameters by which IHC results of conversions of $first_day to $last_day were computed.
-- One result speaks for its day, which is computed as a whole. (Gaps of the API that the embedded model fills are told apart.)
WITH RECURSIVE calendar (day) AS (
    SELECT $first_day
    UNION ALL
    SELECT date(day, '+1 day') FROM calendar WHERE day < $last_day
),

result_of_day AS (
    SELECT (SELECT min(_rowid_) FROM ihc_results WHERE conv_date = day) AS id FROM calendar
)

SELECT DISTINCT ihc_results.backend AS computed_by, ihc_results.parameters
FROM result_of_day
CROSS JOIN ihc_results -- CROSS JOIN: the days drive
WHERE ihc_results._rowid_ = result_of_day.id
ORDER BY ihc_results.backend, ihc_results.parameters
