-- One row per rule that gave sessions their engagement flags: how many. Sessions that came with their flags have no rule.
SELECT engagement_rule, count(*) AS sessions
FROM session_sources
WHERE engagement_rule IS NOT NULL
GROUP BY engagement_rule
ORDER BY engagement_rule
