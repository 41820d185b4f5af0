-- The whole schema: first the three source tables, which you fill, then the tables that the pipeline fills, then the indexes.
-- The schema step takes tables, types, keys and the comments beside the columns from here; it never creates or changes a source table.

CREATE TABLE IF NOT EXISTS session_sources (
    session_id text NOT NULL,                -- unique identifier of the session
    user_id text NOT NULL,                   -- who visited
    event_date text NOT NULL,                -- UTC date of the session, YYYY-MM-DD
    event_time text NOT NULL,                -- UTC time of the session, HH:MM:SS
    channel_name text NOT NULL,              -- traffic channel that started the session
    holder_engagement integer NOT NULL,      -- 1 if the session counts as holder engagement, else 0
    closer_engagement integer NOT NULL,      -- 1 if the session counts as closer engagement, else 0
    impression_interaction integer NOT NULL, -- 1 if the session is an ad impression, else 0
    PRIMARY KEY (session_id)
);

CREATE TABLE IF NOT EXISTS session_costs (
    session_id text NOT NULL,                -- the session that was paid for
    cost real,                               -- marketing cost of the session in Euro; missing or NULL counts as 0
    PRIMARY KEY (session_id)
);

CREATE TABLE IF NOT EXISTS conversions (
    conv_id text NOT NULL,                   -- unique identifier of the conversion
    user_id text NOT NULL,                   -- who bought
    conv_date text NOT NULL,                 -- UTC date of the conversion, YYYY-MM-DD
    conv_time text NOT NULL,                 -- UTC time of the conversion, HH:MM:SS
    revenue real NOT NULL,                   -- revenue of the conversion in Euro
    PRIMARY KEY (conv_id)
);

CREATE TABLE IF NOT EXISTS customer_journeys (
    conv_id text NOT NULL,                   -- the conversion that ended the journey
    session_id text NOT NULL,                -- a session of its user before it
    conv_date text NOT NULL,                 -- UTC date of the conversion: the partition
    timestamp text NOT NULL,                 -- UTC date and time of the session
    channel_label text NOT NULL,             -- traffic channel of the session
    holder_engagement integer NOT NULL,      -- 1 if the session counts as holder engagement, else 0
    closer_engagement integer NOT NULL,      -- 1 if the session counts as closer engagement, else 0
    conversion integer NOT NULL,             -- 1 on the last session of the journey, else 0
    impression_interaction integer NOT NULL, -- 1 if the session is an ad impression, else 0
    PRIMARY KEY (conv_id, session_id)
);

CREATE TABLE IF NOT EXISTS ihc_results (
    conv_id text NOT NULL,                   -- the conversion
    session_id text NOT NULL,                -- a session of its journey
    conv_date text NOT NULL,                 -- UTC date of the conversion: the partition
    initializer real NOT NULL,               -- share of starting the journey, 0 to 1
    holder real NOT NULL,                    -- share of keeping it going, 0 to 1
    closer real NOT NULL,                    -- share of closing it, 0 to 1
    ihc real NOT NULL,                       -- the three weighed together, 0 to 1
    backend text NOT NULL,                   -- who computed it: embedded or api
    parameters text NOT NULL,                -- which model parameters gave it
    PRIMARY KEY (conv_id, session_id)
);

CREATE TABLE IF NOT EXISTS attribution_customer_journey (
    conv_id text NOT NULL,                   -- the conversion
    session_id text NOT NULL,                -- a session of its journey
    ihc real NOT NULL,                       -- the session's share of the conversion; sums to 1 per conversion
    conv_date text NOT NULL,                 -- UTC date of the conversion: the partition
    PRIMARY KEY (conv_id, session_id)
);

CREATE TABLE IF NOT EXISTS channel_costs (
    date text NOT NULL,                      -- UTC date of the sessions: the partition
    channel_name text NOT NULL,              -- traffic channel
    sessions integer NOT NULL,               -- how many sessions the channel had on that day
    cost real NOT NULL,                      -- marketing cost of these sessions in Euro
    PRIMARY KEY (date, channel_name)
);

CREATE TABLE IF NOT EXISTS channel_reporting (
    channel_name text NOT NULL,              -- traffic channel
    date text NOT NULL,                      -- UTC date of the sessions: the partition
    cost real NOT NULL,                      -- marketing cost of the day's sessions in Euro
    ihc real NOT NULL,                       -- orders credited to the day's sessions
    ihc_revenue real NOT NULL,               -- revenue credited to the day's sessions in Euro
    PRIMARY KEY (channel_name, date)
);

CREATE TABLE IF NOT EXISTS channel_values (
    date text NOT NULL,                      -- UTC date for which it was learned, the last of its window: the partition
    model text NOT NULL,                     -- markov or shapley
    channel_name text NOT NULL,              -- traffic channel, as grouped
    value real NOT NULL,                     -- what the model learned: a removal effect, or a contribution to the conversion rate
    rules text NOT NULL,                     -- the path rules by which journeys were simplified before
    settings text NOT NULL,                  -- a hash of all that determines the value
    PRIMARY KEY (date, model, channel_name)
);

CREATE TABLE IF NOT EXISTS model_attribution (
    conv_id text NOT NULL,                   -- the conversion
    session_id text NOT NULL,                -- a session of its journey
    model text NOT NULL,                     -- which model gave the credit
    credit real NOT NULL,                    -- the session's share of the conversion; sums to 1 per conversion and model
    conv_date text NOT NULL,                 -- UTC date of the conversion: the partition
    date text NOT NULL,                      -- UTC date of the session
    channel_name text NOT NULL,              -- traffic channel of the session, as grouped
    rules text NOT NULL,                     -- the path rules by which the journey was simplified before
    settings text NOT NULL,                  -- a hash of all that determines the credit
    PRIMARY KEY (conv_id, session_id, model)
);

CREATE TABLE IF NOT EXISTS model_reporting (
    date text NOT NULL,                      -- UTC date of the sessions or of the conversions, by date_basis: the partition
    model text NOT NULL,                     -- which model gave the credit
    date_basis text NOT NULL,                -- session or conversion: whose date orders and revenue stand on
    channel_name text NOT NULL,              -- traffic channel, as grouped
    cost real NOT NULL,                      -- marketing cost of the day's sessions in Euro, on either basis
    orders real NOT NULL,                    -- orders credited to the channel
    revenue real NOT NULL,                   -- revenue credited to the channel in Euro
    CPO real,                                -- cost / orders; empty without an order
    ROAS real,                               -- revenue / cost; empty without a cost
    rules text NOT NULL,                     -- the path rules by which journeys were simplified before
    settings text NOT NULL,                  -- a hash of all that determines the credit
    PRIMARY KEY (date, model, date_basis, channel_name)
);

CREATE TABLE IF NOT EXISTS model_comparison (
    model text NOT NULL,                     -- which model gave the credit
    channel_name text NOT NULL,              -- traffic channel, as grouped
    cost real NOT NULL,                      -- marketing cost of the channel's sessions of the days in Euro
    orders real NOT NULL,                    -- orders of the days credited to the channel
    revenue real NOT NULL,                   -- revenue of the days credited to the channel in Euro
    CPO real,                                -- cost / orders; empty without an order
    ROAS real,                               -- revenue / cost; empty without a cost
    rank integer NOT NULL,                   -- place by revenue under the model, 1 the highest
    rank_change integer NOT NULL,            -- how many places higher than under the base
    orders_shift real NOT NULL,              -- how many orders more than under the base
    orders_shift_low real NOT NULL,          -- lower end of its 90 % interval
    orders_shift_high real NOT NULL,         -- upper end of its 90 % interval
    revenue_shift real NOT NULL,             -- how much more revenue than under the base in Euro
    revenue_shift_low real NOT NULL,         -- lower end of its 90 % interval
    revenue_shift_high real NOT NULL,        -- upper end of its 90 % interval
    is_noise integer NOT NULL,               -- 1 if the interval of the orders includes 0, else 0
    base text NOT NULL,                      -- the model that the others are compared with
    first_day text NOT NULL,                 -- UTC date of the first conversions that are compared
    last_day text NOT NULL,                  -- UTC date of the last ones
    rules text NOT NULL,                     -- the path rules by which journeys were simplified before
    settings text NOT NULL,                  -- a hash of all that determines the credit
    PRIMARY KEY (model, channel_name)
);

CREATE TABLE IF NOT EXISTS path_report (
    section text NOT NULL,                   -- what the item is: path, length (sessions), lag (days) or channel
    item text NOT NULL,                      -- the path, the number of sessions or days, the channel
    place integer NOT NULL,                  -- 1, 2, ... within the section
    journeys integer NOT NULL,               -- how many journeys are or have the item, converting and not; of lag, converting
    conversions integer NOT NULL,            -- how many of them convert; of a channel, those that end with it
    revenue real NOT NULL,                   -- revenue of these conversions in Euro
    rate real,                               -- the share of the journeys that converts; empty for lag
    assisted integer,                        -- conversions that have the channel and end with another; empty but for channels
    first_day text NOT NULL,                 -- UTC date of the first conversions and sessions that are reported
    last_day text NOT NULL,                  -- UTC date of the last ones
    rules text NOT NULL,                     -- the path rules by which journeys were simplified before
    PRIMARY KEY (section, item)
);

CREATE TABLE IF NOT EXISTS attribution_meta (
    key text NOT NULL,                       -- schema_version or database_id
    value text NOT NULL,                     -- the number of the last upgrade of these tables; a random UUID, written once
    PRIMARY KEY (key)
);

CREATE INDEX IF NOT EXISTS session_sources_by_user ON session_sources (user_id, event_date, event_time);
CREATE INDEX IF NOT EXISTS session_sources_by_date ON session_sources (event_date);
CREATE INDEX IF NOT EXISTS session_sources_broken ON session_sources (event_date) -- the few that guards look for
    WHERE session_id IS NULL OR session_id = '' OR channel_name IS NULL
    OR CASE WHEN event_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN date(event_date) IS NOT event_date ELSE 1 END
    OR CASE
        WHEN event_time GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND event_time NOT GLOB '*[^0-9:.]*' AND event_time < '24' THEN time(event_time) IS NULL
        ELSE 1
    END
    OR holder_engagement NOT IN (0, 1) OR holder_engagement IS NULL
    OR closer_engagement NOT IN (0, 1) OR closer_engagement IS NULL
    OR impression_interaction NOT IN (0, 1) OR impression_interaction IS NULL;
CREATE INDEX IF NOT EXISTS session_costs_unusual ON session_costs (session_id) -- the few that checks look for
    WHERE cost < 0 OR (typeof(cost) NOT IN ('integer', 'real', 'null') OR abs(cost) > 1e15);
CREATE INDEX IF NOT EXISTS conversions_by_date ON conversions (conv_date);
CREATE INDEX IF NOT EXISTS conversions_broken ON conversions (conv_date) -- the few that guards look for
    WHERE conv_id IS NULL OR conv_id = '' OR user_id IS NULL OR user_id = ''
    OR CASE WHEN conv_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' THEN date(conv_date) IS NOT conv_date ELSE 1 END
    OR CASE
        WHEN conv_time GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND conv_time NOT GLOB '*[^0-9:.]*' AND conv_time < '24' THEN time(conv_time) IS NULL
        ELSE 1
    END
    OR typeof(revenue) NOT IN ('integer', 'real') OR abs(revenue) > 1e15;
CREATE INDEX IF NOT EXISTS customer_journeys_by_date ON customer_journeys (conv_date);
CREATE INDEX IF NOT EXISTS ihc_results_by_date ON ihc_results (conv_date);
CREATE INDEX IF NOT EXISTS attribution_customer_journey_by_date ON attribution_customer_journey (conv_date);
CREATE INDEX IF NOT EXISTS channel_reporting_by_date ON channel_reporting (date);
CREATE INDEX IF NOT EXISTS model_attribution_by_date ON model_attribution (conv_date);
