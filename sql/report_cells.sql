-- One row per model of $models (a JSON array), session date of the days and channel: the report under the model, by its date of sessions.
-- `parameters`: by what the credit was computed; `settings`: a hash of all that determines it, for models other than ihc.
WITH asked AS (
    SELECT value AS model FROM names_in($models)
)

SELECT 'ihc' AS model, date, channel, cost, orders, revenue, CPO AS cpo, ROAS AS roas, parameters, NULL AS settings
FROM channel_report
WHERE date BETWEEN $first_day AND $last_day AND 'ihc' IN (SELECT model FROM asked)
UNION ALL
SELECT model, date, channel_name AS channel, cost, orders, revenue, CPO AS cpo, ROAS AS roas, rules AS parameters, settings
FROM model_reporting
WHERE date BETWEEN $first_day AND $last_day AND date_basis = 'session' AND model <> 'ihc' AND model IN (SELECT model FROM asked)
ORDER BY model, date, channel
