-- What the search for late data has seen: one row per day and part of it, in the state in which everything of the day was right.
CREATE TABLE IF NOT EXISTS seen_days (
    date text NOT NULL,
    part text NOT NULL,  -- a source, or a table that is made of sources
    state text NOT NULL, -- of a source a digest of the day's rows, of a table the event that materialized the day; else empty
    PRIMARY KEY (date, part)
);
