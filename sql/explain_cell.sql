-- One row per conversion and session behind one cell of channel_reporting, $channel on $first_day (= $last_day): the credit.
-- These are the rows that channel_reporting.sql adds up; the largest first.
SELECT
    credit.conv_id,
    credit.session_id,
    credit.ihc AS orders,
    conversions.revenue AS conversion_revenue,
    credit.ihc * conversions.revenue AS revenue
FROM attribution_customer_journey AS credit
JOIN conversions ON conversions.conv_id = credit.conv_id
JOIN customer_journeys AS journey ON journey.conv_id = credit.conv_id AND journey.session_id = credit.session_id
WHERE credit.conv_date BETWEEN $first_day AND $last_conversion_day
  AND substr(journey.timestamp, 1, 10) BETWEEN $first_day AND $last_day
  AND journey.channel_label = $channel
ORDER BY credit.ihc * conversions.revenue DESC, credit.conv_id, credit.session_id
