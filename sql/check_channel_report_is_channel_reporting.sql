-- One row per channel, day and figure (cost, orders, revenue) that differs between channel_report and channel_reporting, NULL where
-- one of them has none. A day of which channel_report has nothing at all is not computed yet.
WITH figure AS (
    SELECT date, channel, 'cost' AS figure, cost AS of_report, CAST(NULL AS double) AS of_reporting FROM channel_report
    UNION ALL
    SELECT date, channel, 'orders', orders, NULL FROM channel_report
    UNION ALL
    SELECT date, channel, 'revenue', revenue, NULL FROM channel_report
    UNION ALL
    SELECT date, channel_name, 'cost', NULL, cost FROM channel_reporting
    UNION ALL
    SELECT date, channel_name, 'orders', NULL, ihc FROM channel_reporting
    UNION ALL
    SELECT date, channel_name, 'revenue', NULL, ihc_revenue FROM channel_reporting
)

SELECT
    date,
    channel,
    figure,
    max(of_report) AS channel_report,
    max(of_reporting) AS channel_reporting,
    CASE WHEN EXISTS (SELECT 1 FROM channel_report AS report WHERE report.date = figure.date) THEN 0 ELSE 1 END AS not_yet
FROM figure
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date, channel, figure
HAVING (max(of_report) = max(of_reporting) OR (max(of_report) IS NULL AND max(of_reporting) IS NULL)) IS NOT TRUE
ORDER BY date, channel, figure
