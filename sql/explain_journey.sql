-- One row per session of the conversion's journey, in order of time: its phases, its share of the order and of the revenue.
-- NULL where a table lacks the session; `settled` is 1 where the share is the one that follows from ihc_results.
WITH touchpoint AS (
    SELECT
        session_id,
        journey.timestamp,
        journey.channel_label AS channel,
        journey.holder_engagement,
        journey.closer_engagement,
        result.initializer,
        result.holder,
        result.closer,
        result.ihc,
        credit.ihc AS orders,
        credit.ihc * conversion.revenue AS revenue
    FROM conversions AS conversion
    JOIN customer_journeys AS journey USING (conv_id, conv_date)
    LEFT JOIN ihc_results AS result USING (conv_id, conv_date, session_id)
    LEFT JOIN attribution_customer_journey AS credit USING (conv_id, conv_date, session_id)
    WHERE conv_id = $conv_id
)

SELECT
    session_id,
    timestamp,
    channel,
    holder_engagement,
    closer_engagement,
    initializer,
    holder,
    closer,
    orders,
    revenue,
    CASE abs(orders - ihc / nullif((SELECT sum(ihc) FROM touchpoint), 0)) < 1e-9 WHEN TRUE THEN 1 WHEN FALSE THEN 0 END AS settled
FROM touchpoint
ORDER BY timestamp, session_id
