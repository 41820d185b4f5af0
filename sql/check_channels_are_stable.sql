-- One row per day and channel whose share of the day's sessions is unlike those of the 28 days before: by 5 points or more, and by more
-- than 3.5 in the robust z-score, which measures the distance to the median in median absolute deviations (Iglewicz and Hoaglin, 1993).
-- Fewer than 8 days before tell nothing. A channel that appears or disappears counts as 0 on the other days.
WITH total AS (
    SELECT date, sum(sessions) AS sessions
    FROM session_report
    WHERE date BETWEEN days_before($first_day, 28) AND $last_day
    GROUP BY date
    HAVING sum(session_report.sessions) > 0
),

of_channel AS (
    SELECT date, channel, sum(sessions) AS sessions
    FROM session_report
    WHERE date BETWEEN days_before($first_day, 28) AND $last_day
    GROUP BY date, channel
),

known AS (
    SELECT DISTINCT channel FROM of_channel WHERE sessions > 0
),

share AS MATERIALIZED (
    SELECT total.date, known.channel, CAST(coalesce(of_channel.sessions, 0) AS double) / total.sessions AS share
    FROM total
    CROSS JOIN known
    LEFT JOIN of_channel ON of_channel.date = total.date AND of_channel.channel = known.channel
),

earlier AS MATERIALIZED (
    SELECT
        share.date,
        share.channel,
        share.share,
        before.share AS earlier_share,
        row_number() OVER (PARTITION BY share.date, share.channel ORDER BY before.share) AS place,
        count(*) OVER (PARTITION BY share.date, share.channel) AS days
    FROM share
    JOIN share AS before ON before.channel = share.channel
    WHERE share.date BETWEEN $first_day AND $last_day
      AND before.date >= days_before(share.date, 28)
      AND before.date < share.date
),

usual AS (
    SELECT date, channel, share, days, avg(earlier_share) AS median
    FROM earlier
    WHERE 2 * place BETWEEN days AND days + 2
    GROUP BY date, channel, share, days
),

apart AS (
    SELECT
        usual.date,
        usual.channel,
        usual.share,
        usual.median,
        usual.days,
        abs(earlier.earlier_share - usual.median) AS distance,
        row_number() OVER (PARTITION BY usual.date, usual.channel ORDER BY abs(earlier.earlier_share - usual.median)) AS place
    FROM usual
    JOIN earlier ON earlier.date = usual.date AND earlier.channel = usual.channel
),

spread AS (
    SELECT date, channel, share, median, days, avg(distance) AS deviation
    FROM apart
    WHERE 2 * place BETWEEN days AND days + 2
    GROUP BY date, channel, share, median, days
)

SELECT date, channel, share, median AS usual_share, 0.6745 * (share - median) / nullif(deviation, 0) AS z
FROM spread
WHERE days >= 8 AND abs(share - median) >= 0.05 AND 0.6745 * abs(share - median) > 3.5 * deviation
ORDER BY date, channel
