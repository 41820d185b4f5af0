-- One row per problem of credit that others have computed: the demand that it breaks, the conversion, the session, the offending value.
-- The credit stands in for attribution_customer_journey on this connection. Of a conversion with several rows, one that fits will do.
WITH credit AS MATERIALIZED (
    SELECT conv_id, session_id, ihc FROM attribution_customer_journey
),

touchpoint AS (
    SELECT
        credit.conv_id,
        credit.session_id,
        credit.ihc,
        session.user_id,
        max(session.user_id = conversion.user_id) AS is_of_the_buyer,
        min(
            session.event_date > conversion.conv_date
            OR (session.event_date = conversion.conv_date AND coalesce(session.event_time > conversion.conv_time, 0))
        ) AS is_after
    FROM credit
    JOIN session_sources AS session ON session.session_id = credit.session_id
    JOIN conversions AS conversion ON conversion.conv_id = credit.conv_id
    GROUP BY credit.conv_id, credit.session_id
)

SELECT 'credit_is_a_share' AS demand, conv_id, session_id, ihc AS value
FROM credit
WHERE typeof(ihc) NOT IN ('integer', 'real') OR ihc NOT BETWEEN 0 AND 1
UNION ALL
SELECT 'credit_sums_to_one', conv_id, NULL, total(ihc)
FROM credit
GROUP BY conv_id
HAVING abs(total(ihc) - 1) > $tolerance_per_session * count(*)
UNION ALL
SELECT 'touchpoints_stand_once', conv_id, session_id, count(*)
FROM credit
GROUP BY conv_id, session_id
HAVING count(*) > 1
UNION ALL
SELECT DISTINCT 'conversions_are_known', conv_id, NULL, NULL
FROM credit
WHERE NOT EXISTS (SELECT 1 FROM conversions WHERE conversions.conv_id = credit.conv_id)
UNION ALL
SELECT 'sessions_are_known', conv_id, session_id, NULL
FROM credit
WHERE NOT EXISTS (SELECT 1 FROM session_sources WHERE session_sources.session_id = credit.session_id)
UNION ALL
SELECT 'sessions_are_the_buyers', conv_id, session_id, user_id FROM touchpoint WHERE NOT is_of_the_buyer
UNION ALL
SELECT 'sessions_are_not_after_the_conversion', conv_id, session_id, NULL FROM touchpoint WHERE is_after
ORDER BY conv_id, session_id
