-- One row per row of campaign_results from $first_day to $last_day, or without a day, that cannot be placed or summed: which one, and why.
-- A number that is missing is no reason. The index campaign_results_broken finds the rows without a day.
WITH result AS (
    SELECT * FROM campaign_results WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT *
    FROM campaign_results
    WHERE coalesce(date(date, '+0 days') <> date, 1) AND (date BETWEEN $first_day AND $last_day) IS NOT TRUE
)

SELECT
    'campaign_results: ' || quote(customer_id) || ' on ' || quote(date) || ' ' || CASE
        WHEN customer_id IS NULL OR customer_id = '' THEN 'has no customer_id'
        WHEN coalesce(date(date, '+0 days') <> date, 1) THEN 'has no date written YYYY-MM-DD'
        WHEN typeof(revenue) NOT IN ('integer', 'real', 'null') OR abs(revenue) > 1e15
            THEN 'has revenue ' || quote(revenue) || ', which is not a number'
        WHEN typeof(conversions) NOT IN ('integer', 'real', 'null') OR conversions <> CAST(conversions AS integer) OR abs(conversions) > 1e15
            THEN 'has conversions ' || quote(conversions) || ', which is not a whole number'
        WHEN typeof(impressions) NOT IN ('integer', 'real', 'null') OR impressions <> CAST(impressions AS integer) OR abs(impressions) > 1e15
            THEN 'has impressions ' || quote(impressions) || ', which is not a whole number'
        ELSE 'has clicks ' || quote(clicks) || ', which is not a whole number'
    END AS problem
FROM result
WHERE customer_id IS NULL OR customer_id = ''
   OR coalesce(date(date, '+0 days') <> date, 1)
   OR typeof(revenue) NOT IN ('integer', 'real', 'null') OR abs(revenue) > 1e15
   OR typeof(conversions) NOT IN ('integer', 'real', 'null') OR conversions <> CAST(conversions AS integer) OR abs(conversions) > 1e15
   OR typeof(impressions) NOT IN ('integer', 'real', 'null') OR impressions <> CAST(impressions AS integer) OR abs(impressions) > 1e15
   OR typeof(clicks) NOT IN ('integer', 'real', 'null') OR clicks <> CAST(clicks AS integer) OR abs(clicks) > 1e15
ORDER BY problem
