-- One row: the first conversion day, the first report day and the last day that have results; the last day of each kind.
-- Where their sources are gone, only a run of these days clears them.
WITH result AS (
    SELECT min(conv_date) AS first_conversion_day, NULL AS first_report_day, max(conv_date) AS last_conversion_day, NULL AS last_report_day
    FROM customer_journeys
    UNION ALL
    SELECT min(conv_date), NULL, max(conv_date), NULL
    FROM attribution_customer_journey
    UNION ALL
    SELECT NULL, min(date), NULL, max(date)
    FROM channel_reporting
),

span AS (
    SELECT
        min(first_conversion_day) AS first_conversion_day,
        min(first_report_day) AS first_report_day,
        max(last_conversion_day) AS last_conversion_day,
        max(last_report_day) AS last_report_day
    FROM result
)

SELECT
    first_conversion_day,
    first_report_day,
    coalesce(max(last_conversion_day, last_report_day), last_conversion_day, last_report_day) AS last_day,
    last_conversion_day,
    last_report_day
FROM span
