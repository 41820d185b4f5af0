-- One row per conversion from $first_day to $last_day, or that a session with an event on these days names as its order, whose revenue
-- cannot be summed: which one, and why. $last_step: the event type that is the last step. $currency: that of the report.
SELECT
    'conversions: ' || quote(conv_id) || ' ' || CASE
        WHEN is_no_amount(revenue)
            THEN 'has revenue ' || quote(revenue) || ', which is not a number'
        ELSE 'is in ' || currency || ', and ATTRIBUTION_CURRENCY is ' || $currency || ', and exchange_rates has no rate for it'
    END AS problem
FROM conversions
WHERE (
        is_no_amount(revenue)
        OR (currency <> $currency AND currency <> '')
    )
    AND (
        conv_date BETWEEN $first_day AND $last_day
        OR EXISTS (
            SELECT 1 FROM events
            JOIN events AS of_session ON of_session.session_id = events.session_id
            WHERE events.order_id = conversions.conv_id
              AND events.event_type = $last_step
              AND of_session.created_at BETWEEN $first_day AND $last_day || ' 24'
        )
    )
ORDER BY problem
