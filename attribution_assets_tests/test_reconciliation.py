"""The tracking held against the shop's backend, and ad spend against sessions: by the command, and as assets of the graph."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attribution_assets.analysis.reconciliation import reconcile
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Query
from attribution_assets_tests.automated import Automated, september
from attribution_assets_tests.support import SHARED, Shop

TRACKING = SHARED / "real" / "tracking"
COUNTS = ("tracked", "backend", "missing", "only_tracked", "tracked_twice", "other_revenue", "other_user", "other_date")
REVENUES = ("tracked_revenue", "backend_revenue")
SPEND = ("cost", "clicks", "sessions", "session_cost")
BACKEND = "CREATE TABLE conversions_backend (conv_id text, user_id text, conv_date text, market text, revenue real)"
AD_COSTS = "CREATE TABLE ad_costs (date text, campaign_id text, cost real, clicks integer)"


@pytest.fixture
def bare(tmp_path: Path) -> Shop:
    """No more than is reconciled: conversions without a time, sessions without flags, no costs but those of clicks."""
    shop = Shop.at(tmp_path / "shop.db", tmp_path / "exports")
    key = "PRIMARY KEY (conv_id, user_id, conv_date)"
    shop.execute(f"CREATE TABLE conversions (conv_id text, user_id text, conv_date text, market text, revenue real, {key})")
    shop.execute(BACKEND)
    shop.execute("CREATE TABLE session_sources (session_id text, user_id text, event_date text, campaign_id text, cpc real)")
    shop.execute("CREATE TABLE api_adwords_costs (event_date text, campaign_id text, cost real, clicks integer)")
    return shop


def attribution(shop: Shop, *command: str) -> Result:
    environment = {"ATTRIBUTION_DATABASE": str(shop.database), "DAGSTER_HOME": str(shop.database.with_name("home"))}
    return CliRunner().invoke(main, command, env=environment)


def told(shop: Shop, *options: str) -> Any:
    result = attribution(shop, "reconcile", "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def conversion(shop: Shop, table: str, conv_id: str, user: str, day: int, revenue: Any = 10, market: str | None = "DE") -> None:
    shop.execute(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", conv_id, user, f"2023-09-{day:02}", market, revenue)


def tracked(shop: Shop, *row: Any) -> None:
    conversion(shop, "conversions", *row)


def backend(shop: Shop, *row: Any) -> None:
    conversion(shop, "conversions_backend", *row)


# -- conversions ------------------------------------------------------------------------------------------------------


def test_each_way_to_differ_is_counted_on_the_date_and_in_the_market_of_the_backend(bare: Shop) -> None:
    backend(bare, "alike", "u", 1)
    tracked(bare, "alike", "u", 1)
    backend(bare, "missing", "u", 1)
    backend(bare, "other revenue", "u", 1, 10)
    tracked(bare, "other revenue", "u", 1, 0)
    backend(bare, "other user", "u", 1)
    tracked(bare, "other user", "v", 1)
    backend(bare, "other date", "u", 1)
    tracked(bare, "other date", "u", 2, 10, "AT")
    tracked(bare, "only tracked", "u", 2, 7, "AT")

    assert told(bare)["conversions"] == [
        {"date": "2023-09-01", "market": "DE", "tracked": 4, "backend": 5, "missing": 1, "only_tracked": 0}
        | {"tracked_twice": 0, "other_revenue": 1, "other_user": 1, "other_date": 1}
        | {"tracked_revenue": 30, "backend_revenue": 50, "match_rate": 0.8},
        {"date": "2023-09-02", "market": "AT", "tracked": 1, "backend": 0, "missing": 0, "only_tracked": 1}
        | {"tracked_twice": 0, "other_revenue": 0, "other_user": 0, "other_date": 0}
        | {"tracked_revenue": 7, "backend_revenue": 0, "match_rate": None},
    ]


@pytest.mark.parametrize(("users", "other_user", "revenue"), [(("a", "u"), 0, 2), (("b", "a"), 1, 2)])
def test_of_rows_with_one_id_that_with_the_backends_user_speaks_else_the_first_by_user(
    bare: Shop, users: tuple[str, str], other_user: int, revenue: float
) -> None:
    backend(bare, "c", "u", 1, 2)
    for amount, user in enumerate(users, start=1):
        tracked(bare, "c", user, 1, amount)

    [cell] = told(bare)["conversions"]

    assert (cell["tracked"], cell["backend"], cell["tracked_twice"]) == (2, 1, 1)
    assert (cell["other_user"], cell["tracked_revenue"], cell["other_revenue"]) == (other_user, revenue, 0)


def test_an_id_that_is_a_number_on_one_side_and_text_on_the_other_is_one_id(bare: Shop) -> None:
    bare.execute("DROP TABLE conversions_backend")
    bare.execute("CREATE TABLE conversions_backend (conv_id integer, user_id integer, conv_date date, revenue numeric)")
    bare.execute("INSERT INTO conversions_backend VALUES (7, 1, '2023-09-01', 10)")
    tracked(bare, "7", "1", 1)

    [cell] = told(bare)["conversions"]

    assert (cell["market"], cell["tracked"], cell["missing"], cell["other_user"]) == ("DE", 1, 0, 0)


def test_without_any_market_there_is_one_row_a_day(bare: Shop) -> None:
    backend(bare, "c", "u", 1, 2, None)

    assert [cell["market"] for cell in told(bare)["conversions"]] == ["(none)"]


def test_days_can_be_chosen(bare: Shop) -> None:
    for day in (1, 2, 3):
        backend(bare, f"c{day}", "u", day)

    found = told(bare, "--start", "2023-09-02", "--end", "2023-09-02")

    assert [cell["date"] for cell in found["conversions"]] == ["2023-09-02"]
    assert found["totals"]["missing"] == 1


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (("c", "u", 1, "ten"), "conversions_backend: 'c' has revenue 'ten', which is not a number"),
        (("", "u", 1), "conversions_backend: '' has no conv_id"),
    ],
)
def test_a_row_that_cannot_be_counted_or_summed_is_refused_in_one_line(bare: Shop, row: tuple[Any, ...], problem: str) -> None:
    backend(bare, *row)

    result = attribution(bare, "reconcile")

    assert result.exit_code == 1
    assert problem in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_date_that_is_no_day_is_refused_whatever_the_days(bare: Shop) -> None:
    bare.execute("INSERT INTO conversions_backend VALUES ('c', 'u', '20230901', 'DE', 1)")

    with pytest.raises(AttributionError, match=r"'c' has conv_date '20230901', which is not a date written YYYY-MM-DD"):
        reconcile(bare.settings(), "2023-09-05", "2023-09-05")


@pytest.mark.parametrize("guard", ["broken_backend", "broken_truth"])
def test_a_conversion_without_a_date_is_refused_whatever_the_days(bare: Shop, guard: str) -> None:
    bare.execute("INSERT INTO conversions_backend VALUES ('c', 'u', NULL, 'DE', 1)")
    days = {"first_day": "2023-09-05", "last_day": "2023-09-05", "last_conversion_day": "2023-09-05", "currency": "EUR"}

    problems = [row["problem"] for row in bare.warehouse.rows(Query(guard, days, is_lenient=True))]

    assert problems == ["conversions_backend: 'c' has conv_date NULL, which is not a date written YYYY-MM-DD"]


def test_spend_without_a_date_is_refused_whatever_the_days(bare: Shop) -> None:
    bare.execute("INSERT INTO api_adwords_costs VALUES (NULL, 'brand', 3, 1)")

    with pytest.raises(AttributionError, match="campaign 'brand' of NULL has no date written YYYY-MM-DD"):
        reconcile(bare.settings(), "2023-09-05", "2023-09-05")


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", "c3", "c4"]),
        st.sampled_from(["u", "v"]),
        st.integers(1, 3),
        st.integers(-500, 5000).map(lambda cents: cents / 100),
    ),
    max_size=8,
    unique_by=lambda row: row[:3],
)


@given(in_backend=ROWS, in_tracking=ROWS)
@settings(settings.get_profile("databases"), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_id_counts_once_and_no_revenue_is_lost(bare: Shop, in_backend: list[Any], in_tracking: list[Any]) -> None:
    for table, rows in (("conversions_backend", in_backend), ("conversions", in_tracking)):
        bare.execute(f"DELETE FROM {table}")
        for row in rows:
            conversion(bare, table, *row)

    totals = reconcile(bare.settings(), None, None)["totals"]

    truth: dict[str, tuple[str, int, float]] = {}
    for conv_id, user, day, revenue in sorted(in_backend, key=lambda row: (row[2], row[1])):
        truth.setdefault(conv_id, (user, day, revenue))
    seen: dict[str, tuple[str, float]] = {}
    for conv_id, user, _, revenue in sorted(
        in_tracking, key=lambda row: (row[1] != truth.get(row[0], row[1:])[0], row[1], row[2])
    ):
        seen.setdefault(conv_id, (user, revenue))
    if not truth and not seen:
        assert totals["backend"] is None
        return
    assert totals["tracked"] == len(in_tracking)
    assert totals["backend"] == len(truth)
    assert totals["missing"] == len(truth.keys() - seen.keys())
    assert totals["only_tracked"] == len(seen.keys() - truth.keys())
    assert totals["tracked_twice"] == sum(rows > 1 for rows in Counter(row[0] for row in in_tracking).values())
    assert totals["backend_revenue"] == pytest.approx(sum(revenue for *_, revenue in truth.values()), abs=1e-9)
    assert totals["tracked_revenue"] == pytest.approx(sum(revenue for _, revenue in seen.values()), abs=1e-9)


# -- spend --------------------------------------------------------------------------------------------------------------


def test_spend_stands_beside_the_sessions_of_its_campaign_and_day_and_what_these_cost(shop: Shop) -> None:
    shop.execute("ALTER TABLE session_sources ADD COLUMN campaign_id text")
    shop.execute(AD_COSTS)
    for session, cost in (("s1", 2), ("s2", "missing"), ("s3", 1)):
        shop.execute("INSERT INTO session_sources VALUES (?, 'u', '2023-09-01', '10:00:00', 'Ads', 1, 1, 0, 'brand')", session)
        if cost != "missing":
            shop.execute("INSERT INTO session_costs VALUES (?, ?)", session, cost)
    shop.execute("INSERT INTO ad_costs VALUES ('2023-09-01', 'brand', 4.125, 5), ('2023-09-02', 'video', 3, NULL)")

    assert told(shop)["spend"] == [
        {"date": "2023-09-01", "campaign_id": "brand", "cost": 4.125, "clicks": 5, "sessions": 3, "session_cost": 3},
        {"date": "2023-09-02", "campaign_id": "video", "cost": 3, "clicks": None, "sessions": 0, "session_cost": 0},
    ]


def test_what_clicks_cost_by_the_tracking_stands_for_session_costs_that_are_missing(bare: Shop) -> None:
    bare.execute("INSERT INTO session_sources VALUES ('s1', 'u', '2023-09-01', 'brand', 0.5), ('s2', 'u', '2023-09-01', '', 9)")
    bare.execute("INSERT INTO api_adwords_costs VALUES ('2023-09-01', 'brand', 4, 5)")

    assert told(bare)["spend"] == [
        {"date": "2023-09-01", "campaign_id": "brand", "cost": 4, "clicks": 5, "sessions": 1, "session_cost": 0.5}
    ]


def test_clicks_that_are_stored_with_a_point_are_whole_numbers(shop: Shop) -> None:
    shop.execute("ALTER TABLE session_sources ADD COLUMN campaign_id text")
    shop.execute(AD_COSTS.replace("clicks integer", "clicks real"))
    shop.execute("INSERT INTO ad_costs VALUES ('2023-09-01', 'brand', 4, 5), ('2023-09-01', 'brand', 4, 2)")

    assert repr(told(shop)["spend"][0]["clicks"]) == "7"

    shop.execute("INSERT INTO ad_costs VALUES ('2023-09-01', 'brand', 4, 5.5)")
    assert "has clicks 5.5, which is not a whole number" in attribution(shop, "reconcile").stderr


# -- outliers -----------------------------------------------------------------------------------------------------------


def per_day(shop: Shop, *conversions: int) -> None:
    """So many tracked conversions on each of the first days of September."""
    for day, count in enumerate(conversions, start=1):
        for number in range(count):
            tracked(shop, f"{day}-{number}", "u", day)


def test_a_day_outside_the_quartiles_by_more_than_one_and_a_half_ranges_is_an_outlier(bare: Shop) -> None:
    per_day(bare, 10, 10, 12, 12, 10, 12, 10, 16)  # quartiles 10 and 12

    assert told(bare)["outliers"] == [{"date": "2023-09-08", "conversions": 16, "least": 7, "most": 15}]


def test_a_day_at_the_bound_is_none(bare: Shop) -> None:
    per_day(bare, 10, 10, 12, 12, 10, 12, 10, 15)

    assert told(bare)["outliers"] == []


def test_quartiles_between_two_days_are_interpolated_as_numpy_does(bare: Shop) -> None:
    counts = (3, 5, 8, 9, 11, 14, 15, 18, 20, 60)
    per_day(bare, *counts)
    lower, upper = np.quantile(counts, [0.25, 0.75])

    [found] = told(bare)["outliers"]

    assert (found["least"], found["most"]) == (lower - 1.5 * (upper - lower), upper + 1.5 * (upper - lower))


def test_of_fewer_than_eight_days_none_is_an_outlier(bare: Shop) -> None:
    per_day(bare, 10, 10, 12, 12, 10, 12, 50)

    assert told(bare)["outliers"] == []


def test_a_day_of_a_daily_run_is_held_against_the_four_weeks_before(bare: Shop) -> None:
    per_day(bare, 10, 10, 12, 12, 10, 12, 10, 16)

    assert [day["date"] for day in told(bare, "--start", "2023-09-08", "--end", "2023-09-08")["outliers"]] == ["2023-09-08"]


# -- what is missing ----------------------------------------------------------------------------------------------------


def test_a_missing_table_leaves_its_part_empty_and_is_named(bare: Shop) -> None:
    bare.execute("DROP TABLE api_adwords_costs")
    backend(bare, "c", "u", 1)

    found = told(bare)

    assert (len(found["conversions"]), found["spend"], found["totals"]["cost"]) == (1, [], None)
    assert found["notes"] == ["There is no ad_costs for spend_reconciliation."]


def test_with_nothing_to_reconcile_one_line_says_what_to_add(shop: Shop) -> None:
    with pytest.raises(NotReadyError, match=r"nothing to reconcile.* no conversions_backend .*sql/optional_sources\.sql"):
        reconcile(shop.settings(), None, None)


def test_nothing_is_written_but_the_csv_file(bare: Shop, tmp_path: Path) -> None:
    backend(bare, "c", "u", 1)
    bare.execute("INSERT INTO api_adwords_costs VALUES ('2023-09-01', 'brand', 4, 5)")
    before = bare.database.read_bytes()

    result = attribution(bare, "reconcile", "--csv", str(tmp_path / "found.csv"))

    assert result.exit_code == 0, result.output
    assert bare.database.read_bytes() == before
    assert (tmp_path / "found.csv").read_text().splitlines() == [
        ",".join(["section", "date", "market", *COUNTS, *REVENUES, "match_rate", "campaign_id", *SPEND]),
        "conversions,2023-09-01,DE,0,1,1,0,0,0,0,0,0.0,10.0,0.0,,,,,",
        "spend,2023-09-01,,,,,,,,,,,,,brand,4.0,5,0,0.0",
    ]


# -- real data ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not TRACKING.exists(), reason="the real tracking is not there")
def test_the_real_tracking_is_found_as_far_from_the_truth_as_it_is(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path / "real.db", tmp_path)
    names = {"sessions": "session_sources"}
    with closing(sqlite3.connect(shop.database)) as connection, connection:
        for file in sorted(TRACKING.glob("*.csv")):
            with file.open(newline="") as opened:
                header, *rows = csv.reader(opened)
            table, numbers = names.get(file.stem, file.stem), {"revenue", "cost", "cpc", "clicks"}
            columns = ", ".join(f"{name} {'numeric' if name in numbers else 'text'}" for name in header)
            connection.execute(f"CREATE TABLE {table} ({columns})")
            connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(header))})", rows)

    found = told(shop)

    assert found["totals"] == {
        "tracked": 16_954,
        "backend": 17_283,
        "missing": 345,
        "only_tracked": 0,
        "tracked_twice": 16,
        "other_revenue": 172,
        "other_user": 0,
        "other_date": 0,
        "tracked_revenue": 847_927.35,
        "backend_revenue": 877_250.86,
        "match_rate": pytest.approx(16_938 / 17_283),
        "cost": 38_560.028,
        "clicks": 32_296,
        "sessions": 27_354,
        "session_cost": 25_851.176,
    }
    assert [day["date"] for day in found["outliers"]] == ["2021-07-18", "2021-07-30"]
    sessions = Counter[str]()
    for row in found["spend"]:
        sessions[row["campaign_id"]] += row["sessions"]
    assert {campaign for campaign, count in sessions.items() if not count} == {"campaign_id_97", "campaign_id_121"}


# -- the graph ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def reconciled(automated: Automated) -> Automated:
    """Ten days of conversions that the backend has as well, with spend, all of them reconciled."""
    shop = automated.shop
    shop.execute(BACKEND)
    shop.execute("INSERT INTO conversions_backend SELECT conv_id, user_id, conv_date, 'DE', revenue FROM conversions")
    shop.execute("ALTER TABLE session_sources ADD COLUMN campaign_id text")
    shop.execute("UPDATE session_sources SET campaign_id = 'brand'")
    shop.execute(AD_COSTS)
    shop.execute("INSERT INTO ad_costs SELECT event_date, 'brand', 1, 1 FROM session_sources")
    automated.compute()
    job = build_defs(automated.settings).resolve_job_def("reconcile_sources")
    tags = {"dagster/asset_partition_range_start": "2023-09-01", "dagster/asset_partition_range_end": "2023-09-10"}
    assert job.execute_in_process(instance=automated.instance, tags=tags).success
    assert automated.late_data_requests() == {}
    return automated


def assets(shop: Shop) -> set[str]:
    graph = build_defs(shop.settings()).resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}


def test_what_needs_a_source_that_is_missing_is_not_in_the_graph_and_status_names_the_source(shop: Shop) -> None:
    shop.conversion("c", "u", "2023-09-01 10:00:00")

    shown = attribution(shop, "status", "--start", "2023-09-01", "--end", "2023-09-01").stdout

    assert not assets(shop) & {"conversion_reconciliation", "spend_reconciliation", "conversions_backend", "ad_costs"}
    assert "conversion_reconciliation is not in the graph: the database has no conversions_backend." in shown
    assert (
        "session_spend and spend_reconciliation are not in the graph: the database has no ad_costs and no "
        "session_sources.campaign_id." in shown
    )


def test_with_the_sources_they_are_in_the_graph(reconciled: Automated) -> None:
    assert assets(reconciled.shop) > {"conversion_reconciliation", "spend_reconciliation", "conversions_backend", "ad_costs"}


def test_the_assets_have_what_the_command_says(reconciled: Automated) -> None:
    found = reconcile(reconciled.settings, None, None)

    for part, table in (("conversions", "conversion_reconciliation"), ("spend", "spend_reconciliation")):
        assert reconciled.shop.table(table) == [tuple(row.values()) for row in found[part]]
        assert len(found[part]) == 10


@pytest.mark.parametrize(
    ("change", "days"),
    [
        ("UPDATE conversions_backend SET revenue = 11 WHERE conv_id = 'buys5'", [5]),
        ("DELETE FROM conversions_backend WHERE conv_id = 'buys5'", [5]),
        ("UPDATE ad_costs SET cost = 2 WHERE date = '2023-09-05'", [5]),
        ("INSERT INTO ad_costs VALUES ('2023-09-05', 'video', 3, NULL)", [5]),
    ],
)
def test_late_rows_restate_exactly_the_days_that_they_touch(reconciled: Automated, change: str, days: list[int]) -> None:
    reconciled.shop.execute(change)

    assert reconciled.late_data_requests()["reconcile_sources"] == september(*days)


def test_a_tracked_row_that_changes_on_another_date_restates_the_day_of_the_backend(reconciled: Automated) -> None:
    reconciled.shop.execute("UPDATE conversions_backend SET conv_date = '2023-09-03' WHERE conv_id = 'buys5'")
    assert reconciled.late_data_requests() == {"reconcile_sources": september(3, 5)}
    for day in september(3, 5):
        reconciled.rerun("conversion_reconciliation", day)
    assert reconciled.late_data_requests() == {}

    reconciled.shop.execute("UPDATE conversions SET revenue = 99 WHERE conv_id = 'buys5'")

    assert reconciled.late_data_requests()["reconcile_sources"] == september(3)


def test_checks_warn_and_name_an_example(reconciled: Automated) -> None:
    reconciled.shop.execute("DELETE FROM conversions WHERE conv_id = 'buys5'")
    reconciled.shop.execute("INSERT INTO ad_costs VALUES ('2023-09-05', 'video', 3, NULL)")
    reconciled.rerun("spend_reconciliation", "2023-09-05")

    result = attribution(reconciled.shop, "check", "--start", "2023-09-01", "--end", "2023-09-10")

    said = " ".join(result.stdout.split())
    assert (
        "1 conversion of 2023-09-01 to 2023-09-10 did not agree, more than 2% of the 10 in the backend, such as buys5" in said
    )
    assert "such as video: it has no session, and the platform charged 3.00" in said


def test_a_plain_run_reconciles_too(reconciled: Automated, instance: dg.DagsterInstance) -> None:
    rows = reconciled.shop.table("conversion_reconciliation")
    reconciled.shop.execute("DELETE FROM conversion_reconciliation")

    result = attribution(reconciled.shop, "run")

    assert result.exit_code == 0, result.output
    assert reconciled.shop.table("conversion_reconciliation") == rows
    assert Settings(database=reconciled.shop.database).present >= {"ad_costs", "ad_costs.clicks"}
