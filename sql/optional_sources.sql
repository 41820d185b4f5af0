-- What you may have beside the three source tables: more of their columns, and more tables. What is there switches on what it is
-- needed for; nothing of it is required, created or changed. In these tables, a column that may be NULL may be missing too.

ALTER TABLE session_sources ADD COLUMN campaign_id text; -- id of the campaign on the ad platform that led to the session
ALTER TABLE session_sources ADD COLUMN market text; -- market of the session, such as a country
ALTER TABLE session_sources ADD COLUMN cpc real; -- what the tracking says that the session's click cost
ALTER TABLE session_sources ADD COLUMN utm_source text; -- source that led to the session, such as google
ALTER TABLE session_sources ADD COLUMN utm_medium text; -- medium that led to the session, such as cpc
ALTER TABLE session_sources ADD COLUMN utm_campaign text; -- name of the campaign that led to the session
ALTER TABLE session_sources ADD COLUMN referrer text; -- address of the page that led to the session
ALTER TABLE session_sources ADD COLUMN click_id text; -- the ad platform's id of the click, with its kind: gclid=EAIaIQ
ALTER TABLE session_sources ADD COLUMN page_views integer; -- how many pages were seen in the session
ALTER TABLE session_sources ADD COLUMN duration real; -- how many seconds the session took
ALTER TABLE session_sources ADD COLUMN engagement_rule text; -- what an import took the engagement flags from; NULL where it was given them

ALTER TABLE session_costs ADD COLUMN currency text; -- currency of the cost, by its ISO 4217 code

ALTER TABLE conversions ADD COLUMN market text; -- market of the conversion, such as a country
ALTER TABLE conversions ADD COLUMN currency text; -- currency of the revenue, by its ISO 4217 code

CREATE TABLE conversions_backend (
    conv_id text NOT NULL,                   -- unique identifier of the conversion, as in conversions
    user_id text NOT NULL,                   -- who bought, as the shop knows it
    conv_date text NOT NULL,                 -- date of the conversion, YYYY-MM-DD
    market text,                             -- market of the conversion, such as a country
    revenue real NOT NULL,                   -- revenue of the conversion
    currency text,                           -- currency of the revenue, by its ISO 4217 code
    PRIMARY KEY (conv_id, user_id, conv_date)
);

CREATE TABLE ad_costs (
    date text NOT NULL,                      -- day of the spend, YYYY-MM-DD
    campaign_id text NOT NULL,               -- id of the campaign on the ad platform
    platform text,                           -- ad platform
    market text,                             -- market of the campaign, such as a country
    channel_name text,                       -- traffic channel that the campaign is part of
    cost real NOT NULL,                      -- what the platform charged on the day
    clicks integer,                          -- clicks on the day
    impressions integer,                     -- impressions on the day
    conversions real,                        -- conversions that the platform claims for the day
    revenue real,                            -- revenue that it claims for them
    currency text,                           -- currency of the cost and the revenue, by its ISO 4217 code
    PRIMARY KEY (date, campaign_id, platform, market)
);

CREATE TABLE exchange_rates (
    date text NOT NULL,                      -- day on which the rate holds, YYYY-MM-DD
    currency text NOT NULL,                  -- the currency, by its ISO 4217 code
    rate real NOT NULL,                      -- what one unit of it is worth in the currency of the report
    PRIMARY KEY (date, currency)
);

CREATE TABLE campaign_results (
    customer_id text NOT NULL,               -- whose campaigns these are
    date text NOT NULL,                      -- day of the results, YYYY-MM-DD
    status text,                             -- status of the campaigns, such as ENABLED
    type text,                               -- type of the campaigns, such as CONVERSION
    category text,                           -- category of what is advertised
    revenue real NOT NULL,                   -- revenue that the campaigns brought
    conversions integer NOT NULL,            -- conversions that they brought
    impressions integer,                     -- how often they were shown
    clicks integer                           -- how often they were clicked
);

CREATE TABLE events (
    event_id text NOT NULL,                  -- unique identifier of the event
    session_id text NOT NULL,                -- the session that it happened in
    user_id text NOT NULL,                   -- who did it
    event_type text NOT NULL,                -- what happened, such as page_view, add_to_cart or checkout
    created_at text NOT NULL,                -- UTC date and time of the event, YYYY-MM-DD HH:MM:SS
    page_url text,                           -- the page on which it happened
    product_id text,                         -- the product that it is about
    order_id text,                           -- the order that it is about
    PRIMARY KEY (event_id)
);

CREATE TABLE order_items (
    order_id text NOT NULL,                  -- the order, as conv_id of conversions
    product_id text NOT NULL,                -- the product that was bought
    quantity integer NOT NULL,               -- how many of it
    PRIMARY KEY (order_id, product_id)
);

CREATE TABLE products (
    product_id text NOT NULL,                -- unique identifier of the product
    name text NOT NULL,                      -- what it is called
    PRIMARY KEY (product_id)
);

CREATE INDEX conversions_backend_by_date ON conversions_backend (conv_date);
CREATE INDEX events_by_date ON events (created_at, event_type);
CREATE INDEX events_by_session ON events (session_id, created_at, event_type, user_id);
CREATE INDEX events_by_user ON events (user_id, created_at);
CREATE INDEX events_by_order ON events (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX events_broken ON events (created_at) -- the few that guards look for
    WHERE coalesce(session_id, '') = '' OR coalesce(event_type, '') = ''
    OR coalesce(created_at, '') NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*'
    OR date(substr(coalesce(created_at, ''), 1, 10), '+0 days') IS NOT substr(coalesce(created_at, ''), 1, 10)
    OR substr(created_at, 12, 2) > '23' OR (length(created_at) > 19 AND (created_at NOT GLOB '???????????????????.?*' OR substr(created_at, 21) GLOB '*[^0-9]*'));
CREATE INDEX campaign_results_by_date ON campaign_results (date);
CREATE INDEX campaign_results_broken ON campaign_results (date) -- the few that guards look for
    WHERE coalesce(date(date, '+0 days') <> date, 1);
