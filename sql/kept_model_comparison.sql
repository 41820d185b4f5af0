-- One row per model and channel in model_comparison, model by model, each by rank.
SELECT
    model,
    channel_name AS channel,
    orders,
    orders_shift,
    orders_shift_low,
    orders_shift_high,
    is_noise,
    rank,
    rank_change,
    base,
    first_day,
    last_day,
    rules,
    settings
FROM model_comparison
ORDER BY model, rank, channel_name
