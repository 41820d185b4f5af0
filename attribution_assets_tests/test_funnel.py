"""The funnel: sessions in their steps, products, buyers; each session once and whole, on the day of its first event."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution_assets.analysis.checking import check_parameters, run_check
from attribution_assets.analysis.funnel import funnel
from attribution_assets.analysis.late_data import search
from attribution_assets.catalog.funnel import OF_FUNNEL, SESSION_FUNNEL
from attribution_assets.catalog.table import FUNNEL
from attribution_assets.catalog.tables import names, query_of, tables
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import SOURCES, Days, schema
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import SHARED, Shop

STORE = SHARED / "real" / "store"
DAYS = Days("2023-09-01", "2023-09-05")
PAGE, CART, CHECKOUT = STEPS = ("page_view", "add_to_cart", "checkout")
SOURCES_OF_FUNNEL = ("events", "order_items", "products")


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A shop with the tables of events, which are empty."""
    for source in SOURCES_OF_FUNNEL:
        shop.execute(schema()[source].create)
    return shop


def event(
    shop: Shop,
    session: str,
    type_: str,
    at: str,
    *,
    user: str | None = "anna",
    product: str | None = None,
    order: str | None = None,
) -> None:
    """An event `at` a day and time of September 2023: "01 10:00"."""
    number = shop.execute("SELECT count(*) FROM events")[0][0]
    row = (f"e{number}", session, user or "", type_, f"2023-09-{at}:00", product, order)
    shop.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL, ?, ?)", *row)


def build(shop: Shop, days: Days = DAYS, **choices: Any) -> Settings:
    """Builds the funnel of the days, and demands what the blocking checks demand."""
    settings_ = shop.settings(**choices)
    shop.warehouse.prepare()
    for table in (table for table in tables(settings_) if table.job == FUNNEL):
        settings_.warehouse.replace_days(schema()[table.name], table.day_column, days, query_of(settings_, table, days))
        for check in (check for check in table.checks if check.blocking):
            found = run_check(settings_.warehouse, table.name, check, check_parameters(settings_, table, days))
            assert not found.offending, found
    return settings_


def sessions(shop: Shop, columns: str = "date, session_id, steps, furthest") -> list[tuple[Any, ...]]:
    return shop.table("session_funnel", columns)


# -- sessions ----------------------------------------------------------------------------------------------------------


def test_a_session_counts_once_with_every_step_it_reached_whatever_their_order(shop: Shop) -> None:
    event(shop, "s1", CHECKOUT, "01 10:00", order="o1")
    event(shop, "s1", PAGE, "01 10:05")
    event(shop, "s1", PAGE, "01 10:06")

    build(shop)

    assert sessions(shop) == [("2023-09-01", "s1", "page_view,checkout", 3)]


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ([(CHECKOUT, "10:00"), (PAGE, "10:05")], PAGE),
        ([(PAGE, "10:00"), (CHECKOUT, "10:05")], PAGE),
        ([(PAGE, "10:00"), (CART, "10:05"), (CHECKOUT, "10:10")], "page_view,add_to_cart,checkout"),
        ([(PAGE, "10:00"), (CHECKOUT, "10:05"), (CART, "10:10")], "page_view,add_to_cart"),
        ([(CART, "10:00"), (PAGE, "10:05"), (CHECKOUT, "10:10"), (CART, "10:20")], "page_view,add_to_cart"),
        ([(PAGE, "10:00"), (CART, "10:00")], "page_view,add_to_cart"),
        ([(CART, "10:00")], ""),
    ],
)
def test_in_order_a_step_counts_only_after_the_step_before(shop: Shop, events: list[tuple[str, str]], steps: str) -> None:
    for type_, at in events:
        event(shop, "s1", type_, f"01 {at}")

    build(shop, funnel_order="ordered")

    assert sessions(shop, "steps, furthest") == [(steps, len(steps.split(",")) if steps else 0)]


def test_a_session_over_midnight_is_found_whole_on_the_day_of_its_first_event(shop: Shop) -> None:
    event(shop, "s1", PAGE, "01 23:59")
    event(shop, "s1", CHECKOUT, "02 00:01", order="o1")
    event(shop, "s1", "package_shipped", "05 09:00")

    for day in DAYS:
        build(shop, Days(day, day))

    columns = "date, steps, first_event, last_event"
    assert sessions(shop, columns) == [("2023-09-01", "page_view,checkout", "2023-09-01 23:59:00", "2023-09-05 09:00:00")]


def test_a_session_without_any_step_is_a_session(shop: Shop) -> None:
    event(shop, "s1", "scroll", "01 10:00")

    settings_ = build(shop)

    assert sessions(shop) == [("2023-09-01", "s1", "", 0)]
    assert funnel(settings_)["total"]["sessions"] == 1


def test_steps_are_a_setting(shop: Shop) -> None:
    event(shop, "s1", "view_item", "01 10:00")
    event(shop, "s1", "purchase", "01 11:00", order="o1")
    event(shop, "s1", PAGE, "01 11:00")

    settings_ = build(shop, funnel_steps=["view_item", "begin_checkout", "purchase"])

    assert sessions(shop, "steps, furthest, orders") == [("view_item,purchase", 3, 1)]
    assert funnel(settings_)["total"]["steps"] == {"view_item": 1, "begin_checkout": 0, "purchase": 1}


@pytest.mark.parametrize(
    "steps", [[CHECKOUT], [f"step {number}" for number in range(9)] + [CHECKOUT], ["100%", "it's", CHECKOUT]]
)
@pytest.mark.parametrize("order", ["any", "ordered"])
def test_a_funnel_has_one_step_or_ten_whatever_they_are_called(shop: Shop, steps: list[str], order: Any) -> None:
    for number, step in enumerate(steps):
        event(shop, "s1", step, f"01 10:{number:02}", order="o1", product="fern")
    event(shop, "s2", steps[0], "01 10:00")
    shop.execute("INSERT INTO order_items VALUES ('o1', 'fern', 1)")

    settings_ = build(shop, funnel_steps=steps, funnel_order=order)

    assert sessions(shop, "session_id, steps, furthest") == [("s1", ",".join(steps), len(steps)), ("s2", steps[0], 1)]
    assert funnel(settings_)["total"]["levels"] == {f"level_{n + 1}": 1 + (n == 0) for n in range(len(steps))}
    assert shop.table("product_funnel", "product_id, bought") == [("fern", 1)]


def test_the_user_is_the_one_of_the_last_event_that_has_one(shop: Shop) -> None:
    event(shop, "s1", PAGE, "01 10:00", user="cookie-7")
    event(shop, "s1", PAGE, "01 10:05", user="anna")
    event(shop, "s2", PAGE, "01 10:00", user=None)
    event(shop, "s3", PAGE, "01 10:00", user="Anna B")
    shop.execute("UPDATE events SET created_at = created_at || '.125' WHERE session_id = 's3'")
    event(shop, "s3", PAGE, "01 10:05", user=None)

    build(shop)

    assert sessions(shop, "session_id, user_id") == [("s1", "anna"), ("s2", None), ("s3", "Anna B")]


def test_a_channel_is_the_one_that_session_sources_knows(shop: Shop) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email")
    event(shop, "s1", PAGE, "01 10:00")
    event(shop, "s2", PAGE, "01 10:00")

    build(shop)

    assert sorted(sessions(shop, "session_id, channel")) == [("s1", "Email"), ("s2", None)]
    assert shop.table("funnel_report", "channel, step, sessions") == [
        (channel, step, 1) for channel in ("(unknown)", "Email") for step in sorted(STEPS)
    ]


# -- orders ------------------------------------------------------------------------------------------------------------


def test_an_order_counts_once_in_the_session_that_placed_it_first(shop: Shop) -> None:
    shop.conversion("o1", "anna", "2023-09-01 12:00:00", 100)
    event(shop, "s2", CHECKOUT, "01 12:30", order="o1")
    event(shop, "s1", CHECKOUT, "01 12:00", order="o1")
    event(shop, "s1", CHECKOUT, "01 12:01", order="o1")

    build(shop)

    assert sessions(shop, "session_id, orders, revenue") == [("s1", 1, 100.0), ("s2", 0, None)]


def test_of_two_sessions_that_name_an_order_in_the_same_second_it_counts_in_the_first_by_id(shop: Shop) -> None:
    for session in ("s2", "s1", "s3"):
        event(shop, session, CHECKOUT, "01 12:00", order="o1")

    build(shop)

    assert sessions(shop, "session_id, orders") == [("s1", 1), ("s2", 0), ("s3", 0)]


def test_the_revenue_of_a_session_is_that_of_the_orders_that_are_known(shop: Shop) -> None:
    shop.conversion("o1", "anna", "2023-09-02 12:00:00", 0.1)
    shop.conversion("o2", "anna", "2023-09-01 12:00:00", 0.2)
    for order in ("o1", "o2", "lost"):
        event(shop, "s1", CHECKOUT, "01 12:00", order=order)
    event(shop, "s2", CHECKOUT, "01 12:00", order="lost too")

    build(shop)

    assert sessions(shop, "session_id, orders, revenue") == [("s1", 3, pytest.approx(0.3)), ("s2", 1, None)]


def test_without_conversions_an_order_is_a_checkout_and_its_revenue_is_unknown(shop: Shop) -> None:
    event(shop, "s1", CHECKOUT, "01 12:00", order="o1")
    event(shop, "s1", CHECKOUT, "01 12:00", order="o1")
    shop.execute("DROP TABLE conversions")

    settings_ = build(shop)

    assert sessions(shop, "orders, revenue") == [(1, None)]
    [customers] = funnel(settings_)["customers"]
    assert (customers["orders"], customers["revenue"], customers["new_buyers"]) == (1, None, 1)


@pytest.mark.parametrize("amount", ["ten", None, 1e300])
def test_an_order_whose_revenue_cannot_be_summed_stops_the_run(shop: Shop, amount: Any) -> None:
    event(shop, "s1", PAGE, "01 23:59")
    event(shop, "s1", CHECKOUT, "02 00:01", order="o1")
    shop.execute("DROP TABLE conversions")
    shop.execute("CREATE TABLE conversions (conv_id text PRIMARY KEY, user_id, conv_date text, conv_time text, revenue)")
    shop.execute("INSERT INTO conversions VALUES ('o1', 'anna', '2023-09-09', '12:00:00', ?)", amount)

    with pytest.raises(AttributionError, match=r"session_funnel was not written.* 'o1' has revenue .*, which is not a number"):
        build(shop, Days("2023-09-01", "2023-09-01"))


def test_an_order_of_another_currency_stops_the_run(shop: Shop) -> None:
    event(shop, "s1", CHECKOUT, "01 12:00", order="o1")
    shop.conversion("o1", "anna", "2023-09-01 12:00:00", 100)
    shop.execute("ALTER TABLE conversions ADD COLUMN currency text")
    shop.execute("UPDATE conversions SET currency = 'USD'")

    with pytest.raises(AttributionError, match="'o1' is in USD, and ATTRIBUTION_CURRENCY is EUR"):
        build(shop)


def test_an_order_that_was_tracked_twice_stops_the_run(shop: Shop) -> None:
    event(shop, "s1", CHECKOUT, "01 12:00", order="o1")
    shop.execute("DROP TABLE conversions")
    shop.execute("CREATE TABLE conversions (conv_id text, user_id text, conv_date text, conv_time text, revenue real)")
    for user in ("anna", "ben"):
        shop.conversion("o1", user, "2023-09-01 12:00:00")

    with pytest.raises(AttributionError, match="conv_id 'o1' appears 2 times in conversions"):
        build(shop)


def test_events_need_no_page_no_product_and_no_order(shop: Shop) -> None:
    shop.execute("DROP TABLE events")
    shop.execute("CREATE TABLE events (event_id text, session_id text, user_id text, event_type text, created_at text)")
    shop.execute("INSERT INTO events VALUES ('e1', 's1', 'anna', 'checkout', '2023-09-01 12:00:00')")

    settings_ = build(shop)

    assert sessions(shop, "steps, orders, revenue") == [("checkout", 0, None)]
    assert names(tables(settings_))[-3:] == ["session_funnel", "funnel_report", "customer_report"]


def test_events_can_be_a_view(shop: Shop) -> None:
    event(shop, "s1", CHECKOUT, "01 12:00", order="o1")
    shop.conversion("o1", "anna", "2023-09-01 12:00:00", 10)
    shop.execute("ALTER TABLE events RENAME TO tracked_events")
    shop.execute("CREATE VIEW events AS SELECT * FROM tracked_events")

    build(shop)

    assert sessions(shop, "steps, orders, revenue") == [("checkout", 1, 10.0)]


def test_an_event_that_was_sent_twice_counts_once(shop: Shop) -> None:
    shop.execute("DROP TABLE events")
    shop.execute(schema()["events"].create.replace("PRIMARY KEY (event_id)", "CHECK (1)"))
    for _ in range(2):
        shop.execute("INSERT INTO events VALUES ('e1', 's1', 'anna', 'checkout', '2023-09-01 12:00:00', NULL, 'fern', 'o1')")
    shop.execute("INSERT INTO order_items VALUES ('o1', 'fern', 2)")

    build(shop)

    assert sessions(shop, "steps, orders") == [("checkout", 1)]
    assert shop.table("product_funnel", "viewed, added, bought") == [(0, 0, 1)]


# -- the report --------------------------------------------------------------------------------------------------------


def five_sessions(shop: Shop) -> None:
    """Of five sessions, four viewed a page; three of these added to the cart; one bought, and one bought without a cart."""
    for session, types in {
        "s1": (PAGE, CART, CHECKOUT),
        "s2": (PAGE, CART),
        "s3": (PAGE, CART),
        "s4": (PAGE, CHECKOUT),
        "s5": ("scroll",),
    }.items():
        for minute, type_ in enumerate(types):
            event(shop, session, type_, f"01 10:{minute:02}", order=session if type_ == CHECKOUT else None)


def test_the_funnel_of_five_sessions(shop: Shop) -> None:
    five_sessions(shop)

    found = funnel(build(shop))

    assert found["total"] == {
        "sessions": 5,
        "steps": {PAGE: 4, CART: 3, CHECKOUT: 2},
        "levels": {"level_1": 4, "level_2": 4, "level_3": 2},
        "rates": {PAGE: 0.8, CART: 0.6, CHECKOUT: 0.4},
    }
    assert found["drop_off"] == [
        {"from": "sessions", "to": PAGE, "sessions": 1, "share": 0.2},
        {"from": PAGE, "to": CART, "sessions": 0, "share": 0.0},
        {"from": CART, "to": CHECKOUT, "sessions": 2, "share": 0.5},
    ]
    assert found["largest_drop_off"] == found["drop_off"][2]
    assert shop.table("funnel_report", "position, reached, level, rate, level_rate, round(drop_off, 12)") == [
        (1, 4, 4, 0.8, 0.8, 0.2),
        (2, 3, 4, 0.6, 0.8, 0.0),
        (3, 2, 2, 0.4, 0.4, 0.5),
    ]


def test_of_equal_drop_offs_the_first_by_name_is_the_largest(shop: Shop) -> None:
    for session, types in {"s1": (PAGE, CART), "s2": (PAGE,), "s3": (), "s4": ()}.items():
        for type_ in (*types, "scroll"):
            event(shop, session, type_, "01 10:00")

    found = funnel(build(shop, funnel_steps=[PAGE, CART]))

    assert [each["share"] for each in found["drop_off"]] == [0.5, 0.5]
    assert found["largest_drop_off"]["from"] == PAGE


def test_what_is_divided_by_nothing_is_null(shop: Shop) -> None:
    event(shop, "s1", "scroll", "01 10:00")
    event(shop, "s1", CART, "01 10:00", product="fern")

    found = funnel(build(shop, funnel_steps=["visit", CART, CHECKOUT]), "2023-09-02", "2023-09-03")
    of_first_day = funnel(shop.settings(funnel_steps=["visit", CART, CHECKOUT]), "2023-09-01", "2023-09-01")

    assert found["total"] == {
        "sessions": 0,
        "steps": {"visit": 0, CART: 0, CHECKOUT: 0},
        "levels": {"level_1": 0, "level_2": 0, "level_3": 0},
        "rates": {"visit": None, CART: None, CHECKOUT: None},
    }
    assert [each["share"] for each in found["drop_off"]] == [None, None, None]
    assert (found["largest_drop_off"], found["days"], found["products"], found["customers"]) == (None, [], [], [])
    assert of_first_day["products"] == [
        {"product_id": "fern", "name": None, "viewed": 0, "added": 1, "bought": 0, "conversion": None}
    ]


def test_a_funnel_of_other_steps_is_not_shown_as_that_of_these(shop: Shop) -> None:
    five_sessions(shop)
    build(shop)

    with pytest.raises(
        NotReadyError,
        match=r"The funnel of 2023-09-01 was computed with other steps than page_view, checkout. "
        r"Run `attribution run --groups funnel --start 2023-09-01 --end 2023-09-01`.",
    ):
        funnel(shop.settings(funnel_steps=[PAGE, CHECKOUT]))


def test_without_a_run_there_is_no_funnel(shop: Shop) -> None:
    with pytest.raises(NotReadyError, match="has no funnel yet: no row of events has a time"):
        funnel(shop.settings())
    event(shop, "s1", PAGE, "01 10:00")
    with pytest.raises(NotReadyError, match="has no funnel yet: run `attribution run` first"):
        funnel(shop.settings())
    shop.execute("DROP TABLE events")
    with pytest.raises(NotReadyError, match="has no funnel yet: it has no events"):
        funnel(shop.settings())


# -- products and buyers -----------------------------------------------------------------------------------------------


def test_a_product_is_viewed_added_and_bought_by_sessions(shop: Shop) -> None:
    shop.execute("INSERT INTO products VALUES ('fern', 'Fern'), ('moss', 'Moss')")
    shop.execute("INSERT INTO order_items VALUES ('o1', 'fern', 3), ('o1', 'pot', 1)")
    for session in ("s1", "s2"):
        event(shop, session, PAGE, "01 10:00", product="fern")
        event(shop, session, PAGE, "01 10:01", product="fern")
    event(shop, "s2", PAGE, "01 10:02", product="moss")
    event(shop, "s1", CART, "01 10:05", product="fern")
    event(shop, "s1", CHECKOUT, "01 10:10", order="o1")

    found = funnel(build(shop))

    assert shop.table("product_funnel") == [
        ("2023-09-01", "fern", "Fern", 2, 1, 1, 0.5),
        ("2023-09-01", "moss", "Moss", 1, 0, 0, 0.0),
        ("2023-09-01", "pot", None, 0, 0, 1, None),
    ]
    assert [row["product_id"] for row in found["products"]] == ["fern", "pot", "moss"]


def test_an_order_that_two_sessions_name_is_bought_by_the_first(shop: Shop) -> None:
    shop.execute("INSERT INTO order_items VALUES ('o1', 'fern', 1), ('o1', '', 1)")
    event(shop, "s1", PAGE, "01 10:00", product="fern")
    event(shop, "s1", CHECKOUT, "01 10:05", order="o1")
    event(shop, "s2", CHECKOUT, "03 09:00", order="o1")

    found = funnel(build(shop))

    assert [(row["product_id"], row["viewed"], row["bought"]) for row in found["products"]] == [("fern", 1, 1)]


@pytest.mark.parametrize(
    "at",
    [
        "2023-09-01 10:00:00 UTC",
        "2023-09-01 10:00:00+02:00",
        "2023-09-01 24:00:00",
        "2023-09-01 10:00:00.5-02",
        "2023-09-01",
        None,
    ],
)
def test_a_time_of_another_form_stops_the_run_and_is_named(shop: Shop, at: str | None) -> None:
    shop.execute("DROP TABLE events")
    shop.execute("CREATE TABLE events (event_id text, session_id text, user_id text, event_type text, created_at text)")
    shop.execute("INSERT INTO events VALUES ('e1', 's1', 'anna', 'checkout', '2023-09-01 10:00:00.25')")
    build(shop)
    shop.execute("INSERT INTO events VALUES ('e2', 's1', 'anna', 'checkout', ?)", at)

    with pytest.raises(AttributionError, match=r"events: 'e2' has created_at .*, which is not YYYY-MM-DD HH:MM:SS"):
        build(shop)


def test_a_buyer_is_new_until_the_day_of_the_first_order_is_over(shop: Shop) -> None:
    event(shop, "s1", PAGE, "01 10:00", user="anna")
    event(shop, "s9", PAGE, "05 10:00", user="carl")
    shop.session("s0", "ben", "2023-08-31 12:00:00")
    shop.session("s8", "ben", "2023-09-01 12:00:00")
    for conv_id, user, at in (
        ("o1", "anna", "01 12:00"),
        ("o2", "anna", "01 14:00"),
        ("o3", "anna", "02 10:00"),
        ("o4", "ben", "02 12:00"),
        ("o5", "carl", "02 12:00"),
    ):
        shop.conversion(conv_id, user, f"2023-09-{at}:00", 10)

    build(shop)

    columns = "date, orders, revenue, buyers, new_buyers, returning_buyers, round(repeat_rate, 6)"
    assert shop.table("customer_report", columns) == [
        ("2023-09-01", 2, 20.0, 1, 1, 0, 0.0),
        ("2023-09-02", 3, 30.0, 3, 2, 1, 0.333333),
    ]
    hours = "date, orders_with_session, hours_to_order, first_orders_with_session, hours_to_first_order"
    assert shop.table("customer_report", hours) == [
        ("2023-09-01", 2, 3.0, 1, 2.0),  # Anna's orders, two and four hours after her first session
        ("2023-09-02", 2, 36.0, 1, 48.0),  # Anna's third after 24, Ben's first after 48; Carl came later
    ]


def test_a_buyers_first_session_begins_before_it_knows_the_buyer(shop: Shop) -> None:
    event(shop, "s1", PAGE, "01 08:00", user=None)
    event(shop, "s1", CHECKOUT, "01 10:00", order="o1")
    shop.conversion("o1", "anna", "2023-09-01 10:00:00")

    build(shop)

    assert shop.table("customer_report", "hours_to_order") == [(2.0,)]


def test_an_order_without_a_day_makes_nobody_a_returning_buyer(shop: Shop) -> None:
    event(shop, "s1", PAGE, "01 08:00")
    shop.conversion("o1", "anna", "2023-09-01 10:00:00")
    shop.execute("INSERT INTO conversions VALUES ('o0', 'anna', '01.01.2023', '10:00:00', 5)")

    build(shop)

    assert shop.table("customer_report", "orders, new_buyers, returning_buyers") == [(1, 1, 0)]


def test_who_is_nobody_orders_and_is_no_buyer(shop: Shop) -> None:
    event(shop, "s1", PAGE, "01 10:00", user="null")
    shop.conversion("o1", "null", "2023-09-01 12:00:00", 10)

    build(shop, nobody=["null"])

    assert shop.table("customer_report", "orders, revenue, buyers, repeat_rate, hours_to_order") == [(1, 10.0, 0, None, None)]


# -- any events --------------------------------------------------------------------------------------------------------

Event = tuple[str, str, str, str, str | None, str | None]

EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["s1", "s2", "s3", "s4"]),
        st.sampled_from(["anna", "ben", ""]),
        st.sampled_from([*STEPS, "scroll"]),
        st.integers(0, 4 * 24 * 4).map(lambda quarter: (datetime(2023, 9, 1) + timedelta(minutes=15 * quarter)).isoformat(" ")),
        st.sampled_from(["fern", "moss", None]),
        st.sampled_from(["o1", "o2", "o3", None]),
    ),
    max_size=25,
)
"""Events of four sessions over five days, in no order, with three orders that several sessions may name."""


def filled(folder: Path, events: list[Event]) -> Shop:
    shop = Shop(folder / "shop.db", folder / "exports")
    for source in SOURCES_OF_FUNNEL:
        shop.execute(schema()[source].create)
    shop.execute("INSERT INTO order_items VALUES ('o1', 'fern', 1), ('o1', 'moss', 1), ('o2', 'moss', 2)")
    shop.session("s1", "anna", "2023-09-01 00:00:00", "Email")
    for number, day in ((1, 1), (2, 3)):
        shop.conversion(f"o{number}", "anna", f"2023-09-{day:02} 12:00:00", number * 0.1)
    add(shop, events)
    return shop


def add(shop: Shop, events: list[Event]) -> None:
    before = shop.execute("SELECT count(*) FROM events")[0][0]
    for number, (session, user, type_, at, product, order) in enumerate(events, start=before):
        row = (f"e{number}", session, user, type_, at, product, order)
        shop.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, NULL, ?, ?)", *row)


def results(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    return {table: shop.table(table) for table in names(OF_FUNNEL)}


any_events = settings(settings.get_profile("databases"), suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("order", ["any", "ordered"])
@any_events
@given(events=EVENTS, seed=st.integers(0, 9))
def test_the_order_in_which_events_are_stored_changes_nothing(order: Any, events: list[Event], seed: int) -> None:
    shuffled = random.Random(seed).sample(events, len(events))
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        shops = filled(Path(one), events), filled(Path(other), shuffled)
        for shop in shops:
            build(shop, funnel_order=order)

        assert results(shops[0]) == results(shops[1])
        assert len(sessions(shops[0])) == len({event[0] for event in events})


@any_events
@given(events=EVENTS)
def test_daily_reports_sum_to_those_of_the_range(events: list[Event]) -> None:
    with TemporaryDirectory() as folder:
        shop = filled(Path(folder), events)
        settings_ = build(shop)
        whole = funnel(settings_, DAYS.first, DAYS.last)
        days = [funnel(settings_, day, day) for day in DAYS]

    for part in ("steps", "levels"):
        for name, count in whole["total"][part].items():
            assert count == sum(day["total"][part][name] for day in days)
    assert whole["total"]["sessions"] == sum(day["total"]["sessions"] for day in days)
    for product in whole["products"]:
        of_days = [row for day in days for row in day["products"] if row["product_id"] == product["product_id"]]
        assert all(product[name] == sum(row[name] for row in of_days) for name in ("viewed", "added", "bought"))


@pytest.mark.parametrize("order", ["any", "ordered"])
@any_events
@given(events=EVENTS)
def test_both_engines_give_the_same_bits(order: Any, events: list[Event]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        shops = {engine: filled(Path(folder), events) for engine, folder in (("sqlite", one), ("duckdb", other))}
        for engine, shop in shops.items():
            build(shop, compute=engine, funnel_order=order)

        assert results(shops["sqlite"]) == results(shops["duckdb"])


def late(settings_: Settings, computed: dict[str, dict[str, int]], *, remember: bool = False) -> dict[str, dict[str, str]]:
    found, _ = search(settings_, DAYS, computed, remember_right_days=remember)
    return {table: dict(of_table) for table, of_table in found.days.items() if of_table}


def restate(settings_: Settings, days: dict[str, dict[str, str]]) -> None:
    """Computes the late days again, and those that follow from them."""
    done: dict[str, set[str]] = {}
    for table in (table for table in tables(settings_) if table.job == FUNNEL):
        done[table.name] = set(days.get(table.name, ())).union(*(done[name] for name in table.follows))
        for day in sorted(done[table.name]):
            query = query_of(settings_, table, Days(day, day))
            settings_.warehouse.replace_days(schema()[table.name], table.day_column, Days(day, day), query)


ALL_DAYS = {table: dict.fromkeys(DAYS, 1) for table in names(OF_FUNNEL)}


@any_events
@given(events=EVENTS, late_events=EVENTS)
def test_restating_after_late_events_equals_a_rebuild(events: list[Event], late_events: list[Event]) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        shop, rebuilt = filled(Path(one), events), filled(Path(other), [*events, *late_events])
        settings_ = build(shop)
        assert late(settings_, ALL_DAYS, remember=True) == {}
        add(shop, late_events)
        restate(settings_, late(settings_, ALL_DAYS))
        assert late(settings_, ALL_DAYS) == {}
        build(rebuilt)

        assert results(shop) == results(rebuilt)


# -- late data ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def built(shop: Shop) -> Shop:
    """Three sessions on three days, with what belongs to them; the search has found every day right."""
    shop.session("s2", "ben", "2023-09-02 10:00:00", "Email")
    shop.conversion("o2", "ben", "2023-09-02 12:00:00", 10)
    shop.conversion("o4", "ben", "2023-09-04 12:00:00", 20)
    shop.execute("INSERT INTO products VALUES ('fern', 'Fern')")
    shop.execute("INSERT INTO order_items VALUES ('o2', 'fern', 1)")
    for day in (2, 3, 4):
        event(shop, f"s{day}", PAGE, f"0{day} 10:00", user="ben", product="fern")
    event(shop, "s2", CHECKOUT, "02 12:00", user="ben", order="o2")
    event(shop, "s4", CHECKOUT, "04 12:00", user="ben", order="o4")
    assert late(build(shop), ALL_DAYS, remember=True) == {}
    return shop


@pytest.mark.parametrize(
    ("change", "days"),
    [
        (
            "INSERT INTO events VALUES ('e9', 's3', 'ben', 'add_to_cart', '2023-09-01 23:00:00', NULL, 'fern', NULL)",
            {"session_funnel": {"2023-09-01", "2023-09-03"}, "customer_report": {"2023-09-02", "2023-09-04"}},
        ),
        (
            "INSERT INTO events VALUES ('e9', 's2', 'ben', 'package_shipped', '2023-09-05 23:00:00', NULL, NULL, 'o2')",
            {"session_funnel": {"2023-09-02"}},
        ),
        ("DELETE FROM events WHERE session_id = 's3'", {"session_funnel": {"2023-09-03"}}),
        ("UPDATE session_sources SET channel_name = 'Ads'", {"session_funnel": {"2023-09-02"}}),
        (
            "UPDATE session_sources SET event_date = '2023-09-01'",
            {"customer_report": {"2023-09-02", "2023-09-04"}},
        ),
        (
            "UPDATE conversions SET revenue = 11 WHERE conv_id = 'o2'",
            {"session_funnel": {"2023-09-02"}, "customer_report": {"2023-09-02"}},
        ),
        ("UPDATE products SET name = 'Big fern'", {"product_funnel": {"2023-09-02", "2023-09-03", "2023-09-04"}}),
        ("INSERT INTO order_items VALUES ('o4', 'fern', 1)", {"product_funnel": {"2023-09-04"}}),
        ("UPDATE events SET product_id = 'moss' WHERE session_id = 's3'", {"product_funnel": {"2023-09-03"}}),
        (
            "INSERT INTO conversions VALUES ('o1', 'ben', '2023-09-01', '12:00:00', 5)",
            {"customer_report": {"2023-09-01", "2023-09-02"}},
        ),
        ("UPDATE events SET page_url = 'https://example.org'", {}),
    ],
)
def test_a_change_makes_exactly_the_days_late_that_it_touches(built: Shop, change: str, days: dict[str, set[str]]) -> None:
    built.execute(change)

    found = late(built.settings(), ALL_DAYS)

    assert {table: {*of_table} for table, of_table in found.items()} == days
    restate(built.settings(), found)
    assert late(built.settings(), ALL_DAYS) == {}


def test_a_late_day_says_what_of_its_sources_changed(built: Shop) -> None:
    built.execute("DELETE FROM events WHERE session_id = 's3'")

    assert late(built.settings(), ALL_DAYS) == {"session_funnel": {"2023-09-03": "events, orders or channels changed"}}


# -- runs --------------------------------------------------------------------------------------------------------------


def attribution(shop: Shop, *command: str, **environment: str) -> Result:
    given_ = {
        "ATTRIBUTION_DATABASE": str(shop.database),
        "ATTRIBUTION_EXPORTS": str(shop.exports),
        "ATTRIBUTION_END_DATE": "2023-09-05",
        **environment,
    }
    return CliRunner().invoke(main, command, env=given_)


def told(shop: Shop, *command: str) -> Any:
    result = attribution(shop, *command, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def events_alone(tmp_path: Path, history: dg.DagsterInstance) -> Shop:
    """A database with nothing but events."""
    shop = Shop.at(tmp_path / "shop.db", tmp_path / "exports")
    shop.execute(schema()["events"].create)
    five_sessions(shop)
    return shop


@pytest.mark.dagster_home
def test_a_database_with_events_alone_has_a_funnel(events_alone: Shop) -> None:
    told_run = told(events_alone, "run")

    assert told_run["groups"] == ["funnel"]
    assert [row["group"] for row in told_run["left_out"]] == ["attribution", "campaigns"]
    assert told_run["left_out"][0]["lacks"] == ["conversions", "session_costs", "session_sources"]
    assert (told_run["start"], told_run["end"]) == ("2023-09-01", "2023-09-01")
    assert told(events_alone, "funnel")["total"]["steps"] == {PAGE: 4, CART: 3, CHECKOUT: 2}
    states = told(events_alone, "status")
    assert (states[0]["final"], states[0]["final_on"]) == (False, None)
    assert {name: state["state"] for name, state in states[0]["assets"].items()} == {
        "session_funnel": "fresh",
        "funnel_report": "fresh",
        "customer_report": "fresh",
    }
    assert {finding["result"] for finding in told(events_alone, "check")} == {"passed", "warning"}


def test_a_run_says_which_groups_it_takes_and_what_others_lack(events_alone: Shop) -> None:
    said = attribution(events_alone, "run").stderr

    assert "Rebuilding funnel of 2023-09-01." in said
    assert "attribution is left out: the database has no conversions and no session_costs and no session_sources." in said
    assert "campaigns" not in said


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("attribution", "attribution cannot be run: {} has no conversions and no session_costs and no session_sources."),
        ("funnel,campaigns", "campaigns cannot be run: {} has no campaign_results."),
        ("channels", "There is no group 'channels' to run. Choose from attribution, funnel, campaigns."),
    ],
)
def test_a_group_that_cannot_be_run_is_refused(events_alone: Shop, groups: str, message: str) -> None:
    result = attribution(events_alone, "run", "--groups", groups)

    assert (result.exit_code, result.stderr) == (1, f"Error: {message.format(events_alone.database)}\n")


def test_a_run_of_chosen_groups_leaves_the_others_as_they_were(shop: Shop, history: dg.DagsterInstance) -> None:
    five_sessions(shop)
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.conversion("s1", "anna", "2023-09-01 12:00:00")

    assert told(shop, "run", "--groups", "funnel")["groups"] == ["funnel"]

    assert shop.table("customer_journeys") == []
    assert len(sessions(shop)) == 5
    assert told(shop, "run")["groups"] == ["attribution", "funnel"]
    assert len(shop.table("customer_journeys")) == 1


def test_a_database_without_any_source_is_told_what_is_missing(tmp_path: Path, history: dg.DagsterInstance) -> None:
    shop = Shop.at(tmp_path / "empty.db", tmp_path)
    shop.execute("CREATE TABLE mine (x)")

    assert "has no table" in attribution(shop, "run").stderr


def test_days_of_a_run_are_those_of_the_events_and_of_the_funnel(events_alone: Shop) -> None:
    told(events_alone, "run")
    events_alone.execute("UPDATE events SET created_at = replace(created_at, '-01 ', '-03 ')")

    again = told(events_alone, "run")

    assert (again["start"], again["end"]) == ("2023-09-01", "2023-09-03")
    assert {row[0] for row in sessions(events_alone)} == {"2023-09-03"}


def test_a_part_without_rows_is_left_out_and_named(events_alone: Shop) -> None:
    for source in (*SOURCES, "campaign_results"):
        events_alone.execute(schema()[source].create)

    result = attribution(events_alone, "run")

    assert result.exit_code == 0
    assert "attribution is left out. The table conversions in" in result.stderr
    assert f"campaigns is left out. The table campaign_results in {events_alone.database} has no row" in result.stderr
    assert len(sessions(events_alone)) == 5


def test_a_part_that_is_chosen_and_has_no_rows_is_refused(events_alone: Shop) -> None:
    events_alone.execute("DELETE FROM events")

    result = attribution(events_alone, "run", "--groups", " funnel ")

    assert result.stderr == f"Error: The table events in {events_alone.database} has no row with a date. Fill it first.\n"


def test_orders_without_a_date_are_told(events_alone: Shop) -> None:
    events_alone.execute(schema()["conversions"].create)
    events_alone.execute("INSERT INTO conversions VALUES ('o0', 'anna', '01.01.2023', '10:00:00', 5)")

    said = attribution(events_alone, "run").stderr

    assert "1 conversions without a date of the form YYYY-MM-DD are not in the report." in said


@pytest.mark.dagster_home
def test_days_on_which_only_another_part_has_rows_are_not_missing(events_alone: Shop) -> None:
    event(events_alone, "s9", PAGE, "05 10:00")
    events_alone.execute("UPDATE events SET created_at = '2022-01-01 10:00:00' WHERE session_id = 's9'")
    for source in SOURCES:
        events_alone.execute(schema()[source].create)
    events_alone.session("s1", "anna", "2023-09-01 10:00:00")
    events_alone.conversion("o1", "anna", "2023-09-01 12:00:00")
    told(events_alone, "run")

    states = {state["day"]: state["assets"] for state in told(events_alone, "status")}

    assert states["2022-01-01"]["session_funnel"]["state"] == "fresh"
    assert states["2022-01-01"]["customer_journeys"]["state"] == "no data"


def test_a_long_time_without_events_is_left_out(events_alone: Shop) -> None:
    event(events_alone, "s9", PAGE, "05 10:00")
    events_alone.execute("UPDATE events SET created_at = '2022-01-01 10:00:00' WHERE session_id = 's9'")

    result = attribution(events_alone, "run")

    assert "funnel: 2022-01-02 to 2023-08-31 (607 days) have no rows and are left out." in result.stderr
    assert "Rebuilding funnel of 2022-01-01, 2023-09-01." in result.stderr


def test_events_of_days_that_cannot_run_are_told(events_alone: Shop) -> None:
    event(events_alone, "s8", PAGE, "09 10:00")
    event(events_alone, "s9", PAGE, "09 10:00")

    result = attribution(events_alone, "run", ATTRIBUTION_START_DATE="2023-09-02", ATTRIBUTION_END_DATE="2023-09-05")

    assert "10 rows of events before 2023-09-02, the first day, are not in the report." in result.stderr
    assert "2 rows of events after 2023-09-05, the last day that can run, are not in the report." in result.stderr


def test_the_day_has_a_picture_of_its_funnel_in_the_ui(events_alone: Shop, history: dg.DagsterInstance) -> None:
    told(events_alone, "run")

    event_ = history.get_latest_materialization_event(dg.AssetKey("funnel_report"))
    assert event_ is not None
    assert event_.asset_materialization is not None
    shown = event_.asset_materialization.metadata
    assert shown["sessions"].value == 5
    assert "checkout|2|2|50.0%" in str(shown["steps"].value)
    assert str(shown["chart"].value).startswith("![2023-09-01  sessions](<data:image/svg+xml")


def test_each_part_has_a_schedule_of_its_own(events_alone: Shop) -> None:
    alone = build_defs(events_alone.settings())

    assert [schedule.name for schedule in alone.schedules or []] == ["yesterday_funnel"]


def test_the_tables_fit_a_terminal_of_80_columns(events_alone: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    told(events_alone, "run")
    monkeypatch.setenv("COLUMNS", "80")

    printed = attribution(events_alone, "funnel").stdout

    assert max(map(len, printed.splitlines())) <= 80
    assert "The largest share is lost from add_to_cart to checkout: 2 sessions, 50.0%." in printed


def test_the_csv_file_has_every_day_channel_and_step(events_alone: Shop, tmp_path: Path) -> None:
    told(events_alone, "run")

    assert attribution(events_alone, "funnel", "--csv", str(tmp_path / "funnel.csv")).exit_code == 0

    first, *rows = (tmp_path / "funnel.csv").read_text().splitlines()
    assert first == ",".join(schema()["funnel_report"].column_names)
    assert rows[0] == "2023-09-01,(unknown),page_view,1,5,4,4,0.8,0.8,0.19999999999999996"


# -- real data ---------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not STORE.exists(), reason=f"{STORE} is not there")
def test_the_real_store_gives_the_figures_that_are_known_of_it(tmp_path: Path, history: dg.DagsterInstance) -> None:
    shop = Shop.at(tmp_path / "store.db", tmp_path / "exports")
    assert attribution(shop, "import", "conversions", str(STORE / "orders.csv"), "--mapping", "store_orders").exit_code == 0
    for table in SOURCES_OF_FUNNEL:
        assert attribution(shop, "import", table, str(STORE / f"{table}.csv")).exit_code == 0
    result = attribution(shop, "run")
    assert result.exit_code == 0, result.output

    found = told(shop, "funnel")

    assert shop.execute("SELECT event_type, count(*) FROM events GROUP BY event_type") == [
        (CART, 986),
        (CHECKOUT, 361),
        ("package_shipped", 335),
        (PAGE, 1871),
    ]
    assert found["total"]["sessions"] == 578
    assert found["total"]["steps"] == {PAGE: 578, CART: 467, CHECKOUT: 361}
    assert found["total"]["levels"] == {"level_1": 578, "level_2": 467, "level_3": 361}
    assert found["total"]["rates"][CHECKOUT] == 0.6245674740484429
    days = [tuple(day[name] for name in ("date", "sessions", CART, CHECKOUT)) for day in found["days"]]
    assert days == [("2021-02-09", 2, 2, 2), ("2021-02-10", 175, 175, 175), ("2021-02-11", 401, 290, 184)]
    products = {row["name"]: (row["bought"], row["viewed"]) for row in found["products"]}
    assert {name: products[name] for name in ("Pothos", "Bamboo", "Orchid")} == {
        "Pothos": (21, 61),
        "Bamboo": (36, 67),
        "Orchid": (34, 75),
    }
    assert len(products) == 30
    assert shop.execute("SELECT sum(orders), count(*) FROM session_funnel WHERE orders > 0") == [(361, 361)]


# -- many days ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["any", "ordered"])
def test_many_days_at_once_give_the_sessions_that_they_give_one_by_one(
    tmp_path: Path, order: Literal["any", "ordered"]
) -> None:
    write_sample(tmp_path / "shop.db", days=40, end=date(2023, 9, 30), sessions=2_000, seed=4)
    chosen = Settings(database=tmp_path / "shop.db", funnel_order=order)
    whole = Days("2023-08-20", "2023-09-30")

    at_once = chosen.warehouse.fetch(query_of(chosen, SESSION_FUNNEL, whole))
    one_by_one = [row for day in whole for row in chosen.warehouse.fetch(query_of(chosen, SESSION_FUNNEL, Days(day, day)))[1]]

    assert len(one_by_one) > 1_000
    assert at_once[1] == one_by_one


def test_a_session_that_is_missing_among_many_days_is_found(tmp_path: Path) -> None:
    write_sample(tmp_path / "shop.db", days=40, end=date(2023, 9, 30), sessions=2_000, seed=4)
    shop, whole = Shop.at(tmp_path / "shop.db", tmp_path), Days("2023-08-20", "2023-09-30")
    chosen = shop.settings()
    chosen.warehouse.prepare()
    chosen.warehouse.replace_days(schema()["session_funnel"], "date", whole, query_of(chosen, SESSION_FUNNEL, whole))
    [check] = [check for check in SESSION_FUNNEL.checks if check.name == "sessions_are_whole"]
    asked = check_parameters(chosen, SESSION_FUNNEL, whole)
    assert run_check(chosen.warehouse, SESSION_FUNNEL.name, check, asked).state == "passed"

    shop.execute(
        "DELETE FROM session_funnel WHERE session_id = (SELECT min(session_id) FROM session_funnel WHERE date = '2023-09-03')"
    )

    found = run_check(chosen.warehouse, SESSION_FUNNEL.name, check, asked)
    assert (found.state, found.wrong_days) == ("failed", ("2023-09-03",))
