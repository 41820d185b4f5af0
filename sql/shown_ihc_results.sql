-- One row per day that has results: what is shown beside them: who computed them, with which parameters.
WITH of_day AS (
    SELECT DISTINCT conv_date AS day, backend, parameters FROM ihc_results WHERE conv_date BETWEEN $first_day AND $last_day
),

by_model AS (
    SELECT day, in_order(backend, ',', backend) AS model
    FROM (SELECT DISTINCT day, backend FROM of_day ORDER BY day, backend) AS known
    GROUP BY day
),

by_parameters AS (
    SELECT day, in_order(parameters, ',', parameters) AS parameters
    FROM (SELECT DISTINCT day, parameters FROM of_day ORDER BY day, parameters) AS known
    GROUP BY day
)

SELECT by_model.day, by_model.model, by_parameters.parameters
FROM by_model
JOIN by_parameters ON by_parameters.day = by_model.day
ORDER BY by_model.day
