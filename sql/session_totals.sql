-- One row per channel, campaign and market: session_report, the days added up. Users are left out: one who comes on two days would count
-- twice.
WITH total AS (
    SELECT
        channel,
        campaign_id,
        market,
        CAST(sum(sessions) AS bigint) AS sessions,
        CAST(sum(conversions) AS bigint) AS conversions,
        exact_total(revenue) AS revenue,
        exact_total(cost) AS cost
    FROM session_report
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY channel, campaign_id, market
)

SELECT channel, campaign_id, market, sessions, conversions, revenue, cost, cost / nullif(sessions, 0) AS cpc
FROM total
ORDER BY revenue DESC, cost DESC, channel, campaign_id, market
