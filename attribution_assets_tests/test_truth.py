"""The shop's backend as the truth about conversions: the report's revenue is the shop's, whatever the tracking saw."""

from __future__ import annotations

import csv
import json
import sqlite3
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_assets.analysis.checking import check_days
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS, UNCREDITED_CONVERSION
from attribution_assets.catalog.reporting import CHANNEL_COSTS, CHANNEL_REPORTING
from attribution_assets.catalog.tables import query_of
from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, schema
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import SHARED, Shop

DAY = "2023-09-02"
DAYS = Days("2023-09-01", "2023-09-03")
TRACKING = SHARED / "real" / "tracking"
TRUTH = {"conversions": "backend", "lookback_days": 1}


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """A shop whose conversions were tracked by rows of which an id may have several, and that has a backend."""
    return with_backend(shop)


def with_backend(shop: Shop) -> Shop:
    shop.execute("DROP TABLE conversions")
    columns = "conv_id text, user_id text, conv_date text, conv_time text, revenue real"
    shop.execute(f"CREATE TABLE conversions ({columns}, PRIMARY KEY (conv_id, user_id, conv_date))")
    shop.execute(schema()["conversions_backend"].create)
    return shop


def sold(shop: Shop, conv_id: str, revenue: Any, user: str = "anna", day: str = DAY) -> None:
    """An order that the backend has."""
    columns = "conv_id, user_id, conv_date, revenue"
    shop.execute(f"INSERT INTO conversions_backend ({columns}) VALUES (?, ?, ?, ?)", conv_id, user, day, revenue)


def report(shop: Shop, days: Days = DAYS, **choices: Any) -> list[tuple[Any, ...]]:
    """The rows of channel_reporting, computed with equal shares for the sessions of a journey."""
    settings = shop.settings(**{**TRUTH, **choices})
    warehouse = settings.warehouse
    warehouse.prepare()
    for table in (CUSTOMER_JOURNEYS, CHANNEL_COSTS):
        warehouse.replace_days(schema()[table.name], table.day_column, days, query_of(settings, table, days))
    shop.execute("DELETE FROM attribution_customer_journey")
    shop.execute(
        "INSERT INTO attribution_customer_journey "
        "SELECT conv_id, session_id, 1.0 / count(*) OVER (PARTITION BY conv_id), conv_date FROM customer_journeys"
    )
    for table in (UNCREDITED_CONVERSION, CHANNEL_REPORTING):
        warehouse.replace_days(schema()[table.name], table.day_column, days, query_of(settings, table, days))
    return shop.table("channel_reporting", "date, channel_name, cost, ihc, ihc_revenue")


def test_existence_date_and_revenue_are_the_backends_and_the_user_and_time_are_tracked(shop: Shop) -> None:
    shop.session("s1", "anna", f"{DAY} 10:00:00", cost=2)
    shop.session("s2", "anna", f"{DAY} 18:00:00", "Ads")
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 0)
    sold(shop, "c1", 50, user="crm-7")

    assert report(shop) == [(DAY, "Ads", 0.0, 0.0, 0.0), (DAY, "Email", 2.0, 1.0, 50.0)]


def test_of_several_tracked_rows_the_one_with_the_backends_user_counts(shop: Shop) -> None:
    shop.session("s1", "anna", f"{DAY} 10:00:00", "Ads")
    shop.session("s2", "ben", f"{DAY} 10:00:00")
    shop.conversion("c1", "anna", f"{DAY} 12:00:00", 50)
    shop.conversion("c1", "ben", f"{DAY} 12:00:00", 50)
    sold(shop, "c1", 50, user="ben")

    assert report(shop) == [(DAY, "Ads", 0.0, 0.0, 0.0), (DAY, "Email", 0.0, 1.0, 50.0)]


def test_what_was_not_tracked_and_what_has_no_session_are_channels_on_the_backends_date(shop: Shop) -> None:
    shop.session("s1", "anna", f"{DAY} 10:00:00", cost=2)
    shop.conversion("unreached", "ben", "2023-09-01 12:00:00", 7)
    sold(shop, "unreached", 8, user="ben")
    sold(shop, "unseen", 50)
    sold(shop, "unseen too", 20)

    assert report(shop) == [
        (DAY, "Email", 2.0, 0.0, 0.0),
        (DAY, "No session", 0.0, 1.0, 8.0),
        (DAY, "Not tracked", 0.0, 2.0, 70.0),
    ]


def test_what_only_the_tracking_has_does_not_exist(shop: Shop) -> None:
    shop.session("s1", "anna", f"{DAY} 10:00:00", cost=2)
    shop.conversion("test order", "anna", f"{DAY} 12:00:00", 50)

    assert report(shop) == [(DAY, "Email", 2.0, 0.0, 0.0)]


def test_a_run_of_some_days_takes_no_conversion_of_others_for_one_without_a_session(shop: Shop) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00", cost=2)
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 50)
    shop.conversion("c2", "ben", f"{DAY} 12:00:00", 5)
    sold(shop, "c1", 50, day="2023-09-01")
    sold(shop, "c2", 5, user="ben")
    options = ["--database", str(shop.database), "--exports", str(shop.exports), "--start", DAY, "--json"]
    environment = {"DAGSTER_HOME": str(shop.database.with_name("home")), "ATTRIBUTION_CONVERSIONS": "backend"}

    told = json.loads(CliRunner().invoke(main, ["run", *options], env=environment).stdout)

    assert {row["channel"]: row["orders"] for row in told["channels"]} == {"Email": 0, "No session": 1}


def test_an_id_that_was_tracked_twice_is_refused_with_the_way_to_let_the_backend_decide(shop: Shop) -> None:
    for user in ("anna", "ben"):
        shop.conversion("c1", user, f"{DAY} 12:00:00", 50)

    with pytest.raises(AttributionError, match=r"'c1' appears 2 times .* Keep one row per conv_id, or set ATTRIBUTION_CONV"):
        report(shop, conversions="tracked")


def test_a_tracked_run_does_not_look_at_the_backend(shop: Shop) -> None:
    shop.session("s1", "anna", f"{DAY} 10:00:00", cost=2)
    shop.conversion("c1", "anna", f"{DAY} 12:00:00", 50)
    sold(shop, "c1", "much")
    sold(shop, "unseen", 8)

    assert report(shop, conversions="tracked") == [(DAY, "Email", 2.0, 1.0, 50.0)]


def test_a_conversion_with_two_truths_is_refused(shop: Shop) -> None:
    sold(shop, "c1", 50)
    sold(shop, "c1", 60, day="2023-09-03")

    with pytest.raises(AttributionError, match="conversions_backend: 'c1' stands 2 times: keep one row per conv_id"):
        report(shop)


def test_without_the_table_of_the_backend_one_line_says_what_to_do(shop: Shop) -> None:
    shop.execute("DROP TABLE conversions_backend")

    with pytest.raises(AttributionError, match=r"ATTRIBUTION_CONVERSIONS is backend, but .* has no table conversions_backend"):
        report(shop)


ORDER = st.tuples(
    st.sampled_from(["c1", "c2", "c3", "c4"]),
    st.sampled_from(["anna", "ben", "carl"]),
    st.sampled_from(["2023-09-01", DAY, "2023-09-03"]),
    st.sampled_from([0, 0.01, 19.99, 100, -5.5]),
)


@settings.get_profile("databases")
@given(
    tracked=st.lists(ORDER, max_size=6, unique_by=lambda row: row[:3]),
    backend=st.lists(ORDER, max_size=4, unique_by=lambda row: row[0]),
    sessions=st.lists(st.tuples(ORDER.map(lambda row: row[1]), ORDER.map(lambda row: row[2])), max_size=4),
)
def test_the_reports_revenue_is_the_shops_revenue(tracked: list[Any], backend: list[Any], sessions: list[Any]) -> None:
    with TemporaryDirectory() as folder:
        shop = with_backend(Shop(Path(folder) / "shop.db", Path(folder)))
        for conv_id, user, day, revenue in tracked:
            shop.conversion(conv_id, user, f"{day} 12:00:00", revenue)
        for conv_id, user, day, revenue in backend:
            sold(shop, conv_id, revenue, user, day)
        for number, (user, day) in enumerate(sessions):
            shop.session(f"s{number}", user, f"{day} 10:00:00")

        rows = report(shop, Days("2023-08-31", "2023-09-03"))

        assert sum(row[4] for row in rows) == pytest.approx(sum(row[3] for row in backend), abs=1e-9)
        assert sum(row[3] for row in rows) == pytest.approx(len(backend), abs=1e-9)
        settings = shop.settings(**TRUTH)
        found = check_days(settings, "2023-08-31", "2023-09-03")
        proofs = {"report_adds_up", "conversions_count_once"}
        assert {each.check.name: each.offending for each in found if each.check.name in proofs} == dict.fromkeys(proofs, 0)


def test_a_run_says_how_many_orders_were_not_tracked_and_how_many_do_not_exist(shop: Shop) -> None:
    shop.session("s1", "anna", f"{DAY} 10:00:00", cost=2)
    shop.conversion("c1", "anna", f"{DAY} 12:00:00", 50)
    shop.conversion("test order", "anna", f"{DAY} 12:00:00", 5)
    sold(shop, "c1", 50)
    sold(shop, "unseen", 8)
    environment = {"DAGSTER_HOME": str(shop.database.with_name("home")), "ATTRIBUTION_CONVERSIONS": "backend"}
    command = ["run", "--database", str(shop.database), "--exports", str(shop.exports)]

    told = json.loads(CliRunner().invoke(main, [*command, "--json"], env=environment).stdout)
    printed = CliRunner().invoke(main, command, env=environment).stdout

    assert told["totals"]["revenue"] == 58
    assert told["only_tracked"] == {"conversions": 1, "revenue": 5.0}
    assert "were not tracked or have no session (revenue 8.00): see `Not tracked` and `No session`. 1 that only" in printed


@pytest.mark.skipif(not TRACKING.exists(), reason="the real tracking data is not there")
def test_the_real_backend_is_reported_whole(tmp_path: Path) -> None:
    shop = with_backend(Shop(tmp_path / "shop.db", tmp_path))
    shop.session("s1", "user_id_569581", "2021-07-15 10:00:00")
    for table, time in (("conversions", ", '12:00:00'"), ("conversions_backend", "")):
        with (TRACKING / f"{table}.csv").open(newline="") as file:
            columns = "conv_id, user_id, conv_date, revenue" + (", conv_time" if time else "")
            shop.execute("CREATE TABLE IF NOT EXISTS raw (conv_id, user_id, conv_date, market, revenue)")
            rows = [tuple(row.values()) for row in csv.DictReader(file)]
        with sqlite3.connect(shop.database) as connection:
            connection.executemany("INSERT INTO raw VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute(f"INSERT INTO {table} ({columns}) SELECT conv_id, user_id, conv_date, revenue{time} FROM raw")
            connection.execute("DELETE FROM raw")

    rows = report(shop, Days("2021-07-01", "2021-07-31"))

    of_channel = {channel: sum(row[3] for row in rows if row[1] == channel) for channel in {row[1] for row in rows}}
    assert of_channel == {"Email": 1, "No session": 16_937, "Not tracked": 345}
    assert sum(row[4] for row in rows) == pytest.approx(877_250.86, abs=0.005)


def test_an_order_that_the_backend_corrects_restates_its_day(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    automated = Automated.of_ten_days(tmp_path, instance)
    automated.choices |= {"conversions": "backend"}
    automated.shop.execute(schema()["conversions_backend"].create)
    automated.shop.execute(
        "INSERT INTO conversions_backend SELECT conv_id, user_id, conv_date, NULL, revenue, NULL FROM conversions"
    )
    automated.compute()

    automated.shop.execute("UPDATE conversions_backend SET revenue = 99 WHERE conv_id = 'buys5'")

    assert automated.late_data_requests()["report_channels"] == [f"2023-09-0{day}" for day in range(2, 6)]
