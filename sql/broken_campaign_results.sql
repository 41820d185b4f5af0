-- One row per row of campaign_results from $first_day to $last_day, or without a day, that cannot be placed or summed: which one, and why.
-- A number that is missing is no reason. The index campaign_results_broken finds the rows without a day.
WITH result AS (
    SELECT * FROM campaign_results WHERE date BETWEEN $first_day AND $last_day
    UNION ALL
    SELECT *
    FROM campaign_results
    WHERE is_no_date(date) AND (date BETWEEN $first_day AND $last_day) IS NOT TRUE
)

SELECT
    'campaign_results: ' || quote(customer_id) || ' on ' || quote(date) || ' ' || CASE
        WHEN customer_id IS NULL OR customer_id = '' THEN 'has no customer_id'
        WHEN is_no_date(date) THEN 'has no date written YYYY-MM-DD'
        WHEN is_wrong_amount(revenue)
            THEN 'has revenue ' || quote(revenue) || ', which is not a number'
        WHEN is_wrong_count(conversions)
            THEN 'has conversions ' || quote(conversions) || ', which is not a whole number'
        WHEN is_wrong_count(impressions)
            THEN 'has impressions ' || quote(impressions) || ', which is not a whole number'
        ELSE 'has clicks ' || quote(clicks) || ', which is not a whole number'
    END AS problem
FROM result
WHERE customer_id IS NULL OR customer_id = ''
   OR is_no_date(date)
   OR is_wrong_amount(revenue)
   OR is_wrong_count(conversions)
   OR is_wrong_count(impressions)
   OR is_wrong_count(clicks)
ORDER BY problem
