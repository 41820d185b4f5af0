-- The whole schema: first the three source tables, which you fill, then the tables that the pipeline fills, then the indexes.
-- The schema step reads tables, types, keys and the comments beside the columns. It never creates or changes a source table.

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
    cost real,                               -- marketing cost of the session; missing or NULL counts as 0
    PRIMARY KEY (session_id)
);

CREATE TABLE IF NOT EXISTS conversions (
    conv_id text NOT NULL,                   -- unique identifier of the conversion
    user_id text NOT NULL,                   -- who bought
    conv_date text NOT NULL,                 -- UTC date of the conversion, YYYY-MM-DD
    conv_time text NOT NULL,                 -- UTC time of the conversion, HH:MM:SS
    revenue real NOT NULL,                   -- revenue of the conversion
    PRIMARY KEY (conv_id)
);

CREATE TABLE IF NOT EXISTS customer_journeys (
    conv_id text NOT NULL,                   -- the conversion that ends the journey
    session_id text NOT NULL,                -- a session of the same user before the conversion
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
    initializer real NOT NULL,               -- credit for starting the journey, 0 to 1
    holder real NOT NULL,                    -- credit for keeping it going, 0 to 1
    closer real NOT NULL,                    -- credit for closing it, 0 to 1
    ihc real NOT NULL,                       -- weighted combination of the three, 0 to 1
    backend text NOT NULL,                   -- what computed it: embedded or api
    parameters text NOT NULL,                -- the model parameters that it was computed with
    PRIMARY KEY (conv_id, session_id)
);

CREATE TABLE IF NOT EXISTS attribution_customer_journey (
    conv_id text NOT NULL,                   -- the conversion
    session_id text NOT NULL,                -- a session of its journey
    ihc real NOT NULL,                       -- the session's share of the conversion; sums to 1 per conversion
    conv_date text NOT NULL,                 -- UTC date of the conversion: the partition
    PRIMARY KEY (conv_id, session_id)
);

CREATE TABLE IF NOT EXISTS uncredited_conversion (
    conv_id text NOT NULL,                   -- the conversion
    conv_date text NOT NULL,                 -- date of the conversion: the partition
    channel_name text NOT NULL,              -- where the report shows it: Not tracked, or No session
    revenue real NOT NULL,                   -- revenue of the conversion
    PRIMARY KEY (conv_id)
);

CREATE TABLE IF NOT EXISTS session_spend (
    date text NOT NULL,                      -- day of the spend and of the session: the partition
    session_id text NOT NULL,                -- session that carries a part of the spend; empty if the campaign has none on the day
    campaign_id text NOT NULL,               -- id of the campaign on the ad platform
    channel_name text NOT NULL,              -- traffic channel that the part costs
    cost real NOT NULL,                      -- part of the campaign's spend
    displaced real NOT NULL,                 -- cost of the session's own that the spend takes the place of
    PRIMARY KEY (date, session_id, campaign_id, channel_name)
);

CREATE TABLE IF NOT EXISTS channel_costs (
    date text NOT NULL,                      -- UTC date of the sessions: the partition
    channel_name text NOT NULL,              -- traffic channel
    sessions integer NOT NULL,               -- how many sessions the channel had on that day
    cost real NOT NULL,                      -- marketing cost of these sessions, and ad spend
    PRIMARY KEY (date, channel_name)
);

CREATE TABLE IF NOT EXISTS channel_reporting (
    channel_name text NOT NULL,              -- traffic channel
    date text NOT NULL,                      -- UTC date of the sessions: the partition
    cost real NOT NULL,                      -- marketing cost of the day's sessions
    ihc real NOT NULL,                       -- orders credited to the day's sessions
    ihc_revenue real NOT NULL,               -- revenue credited to the day's sessions
    PRIMARY KEY (channel_name, date)
);

CREATE TABLE IF NOT EXISTS channel_report (
    date text NOT NULL,                      -- UTC date of the sessions: the partition
    channel text NOT NULL,                   -- traffic channel
    cost real NOT NULL,                      -- marketing cost of the day's sessions
    orders real NOT NULL,                    -- orders credited to the day's sessions
    revenue real NOT NULL,                   -- revenue credited to the day's sessions
    CPO real,                                -- cost per order: cost / orders; empty if there is no order
    ROAS real,                               -- return on ad spend: revenue / cost; empty if there is no cost
    model text NOT NULL,                     -- the model by which orders and revenue are credited
    parameters text,                         -- the model's parameters; empty if no order can be credited to the day yet
    currency text NOT NULL,                  -- the currency of cost, revenue and CPO
    final_after text NOT NULL,               -- the day's figures are final once all conversions up to this date are attributed
    PRIMARY KEY (date, channel)
);

CREATE TABLE IF NOT EXISTS conversion_reconciliation (
    date text NOT NULL,                      -- date of the conversions: the partition
    market text NOT NULL,                    -- market of the conversions; (none) where neither side says it
    tracked integer NOT NULL,                -- rows of the tracking
    backend integer NOT NULL,                -- conversions of the backend
    missing integer NOT NULL,                -- conversions of the backend that were not tracked
    only_tracked integer NOT NULL,           -- tracked conversions that the backend does not have
    tracked_twice integer NOT NULL,          -- conversions with more than one row in the tracking
    other_revenue integer NOT NULL,          -- conversions with another revenue in the tracking
    other_user integer NOT NULL,             -- conversions of which no tracked row has the backend's user
    other_date integer NOT NULL,             -- conversions with another date in the tracking
    tracked_revenue real NOT NULL,           -- revenue of the tracked conversions, each once
    backend_revenue real NOT NULL,           -- revenue of the backend's conversions
    match_rate real,                         -- share of the backend's conversions that were tracked; empty if there are none
    PRIMARY KEY (date, market)
);

CREATE TABLE IF NOT EXISTS spend_reconciliation (
    date text NOT NULL,                      -- day of the spend and of the sessions: the partition
    campaign_id text NOT NULL,               -- id of the campaign on the ad platform
    cost real NOT NULL,                      -- what the platform charged
    clicks integer,                          -- clicks that the platform counted; empty where it does not say
    sessions integer NOT NULL,               -- sessions of the campaign
    session_cost real NOT NULL,              -- what these sessions cost
    PRIMARY KEY (date, campaign_id)
);

CREATE TABLE IF NOT EXISTS channel_values (
    date text NOT NULL,                      -- UTC date of the value, the last day of its training window: the partition
    model text NOT NULL,                     -- markov or shapley
    channel_name text NOT NULL,              -- traffic channel, after grouping
    value real NOT NULL,                     -- removal effect (markov) or contribution to the conversion rate (shapley)
    rules text NOT NULL,                     -- the path rules that simplified the journeys first
    settings text NOT NULL,                  -- a hash of everything that determines the value
    PRIMARY KEY (date, model, channel_name)
);

CREATE TABLE IF NOT EXISTS model_attribution (
    conv_id text NOT NULL,                   -- the conversion
    session_id text NOT NULL,                -- a session of its journey
    model text NOT NULL,                     -- the model that gave the credit
    credit real NOT NULL,                    -- the session's share of the conversion; sums to 1 per conversion and model
    conv_date text NOT NULL,                 -- UTC date of the conversion: the partition
    date text NOT NULL,                      -- UTC date of the session
    channel_name text NOT NULL,              -- traffic channel of the session, after grouping
    rules text NOT NULL,                     -- the path rules that simplified the journey first
    settings text NOT NULL,                  -- a hash of everything that determines the credit
    PRIMARY KEY (conv_id, session_id, model)
);

CREATE TABLE IF NOT EXISTS model_reporting (
    date text NOT NULL,                      -- UTC date of the sessions or the conversions, as date_basis says: the partition
    model text NOT NULL,                     -- the model that gave the credit
    date_basis text NOT NULL,                -- session or conversion: the date on which orders and revenue count
    channel_name text NOT NULL,              -- traffic channel, after grouping
    cost real NOT NULL,                      -- marketing cost of the day's sessions, on either basis
    orders real NOT NULL,                    -- orders credited to the channel
    revenue real NOT NULL,                   -- revenue credited to the channel
    CPO real,                                -- cost / orders; empty if there is no order
    ROAS real,                               -- revenue / cost; empty if there is no cost
    rules text NOT NULL,                     -- the path rules that simplified the journeys first
    settings text NOT NULL,                  -- a hash of everything that determines the credit
    PRIMARY KEY (date, model, date_basis, channel_name)
);

CREATE TABLE IF NOT EXISTS model_comparison (
    model text NOT NULL,                     -- the model that gave the credit
    channel_name text NOT NULL,              -- traffic channel, after grouping
    cost real NOT NULL,                      -- marketing cost of the channel's sessions on the days
    orders real NOT NULL,                    -- orders on the days credited to the channel
    revenue real NOT NULL,                   -- revenue on the days credited to the channel
    CPO real,                                -- cost / orders; empty if there is no order
    ROAS real,                               -- revenue / cost; empty if there is no cost
    rank integer NOT NULL,                   -- rank by revenue under the model; 1 is the highest
    rank_change integer NOT NULL,            -- how many places higher than under the base model
    orders_shift real NOT NULL,              -- how many more orders than under the base model
    orders_shift_low real NOT NULL,          -- lower end of its 90 % interval
    orders_shift_high real NOT NULL,         -- upper end of its 90 % interval
    revenue_shift real NOT NULL,             -- how much more revenue than under the base model
    revenue_shift_low real NOT NULL,         -- lower end of its 90 % interval
    revenue_shift_high real NOT NULL,        -- upper end of its 90 % interval
    is_noise integer NOT NULL,               -- 1 if the interval of the orders (not the revenue) includes 0, else 0
    base text NOT NULL,                      -- the model that the others are compared with
    first_day text NOT NULL,                 -- UTC date of the first conversions compared
    last_day text NOT NULL,                  -- UTC date of the last conversions compared
    rules text NOT NULL,                     -- the path rules that simplified the journeys first
    settings text NOT NULL,                  -- a hash of everything that determines the credit
    PRIMARY KEY (model, channel_name)
);

CREATE TABLE IF NOT EXISTS path_report (
    section text NOT NULL,                   -- what the item is: path, length (sessions), lag (days) or channel
    item text NOT NULL,                      -- the path (names with > inside are quoted), the number of sessions or days, or the channel
    place integer NOT NULL,                  -- 1, 2, ... within the section
    journeys integer NOT NULL,               -- journeys with the item, converting or not; for lag, only converting ones
    conversions integer NOT NULL,            -- how many of these convert; for a channel, how many end with it
    revenue real NOT NULL,                   -- revenue of these conversions
    rate real,                               -- share of these journeys that convert; empty for lag
    assisted integer,                        -- conversions whose journey has the channel but ends with another; channels only
    first_day text NOT NULL,                 -- UTC date of the first conversions and sessions reported
    last_day text NOT NULL,                  -- UTC date of the last conversions and sessions reported
    rules text NOT NULL,                     -- the path rules that simplified the journeys first
    PRIMARY KEY (section, item)
);

CREATE TABLE IF NOT EXISTS breakdown_reporting (
    date text NOT NULL,                      -- UTC date of the sessions or the conversions, as date_basis says: the partition
    model text NOT NULL,                     -- the model that gave the credit
    date_basis text NOT NULL,                -- session or conversion: the date on which orders and revenue count
    channel text NOT NULL,                   -- traffic channel; under other models than ihc, after grouping
    dimension text NOT NULL,                 -- column of session_sources, or conversions.column
    value text NOT NULL,                     -- value of the column; (none) if it is empty
    sessions integer NOT NULL,               -- how many sessions of the day have the value
    users integer NOT NULL,                  -- how many users these sessions are of
    cost real NOT NULL,                      -- marketing cost of the day's sessions, on either basis
    CPC real,                                -- cost per click: cost / sessions; empty if there is no session
    orders real NOT NULL,                    -- orders credited
    revenue real NOT NULL,                   -- revenue credited
    CPO real,                                -- cost / orders; empty if there is no order, and for columns of conversions
    ROAS real,                               -- revenue / cost; empty if there is no cost, and for columns of conversions
    conversion_rate real,                    -- orders / sessions; empty if there is no session, and for columns of conversions
    PRIMARY KEY (date, model, date_basis, channel, dimension, value)
);

CREATE TABLE IF NOT EXISTS session_report (
    date text NOT NULL,                      -- UTC date of the sessions: the partition
    channel text NOT NULL,                   -- traffic channel
    campaign_id text NOT NULL,               -- id of the campaign on the ad platform; (none) if there is none
    market text NOT NULL,                    -- market of the sessions; (none) if there is none
    sessions integer NOT NULL,               -- how many sessions there were
    users integer NOT NULL,                  -- how many users these sessions are of
    conversions integer NOT NULL,            -- conversions of which one of them was the last session
    revenue real NOT NULL,                   -- revenue of these conversions
    cost real NOT NULL,                      -- marketing cost of the sessions
    CPC real,                                -- cost per click: cost / sessions; empty if there is no session
    PRIMARY KEY (date, channel, campaign_id, market)
);

CREATE TABLE IF NOT EXISTS session_funnel (
    date text NOT NULL,                      -- UTC date of the session's first event: the partition
    session_id text NOT NULL,                -- the session
    user_id text,                            -- who it was at its last event; empty if no event says it
    channel text,                            -- traffic channel of the session; empty if session_sources does not know it
    steps text NOT NULL,                     -- the steps that it reached, in their order, with commas between them
    furthest integer NOT NULL,               -- position of the last of them, from 1; 0 if it reached none
    first_event text NOT NULL,               -- UTC date and time of its first event
    last_event text NOT NULL,                -- UTC date and time of its last event, which may be of a later day
    orders integer NOT NULL,                 -- orders that were placed in it; an order counts in the first session that placed it
    revenue real,                            -- revenue of these orders; empty if it is known of none
    PRIMARY KEY (date, session_id)
);

CREATE TABLE IF NOT EXISTS funnel_report (
    date text NOT NULL,                      -- UTC date of the sessions' first events: the partition
    channel text NOT NULL,                   -- traffic channel; (unknown) if session_sources does not know the session
    step text NOT NULL,                      -- event type that is the step
    position integer NOT NULL,               -- position of the step, from 1
    sessions integer NOT NULL,               -- how many sessions there were, whatever they did
    reached integer NOT NULL,                -- sessions that reached the step
    level integer NOT NULL,                  -- sessions that reached the step or a later one
    rate real NOT NULL,                      -- reached / sessions
    level_rate real NOT NULL,                -- level / sessions
    drop_off real,                           -- share of the level before (of all sessions, at the first) that is not of this one; empty if that is 0
    PRIMARY KEY (date, channel, position)
);

CREATE TABLE IF NOT EXISTS product_funnel (
    date text NOT NULL,                      -- UTC date of the sessions' first events: the partition
    product_id text NOT NULL,                -- the product
    name text,                               -- what it is called; empty if products does not know it
    viewed integer NOT NULL,                 -- sessions with the first step for the product
    added integer NOT NULL,                  -- sessions with a step for the product that is neither the first nor the last
    bought integer NOT NULL,                 -- sessions with the last step for an order that has the product
    conversion real,                         -- bought / viewed; empty if it was not viewed
    PRIMARY KEY (date, product_id)
);

CREATE TABLE IF NOT EXISTS customer_report (
    date text NOT NULL,                      -- UTC date of the orders: the partition
    orders integer NOT NULL,                 -- how many orders there were
    revenue real,                            -- revenue of the orders; empty if it is known of none
    buyers integer NOT NULL,                 -- users with an order
    new_buyers integer NOT NULL,             -- those of them without an order of an earlier day
    returning_buyers integer NOT NULL,       -- those of them with an order of an earlier day
    repeat_rate real,                        -- returning_buyers / buyers; empty if there are none
    orders_with_session integer NOT NULL,    -- orders of users who have a session before the order
    hours_to_order real,                     -- hours from the user's first session to the order, on average of these orders
    first_orders_with_session integer NOT NULL, -- those of these orders that are the first one of a new buyer
    hours_to_first_order real,               -- hours from the user's first session to the order, on average of these
    PRIMARY KEY (date)
);

CREATE TABLE IF NOT EXISTS campaign_performance (
    date text NOT NULL,                      -- day of the results: the partition
    customer_id text NOT NULL,               -- whose campaigns these are
    status text NOT NULL,                    -- status of the campaigns; (none) if there is none
    type text NOT NULL,                      -- type of the campaigns; (none) if there is none
    category text NOT NULL,                  -- category of what is advertised; (none) if there is none
    rows integer NOT NULL,                   -- how many rows of campaign_results these are
    revenue real,                            -- revenue that the platform claims; empty if no row has one
    conversions integer,                     -- conversions that it claims; empty if no row has a number
    impressions integer,                     -- how often the campaigns were shown; empty if no row has a number
    clicks integer,                          -- how often they were clicked; empty if no row has a number
    rows_with_revenue integer NOT NULL,      -- rows that have a revenue
    rows_with_conversions integer NOT NULL,  -- rows that have a number of conversions
    CTR real,                                -- clicks / impressions; empty if that is undefined
    conversions_per_revenue real,            -- conversions / revenue; empty if that is undefined
    conversions_per_click real,              -- conversions / clicks; empty if that is undefined
    PRIMARY KEY (date, customer_id, status, type, category)
);

CREATE TABLE IF NOT EXISTS platform_claims (
    date text NOT NULL,                      -- day of the claims and of the sessions: the partition
    campaign_id text NOT NULL,               -- id of the campaign on the ad platform
    cost real,                               -- what the platform charged; empty if ad_costs has no row
    claimed_conversions real,                -- conversions that the platform claims; empty if it claims nothing
    credited_orders real NOT NULL,           -- orders credited to the campaign's sessions of the day
    orders_ratio real,                       -- claimed_conversions / credited_orders; empty if that is undefined
    claimed_revenue real,                    -- revenue that the platform claims; empty if it claims nothing
    credited_revenue real NOT NULL,          -- revenue credited to the campaign's sessions of the day
    revenue_ratio real,                      -- claimed_revenue / credited_revenue; empty if that is undefined
    PRIMARY KEY (date, campaign_id)
);

CREATE TABLE IF NOT EXISTS chosen_parameters (
    name text NOT NULL,                      -- parameters of the IHC model that were chosen for this database, as results name them
    parameters text NOT NULL,                -- the parameters themselves, as JSON
    hash text NOT NULL,                      -- SHA-256 of this text
    origin text NOT NULL,                    -- the preset or the file that they were read from
    chosen_at text NOT NULL,                 -- UTC time at which they were chosen
    PRIMARY KEY (name)
);

CREATE TABLE IF NOT EXISTS attribution_meta (
    key text NOT NULL,                       -- schema_version or database_id
    value text NOT NULL,                     -- number of the last upgrade of these tables, or a random UUID, written once
    PRIMARY KEY (key)
);

CREATE INDEX IF NOT EXISTS session_sources_by_user ON session_sources (user_id, event_date, event_time);
CREATE INDEX IF NOT EXISTS session_sources_by_date ON session_sources (event_date);
CREATE INDEX IF NOT EXISTS session_sources_broken ON session_sources (event_date) -- the few that guards look for
    WHERE typeof(session_id) NOT IN ('text', 'integer') OR session_id = ''
    OR typeof(user_id) NOT IN ('text', 'integer', 'null')
    OR typeof(channel_name) IN ('null', 'blob')
    OR CASE
        WHEN typeof(event_date) = 'text' AND event_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
            THEN date(event_date, '+0 days') IS NOT CAST(event_date AS text)
        ELSE 1
    END
    OR CASE
        WHEN typeof(event_time) = 'text' AND event_time GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND event_time NOT GLOB '*[^0-9:.]*'
            AND CAST(event_time AS text) < '24' THEN time(event_time) IS NULL
        ELSE 1
    END
    OR holder_engagement NOT IN (0, 1) OR holder_engagement IS NULL
    OR closer_engagement NOT IN (0, 1) OR closer_engagement IS NULL
    OR impression_interaction NOT IN (0, 1) OR impression_interaction IS NULL;
CREATE INDEX IF NOT EXISTS session_sources_not_ascii ON session_sources (event_date) -- those whose text may be no UTF-8
    WHERE session_id GLOB '*[^ -~]*' OR user_id GLOB '*[^ -~]*' OR channel_name GLOB '*[^ -~]*';
CREATE INDEX IF NOT EXISTS session_costs_unusual ON session_costs (session_id) -- the few that checks look for
    WHERE cost < 0 OR (typeof(cost) NOT IN ('integer', 'real', 'null') OR abs(cost) > 1e15);
CREATE INDEX IF NOT EXISTS conversions_by_date ON conversions (conv_date);
CREATE INDEX IF NOT EXISTS conversions_broken ON conversions (conv_date) -- the few that guards look for
    WHERE typeof(conv_id) NOT IN ('text', 'integer') OR conv_id = ''
    OR typeof(user_id) NOT IN ('text', 'integer') OR user_id = ''
    OR CASE
        WHEN typeof(conv_date) = 'text' AND conv_date GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
            THEN date(conv_date, '+0 days') IS NOT CAST(conv_date AS text)
        ELSE 1
    END
    OR CASE
        WHEN typeof(conv_time) = 'text' AND conv_time GLOB '[0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' AND conv_time NOT GLOB '*[^0-9:.]*'
            AND CAST(conv_time AS text) < '24' THEN time(conv_time) IS NULL
        ELSE 1
    END
    OR typeof(revenue) NOT IN ('integer', 'real') OR abs(revenue) > 1e15;
CREATE INDEX IF NOT EXISTS conversions_not_ascii ON conversions (conv_date) -- those whose text may be no UTF-8
    WHERE conv_id GLOB '*[^ -~]*' OR user_id GLOB '*[^ -~]*';
CREATE INDEX IF NOT EXISTS customer_journeys_by_date ON customer_journeys (conv_date);
CREATE INDEX IF NOT EXISTS ihc_results_by_date ON ihc_results (conv_date);
CREATE INDEX IF NOT EXISTS attribution_customer_journey_by_date ON attribution_customer_journey (conv_date);
CREATE INDEX IF NOT EXISTS uncredited_conversion_by_date ON uncredited_conversion (conv_date);
CREATE INDEX IF NOT EXISTS channel_reporting_by_date ON channel_reporting (date);
CREATE INDEX IF NOT EXISTS model_attribution_by_date ON model_attribution (conv_date);
