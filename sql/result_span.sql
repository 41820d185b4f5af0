-- One row: the first conversion day, the first report day and the last day that have results.
-- Where their sources are gone, only a run of these days clears them.
WITH result AS (
    SELECT min(conv_date) AS first_conversion_day, NULL AS first_report_day, max(conv_date) AS last_day
    FROM customer_journeys
    UNION ALL
    SELECT min(conv_date), NULL, max(conv_date)
    FROM attribution_customer_journey
    UNION ALL
    SELECT NULL, min(date), max(date)
    FROM channel_reporting
)

SELECT
    min(first_conversion_day) AS first_conversion_day,
    min(first_report_day) AS first_report_day,
    max(last_day) AS last_day
FROM result
