-- One row per conversion and session behind one cell of channel_reporting, :channel on :first_day (= :last_day): the credit.
-- These are the rows that channel_reporting.sql adds up; the largest first.
SELECT
    credit.conv_id,
    credit.session_id,
    credit.ihc,
    conversions.revenue,
    credit.ihc * conversions.revenue AS ihc_revenue
FROM attribution_customer_journey AS credit
JOIN conversions ON conversions.conv_id = credit.conv_id
JOIN session_sources AS session ON session.session_id = credit.session_id
WHERE credit.conv_date BETWEEN :first_day AND :last_conversion_day
  AND session.event_date BETWEEN :first_day AND :last_day
  AND session.channel_name = :channel
ORDER BY ihc_revenue DESC, credit.conv_id, credit.session_id
