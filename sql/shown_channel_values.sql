-- One row per day: what is shown beside its channel values: how many there are, and the most valuable channel of each model.
WITH ranked AS (
    SELECT date, model, channel_name, value, row_number() OVER (PARTITION BY date, model ORDER BY value DESC, channel_name) AS place
    FROM channel_values
    WHERE date BETWEEN $first_day AND $last_day
)

SELECT
    date AS day,
    count(DISTINCT channel_name) AS channels,
    max(channel_name || ', ' || printf('%.4f', value)) FILTER (WHERE model = 'markov' AND place = 1) AS "most valuable, markov",
    max(channel_name || ', ' || printf('%.4f', value)) FILTER (WHERE model = 'shapley' AND place = 1) AS "most valuable, shapley"
FROM ranked
GROUP BY date
ORDER BY date
