-- One row per source and currency other than $currency in which amounts of the days are: how many there are.
-- Sums over two currencies mean nothing, so that a run that would read such an amount stops. A row without a currency is in $currency, and
-- so is one that exchange_rates has converted.
SELECT
    'conversions: ' || count(*) || ' of the days are in ' || currency || ', and ATTRIBUTION_CURRENCY is ' || $currency || ', and exchange_rates has no rate for them' AS problem
FROM conversions
WHERE conv_date BETWEEN $first_day AND $last_conversion_day AND currency <> $currency AND currency <> ''
GROUP BY currency
UNION ALL
SELECT 'session_costs: ' || count(*) || ' of the days are in ' || costs.currency || ', and ATTRIBUTION_CURRENCY is ' || $currency || ', and exchange_rates has no rate for them'
FROM session_sources AS session
JOIN session_costs AS costs ON costs.session_id = session.session_id
WHERE session.event_date BETWEEN $first_day AND $last_day AND costs.currency <> $currency AND costs.currency <> ''
GROUP BY costs.currency
ORDER BY problem
