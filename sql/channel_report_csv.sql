-- One row per channel and session date, all days so far: channel_report as it is.
SELECT
    date,
    channel,
    cost,
    orders,
    revenue,
    CPO,
    ROAS,
    model,
    parameters,
    currency,
    final_after
FROM channel_report
ORDER BY date, channel
