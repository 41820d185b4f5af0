-- One row per conversion of the days and session of its user that came before it, at most $lookback_days days earlier by date.
-- $include_converting_session = 1 also admits a session at the conversion's very second. Dates and times are compared as text.
-- A conversion of a user in $nobody, a JSON array of ids, has none.
WITH conversion AS (
    SELECT conv_id, user_id, conv_date, conv_time, days_before(conv_date, $lookback_days) AS window_start
    FROM conversions
    WHERE conv_date BETWEEN $first_day AND $last_day
      AND user_id NOT IN (SELECT value FROM names_in($nobody))
),

touchpoint AS (
    SELECT
        conversion.conv_id,
        conversion.conv_date,
        session.session_id,
        session.event_date || ' ' || session.event_time AS timestamp,
        session.channel_name,
        session.holder_engagement,
        session.closer_engagement,
        session.impression_interaction
    FROM conversion
    CROSS JOIN session_sources AS session -- CROSS JOIN: conversions drive, the index on sessions serves
    WHERE session.user_id = conversion.user_id
      AND session.event_date BETWEEN conversion.window_start AND conversion.conv_date
      AND implied(session.event_date BETWEEN days_before($first_day, $lookback_days) AND $last_day)
      AND (
          session.event_date < conversion.conv_date
          OR session.event_time < conversion.conv_time
          OR session.event_time = conversion.conv_time AND $include_converting_session = 1
      )
)

SELECT
    conv_id,
    session_id,
    conv_date,
    timestamp,
    channel_name AS channel_label,
    holder_engagement,
    closer_engagement,
    CASE WHEN row_number() OVER (PARTITION BY conv_id ORDER BY timestamp DESC, session_id DESC) = 1 THEN 1 ELSE 0 END AS conversion,
    impression_interaction
FROM touchpoint
ORDER BY conv_id, session_id
