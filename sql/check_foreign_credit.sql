-- One row per problem of credit that others have computed: the demand that it breaks, the conversion, the session, the offending
-- number, or user.
-- The credit stands in for attribution_customer_journey on this connection. Of a conversion with several rows, one that fits will do.
WITH credit AS MATERIALIZED (
    SELECT conv_id, session_id, ihc FROM attribution_customer_journey
),

touchpoint AS (
    SELECT
        credit.conv_id,
        credit.session_id,
        min(session.user_id) AS user_id,
        max(CASE WHEN session.user_id = conversion.user_id THEN 1 ELSE 0 END) AS is_of_the_buyer,
        min(
            CASE
                WHEN session.event_date > conversion.conv_date THEN 1
                WHEN session.event_date = conversion.conv_date AND session.event_time > conversion.conv_time THEN 1
                ELSE 0
            END
        ) AS is_after
    FROM credit
    JOIN session_sources AS session ON session.session_id = credit.session_id
    JOIN conversions AS conversion ON conversion.conv_id = credit.conv_id
    GROUP BY credit.conv_id, credit.session_id
)

SELECT 'credit_is_a_share' AS demand, conv_id, session_id, ihc AS number, NULL AS user_id
FROM credit
WHERE NOT is_number(ihc) OR ihc NOT BETWEEN 0 AND 1
UNION ALL
SELECT 'credit_sums_to_one', conv_id, NULL, coalesce(sum(ihc), 0.0), NULL
FROM credit
GROUP BY conv_id
HAVING abs(coalesce(sum(ihc), 0.0) - 1) > $tolerance_per_session * count(*)
UNION ALL
SELECT 'touchpoints_stand_once', conv_id, session_id, count(*), NULL
FROM credit
GROUP BY conv_id, session_id
HAVING count(*) > 1
UNION ALL
SELECT DISTINCT 'conversions_are_known', conv_id, NULL, CAST(NULL AS double), NULL
FROM credit
WHERE NOT EXISTS (SELECT 1 FROM conversions WHERE conversions.conv_id = credit.conv_id)
UNION ALL
SELECT 'sessions_are_known', conv_id, session_id, NULL, NULL
FROM credit
WHERE NOT EXISTS (SELECT 1 FROM session_sources WHERE session_sources.session_id = credit.session_id)
UNION ALL
SELECT 'sessions_are_the_buyers', conv_id, session_id, NULL, user_id FROM touchpoint WHERE is_of_the_buyer = 0
UNION ALL
SELECT 'sessions_are_not_after_the_conversion', conv_id, session_id, NULL, NULL FROM touchpoint WHERE is_after = 1
ORDER BY conv_id, session_id
