-- One row: the first and the last day that has results, of the conversions, of the costs and of the reports; the last of all.
-- Where their sources are gone, only a run of these days clears them.
WITH conversion_day AS (
    SELECT min(day) AS first, max(day) AS last
    FROM (
        SELECT min(conv_date) AS day FROM customer_journeys
        UNION ALL
        SELECT max(conv_date) FROM customer_journeys
        UNION ALL
        SELECT min(conv_date) FROM attribution_customer_journey
        UNION ALL
        SELECT max(conv_date) FROM attribution_customer_journey
    )
),

cost_day AS (
    SELECT min(date) AS first, max(date) AS last FROM channel_costs
),

report_day AS (
    SELECT min(date) AS first, max(date) AS last FROM channel_reporting
)

SELECT
    conversion_day.first AS first_conversion_day,
    report_day.first AS first_report_day,
    cost_day.first AS first_cost_day,
    nullif(max(coalesce(conversion_day.last, ''), coalesce(cost_day.last, ''), coalesce(report_day.last, '')), '') AS last_day,
    conversion_day.last AS last_conversion_day,
    report_day.last AS last_report_day,
    cost_day.last AS last_cost_day
FROM conversion_day, cost_day, report_day
