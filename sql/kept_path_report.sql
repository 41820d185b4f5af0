-- One row per item in path_report, in the order in which it was stored: section by section, each by place.
SELECT section, item, place, journeys, conversions, revenue, rate, assisted, first_day, last_day, rules
FROM path_report
ORDER BY rowid
