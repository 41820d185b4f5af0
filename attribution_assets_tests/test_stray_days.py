"""Rows with a wrong date, years from the others: what a run leaves out, when it stops, and what else has to cope with them."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.analysis.plan import Plan, plan_run
from attribution_assets.command.cli import main
from attribution_assets.orchestration.status import day_states, grouped
from attribution_assets.warehouse import Days
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import TABLES, Shop


def attribution(command: str, shop: Shop, *options: str) -> Result:
    return CliRunner().invoke(main, [*command.split(), "--database", str(shop.database), *options])


@pytest.fixture
def two_days(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """anna comes and buys on the first two days of a September."""
    monkeypatch.setenv("ATTRIBUTION_END_DATE", "2023-09-30")
    for day in (1, 2):
        shop.session(f"s{day}", "anna", f"2023-09-0{day} 10:00:00", cost=1)
        shop.conversion(f"c{day}", "anna", f"2023-09-0{day} 12:00:00", 10.0)
    return shop


@pytest.fixture
def stray(two_days: Shop) -> Shop:
    """The same shop, with an order of years before."""
    two_days.conversion("stray", "nobody", "2020-01-01 10:00:00", 5.0)
    return two_days


@pytest.fixture
def from_1970(two_days: Shop) -> Shop:
    """The same shop, with an order of the day on which the clocks of computers begin: Dagster has 19,600 days to look at."""
    two_days.conversion("stray", "nobody", "1970-01-01 10:00:00", 5.0)
    return two_days


def plan(shop: Shop, start: str | None = None, end: str | None = None, **settings: object) -> Plan:
    return plan_run(shop.settings(**settings), start, end)


def test_a_run_leaves_out_the_years_between_a_stray_order_and_the_others(from_1970: Shop, history: dg.DagsterInstance) -> None:
    result = attribution("run", from_1970, "--exports", str(from_1970.exports))

    assert result.exit_code == 0, result.output
    days = {"1970-01-01", "2023-09-01", "2023-09-02"}
    for asset in ("customer_journeys", "channel_costs", "channel_reporting_csv"):
        assert history.get_materialized_partitions(dg.AssetKey(asset)) == days
    assert "conversions of 1970-01-01, 2023-09-01 to 2023-09-02; rebuilding" in result.stderr
    assert (
        "1970-01-02 to 2023-08-31 (19,600 days) have no sessions, conversions or results and are left out.\n"
    ) in result.stderr


def test_the_results_of_the_other_days_are_those_without_the_stray_order(stray: Shop, tmp_path: Path) -> None:
    without = stray.copy_sources(tmp_path / "without")
    without.execute("DELETE FROM conversions WHERE conv_id = 'stray'")

    for shop in (stray, without):
        attribution("run", shop, "--exports", str(shop.exports))

    assert stray.results() == without.results()
    assert stray.csv_bytes()["channel_reporting.csv"] == without.csv_bytes()["channel_reporting.csv"]


def test_each_step_says_how_many_rows_it_wrote_for_its_range(stray: Shop) -> None:
    said = attribution("run", stray).stderr.splitlines()

    assert [line.partition(" in ")[0] for line in said if line.startswith("customer_journeys:")] == [
        "customer_journeys: 0 rows",
        "customer_journeys: 3 rows",
    ]


def test_status_shows_the_years_between_in_one_line(stray: Shop) -> None:
    shown = attribution("status", stray).stdout.splitlines()

    [line] = [line for line in shown if "2020-01-02" in line]
    assert line.split() == ["2020-01-02", "to", "2023-08-31", *["no", "data"] * len(TABLES)]


def test_a_day_without_data_that_has_run_is_not_called_so(stray: Shop, history: dg.DagsterInstance) -> None:
    attribution("run", stray, "--start", "2023-08-30", "--end", "2023-08-31")

    states = day_states(stray.settings(), history, "2023-08-29", "2023-08-31")

    assert [state["assets"]["customer_journeys"]["state"] for state in states] == ["no data", "fresh", "fresh"]


@pytest.mark.parametrize(
    ("lookback", "empty", "left_out"), [(90, 90, False), (90, 91, True), (40, 41, True), (3, 30, False), (3, 31, True)]
)
def test_a_stretch_is_left_out_if_it_is_longer_than_a_lookback_and_a_month(
    two_days: Shop, lookback: int, empty: int, left_out: bool
) -> None:
    stretch = Days(str(date(2023, 9, 1) - timedelta(days=empty)), "2023-08-31")
    two_days.conversion("before", "nobody", f"{date(2023, 9, 1) - timedelta(days=empty + 1)} 10:00:00")

    assert plan(two_days, lookback_days=lookback).left_out == ((stretch,) if left_out else ())


def test_days_with_results_are_run_though_their_sources_are_gone(stray: Shop) -> None:
    stray.conversion("once", "anna", "2021-05-05 12:00:00")
    stray.session("once", "anna", "2021-05-05 10:00:00")
    attribution("run", stray)
    stray.execute("DELETE FROM conversions WHERE conv_id = 'once'")
    stray.execute("DELETE FROM session_sources WHERE session_id = 'once'")

    found = plan(stray)

    assert found.ranges(found.conversion_days)[1] == Days("2021-05-05", "2021-05-05")


def test_an_explicit_start_runs_every_day(stray: Shop) -> None:
    found = plan(stray, "2020-01-01")

    assert found.ranges(found.conversion_days) == [Days("2020-01-01", "2023-09-02")]


def test_the_note_is_among_those_for_programs(stray: Shop) -> None:
    assert json.loads(attribution("run", stray, "--json").stdout)["notes"] == [
        "2020-01-02 to 2023-08-31 (1,338 days) have no sessions, conversions or results and are left out."
    ]


# Many days of which few have rows -------------------------------------------------------------------------------------


@pytest.fixture
def sparse(two_days: Shop) -> Shop:
    """An order every 80 days of three years before: within a lookback of each other."""
    for number in range(14):
        two_days.conversion(f"old{number:02}", "nobody", f"{date(2023, 9, 1) - timedelta(days=80 * (14 - number))} 10:00:00")
    return two_days


def test_a_run_of_many_days_of_which_few_have_rows_stops_before_it_writes_and_names_the_first_rows(sparse: Shop) -> None:
    before = sparse.database.read_bytes()

    result = attribution("run", sparse)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "Error: The run would compute 1,122 days from 2020-08-07 to 2023-09-02, but only 16 of them have rows. "
        "The earliest are conversion old00 of 2020-08-07, conversion old01 of 2020-10-26, conversion old02 of 2021-01-14, "
        "conversion old03 of 2021-04-04, conversion old04 of 2021-06-23. If their dates are wrong, correct them or set "
        "ATTRIBUTION_START_DATE to a later day; if not, give --start.\n"
    )
    assert sparse.database.read_bytes() == before


def test_it_goes_on_from_the_start_that_it_is_given(sparse: Shop) -> None:
    assert len(plan(sparse, "2020-08-07").conversion_days) == 1_122
    assert len(plan(sparse, start_date="2023-08-01").conversion_days) == 33


def test_a_thousand_days_are_not_too_many(sparse: Shop) -> None:
    sparse.execute("DELETE FROM conversions WHERE conv_date < '2020-12-07'")

    assert len(plan(sparse).conversion_days) == 962


# What else copes with them --------------------------------------------------------------------------------------------


def test_the_search_for_late_data_keeps_nothing_of_years_without_rows_or_results(automated: Automated) -> None:
    automated.shop.conversion("stray", "nobody", "2020-01-01 10:00:00")
    automated.choices["start_date"] = None
    automated.attribute("2023-09-01", "2023-09-10")

    assert automated.late_data_requests() == {}

    [(first, days)] = automated.shop.execute("SELECT min(date), count(DISTINCT date) FROM seen_days WHERE date > '2020-02'")
    assert first > "2023-07"
    assert days < 100


def test_late_data_is_found_in_days_that_no_search_has_looked_at(automated: Automated) -> None:
    automated.shop.conversion("stray", "nobody", "2020-01-01 10:00:00")
    automated.choices["start_date"] = None
    automated.attribute("2020-01-01")
    automated.attribute("2023-09-01", "2023-09-10")
    automated.late_data()
    automated.shop.session("late", "nobody", "2020-01-01 09:00:00")

    assert automated.late_data_requests() == {"attribute_conversions": ["2020-01-01"]}


def test_an_estimate_writes_nothing(stray: Shop) -> None:
    before = stray.database.read_bytes()

    assert attribution("ihc estimate", stray).exit_code == 0
    assert stray.database.read_bytes() == before


def test_neighbouring_days_without_data_are_one_range(from_1970: Shop, history: dg.DagsterInstance) -> None:
    states = day_states(from_1970.settings(), history, None, None)

    assert [str(days) for days, _ in grouped(states)] == [
        "1970-01-01",
        "1970-01-02 to 2023-08-31",
        "2023-09-01 to 2023-09-30",
    ]
