-- One row: the orders and revenue that conversions of the days credit to sessions before :first_partition.
-- These sessions' days have no report, so no channel shows this credit.
SELECT total(ihc) AS orders, total(ihc_revenue) AS revenue
FROM (
    SELECT credit.ihc, credit.ihc * conversions.revenue AS ihc_revenue
    FROM attribution_customer_journey AS credit
    JOIN conversions ON conversions.conv_id = credit.conv_id
    JOIN session_sources AS session ON session.session_id = credit.session_id
    WHERE credit.conv_date BETWEEN :first_day AND :last_day
      AND session.event_date < :first_partition
    ORDER BY credit.conv_id, credit.session_id
)
