-- One row per day from $first_day to $last_day with ad spend: a digest of the day's spend.
-- digest(data) is a hash that the connection brings. Rows in another order may give another digest: look whether it matters.
SELECT
    date,
    digest(
        CAST(
            group_concat(
                quote(campaign_id) || quote(platform) || quote(market) || quote(channel_name) || quote(cost) || quote(clicks)
                || quote(impressions)
            ) AS blob
        )
    ) AS digest
FROM ad_costs
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
