-- What the search for late data has seen: one row per day, in the state in which everything of it was found right.
CREATE TABLE IF NOT EXISTS seen_days (
    date text PRIMARY KEY,
    sessions text NOT NULL,    -- digest of the day's rows of session_sources
    costs text NOT NULL,       -- digest of these sessions' costs
    conversions text NOT NULL, -- digest of the day's rows of conversions
    attribution text NOT NULL, -- the event that materialized the day's journeys
    report text NOT NULL       -- the event that materialized the day's report
);
