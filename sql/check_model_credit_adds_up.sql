-- One row per conversion of the days and model, where its credit does not sum to 1, one session's is negative, or other sessions
-- have credit than stand in its journey; and one per conversion whose journey lacks the credit of some model ($model_count in all).
-- $models: the names as a JSON array; what others have left on days that did not run since is not looked at.
WITH chosen AS (
    SELECT value AS name FROM names_in($models)
),

journey AS (
    SELECT conv_id, conv_date, count(*) AS sessions
    FROM customer_journeys
    WHERE conv_date BETWEEN $first_day AND $last_day
    GROUP BY conv_id, conv_date
),

credited AS (
    SELECT conv_id, conv_date, model, count(*) AS sessions, sum(credit) AS credit, min(credit) AS least
    FROM model_attribution
    WHERE conv_date BETWEEN $first_day AND $last_day AND model IN (SELECT name FROM chosen)
    GROUP BY conv_id, conv_date, model
),

problem AS (
    SELECT credited.conv_id, credited.conv_date, credited.model, credited.sessions,
        coalesce(journey.sessions, 0) AS sessions_of_journey, credited.credit
    FROM credited
    LEFT JOIN journey ON journey.conv_id = credited.conv_id AND journey.conv_date = credited.conv_date
    WHERE abs(credited.credit - 1) > 1e-9 OR credited.least < 0 OR coalesce(journey.sessions, 0) <> credited.sessions
    UNION ALL
    SELECT journey.conv_id, journey.conv_date, 'only ' || CAST(count(credited.model) AS text) || ' of the models', 0, journey.sessions, 0.0
    FROM journey
    LEFT JOIN credited ON credited.conv_id = journey.conv_id AND credited.conv_date = journey.conv_date
    GROUP BY journey.conv_id, journey.conv_date, journey.sessions
    HAVING count(credited.model) <> $model_count
)

SELECT conv_id, conv_date, model, sessions, sessions_of_journey, credit
FROM problem
ORDER BY conv_date, conv_id, model
