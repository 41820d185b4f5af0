"""session_report: sessions, conversions and cost per day, channel, campaign and market, without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from attribution_assets.analysis.checking import check_parameters, run_check
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.breakdowns import SESSION_REPORT
from attribution_assets.catalog.reporting import CHANNEL_COSTS, SESSION_SPEND
from attribution_assets.catalog.tables import query_of
from attribution_assets.warehouse import Days, schema
from attribution_assets_tests.support import Shop

DAYS = Days("2023-09-01", "2023-09-02")


@pytest.fixture
def shop(shop: Shop) -> Shop:
    shop.add_optional_sources()
    return shop


def session(shop: Shop, session_id: str, user: str, at: str, channel: str, campaign: str | None, market: str | None) -> None:
    shop.session(session_id, user, f"2023-09-{at}", channel, cost=1)
    values = (campaign, market, session_id)
    shop.execute("UPDATE session_sources SET campaign_id = ?, market = ? WHERE session_id = ?", *values)


def report(shop: Shop) -> list[tuple[Any, ...]]:
    settings = shop.settings()
    shop.warehouse.prepare()
    for table in (CUSTOMER_JOURNEYS, SESSION_SPEND, CHANNEL_COSTS, SESSION_REPORT):
        shop.warehouse.replace_days(schema()[table.name], table.day_column, DAYS, query_of(settings, table, DAYS))
    return shop.table("session_report")


def test_a_conversion_counts_once_where_its_last_session_came_from(shop: Shop) -> None:
    session(shop, "s1", "anna", "01 10:00:00", "Ads", "brand", "DE")
    session(shop, "s2", "anna", "02 10:00:00", "Ads", "brand", "AT")
    session(shop, "s3", "ben", "02 11:00:00", "Ads", "brand", "AT")
    session(shop, "s4", "ben", "02 12:00:00", "Email", None, "")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00", 100)

    assert report(shop) == [
        ("2023-09-01", "Ads", "brand", "DE", 1, 1, 0, 0.0, 1.0, 1.0),
        ("2023-09-02", "Ads", "brand", "AT", 2, 2, 1, 100.0, 2.0, 1.0),
        ("2023-09-02", "Email", "(none)", "(none)", 1, 1, 0, 0.0, 1.0, 1.0),
    ]


def test_ad_spend_takes_the_place_of_the_sessions_costs_and_stands_alone_without_sessions(shop: Shop) -> None:
    session(shop, "s1", "anna", "02 10:00:00", "Ads", "brand", "DE")
    for campaign, cost in (("brand", 3), ("lost", 5)):
        shop.execute("INSERT INTO ad_costs (date, campaign_id, cost) VALUES ('2023-09-02', ?, ?)", campaign, cost)

    assert report(shop) == [
        ("2023-09-02", "Ads", "brand", "DE", 1, 1, 0, 0.0, 3.0, 3.0),
        ("2023-09-02", "Unassigned spend", "lost", "(none)", 0, 0, 0, 0.0, 5.0, None),
    ]


def test_both_engines_report_the_same_bits(shop: Shop) -> None:
    for number in range(30):
        campaign, market = ("brand", "generic", None)[number % 3], ("DE", "AT", "", None)[number % 4]
        session(shop, f"s{number}", f"u{number % 7}", f"0{number % 2 + 1} {number % 12:02}:00:00", "Ads", campaign, market)
    shop.execute("UPDATE session_costs SET cost = rowid / 7.0")
    shop.execute(
        "INSERT INTO ad_costs (date, campaign_id, cost) VALUES ('2023-09-02', 'brand', 3.3), ('2023-09-02', 'lost', 5)"
    )
    shop.conversion("c1", "u1", "2023-09-02 23:00:00", 100)
    by_sqlite = report(shop)

    chosen = shop.settings(compute="duckdb")
    chosen.warehouse.replace_days(schema()["session_report"], "date", DAYS, query_of(chosen, SESSION_REPORT, DAYS))

    assert shop.table("session_report") == by_sqlite


def unstable(shop: Shop, sessions: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """What the check finds on the last of the days, given by day the sessions of each channel."""
    shop.warehouse.prepare()
    for day, of_channel in sessions.items():
        for channel, count in of_channel.items():
            shop.execute("INSERT INTO session_report VALUES (?, ?, '(none)', '(none)', ?, 1, 0, 0, 0, 0)", day, channel, count)
    last = max(sessions)
    [check] = [check for check in SESSION_REPORT.checks if check.name == "channels_are_stable"]
    return run_check(
        shop.warehouse, "session_report", check, check_parameters(shop.settings(), SESSION_REPORT, Days(last, last))
    ).rows


def days(count: int) -> dict[str, dict[str, int]]:
    """So many days on which email has 48 to 52 of a hundred sessions."""
    return {f"2023-09-{day:02}": {"Email": 50 + day % 5 - 2, "Ads": 50 - day % 5 + 2} for day in range(1, count + 1)}


def test_a_channel_whose_share_jumps_is_named_with_its_usual_share_and_its_z(shop: Shop) -> None:
    found = unstable(shop, {**days(20), "2023-09-21": {"Email": 80, "Ads": 20}})

    assert [(row["channel"], row["share"], row["usual_share"], round(row["z"], 1)) for row in found] == [
        ("Ads", 0.2, 0.5, -20.2),
        ("Email", 0.8, 0.5, 20.2),
    ]


def test_a_share_within_the_usual_spread_is_no_news(shop: Shop) -> None:
    assert unstable(shop, {**days(20), "2023-09-21": {"Email": 54, "Ads": 46}}) == []


def test_fewer_than_eight_days_before_tell_nothing(shop: Shop) -> None:
    assert unstable(shop, {**days(7), "2023-09-08": {"Email": 80, "Ads": 20}}) == []


def test_a_channel_that_is_new_is_named(shop: Shop) -> None:
    found = unstable(shop, {**days(20), "2023-09-21": {"Email": 40, "Ads": 40, "TV": 20}})

    assert ("TV", 0.2, 0.0) in [(row["channel"], row["share"], row["usual_share"]) for row in found]
