-- What the search for late data has seen: one row per day, in the state in which every result of it was found right.
CREATE TABLE IF NOT EXISTS seen_sources (
    date text PRIMARY KEY,     -- UTC date of the sessions, the report and the conversions
    sessions text NOT NULL,    -- digest of the day's rows of session_sources
    costs text NOT NULL,       -- digest of their costs, and the event that materialized the day's report
    conversions text NOT NULL  -- digest of the day's conversions, and the event that materialized their journeys
);
