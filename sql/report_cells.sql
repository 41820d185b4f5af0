-- One row per channel and session date of the days: the report under $model, by its date of sessions.
-- `parameters`: by what the credit was computed; `settings`: a hash of all that determines it, for models other than ihc.
SELECT date, channel, cost, orders, revenue, CPO AS cpo, ROAS AS roas, parameters, NULL AS settings, final_after
FROM channel_report
WHERE $model = 'ihc' AND date BETWEEN $first_day AND $last_day
UNION ALL
SELECT
    date,
    channel_name AS channel,
    cost,
    orders,
    revenue,
    CPO AS cpo,
    ROAS AS roas,
    rules AS parameters,
    settings,
    date(date, '+' || $lookback_days || ' days') AS final_after
FROM model_reporting
WHERE $model <> 'ihc' AND model = $model AND date_basis = 'session' AND date BETWEEN $first_day AND $last_day
ORDER BY date, channel
