-- One row per day from $first_day to $last_day and step that more sessions reached than the step before.
WITH reached AS (
    SELECT date, position, step, sum(reached) AS reached
    FROM funnel_report
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, position, step
)

SELECT reached.date, reached.step, reached.reached, earlier.step AS step_before, earlier.reached AS reached_before
FROM reached
JOIN reached AS earlier ON earlier.date = reached.date AND earlier.position = reached.position - 1
WHERE reached.reached > earlier.reached
ORDER BY reached.date, reached.position
