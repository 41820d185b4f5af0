"""A database in which all results agree, and for each check what breaks it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attribution_assets.catalog.attribution import MOST_WITHOUT_SESSION
from attribution_assets.catalog.campaigns import CAMPAIGN_PERFORMANCE
from attribution_assets.warehouse import schema
from attribution_assets.warehouse.schema import OPTIONAL_SOURCES
from attribution_assets_tests.support import Shop

COSTS, REPORT = "channel_costs", "channel_reporting"

CONVERSION_DAYS: dict[str, str | int | float] = {
    "first_day": "2023-09-02",
    "last_day": "2023-09-03",
    "last_conversion_day": "2023-09-03",
    "first_session_day": "2023-09-01",
    "lookback_days": 1,
    "include_converting_session": 0,
    "nobody": "[]",
    "most_touchpoints": 3,
    "most_of_all": 0.5,
    "first_partition": "2023-08-30",
    "models": '["linear"]',
    "model_count": 1,
    "asks_for_direct": 1,
    "direct_channels": '["Ads"]',
    "channel_groups": "{}",
    "most_without_session": MOST_WITHOUT_SESSION,
    "most_untracked": 0.4,
    "fewest_touchpoints": 3,
    "most_spend_apart": 0.05,
    "spend_wins": "platform",
    "conversions": "tracked",
    "breakdowns": '["campaign_id"]',
    "steps": '["page_view", "add_to_cart", "checkout"]',
    "first_step": "page_view",
    "last_step": "checkout",
    "is_ordered": 0,
    "orders_of": "conversions",
    "statuses": '["ENABLED"]',
    "types": '["CONVERSION"]',
}
COST_DAYS = {**CONVERSION_DAYS, "first_day": "2023-09-01", "first_session_day": "2023-08-31"}
REPORT_DAYS = {**COST_DAYS, "last_conversion_day": "2023-09-04"}
DAYS_OF = {
    **dict.fromkeys((COSTS, "session_spend", "spend_reconciliation"), COST_DAYS),
    **dict.fromkeys((REPORT, "channel_report", "model_reporting", "breakdown_reporting", "session_report"), REPORT_DAYS),
}
DAYS_OF |= {
    "session_report": REPORT_DAYS,
    "breakdown_reporting": REPORT_DAYS,
    "spend_reconciliation": COST_DAYS,
    "session_spend": COST_DAYS,
    **dict.fromkeys(("session_funnel", "funnel_report", "product_funnel", "campaign_performance"), COST_DAYS),
    "platform_claims": REPORT_DAYS,
}
ALL_STEPS = "page_view,add_to_cart,checkout"
BEFORE_THE_FIRST_REPORT: dict[str, str | int] = {"first_partition": "2023-09-01", "lookback_days": 2}
"""The credit of 2023-09-02 can reach back to the day before this first partition."""


def sound_shop(folder: Path) -> Shop:
    """Anna buys after two sessions, of which the first has a quarter of the credit; Ben after one. All tables agree."""
    shop = Shop(folder / "shop.db", folder)
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email", cost=2)
    shop.session("s2", "anna", "2023-09-02 10:00:00", "Ads", cost=3)
    shop.session("s3", "ben", "2023-09-03 10:00:00", "Email", cost="missing")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00", 100)
    shop.conversion("c2", "ben", "2023-09-03 12:00:00", 50)
    for source in OPTIONAL_SOURCES:
        shop.execute(schema()[source].create)
    for event in (
        ("e1", "s1", "anna", "page_view", "2023-09-01 10:00:00", "fern", None),
        ("e2", "s2", "anna", "page_view", "2023-09-02 10:00:00", "fern", None),
        ("e3", "s2", "anna", "add_to_cart", "2023-09-02 11:00:00", "fern", None),
        ("e4", "s2", "anna", "checkout", "2023-09-02 12:00:00", None, "c1"),
        ("e5", "s3", "ben", "page_view", "2023-09-03 10:00:00", "fern", None),
        ("e6", "s3", "ben", "add_to_cart", "2023-09-03 11:00:00", "fern", None),
        ("e7", "s3", "ben", "checkout", "2023-09-03 12:00:00", None, "c2"),
    ):
        shop.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL, ?, ?)", *event)
    shop.execute("INSERT INTO products VALUES ('fern', 'Fern')")
    shop.execute("INSERT INTO order_items VALUES ('c1', 'fern', 1), ('c2', 'fern', 2)")
    shop.execute("INSERT INTO conversions_backend SELECT conv_id, user_id, conv_date, NULL, revenue, NULL FROM conversions")
    add_result = "INSERT INTO campaign_results VALUES (?2, ?1, 'ENABLED', 'CONVERSION', 'TOYS', ?3, ?4, ?5, ?6)"
    for result in (("2023-09-01", "A", 100, 4, 1000, 50), ("2023-09-03", "B", 20, 1, 500, 10)):
        shop.execute(add_result, *result)
    shop.warehouse.prepare()
    summed = "1, revenue, conversions, impressions, clicks, 1, 1, NULL, NULL, NULL"
    shop.execute(
        f"INSERT INTO campaign_performance SELECT date, customer_id, status, type, category, {summed} FROM campaign_results"
    )
    shop.execute("INSERT INTO spend_reconciliation VALUES ('2023-09-02', 'brand', 3, 1, 1, 3)")
    for visit in (
        ("2023-09-01", "s1", "anna", "Email", "page_view", 1, "2023-09-01 10:00:00", "2023-09-01 10:00:00", 0, None),
        ("2023-09-02", "s2", "anna", "Ads", ALL_STEPS, 3, "2023-09-02 10:00:00", "2023-09-02 12:00:00", 1, 100),
        ("2023-09-03", "s3", "ben", "Email", ALL_STEPS, 3, "2023-09-03 10:00:00", "2023-09-03 12:00:00", 1, 50),
    ):
        shop.execute("INSERT INTO session_funnel VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", *visit)
    for day, channel, reached, level in (
        ("2023-09-01", "Email", (1, 0, 0), (1, 0, 0)),
        ("2023-09-02", "Ads", (1, 1, 1), (1, 1, 1)),
        ("2023-09-03", "Email", (1, 1, 1), (1, 1, 1)),
    ):
        for position, step in enumerate(ALL_STEPS.split(",")):
            numbers = (1, reached[position], level[position], reached[position], level[position], None)
            shop.execute(
                "INSERT INTO funnel_report VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", day, channel, step, position + 1, *numbers
            )
    for product in (("2023-09-01", 1, 0, 0), ("2023-09-02", 1, 1, 1), ("2023-09-03", 1, 1, 1)):
        shop.execute("INSERT INTO product_funnel VALUES (?1, 'fern', 'Fern', ?2, ?3, ?4, ?4)", *product)
    for day, revenue in (("2023-09-02", 100), ("2023-09-03", 50)):
        shop.execute("INSERT INTO customer_report VALUES (?, 1, ?, 1, 1, 0, 0, 1, 2, 1, 2)", day, revenue)
    for row in (
        ("c1", "s1", "2023-09-02", "2023-09-01 10:00:00", "Email"),
        ("c1", "s2", "2023-09-02", "2023-09-02 10:00:00", "Ads"),
        ("c2", "s3", "2023-09-03", "2023-09-03 10:00:00", "Email"),
    ):
        shop.execute("INSERT INTO customer_journeys VALUES (?, ?, ?, ?, ?, 1, 1, 0, 0)", *row)
    for credit in (("c1", "s1", 0.25, "2023-09-02"), ("c1", "s2", 0.75, "2023-09-02"), ("c2", "s3", 1.0, "2023-09-03")):
        shop.execute("INSERT INTO attribution_customer_journey VALUES (?, ?, ?, ?)", *credit)
    for costs in (("2023-09-01", "Email", 1, 2.0), ("2023-09-02", "Ads", 1, 3.0), ("2023-09-03", "Email", 1, 0.0)):
        shop.execute("INSERT INTO channel_costs VALUES (?, ?, ?, ?)", *costs)
    for report in (
        ("Email", "2023-09-01", 2.0, 0.25, 25.0),
        ("Ads", "2023-09-02", 3.0, 0.75, 75.0),
        ("Email", "2023-09-03", 0.0, 1.0, 50.0),
    ):
        shop.execute("INSERT INTO channel_reporting VALUES (?, ?, ?, ?, ?)", *report)
        shop.execute("INSERT INTO channel_report SELECT ?2, ?1, ?3, ?4, ?5, NULL, NULL, 'ihc', 'challenge', 'EUR', ?2", *report)
    for seen in (("2023-09-01", "Email", 2), ("2023-09-02", "Ads", 3), ("2023-09-03", "Email", 0)):
        shop.execute("INSERT INTO session_report VALUES (?, ?, '(none)', '(none)', 1, 1, 0, 0, ?, NULL)", *seen)
    broken_down = "(date, model, date_basis, channel, dimension, value, sessions, users, cost, orders, revenue)"
    add_breakdown = f"INSERT INTO breakdown_reporting {broken_down} VALUES (?, ?, ?, ?, 'campaign_id', '(none)', 1, 1, ?, ?, ?)"
    for of_day in (
        ("2023-09-01", "ihc", "session", "Email", 2.0, 0.25, 25.0),
        ("2023-09-02", "ihc", "session", "Ads", 3.0, 0.75, 75.0),
        ("2023-09-03", "ihc", "session", "Email", 0.0, 1.0, 50.0),
        ("2023-09-01", "ihc", "conversion", "Email", 2.0, 0.0, 0.0),
        ("2023-09-02", "ihc", "conversion", "Ads", 3.0, 0.75, 75.0),
        ("2023-09-02", "ihc", "conversion", "Email", 0.0, 0.25, 25.0),
        ("2023-09-03", "ihc", "conversion", "Email", 0.0, 1.0, 50.0),
    ):
        shop.execute(add_breakdown, *of_day)
    for linear in (
        ("c1", "s1", 0.5, "2023-09-02", "2023-09-01", "Email"),
        ("c1", "s2", 0.5, "2023-09-02", "2023-09-02", "Ads"),
        ("c2", "s3", 1.0, "2023-09-03", "2023-09-03", "Email"),
    ):
        shop.execute("INSERT INTO model_attribution VALUES (?, ?, 'linear', ?, ?, ?, ?, '', '')", *linear)
    for by_model in (
        ("2023-09-01", "session", "Email", 2.0, 0.5, 50.0),
        ("2023-09-02", "session", "Ads", 3.0, 0.5, 50.0),
        ("2023-09-03", "session", "Email", 0.0, 1.0, 50.0),
        ("2023-09-01", "conversion", "Email", 2.0, 0.0, 0.0),
        ("2023-09-02", "conversion", "Ads", 3.0, 0.5, 50.0),
        ("2023-09-02", "conversion", "Email", 0.0, 0.5, 50.0),
        ("2023-09-03", "conversion", "Email", 0.0, 1.0, 50.0),
    ):
        shop.execute("INSERT INTO model_reporting VALUES (?, 'linear', ?, ?, ?, ?, ?, NULL, NULL, '', '')", *by_model)
        shop.execute(add_breakdown, by_model[0], "linear", *by_model[1:])
    return shop


OF_A = {"date": "2023-09-01", "customer_id": "A", "status": "ENABLED", "type": "CONVERSION", "category": "TOYS"}

# name: what breaks it, its rows, its sentence; of the sources, for each asset that reads them
SOURCES_BROKEN: dict[str, tuple[list[str], list[dict[str, Any]], str]] = {
    "conversions_are_sound": (
        ["UPDATE conversions SET revenue = 'ten' WHERE conv_id = 'c1'"],
        [{"problem": "conversions: 'c1' has revenue 'ten', which is not a number"}],
        "1 conversion of {} cannot be attributed or valued.",
    ),
    "sessions_are_sound": (
        [
            "UPDATE session_sources SET holder_engagement = 2 WHERE session_id = 's3'",
            "UPDATE session_costs SET cost = '3 Euro' WHERE session_id = 's2'",
        ],
        [
            {"problem": "session_costs: 's2' has cost '3 Euro', which is not a number"},
            {"problem": "session_sources: 's3' has holder_engagement 2, which is not 0 or 1"},
        ],
        "2 rows of session_sources or session_costs, read for {}, cannot be attributed or reported.",
    ),
    "rows_have_a_day": (
        [
            "UPDATE session_sources SET event_date = '20230901' WHERE session_id = 's1'",
            "UPDATE session_sources SET event_date = '20230902' WHERE session_id = 's2'",
            "UPDATE conversions SET conv_date = '2023-09-03T12:00:00Z' WHERE conv_id = 'c2'",
        ],
        [
            {
                "source": "session_sources",
                "date_form": "YYYYMMDD",
                "rows": 2,
                "amount": 5.0,
                "examples": "'20230901', '20230902'",
                "remedy": (
                    "Convert: substr(event_date, 1, 4) || '-' || substr(event_date, 5, 2) || '-' || substr(event_date, 7, 2)."
                ),
            },
            {
                "source": "conversions",
                "date_form": "timestamp",
                "rows": 1,
                "amount": 50.0,
                "examples": "'2023-09-03T12:00:00Z'",
                "remedy": "Convert: substr(conv_date, 1, 10).",
            },
        ],
        (
            "2 forms of dates kept rows out of every report, most of them 2 of session_sources (amount 5.00): YYYYMMDD, such "
            "as '20230901', '20230902'. Convert: substr(event_date, 1, 4) || '-' || substr(event_date, 5, 2) || '-' || "
            "substr(event_date, 7, 2)."
        ),
    ),
    "no_user_is_a_placeholder": (
        ["INSERT INTO conversions VALUES ('c3', 'anna', '2023-09-03', '13:00:00', 5)"],
        [{"user_id": "anna", "sessions": 2, "conversions": 2}],
        (
            "1 user had more than 10% of all touchpoints of {}: 'anna' has 2 sessions for 2 conversions. If the id stands for "
            "whoever is unknown, name it in ATTRIBUTION_NOBODY."
        ),
    ),
    "buyers_have_sessions": (
        ["INSERT INTO conversions VALUES ('c3', 'nobody', '2023-09-03', '10:00:00', 5)"],
        [{"conv_id": "c3", "user_id": "nobody", "conv_date": "2023-09-03", "revenue": 5.0}],
        "1 conversion of {} came from users without any session.",
    ),
    "lookback_is_covered": (
        ["DELETE FROM session_sources WHERE session_id = 's2'"],
        [{"from_day": "2023-09-02", "to_day": "2023-09-02", "days": 1, "conversions": 2}],
        "1 gap without any session lay in the lookback of conversions of {}: journeys may be cut off.",
    ),
    "days_are_usual": (
        [
            *(f"INSERT INTO conversions VALUES ('of {day}', 'ben', '2023-08-{day}', '12:00:00', 1)" for day in range(20, 29)),
            "INSERT INTO conversions VALUES ('more', 'ben', '2023-09-03', '12:00:00', 1)",
        ],
        [{"date": "2023-09-03", "conversions": 2, "least": 1.0, "most": 1.0}],
        "1 day of {} had unusually many or few conversions, such as 2023-09-03 with 2. Usual were 1 to 1.",
    ),
    "money_is_not_negative": (
        [
            "UPDATE conversions SET revenue = -50 WHERE conv_id = 'c2'",
            "UPDATE session_costs SET cost = -1 WHERE session_id = 's2'",
        ],
        [
            {"source": "conversions", "id": "c2", "date": "2023-09-03", "amount": -50.0},
            {"source": "session_costs", "id": "s2", "date": "2023-09-02", "amount": -1.0},
        ],
        "2 negative amounts found in the sources of {}: refunds, or mistakes.",
    ),
    "events_are_sound": (
        [
            "UPDATE events SET session_id = '' WHERE event_id = 'e1'",
            "UPDATE events SET event_type = '' WHERE event_id = 'e2'",
            "UPDATE events SET created_at = '2023-09-03T10:00:00Z' WHERE event_id = 'e5'",
        ],
        [
            {"problem": "events: 'e1' has no session_id"},
            {"problem": "events: 'e2' has no event_type"},
            {"problem": "events: 'e5' has created_at '2023-09-03T10:00:00Z', which is not YYYY-MM-DD HH:MM:SS"},
        ],
        "3 events read for {} belonged to no session, step or day.",
    ),
    "event_types_are_steps": (
        ["UPDATE events SET event_type = 'view_item' WHERE event_type = 'page_view'"],
        [{"event_type": "view_item", "events": 3}],
        (
            "1 type of events of {} found to be no step, most often 'view_item' (3 times). If it should be one, name it in "
            "ATTRIBUTION_FUNNEL_STEPS."
        ),
    ),
    "checkouts_have_an_order": (
        [
            "UPDATE events SET order_id = 'c9' WHERE event_id = 'e4'",
            "UPDATE events SET order_id = NULL WHERE event_id = 'e7'",
        ],
        [
            {"event_id": "e4", "created_at": "2023-09-02 12:00:00", "session_id": "s2"}
            | {"problem": "names c9, which is not in conversions"},
            {"event_id": "e7", "created_at": "2023-09-03 12:00:00", "session_id": "s3", "problem": "names none"},
        ],
        "2 events of the last step on {} had no order, such as e4, which names c9, which is not in conversions.",
    ),
    "orders_have_a_checkout": (
        ["UPDATE events SET event_type = 'view_cart' WHERE event_id = 'e7'"],
        [{"conv_id": "c2", "conv_date": "2023-09-03", "revenue": 50.0}],
        "1 conversion of {} had no event of the last step, such as c2 of 2023-09-03 (revenue 50.0).",
    ),
    "campaign_results_are_sound": (
        [
            "UPDATE campaign_results SET revenue = 'ten' WHERE customer_id = 'A'",
            "UPDATE campaign_results SET clicks = 1.5 WHERE customer_id = 'B'",
        ],
        [
            {"problem": "campaign_results: 'A' on '2023-09-01' has revenue 'ten', which is not a number"},
            {"problem": "campaign_results: 'B' on '2023-09-03' has clicks 1.5, which is not a whole number"},
        ],
        "2 rows of campaign_results, read for {}, cannot be placed or summed.",
    ),
    "campaign_numbers_are_known": (
        ["UPDATE campaign_results SET clicks = NULL, revenue = -1 WHERE customer_id = 'A'"],
        [
            {**OF_A, "number": "clicks", "value": "missing"},
            {**OF_A, "number": "revenue", "value": "-1.0"},
        ],
        "2 numbers of campaign_results of {} found missing or negative, such as clicks of A on 2023-09-01: missing.",
    ),
    "clicks_have_impressions": (
        ["UPDATE campaign_results SET clicks = 1001 WHERE customer_id = 'A'"],
        [{**OF_A, "clicks": 1001, "impressions": 1000}],
        "1 row of campaign_results of {} had more clicks than impressions, such as A on 2023-09-01: 1,001 of 1,000.",
    ),
    "conversions_have_clicks": (
        ["UPDATE campaign_results SET conversions = 51 WHERE customer_id = 'A'"],
        [{**OF_A, "conversions": 51, "clicks": 50}],
        "1 row of campaign_results of {} had more conversions than clicks, such as A on 2023-09-01: 51 of 50.",
    ),
    "campaign_labels_are_known": (
        ["UPDATE campaign_results SET status = 'PAUSED'", "UPDATE campaign_results SET type = NULL WHERE customer_id = 'A'"],
        [
            {"label": "status", "value": "PAUSED", "results": 2},
            {"label": "type", "value": "(none)", "results": 1},
        ],
        "2 unknown labels found in campaign_results of {}, most often the status 'PAUSED', in rows: 2.",
    ),
}
RESULTS_BROKEN: dict[tuple[str, str], tuple[list[str], list[dict[str, Any]], str]] = {
    ("customer_journeys", "touchpoints_are_in_reach"): (
        ["UPDATE session_sources SET user_id = 'ben' WHERE session_id = 's1'"],
        [
            {
                "conv_id": "c1",
                "session_id": "s1",
                "conv_date": "2023-09-02",
                "timestamp": "2023-09-01 10:00:00",
                "converted_at": "2023-09-02 12:00:00",
                "problem": "the session belongs to another user",
            }
        ],
        (
            "1 touchpoint of {} broke the rule that a touchpoint is a session of the conversion's user, before the conversion "
            "and within the lookback."
        ),
    ),
    ("customer_journeys", "conversions_stand_once"): (
        ["UPDATE customer_journeys SET conv_date = '2023-09-03' WHERE session_id = 's1'"],
        [
            {
                "conv_id": "c1",
                "first_stands_on": "2023-09-02",
                "last_stands_on": "2023-09-03",
                "converted_on": "2023-09-02",
                "touchpoints": 2,
                "sessions": 2,
            }
        ],
        "1 conversion of {} had rows under a wrong day, or had a session twice.",
    ),
    ("customer_journeys", "conversions_have_sessions"): (
        ["DELETE FROM customer_journeys"],
        [
            {"conv_id": "c1", "user_id": "anna", "conv_date": "2023-09-02", "revenue": 100.0, "revenue_of_all": 150.0},
            {"conv_id": "c2", "user_id": "ben", "conv_date": "2023-09-03", "revenue": 50.0, "revenue_of_all": 150.0},
        ],
        "2 conversions of {} had no session, more than 10% of all. No channel gets their revenue of 150.00.",
    ),
    ("customer_journeys", "engagement_is_known"): (
        ["UPDATE customer_journeys SET closer_engagement = 0"],
        [{"flag": "closer_engagement", "touchpoints": 3}],
        (
            "1 engagement flag found to be 0 in all 3 touchpoints of {}, such as closer_engagement. So sessions in the middle "
            "of a journey get little credit. If you cannot tell which sessions are engaged, store 1."
        ),
    ),
    ("attribution_customer_journey", "credit_adds_up"): (
        ["UPDATE attribution_customer_journey SET ihc = 0.5 WHERE session_id = 's1'"],
        [{"conv_id": "c1", "conv_date": "2023-09-02", "sessions": 2, "ihc": 1.25}],
        "1 conversion of {} got credit that does not sum to 1.",
    ),
    ("attribution_customer_journey", "credit_follows_journeys"): (
        [
            "DELETE FROM attribution_customer_journey WHERE session_id = 's1'",
            "DELETE FROM customer_journeys WHERE session_id = 's3'",
        ],
        [
            {"conv_id": "c1", "session_id": "s1", "conv_date": "2023-09-02", "problem": "in the journey, but without credit"},
            {"conv_id": "c2", "session_id": "s3", "conv_date": "2023-09-03", "problem": "with credit, but not in the journey"},
        ],
        "2 touchpoints of {} had no credit, or had credit without being in the journey.",
    ),
    ("attribution_customer_journey", "credit_has_a_report"): (
        ["UPDATE customer_journeys SET timestamp = '2023-08-31 23:59:59' WHERE session_id = 's1'"],
        [{"conv_id": "c1", "session_id": "s1", "timestamp": "2023-08-31 23:59:59", "ihc": 0.25, "ihc_revenue": 25.0}],
        "1 touchpoint of {} got credit on a day before 2023-09-01, the first day of the report. No channel shows it.",
    ),
    ("uncredited_conversion", "conversions_count_once"): (
        [
            "INSERT INTO uncredited_conversion VALUES ('c1', '2023-09-02', 'No session', 100)",
            "DELETE FROM customer_journeys WHERE conv_id = 'c2'",
        ],
        [
            {"conv_id": "c1", "journeys": 1, "uncredited": 1, "stored_revenue": 100.0, "revenue": 100.0},
            {"conv_id": "c2", "journeys": 0, "uncredited": 0, "stored_revenue": None, "revenue": 50.0},
        ],
        "2 conversions of {} did not count exactly once, or counted with another revenue.",
    ),
    ("session_spend", "spend_is_placed"): (
        [
            "INSERT INTO ad_costs (date, campaign_id, cost) VALUES ('2023-09-02', 'brand', 4)",
            "INSERT INTO session_spend VALUES ('2023-09-02', 's2', 'brand', 'Ads', 3, 2)",
        ],
        [{"date": "2023-09-02", "campaign_id": "brand", "spend": 4.0, "own_cost": 0.0, "placed": 3.0, "displaced": 2.0}],
        "1 campaign on a day of {} had spend that is not placed once, or displaces other costs than its sessions'.",
    ),
    ("channel_costs", "costs_add_up"): (
        [
            "UPDATE channel_costs SET cost = 1.99 WHERE date = '2023-09-01'",
            "UPDATE channel_costs SET sessions = 2 WHERE date = '2023-09-03'",
        ],
        [
            {"date": "2023-09-01", "channel_name": "Email", "sessions": 1, "sessions_of_sources": 1}
            | {"cost": 1.99, "cost_of_sources": 2.0},
            {"date": "2023-09-03", "channel_name": "Email", "sessions": 2, "sessions_of_sources": 1}
            | {"cost": 0.0, "cost_of_sources": 0.0},
        ],
        "2 channels on a day of {} had sessions or costs that differ from those in the sources.",
    ),
    ("channel_costs", "channels_have_one_name"): (
        ["UPDATE channel_costs SET channel_name = 'e-mails traffic' WHERE date = '2023-09-01'"],
        [{"names": "'Email', 'e-mails traffic'", "sessions": 2, "cost": 2.0}],
        (
            "1 channel of {} stood under several names, such as 'Email', 'e-mails traffic'. Give each one "
            "name where the names come from; for the models, ATTRIBUTION_CHANNEL_GROUPS merges them."
        ),
    ),
    ("channel_reporting", "report_adds_up"): (
        ["UPDATE channel_reporting SET cost = 1.99, ihc = 0.5, ihc_revenue = 26 WHERE date = '2023-09-01'"],
        [
            {"channel_name": "Email", "date": "2023-09-01", "figure": "cost", "reported": 1.99, "of_sources": 2.0},
            {"channel_name": "Email", "date": "2023-09-01", "figure": "orders", "reported": 0.5, "of_sources": 0.25},
            {"channel_name": "Email", "date": "2023-09-01", "figure": "revenue", "reported": 26.0, "of_sources": 25.0},
        ],
        "3 figures in the report of {} differed from the tables that it is computed from.",
    ),
    ("channel_report", "channel_report_is_channel_reporting"): (
        [
            "UPDATE channel_report SET orders = 0.5 WHERE date = '2023-09-01'",
            "INSERT INTO channel_reporting VALUES ('Email', '2023-09-02', 1, 0, 0)",
        ],
        [
            {"date": day, "channel": "Email", "figure": figure, "channel_report": report, "channel_reporting": reporting}
            for day, figure, report, reporting in (
                ("2023-09-01", "orders", 0.5, 0.25),
                ("2023-09-02", "cost", None, 1.0),
                ("2023-09-02", "orders", None, 0.0),
                ("2023-09-02", "revenue", None, 0.0),
            )
        ],
        "4 figures of {} differed from those in channel_reporting.",
    ),
    ("conversion_reconciliation", "tracking_matches_the_backend"): (
        ["UPDATE conversions_backend SET revenue = 51 WHERE conv_id = 'c2'"],
        [
            {"date": "2023-09-03", "market": "(none)", "conv_id": "c2", "problem": "has another revenue"}
            | {"tracked_user": "ben", "backend_user": "ben", "tracked_date": "2023-09-03"}
            | {"tracked_revenue": 50.0, "backend_revenue": 51.0, "backend_conversions": 2}
        ],
        ("1 conversion of {} did not agree, more than 2% of the 2 in the backend, such as c2, which has another revenue."),
    ),
    ("spend_reconciliation", "campaigns_with_spend_have_sessions"): (
        [
            "UPDATE spend_reconciliation SET cost = 4",
            "INSERT INTO spend_reconciliation VALUES ('2023-09-02', 'video', 5, 7, 0, 0)",
        ],
        [
            {"campaign_id": "video", "problem": "it has no session", "cost": 5.0, "clicks": 7}
            | {"sessions": 0, "session_cost": 0.0},
            {"campaign_id": "brand", "problem": "its sessions cost 3.00", "cost": 4.0, "clicks": 1}
            | {"sessions": 1, "session_cost": 3.0},
        ],
        (
            "2 campaigns of {} did not agree with the ad platform, such as video: it has no session, and the platform charged "
            "5.00."
        ),
    ),
    ("session_report", "sessions_count_once"): (
        ["UPDATE session_report SET sessions = 2, cost = 1, conversions = 1 WHERE date = '2023-09-01'"],
        [
            {"date": "2023-09-01", "channel": "Email", "figure": figure, "reported": reported, "of_sources": of_sources}
            for figure, reported, of_sources in (("conversions", 1.0, 0.0), ("cost", 1.0, 2.0), ("sessions", 2.0, 1.0))
        ],
        "3 figures of {} differed from channel_costs or from the journeys.",
    ),
    ("session_report", "channels_are_stable"): (
        [
            f"INSERT INTO session_report VALUES ('2023-08-{day:02}', 'TV', '(none)', '(none)', 1, 1, 0, 0, 0, 0)"
            for day in range(7, 14)
        ],
        [
            {"date": day, "channel": channel, "share": share, "usual_share": usual, "z": None}
            for day, channel, share, usual in (
                ("2023-09-02", "Ads", 1.0, 0.0),
                ("2023-09-02", "TV", 0.0, 1.0),
                ("2023-09-03", "Email", 1.0, 0.0),
                ("2023-09-03", "TV", 0.0, 1.0),
            )
        ],
        "4 channels on a day of {} had an unusual share of the sessions, such as Ads on 2023-09-02: 100%, and usually 0%.",
    ),
    ("breakdown_reporting", "breakdowns_add_up"): (
        ["UPDATE breakdown_reporting SET cost = 1, orders = 0.5 WHERE date || date_basis || model = '2023-09-01sessionihc'"],
        [
            {"date": "2023-09-01", "model": "ihc", "date_basis": "session", "channel": "Email", "dimension": "campaign_id"}
            | {"figure": figure, "of_values": of_values, "of_channel": of_channel}
            for figure, of_values, of_channel in (("cost", 1.0, 2.0), ("orders", 0.5, 0.25))
        ],
        "2 figures of {} differed between the values of a dimension, all together, and their channel.",
    ),
    ("session_funnel", "sessions_are_whole"): (
        [
            "DELETE FROM session_funnel WHERE session_id = 's1'",
            "UPDATE session_funnel SET revenue = 90 WHERE session_id = 's2'",
        ],
        [
            {"date": "2023-09-01", "sessions_missing": 1, "orders_missing": 0, "revenue_missing": 0.0},
            {"date": "2023-09-02", "sessions_missing": 0, "orders_missing": 0, "revenue_missing": 10.0},
        ],
        "2 days of {} had other sessions, orders or revenue than the events.",
    ),
    ("campaign_performance", "campaigns_add_up"): (
        ["UPDATE campaign_performance SET clicks = 51, revenue = 99 WHERE customer_id = 'A'"],
        [
            {"date": "2023-09-01", "customer_id": "A", "figure": figure, "reported": reported, "of_sources": of_sources}
            for figure, reported, of_sources in (("clicks", 51.0, 50.0), ("revenue", 99.0, 100.0))
        ],
        "2 figures of {} differed from campaign_results.",
    ),
    ("platform_claims", "claims_add_up"): (
        ["INSERT INTO platform_claims VALUES ('2023-09-02', 'brand', NULL, 2, 0, NULL, NULL, 75, NULL)"],
        [
            {"date": "2023-09-02", "campaign_id": "brand", "figure": figure, "reported": reported, "of_sources": 0.0}
            for figure, reported in (("claimed conversions", 2.0), ("credited revenue", 75.0))
        ],
        "2 figures of {} differed from ad_costs or from the credit of the campaign's sessions.",
    ),
    ("funnel_report", "funnel_adds_up"): (
        ["UPDATE funnel_report SET level = 0 WHERE date = '2023-09-03' AND step = 'add_to_cart'"],
        [{"date": "2023-09-03", "step": "add_to_cart", "sessions_missing": 0, "reached_missing": 0, "level_missing": 1}],
        "1 step on a day of {} had other sessions than session_funnel.",
    ),
    ("funnel_report", "steps_follow_each_other"): (
        ["UPDATE funnel_report SET reached = 0 WHERE date = '2023-09-02' AND step = 'add_to_cart'"],
        [
            {"date": day, "step": "checkout", "reached": 1, "step_before": "add_to_cart", "reached_before": 0}
            for day in ("2023-09-02",)
        ],
        (
            "1 step on a day of {} was reached by more sessions than the step before, such as checkout on 2023-09-02: 1 after "
            "0. The tracking may miss events of the step before."
        ),
    ),
    ("product_funnel", "products_add_up"): (
        [
            "UPDATE product_funnel SET viewed = 2 WHERE date = '2023-09-02'",
            "DELETE FROM product_funnel WHERE date = '2023-09-03'",
        ],
        [
            {"date": "2023-09-02", "views_missing": -1, "purchases_missing": 0},
            {"date": "2023-09-03", "views_missing": 1, "purchases_missing": 1},
        ],
        "2 days of {} had other views or purchases than the events and orders.",
    ),
    ("customer_report", "buyers_add_up"): (
        [
            "UPDATE customer_report SET revenue = 99 WHERE date = '2023-09-02'",
            "UPDATE customer_report SET new_buyers = 0 WHERE date = '2023-09-03'",
        ],
        [
            {"date": "2023-09-02", "orders_missing": 0, "revenue_missing": 1.0, "buyers_of_no_kind": 0},
            {"date": "2023-09-03", "orders_missing": 0, "revenue_missing": 0.0, "buyers_of_no_kind": 1},
        ],
        "2 days of {} had other orders or revenue than the sources, or buyers that are neither new nor returning.",
    ),
    ("model_attribution", "model_credit_adds_up"): (
        [
            "UPDATE model_attribution SET credit = 0.75 WHERE session_id = 's1'",
            "DELETE FROM model_attribution WHERE session_id = 's3'",
        ],
        [
            {"conv_id": "c1", "conv_date": "2023-09-02", "model": "linear"}
            | {"sessions": 2, "sessions_of_journey": 2, "credit": 1.25},
            {"conv_id": "c2", "conv_date": "2023-09-03", "model": "only 0 of the models"}
            | {"sessions": 0, "sessions_of_journey": 1, "credit": 0.0},
        ],
        "2 credits of a conversion of {} did not sum to 1 under a model, or did not match the sessions of its journey.",
    ),
    ("model_attribution", "direct_traffic_is_known"): (
        [
            "UPDATE channel_costs SET channel_name = 'Banner' WHERE channel_name = 'Ads'",
            "UPDATE customer_journeys SET channel_label = 'Banner' WHERE channel_label = 'Ads'",
        ],
        [{"channel": "Email"}, {"channel": "Banner"}],
        (
            "2 channels found for {}, none of them direct traffic. So last_non_direct_touch equals last_touch, and "
            "ATTRIBUTION_DROP_DIRECT drops nothing. Name yours in ATTRIBUTION_DIRECT_CHANNELS."
        ),
    ),
    ("model_reporting", "model_report_adds_up"): (
        [
            "UPDATE model_reporting SET cost = 1.99 WHERE date = '2023-09-01' AND date_basis = 'session'",
            "DELETE FROM model_reporting WHERE date = '2023-09-02' AND date_basis = 'conversion' AND channel_name = 'Email'",
        ],
        [
            {"date": "2023-09-01", "model": "linear", "date_basis": "session", "channel_name": "Email"}
            | {"figure": "cost", "reported": 1.99, "of_sources": 2.0},
            {"date": "2023-09-02", "model": "linear", "date_basis": "conversion", "channel_name": None}
            | {"figure": "orders", "reported": 0.5, "of_sources": 1.0},
            {"date": "2023-09-02", "model": "linear", "date_basis": "conversion", "channel_name": None}
            | {"figure": "revenue", "reported": 50.0, "of_sources": 100.0},
            {"date": "2023-09-02", "model": "linear", "date_basis": "conversion", "channel_name": "Email"}
            | {"figure": "orders", "reported": 0.0, "of_sources": 0.5},
            {"date": "2023-09-02", "model": "linear", "date_basis": "conversion", "channel_name": "Email"}
            | {"figure": "revenue", "reported": 0.0, "of_sources": 50.0},
        ],
        "5 figures in the report by model of {} differed from the tables that it is computed from.",
    ),
}
OF_EVENTS = ["events_are_sound", "event_types_are_steps", "checkouts_have_an_order", "orders_have_a_checkout"]
OF_RESULTS = [check.name for check in CAMPAIGN_PERFORMANCE.checks if check.before]
READ_BY = {
    "customer_journeys": [name for name in SOURCES_BROKEN if name not in (*OF_EVENTS, *OF_RESULTS)],
    "session_funnel": OF_EVENTS,
    "campaign_performance": OF_RESULTS,
    "session_spend": ["sessions_are_sound"],
    COSTS: ["sessions_are_sound", "rows_have_a_day", "money_is_not_negative"],
    REPORT: ["conversions_are_sound"],
    "model_reporting": ["conversions_are_sound"],
}
BROKEN = {
    **{(asset, name): SOURCES_BROKEN[name] for asset, names in READ_BY.items() for name in names},
    **RESULTS_BROKEN,
}
