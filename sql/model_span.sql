-- One row: the first and the last day that has credit by models, and that has reports by models.
SELECT
    (SELECT min(conv_date) FROM model_attribution) AS first_conversion_day,
    (SELECT max(conv_date) FROM model_attribution) AS last_conversion_day,
    (SELECT min(date) FROM model_reporting) AS first_report_day,
    (SELECT max(date) FROM model_reporting) AS last_report_day
