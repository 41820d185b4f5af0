-- One row per engagement flag that is 0 in every touchpoint of the days, if there are $fewest_touchpoints or more.
WITH counted AS (
    SELECT count(*) AS touchpoints, sum(holder_engagement) AS holders, sum(closer_engagement) AS closers
    FROM customer_journeys
    WHERE conv_date BETWEEN $first_day AND $last_day
)

SELECT 'holder_engagement' AS flag, touchpoints FROM counted WHERE holders = 0 AND touchpoints >= $fewest_touchpoints
UNION ALL
SELECT 'closer_engagement', touchpoints FROM counted WHERE closers = 0 AND touchpoints >= $fewest_touchpoints
ORDER BY flag DESC
