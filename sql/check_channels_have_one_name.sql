-- One row per channel that stands under several names on the days: these, the one with the most sessions first, and what they cost.
-- Names are taken for one channel that differ in case, spaces, dashes, plural, brand or branded, or a "traffic" at their end.
WITH named AS (
    SELECT channel_name, spelling(channel_name) AS channel, sum(sessions) AS visits, exact_total(cost) AS cost
    FROM channel_costs
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY channel_name
    ORDER BY channel, visits DESC, channel_name
)

SELECT in_order(quote(channel_name), ', ', visits DESC, channel_name) AS names, sum(visits) AS sessions, exact_total(cost) AS cost
FROM named
GROUP BY channel
HAVING count(*) > 1
ORDER BY sessions DESC, names
