-- One row per day and learning model: how many channels have a value that day, and the most valuable one.
WITH ranked AS (
    SELECT
        date,
        model,
        channel_name,
        value,
        row_number() OVER (PARTITION BY date, model ORDER BY value DESC, channel_name) AS place
    FROM channel_values
    WHERE date BETWEEN $first_day AND $last_day
)

SELECT
    date AS day,
    model,
    (SELECT count(DISTINCT channel_name) FROM channel_values AS of_day WHERE of_day.date = ranked.date) AS channels,
    channel_name || ', ' || printf('%.4f', rounded(value, 4)) AS most_valuable
FROM ranked
WHERE place = 1
ORDER BY date, model
