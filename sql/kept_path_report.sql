-- One row per item in path_report, section by section, each by place.
SELECT section, item, place, journeys, conversions, revenue, rate, assisted, first_day, last_day, rules
FROM path_report
ORDER BY CASE section WHEN 'path' THEN 1 WHEN 'length' THEN 2 WHEN 'lag' THEN 3 ELSE 4 END, place
