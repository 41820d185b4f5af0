-- One row per touchpoint of the days that breaks the rule of customer_journeys: a session of the conversion's user, before the
-- conversion (or at its very second, if $include_converting_session), at most $lookback_days days earlier by date; with its time and channel.
-- A user in $nobody, a JSON array of ids, has no touchpoint.
WITH found AS MATERIALIZED (
    SELECT
        journey.conv_id,
        journey.session_id,
        journey.conv_date,
        journey.timestamp,
        session.event_date || ' ' || session.event_time AS session_at,
        conversions.conv_date || ' ' || conversions.conv_time AS converted_at,
        days_before(conversions.conv_date, $lookback_days) AS window_start,
        FALSE AS is_gone,
        coalesce(session.user_id <> conversions.user_id, TRUE) AS is_of_another_user,
        is_among(conversions.user_id, $nobody) AS is_of_nobody,
        session.channel_name <> journey.channel_label AS is_of_another_channel
    FROM customer_journeys AS journey
    JOIN session_sources AS session ON session.session_id = journey.session_id
    JOIN conversions ON conversions.conv_id = journey.conv_id
    WHERE journey.conv_date BETWEEN $first_day AND $last_day
),

touchpoint AS (
    SELECT * FROM found
    UNION ALL
    SELECT
        journey.conv_id,
        journey.session_id,
        journey.conv_date,
        journey.timestamp,
        NULL,
        conversions.conv_date || ' ' || conversions.conv_time,
        NULL,
        TRUE,
        FALSE,
        FALSE,
        FALSE
    FROM customer_journeys AS journey
    JOIN conversions ON conversions.conv_id = journey.conv_id
    LEFT JOIN found ON found.conv_id = journey.conv_id AND found.session_id = journey.session_id
    WHERE journey.conv_date BETWEEN $first_day AND $last_day AND found.session_id IS NULL
),

judged AS (
    SELECT
        *,
        CASE
            WHEN is_gone THEN 'the session is not in session_sources'
            WHEN is_of_another_user THEN 'the session belongs to another user'
            WHEN is_of_nobody THEN 'the session belongs to nobody'
            WHEN timestamp < window_start THEN 'the session is older than the lookback'
            WHEN timestamp > converted_at OR timestamp = converted_at AND $include_converting_session = 0
                THEN 'the session is not before the conversion'
            WHEN timestamp <> session_at THEN 'the session now has another time'
            WHEN is_of_another_channel THEN 'the session now has another channel'
        END AS problem
    FROM touchpoint
)

SELECT conv_id, session_id, conv_date, timestamp, converted_at, problem
FROM judged
WHERE problem IS NOT NULL
ORDER BY conv_date, conv_id, session_id
