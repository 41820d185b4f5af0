-- One row per conversion of the shop's backend, as the rest of the pipeline reads conversions. A view that stands for these.
-- Existence, date and revenue are true; the user and the time of day are those of the tracking, NULL if the conversion was not tracked.
WITH kept AS MATERIALIZED (
    SELECT conv_id, tracked_user, date, tracked_time, backend_revenue, market, currency
    FROM reconciled_conversion
    WHERE in_backend = 1
)

SELECT
    conv_id,
    tracked_user AS user_id,
    date AS conv_date,
    tracked_time AS conv_time,
    backend_revenue AS revenue,
    market,
    currency
FROM kept
