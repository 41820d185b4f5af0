-- One row per day from $first_day to $last_day and step that more sessions reached than the step before.
WITH reached AS (
    SELECT date, position, step, sum(reached) AS reached
    FROM funnel_report
    WHERE date BETWEEN $first_day AND $last_day
    GROUP BY date, position, step
)

SELECT later.date, later.step, later.reached, before.step AS step_before, before.reached AS reached_before
FROM reached AS later
JOIN reached AS before ON before.date = later.date AND before.position = later.position - 1
WHERE later.reached > before.reached
ORDER BY later.date, later.position
