-- One row per channel and session date of the days: channel_reporting in plain words, with cost per order, return on ad spend, the
-- parameters by which the orders were credited, and the day after which nothing changes any more.
-- The parameters are those of the IHC results of every conversion day that the date can be credited from; a day of results is
-- computed as a whole, so one result speaks for it.
WITH conversion_day AS (
    SELECT day FROM days_from($first_day, $last_conversion_day)
),

computed_day AS MATERIALIZED (
    SELECT
        day,
        of_a_result(parameters, day) AS parameters
    FROM conversion_day
),

report_day AS MATERIALIZED (
    SELECT DISTINCT date, days_before(date, -$lookback_days) AS final_after
    FROM channel_reporting
    WHERE date BETWEEN $first_day AND $last_day
),

parameters_of_day AS MATERIALIZED (
    SELECT date, final_after, in_order(parameters, ', ', parameters) AS parameters
    FROM (
        SELECT DISTINCT report_day.date, report_day.final_after, computed_day.parameters
        FROM report_day
        LEFT JOIN computed_day ON computed_day.day BETWEEN report_day.date AND report_day.final_after
        ORDER BY report_day.date, computed_day.parameters
    ) AS of_day
    GROUP BY date, final_after
)

SELECT
    report.date,
    report.channel_name AS channel,
    report.cost,
    report.ihc AS orders,
    report.ihc_revenue AS revenue,
    report.cost / nullif(report.ihc, 0) AS CPO,
    report.ihc_revenue / nullif(report.cost, 0) AS ROAS,
    'ihc' AS model,
    parameters_of_day.parameters,
    $currency AS currency,
    parameters_of_day.final_after
FROM channel_reporting AS report
JOIN parameters_of_day ON parameters_of_day.date = report.date
WHERE report.date BETWEEN $first_day AND $last_day
ORDER BY report.date, report.channel_name
