-- One row per day: what is shown beside the models' credit: how many models there are, and how many conversions each attributes.
SELECT conv_date AS day, count(DISTINCT model) AS models, count(DISTINCT conv_id) AS "conversions attributed"
FROM model_attribution
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date
ORDER BY conv_date
