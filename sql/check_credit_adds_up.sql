-- One row per conversion of the days whose credit does not sum to 1.
SELECT conv_id, conv_date, count(*) AS sessions, coalesce(sum(ihc), 0.0) AS ihc
FROM attribution_customer_journey
WHERE conv_date BETWEEN $first_day AND $last_day
GROUP BY conv_date, conv_id
HAVING abs(coalesce(sum(attribution_customer_journey.ihc), 0.0) - 1) > 1e-9
ORDER BY conv_date, conv_id
