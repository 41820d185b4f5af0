-- The ledger of the IHC API, in a file of its own: one row per answered journey, never changed and never removed.
-- Of several rows with one key (a journey asked again on purpose) the last one counts.
CREATE TABLE IF NOT EXISTS ihc_answers (
    id integer PRIMARY KEY,
    key text NOT NULL,            -- hash of all that determines the answer: the four columns that follow
    url text NOT NULL,            -- the service asked
    conv_type_id text NOT NULL,   -- the account's parameters used by it
    redistribution text NOT NULL, -- redistribution_parameter as sent, JSON; empty if none
    sessions text NOT NULL,       -- the journey as sent, JSON: a list of sessions in order of time
    answer text NOT NULL,         -- JSON: for each session [initializer, holder, closer, ihc]
    answered_at text NOT NULL     -- UTC, YYYY-MM-DD HH:MM:SS
);

CREATE INDEX IF NOT EXISTS ihc_answers_by_key ON ihc_answers (key);

CREATE TRIGGER IF NOT EXISTS ihc_answers_are_not_changed BEFORE UPDATE ON ihc_answers
BEGIN
    SELECT raise(ABORT, 'the ledger is append-only: an answer that was paid for cannot be changed');
END;

CREATE TRIGGER IF NOT EXISTS ihc_answers_are_not_removed BEFORE DELETE ON ihc_answers
BEGIN
    SELECT raise(ABORT, 'the ledger is append-only: an answer that was paid for cannot be deleted');
END;
