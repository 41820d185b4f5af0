-- One row per model of $models (a JSON array), session date of the days and channel: the report under the model, by date of sessions.
-- `parameters` and `settings` as in report_cells.
SELECT 'ihc' AS model, date, channel, cost, orders, revenue, parameters, NULL AS settings
FROM channel_report
WHERE date BETWEEN $first_day AND $last_day
UNION ALL
SELECT model, date, channel_name AS channel, cost, orders, revenue, rules AS parameters, settings
FROM model_reporting
WHERE date BETWEEN $first_day AND $last_day
  AND date_basis = 'session'
  AND model <> 'ihc'
  AND model IN (SELECT value FROM json_each($models))
ORDER BY model, date, channel
