-- One row per day from $first_day to $last_day with campaign results: a digest of the day's rows.
-- row_digest differs where a row does. On SQLite, rows in another order may give another digest too: look whether it matters.
SELECT
    date,
    row_digest(customer_id, status, type, category, revenue, conversions, impressions, clicks) AS digest
FROM campaign_results
WHERE date BETWEEN $first_day AND $last_day
GROUP BY date
