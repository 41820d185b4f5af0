"""The `attribution` command as its user meets it: what it prints, writes and answers to mistakes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.analysis.plan import plan_run
from attribution_assets.catalog.table import REPORT
from attribution_assets.catalog.tables import CHECKS
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs
from attribution_assets.orchestration.history import POOL, tagged_days
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets_tests.command import Command
from attribution_assets_tests.support import EVEN, PROJECT, TABLES, Shop, wait_for
from attribution_assets_tests.templates import Templates

YESTERDAY = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
TODAY = datetime.now(UTC).date().isoformat()
NO_HISTORY = (
    "There is no session up to 2023-08-31, so the lookback of 2 of the conversions of 2023-09-02 to 2023-09-03 is not covered "
    "yet: either the shop was not open before, or its earlier sessions were not loaded."
)


def attribution(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run(shop: Shop, *arguments: str | Path) -> Result:
    return attribution("run", "--database", shop.database, "--exports", shop.exports, *arguments)


def small(shop: Shop) -> Shop:
    shop.session("s1", "u", "2023-09-01 10:00:00", "Email", cost=4)
    shop.session("s2", "v", "2023-09-03 10:00:00", "Ads", cost=1)
    shop.conversion("c1", "u", "2023-09-02 12:00:00", 8)
    shop.conversion("c2", "stranger", "2023-09-02 12:00:00", 5)
    return shop


@pytest.fixture
def small_shop(shop: Shop) -> Shop:
    """Two users of whom one buys, and a stranger."""
    return small(shop)


BASIS = {"model": "ihc", "parameters": "challenge", "computed_by": "embedded", "currency": "EUR"} | {
    "learned_from": "another company's journeys"
}


# -- run --------------------------------------------------------------------------------------------------------------


def test_run_writes_the_report_and_ends_with_a_table_and_the_csv_path(small_shop: Shop) -> None:
    result = run(small_shop)

    assert result.exit_code == 0
    assert "Channels, sessions of 2023-09-01 to 2023-09-03" in result.stdout
    assert "Email" in result.stdout
    assert "1 conversions of 2023-09-02 to 2023-09-03 have no session (revenue 5.00)" in result.stdout
    assert "with the parameters challenge, learned from another company's journeys: calibrate your own" in result.stdout
    assert result.stdout.rstrip().endswith(str(small_shop.exports / "channel_reporting.csv"))
    assert small_shop.table("channel_reporting") == [
        ("Ads", "2023-09-03", 1.0, 0.0, 0.0),
        ("Email", "2023-09-01", 4.0, 1.0, 8.0),
    ]


def test_paid_channels_are_told_from_all_and_provisional_days_from_final_ones(
    small_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTRIBUTION_LOOKBACK_DAYS", "3")
    small_shop.session("s3", "u", "2023-09-02 11:00:00", "Direct", cost="missing")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    small_shop.session("s4", "v", f"{yesterday} 10:00:00", "Direct")

    result = run(small_shop, "--start", str(yesterday))
    told = json.loads(run(small_shop, "--json", "--start", "2023-09-02", "--end", "2023-09-03").stdout)

    days = yesterday - timedelta(days=2), yesterday + timedelta(days=3)
    assert f"Days from {days[0]} on are provisional: orders up to {days[1]} can still be credited to them." in result.stdout
    totals, [email] = told["totals"], [row for row in told["channels"] if row["channel"] == "Email"]
    assert (totals["cost"], totals["orders"], totals["revenue"]) == (5, pytest.approx(1), pytest.approx(8))
    assert (totals["cpo"], totals["roas"]) == (pytest.approx(5 / 1), pytest.approx(8 / 5))
    assert totals["paid_cpo"] == pytest.approx(5 / email["orders"])
    assert totals["paid_roas"] == pytest.approx(email["revenue"] / 5)
    assert email["orders"] < 1


def test_a_report_names_the_parameters_that_its_credit_was_computed_with(
    small_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    parameters = small_shop.database.with_name("own.json")
    parameters.write_text(EVEN)
    small_shop.conversion("c3", "u", "2023-09-03 12:00:00", 8)
    run(small_shop, "--json", "--start", "2023-09-02", "--end", "2023-09-02")

    monkeypatch.setenv("IHC_PARAMETERS", str(parameters))
    both = json.loads(run(small_shop, "--json", "--start", "2023-09-03", "--end", "2023-09-03").stdout)
    of_one = attribution("explain", "--database", small_shop.database, "--conversion", "c1", "--json")

    assert [name.split("@")[0] for name in both["parameters"].split(", ")] == ["challenge", "own.json"]
    assert both["learned_from"] == "another company's journeys, your journeys"
    assert json.loads(of_one.stdout)["parameters"] == "challenge"  # whatever the settings are now


def test_json_is_the_only_thing_on_standard_output(small_shop: Shop) -> None:
    result = run(small_shop, "--json")

    assert json.loads(result.stdout) == BASIS | {
        "groups": ["attribution"],
        "left_out": [
            {"group": "funnel", "lacks": ["events"]},
            {"group": "campaigns", "lacks": ["campaign_results"]},
        ],
        "start": "2023-09-02",
        "end": "2023-09-03",
        "report_start": "2023-09-01",
        "report_end": "2023-09-03",
        "provisional_from": None,
        "final_on": "2023-12-02",
        "totals": {"cost": 5, "orders": 1, "revenue": 8, "cpo": 5, "roas": 1.6, "paid_cpo": 5, "paid_roas": 1.6},
        "channels": [
            {"channel": "Email", "cost": 4.0, "orders": 1.0, "revenue": 8.0, "cpo": 4.0, "roas": 2.0},
            {"channel": "Ads", "cost": 1.0, "orders": 0.0, "revenue": 0.0, "cpo": None, "roas": 0.0},
        ],
        "ad_spend": None,
        "only_tracked": None,
        "conversions_without_session": {"conversions": 1, "revenue": 5.0},
        "credit_before_first_day": {"orders": 0.0, "revenue": 0.0},
        "csv": str(small_shop.exports / "channel_reporting.csv"),
        "report_csv": str(small_shop.exports / "channel_report.csv"),
        "notes": [],
        "checks": [
            {
                "check": "buyers_have_sessions",
                "asset": "customer_journeys",
                "result": "warning",
                "sentence": "1 conversion of 2023-09-02 to 2023-09-03 came from users without any session.",
            },
            {
                "check": "lookback_is_covered",
                "asset": "customer_journeys",
                "result": "warning",
                "sentence": (
                    "1 gap without any session lay in the lookback of conversions of 2023-09-02 to 2023-09-03: journeys may be "
                    f"cut off. {NO_HISTORY}"
                ),
            },
            {
                "check": "conversions_have_sessions",
                "asset": "customer_journeys",
                "result": "warning",
                "sentence": (
                    "1 conversion of 2023-09-02 to 2023-09-03 had no session, more than 10% of all. "
                    "No channel gets their revenue of 5.00."
                ),
            },
        ],
    }


def test_run_says_what_its_checks_found(small_shop: Shop) -> None:
    small_shop.session("s3", "w", "2023-09-02 10:00:00")

    result = run(small_shop)

    assert f"lookback_is_covered, not_yet: {NO_HISTORY}\n" in result.stdout
    assert "buyers_have_sessions, warning: 1 conversion of 2023-09-02 to 2023-09-03 came from users" in result.stdout
    assert result.stdout.count(" passed: ") == 0


def test_what_the_checks_of_two_assets_find_alike_is_said_once(small_shop: Shop) -> None:
    small_shop.execute("UPDATE session_costs SET cost = -1 WHERE session_id = 's1'")

    result = run(small_shop, "--start", "2023-09-01")

    assert result.stdout.count("money_is_not_negative, warning: ") == 1


@pytest.mark.dagster_home
def test_without_options_the_environment_and_then_the_default_paths_are_used(
    small_shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ATTRIBUTION_DATABASE", "shop.db")

    result = attribution("run")

    assert result.exit_code == 0
    assert (tmp_path / "data" / "exports" / "channel_reporting.csv").exists()
    assert (tmp_path / ".dagster_home" / "shop" / "dagster.yaml").read_text() == (
        PROJECT / "attribution_assets" / "dagster.yaml"
    ).read_text()


def test_its_runs_are_told_apart_by_their_jobs_days_and_database(small_shop: Shop, history: dg.DagsterInstance) -> None:
    run(small_shop, "--start", "2023-09-02", "--end", "2023-09-02")

    runs = history.get_runs()
    assert {run.job_name: run.tags["days"] for run in runs} == {
        "attribute_conversions": "2023-09-02",
        "sum_costs": "2023-09-02",
        "report_channels": "2023-09-01 to 2023-09-02",
    }
    assert {run.tags["database"] for run in runs} == {small_shop.database.name}
    assert {run.tags["because"] for run in runs} == {"`attribution run`"}


@pytest.mark.dagster_home
def test_its_three_runs_show_in_the_history_of_the_dagster_home(
    small_shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))

    run(small_shop, "--start", "2023-09-02", "--end", "2023-09-02")

    with dg.DagsterInstance.get() as instance:
        assert [(run.job_name, run.status) for run in reversed(instance.get_runs())] == [
            ("attribute_conversions", dg.DagsterRunStatus.SUCCESS),
            ("sum_costs", dg.DagsterRunStatus.SUCCESS),
            ("report_channels", dg.DagsterRunStatus.SUCCESS),
        ]
        assert instance.get_materialized_partitions(dg.AssetKey("customer_journeys")) == {"2023-09-02"}
        assert instance.get_materialized_partitions(dg.AssetKey("channel_reporting_csv")) == {"2023-09-01", "2023-09-02"}
        of_jobs = {run.job_name: tagged_days(run.tags) for run in instance.get_runs()}
        assert of_jobs == {
            "attribute_conversions": ["2023-09-02"],
            "sum_costs": ["2023-09-02"],
            "report_channels": ["2023-09-01", "2023-09-02"],
        }


def test_rows_after_the_last_day_are_counted_in_one_line(small_shop: Shop) -> None:
    small_shop.session("today", "u", f"{TODAY} 00:00:00")
    small_shop.conversion("today", "u", f"{TODAY} 00:00:01")
    small_shop.conversion("far", "u", "2999-01-01 00:00:01")

    result = run(small_shop)

    assert f"1 sessions and 2 conversions after {YESTERDAY}" in result.stderr
    assert small_shop.table("customer_journeys", "conv_id") == [("c1",)]


def test_rows_without_a_date_are_counted_in_one_line(small_shop: Shop) -> None:
    small_shop.session("broken", "u", "01.09.2023 10:00:00")

    assert "1 sessions and 0 conversions without a date of the form YYYY-MM-DD are not in the report." in run(small_shop).stderr


def test_rows_without_a_day_are_told_by_run_check_and_status(small_shop: Shop) -> None:
    small_shop.session("other", "u", "20230901 10:00:00", cost=2)
    told = (
        "rows_have_a_day, warning: 1 form of dates kept rows out of every report, most of them 1 of session_sources "
        "(amount 2.00): YYYYMMDD, such as '20230901'."
    )

    ran, checked = run(small_shop), attribution("check", "--database", small_shop.database)
    state = attribution("status", "--database", small_shop.database, "--start", "2023-09-03", "--end", "2023-09-03")

    assert (ran.exit_code, ran.stdout.count(told), state.stdout.count(told)) == (0, 1, 1)
    assert re.search(r"rows_have_a_day +customer_journeys +warning", checked.stdout)
    assert small_shop.table("channel_costs", "sessions") == [(1,), (1,)]


def test_dates_in_another_form_that_stop_a_run_are_told_with_their_conversion(small_shop: Shop) -> None:
    small_shop.execute("UPDATE session_sources SET event_date = '2023-09-01T10:00:00' WHERE session_id = 's1'")

    result = run(small_shop)

    *_, error = result.stderr.splitlines()
    assert result.exit_code == 1
    assert error.startswith("Error: customer_journeys was not written, because its sources are broken: session_sources: 's1' ")
    assert error.endswith("timestamp, such as '2023-09-01T10:00:00'. Convert: substr(event_date, 1, 10).")


def test_a_full_table_whose_dates_are_no_days_is_told_from_an_empty_one(small_shop: Shop) -> None:
    small_shop.execute("UPDATE conversions SET conv_date = replace(conv_date, '-', '')")
    full = run(small_shop)
    small_shop.execute("DELETE FROM conversions")
    empty = run(small_shop)

    assert (full.exit_code, empty.exit_code) == (1, 1)
    assert full.stderr == (
        f"Error: No row of conversions in {small_shop.database} has a date that is a day, written YYYY-MM-DD: 2 with YYYYMMDD, "
        "such as '20230902'. Convert: substr(conv_date, 1, 4) || '-' || substr(conv_date, 5, 2) || '-' || "
        "substr(conv_date, 7, 2).\n"
    )
    assert empty.stderr == (
        f"Error: The table conversions in {small_shop.database} has no row, so there is nothing to attribute. Fill it first.\n"
    )


def test_a_user_of_very_many_touchpoints_is_named_before_anything_is_written(small_shop: Shop) -> None:
    for number in range(101):
        small_shop.session(f"p{number}", "null_user", "2023-09-01 10:00:00")
        small_shop.conversion(f"p{number}", "null_user", "2023-09-02 12:00:00", 1)

    result = run(small_shop)

    said = (
        "1 user had more than 10% of all touchpoints of 2023-09-02 to 2023-09-03: 'null_user' has 101 sessions for 101 "
        "conversions. If the id stands for whoever is unknown, name it in ATTRIBUTION_NOBODY."
    )
    lines = result.stderr.splitlines()
    assert lines.index(said) < lines.index(next(line for line in lines if line.startswith("customer_journeys: ")))
    assert f"no_user_is_a_placeholder, warning: {said}" in result.stdout


def test_nobody_costs_and_is_never_credited(small_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    small_shop.session("n1", "null_user", "2023-09-01 10:00:00", "TV", cost=3)
    small_shop.conversion("n1", "null_user", "2023-09-02 12:00:00", 70)
    monkeypatch.setenv("ATTRIBUTION_NOBODY", "null_user,unknown")

    told = json.loads(run(small_shop, "--json").stdout)
    checked = json.loads(attribution("check", "--database", small_shop.database, "--json").stdout)

    assert {row["channel"]: (row["cost"], row["orders"]) for row in told["channels"]} == {
        "Email": (4.0, 1.0),
        "TV": (3.0, 0.0),
        "Ads": (1.0, 0.0),
    }
    assert told["conversions_without_session"] == {"conversions": 2, "revenue": 75.0}
    assert [finding["check"] for finding in checked if finding["result"] == "failed"] == []


def test_a_source_that_is_a_view_is_named_in_one_line(small_shop: Shop) -> None:
    small_shop.execute("ALTER TABLE conversions RENAME TO orders")
    small_shop.execute("CREATE VIEW conversions AS SELECT * FROM orders")

    result = run(small_shop)

    assert result.exit_code == 0
    assert "conversions is a view, so it cannot be indexed" in result.stderr


def test_a_conversion_that_moved_to_a_day_without_sessions_is_counted(small_shop: Shop) -> None:
    run(small_shop)

    small_shop.execute("UPDATE conversions SET conv_date = '2023-09-01', conv_time = '09:00:00' WHERE conv_id = 'c1'")
    result = run(small_shop, "--start", "2023-09-01", "--end", "2023-09-02", "--json")

    assert json.loads(result.stdout)["conversions_without_session"] == {"conversions": 2, "revenue": 13.0}


def test_credit_of_sessions_before_the_start_date_is_named(small_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    small_shop.conversion("early", "v", "2023-09-01 12:00:00")
    monkeypatch.setenv("ATTRIBUTION_START_DATE", "2023-09-02")

    result = run(small_shop)

    assert "1 sessions and 1 conversions before 2023-09-02, the first day, are not in the report." in result.stderr
    assert "1.00 orders (revenue 8.00) are credited to sessions before ATTRIBUTION_START_DATE" in result.stdout


def test_a_date_that_is_none_neither_stops_a_run_nor_goes_uncounted(small_shop: Shop) -> None:
    small_shop.execute("ALTER TABLE conversions RENAME TO orders")
    small_shop.execute("CREATE TABLE conversions AS SELECT * FROM orders")
    for number, date in enumerate((None, "0001-01-01", "", "01.09.2023")):
        small_shop.execute("INSERT INTO conversions VALUES (?, 'u', ?, '12:00:00', 999)", f"odd{number}", date)

    result = run(small_shop)

    assert result.exit_code == 0
    assert "0 sessions and 4 conversions without a date" in result.stderr


def test_names_are_shown_as_they_are_whatever_they_look_like(small_shop: Shop, tmp_path: Path) -> None:
    small_shop.execute("UPDATE session_sources SET channel_name = '[bold]x [/y] :smile:'")

    result = run(small_shop, "--exports", tmp_path / "exports[red]")

    assert result.exit_code == 0
    assert "[bold]x [/y] :smile:" in result.stdout
    assert result.stdout.rstrip().endswith("exports[red]/channel_reporting.csv")


def test_a_range_without_conversions_reports_its_costs(small_shop: Shop) -> None:
    result = run(small_shop, "--start", "2023-09-03", "--end", "2023-09-03")

    assert result.exit_code == 0
    assert small_shop.table("channel_reporting", "date, cost") == [("2023-09-01", 4.0), ("2023-09-03", 1.0)]


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (None, None, "2023-09-02 to 2023-09-03"),
        ("2023-09-03", None, "2023-09-03"),
        (None, "2023-09-02", "2023-09-02"),
        (None, "2023-09-01", "2023-09-01"),  # before the first conversion
        ("2023-09-07", None, "2023-09-07"),  # after the last session
        ("2023-09-01", "2023-09-09", "2023-09-01 to 2023-09-09"),
    ],
)
def test_an_unset_end_of_the_range_is_the_first_conversion_or_the_last_source_day(
    small_shop: Shop, start: str | None, end: str | None, days: str
) -> None:
    assert str(plan_run(small_shop.settings(), start, end).conversion_days) == days


@pytest.mark.parametrize("arguments", [["--end", "2023-09-01"], ["--start", "2023-09-07"]])
def test_a_day_before_the_first_conversion_or_after_the_last_session_runs(small_shop: Shop, arguments: list[str]) -> None:
    result = json.loads(run(small_shop, "--json", *arguments).stdout)

    assert [result["start"], result["end"]] == [arguments[1], arguments[1]]


def test_elsewhere_than_on_a_terminal_each_step_is_a_plain_line(small_shop: Shop) -> None:
    steps = [line.split(":")[0] for line in run(small_shop).stderr.splitlines() if " rows in " in line]

    assert steps == [
        "customer_journeys",
        "ihc_results",
        "attribution_customer_journey",
        "channel_costs",
        "channel_reporting",
        "channel_report",
        "channel_reporting_csv",
        "channel_report_csv",
    ]


def test_the_rows_of_a_report_are_counted_without_those_of_costs_that_it_had_to_sum_first(small_shop: Shop) -> None:
    lines = run(small_shop, "--start", "2023-09-03", "--end", "2023-09-03").stderr  # 2023-09-01 was never summed

    assert "channel_costs: 1 rows in " in lines
    assert "channel_reporting: 2 rows in " in lines


def test_checks_of_a_step_of_their_own_are_counted(small_shop: Shop) -> None:
    assert "customer_journeys_checks: 4 checks in " in run(small_shop).stderr


@pytest.mark.dagster_home
def test_a_run_that_waits_for_another_one_says_so_and_ends_at_ctrl_c(
    small_shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with dagster_instance(tmp_path / "home") as instance:
        other = instance.create_run_for_job(build_defs(small_shop.settings()).resolve_job_def(REPORT.name))
        instance.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        instance.event_log_storage.claim_concurrency_slot(POOL, other.run_id, "channel_reporting")

    waiting = Command("run", "--database", small_shop.database, says=tmp_path / "said")
    try:
        word = f"Run {other.run_id} of the UI or the daemon is in progress"
        wait_for(lambda: word in waiting.says.read_text() or not waiting.is_at_work())
        waiting.send(signal.SIGINT)
        assert waiting.wait()
        assert word in waiting.says.read_text()
    finally:
        waiting.kill()

    assert small_shop.table("customer_journeys") == []


def test_what_an_ended_run_still_holds_keeps_no_run_waiting(small_shop: Shop, history: dg.DagsterInstance) -> None:
    ended = history.create_run_for_job(build_defs(small_shop.settings()).resolve_job_def(REPORT.name))
    history.event_log_storage.set_concurrency_slots(POOL, 1)
    history.event_log_storage.claim_concurrency_slot(POOL, ended.run_id, "channel_reporting")
    history.report_run_failed(ended)

    assert run(small_shop).exit_code == 0


def test_on_a_terminal_each_step_has_a_progress_bar(small_shop: Shop) -> None:
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "attribution_assets", "run", "--database", small_shop.database, "--json"],
        stdout=subprocess.PIPE,
        stderr=end,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    ) as process:
        os.close(end)
        shown = read_all(terminal)

    assert process.returncode == 0
    for step in ("customer_journeys", "channel_reporting_csv"):
        assert step in shown
    assert "━" in shown


def read_all(terminal: int) -> str:
    content = b""
    try:
        while chunk := os.read(terminal, 65_536):
            content += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(terminal)
    return content.decode()


# -- check ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def computed(tmp_path: Path, instance: dg.DagsterInstance, templates: Templates) -> Shop:
    """The small shop without its stranger but with a session on every day, attributed and reported."""

    def compute(folder: Path) -> None:
        shop = small(Shop(folder / "shop.db", folder / "exports"))
        shop.execute("DELETE FROM conversions WHERE user_id = 'stranger'")
        shop.session("s3", "w", "2023-09-02 10:00:00", "Email")
        shop.attribute(instance, "2023-09-02", lookback_days=1)
        shop.report(instance, "2023-09-01", "2023-09-03", lookback_days=1)

    templates.copy("small shop, computed", compute, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def check(shop: Shop, *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATTRIBUTION_LOOKBACK_DAYS", "1")
        return attribution("check", "--database", shop.database, *arguments)


WITHOUT_MODELS = [(table.name, check.name) for table, check in CHECKS if table.name in TABLES]


def test_check_of_a_database_that_is_right_says_of_every_check_that_it_passed(computed: Shop) -> None:
    result = check(computed)

    assert result.exit_code == 0
    for asset, name in WITHOUT_MODELS:
        assert re.search(rf"^ *{name} +{asset} +passed ", result.stdout, re.MULTILINE), name


def test_a_failed_check_ends_with_code_1_and_shows_its_rows(computed: Shop) -> None:
    computed.execute("UPDATE channel_reporting SET cost = 9.994 WHERE date = '2023-09-01'")

    result = check(computed)

    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "1 figure in the report of 2023-09-01 to 2023-09-03" in " ".join(result.stdout.split())
    _, _, shown = result.stdout.partition("report_adds_up, 1 of 1:")
    assert shown.partition("channel_report_is")[0].split()[-4:] == ["2023-09-01", "cost", "9.994", "4"]


def test_a_warning_ends_with_code_0_and_shows_its_rows_once(computed: Shop) -> None:
    computed.conversion("c[0]", "stranger", "2023-09-02 12:00:00", -5)

    result = check(computed)

    assert result.exit_code == 0
    assert "warning" in result.stdout
    assert result.stdout.count("stranger") == 2  # of buyers_have_sessions and conversions_have_sessions
    assert "c[0]" in result.stdout


def test_check_looks_at_the_days_that_it_is_given(computed: Shop) -> None:
    computed.execute("UPDATE channel_reporting SET cost = 9 WHERE date = '2023-09-03'")

    assert check(computed, "--end", "2023-09-02").exit_code == 0
    assert check(computed, "--start", "2023-09-03").exit_code == 1
    assert check(computed, "--start", "2023-09-03", "--end", "2023-09-03").exit_code == 1


def test_check_gives_programs_what_it_found(computed: Shop) -> None:
    computed.execute("UPDATE channel_reporting SET cost = 9 WHERE date = '2023-09-03'")

    found = json.loads(check(computed, "--json").stdout)

    assert [(finding["asset"], finding["check"]) for finding in found] == WITHOUT_MODELS
    assert found[-2] == {
        "check": "report_adds_up",
        "asset": "channel_reporting",
        "start": "2023-09-01",
        "end": "2023-09-03",
        "blocking": True,
        "result": "failed",
        "sentence": "1 figure in the report of 2023-09-01 to 2023-09-03 differed from the tables that it is computed from.",
        "offending": 1,
        "rows": [{"channel_name": "Ads", "date": "2023-09-03", "figure": "cost", "reported": 9.0, "of_sources": 1.0}],
        "not_yet": [],
    }


def test_check_writes_nothing(computed: Shop, tmp_path: Path) -> None:
    computed.execute("DROP INDEX conversions_by_date")  # which a run would make again
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    check(computed)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_check_of_a_database_without_results_says_so_in_one_line(small_shop: Shop) -> None:
    untouched = check(small_shop)
    small_shop.warehouse.prepare()
    prepared = check(small_shop, "--start", "2023-09-01")

    assert (untouched.exit_code, prepared.exit_code) == (1, 1)
    assert (
        untouched.stderr
        == prepared.stderr
        == (
            f"Error: {small_shop.database} has no results yet, so there is nothing to check. Run `attribution run` first. "
            "If it has already run, no conversion has a session within its lookback: give --start and --end.\n"
        )
    )


def test_a_run_whose_result_is_wrong_says_so_in_one_line(computed: Shop) -> None:
    computed.execute("DELETE FROM customer_journeys WHERE session_id = 's1'")  # its credit is stored

    result = run(computed, "--start", "2023-09-03", "--end", "2023-09-03")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: channel_reporting was written but failed a check, so nothing ")


# -- mistakes ---------------------------------------------------------------------------------------------------------


def no_file(shop: Shop) -> None:
    shop.database.unlink()


def not_sqlite(shop: Shop) -> None:
    shop.database.write_text("date,channel\n2023-09-01,Email\n" * 100)


def no_conversions(shop: Shop) -> None:
    shop.execute("DELETE FROM conversions")


def only_todays_conversions(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET conv_date = ?", TODAY)


def no_costs_table(shop: Shop) -> None:
    shop.execute("DROP TABLE session_costs")


def no_channel_column(shop: Shop) -> None:
    shop.execute("ALTER TABLE session_sources DROP COLUMN channel_name")


def text_revenue(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET revenue = 'eight' WHERE conv_id = 'c1'")


def text_cost(shop: Shop) -> None:
    shop.execute("UPDATE session_costs SET cost = '4 Euro' WHERE session_id = 's1'")


def broken_time(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET conv_time = '9:30' WHERE conv_id = 'c1'")


def broken_session_time(shop: Shop) -> None:
    shop.execute("UPDATE session_sources SET event_time = '10:00:00+05:00' WHERE session_id = 's1'")


def as_view(shop: Shop, source: str, select: str) -> None:
    shop.execute(f"ALTER TABLE {source} RENAME TO my_{source}")
    shop.execute(f"CREATE VIEW {source} AS {select}")


def conversions_twice(shop: Shop) -> None:
    as_view(shop, "conversions", "SELECT * FROM my_conversions UNION ALL SELECT * FROM my_conversions WHERE conv_id = 'c1'")


def sessions_twice(shop: Shop) -> None:
    as_view(shop, "session_sources", "SELECT * FROM my_session_sources UNION ALL SELECT * FROM my_session_sources LIMIT 3")


def nothing(shop: Shop) -> None:
    """The shop is as it should be."""


@pytest.mark.parametrize(
    ("damage", "arguments", "environment", "says"),
    [
        (no_file, [], {}, "There is no database"),
        (not_sqlite, [], {}, "is not an SQLite database"),
        (no_conversions, [], {}, "conversions in"),
        (only_todays_conversions, [], {}, f"The first conversion is on {TODAY}, after the last day that can run"),
        (no_costs_table, [], {}, "has no table session_costs"),
        (no_channel_column, [], {}, "session_sources in {database} has no column channel_name"),
        (text_revenue, [], {}, "conversions: 'c1' has revenue 'eight', which is not a number"),
        (text_cost, [], {}, "session_costs: 's1' has cost '4 Euro', which is not a number"),
        (broken_time, [], {}, "conversions: 'c1' has conv_time '9:30', which is not HH:MM:SS"),
        (broken_session_time, [], {}, "session_sources: 's1' has event_time '10:00:00+05:00', which is not HH:MM:SS"),
        (conversions_twice, [], {}, "conv_id 'c1' appears 2 times in conversions"),
        (sessions_twice, [], {}, "session_id 's1' appears 2 times in session_sources"),
        (nothing, ["--start", "2023-09-03", "--end", "2023-09-02"], {}, "is reversed"),
        (nothing, ["--start", "2023-08-31"], {}, "2023-08-31 is outside the partitions, 2023-09-01 to"),
        (nothing, ["--end", TODAY], {}, f"{TODAY} is outside the partitions"),
        (nothing, ["--exports", "{database}/exports"], {}, "cannot be written: Not a directory"),
        (nothing, [], {"IHC_PARAMETERS": "typo"}, "There are no IHC parameters 'typo'"),
        (nothing, [], {"ATTRIBUTION_LOOKBACK_DAYS": "many"}, "ATTRIBUTION_LOOKBACK_DAYS: "),
        (nothing, [], {"ATTRIBUTION_START_DATE": "2024-01-01", "ATTRIBUTION_END_DATE": "2023-01-01"}, "is later than"),
        pytest.param(
            *(nothing, [], {"DAGSTER_HOME": "{database}/home"}, "DAGSTER_HOME {database}/home cannot be written"),
            marks=pytest.mark.dagster_home,
        ),
    ],
)
def test_a_mistake_is_answered_by_one_clear_line_and_exit_code_1(
    small_shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Shop], None],
    arguments: list[str],
    environment: dict[str, str],
    says: str,
) -> None:
    damage(small_shop)
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(database=small_shop.database))

    result = run(small_shop, *[argument.format(database=small_shop.database) for argument in arguments])

    *_, last = result.stderr.splitlines()
    assert result.exit_code == 1
    assert last.startswith("Error: ")
    assert says.format(database=small_shop.database) in last
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["run", "--start", "soon"], ["run", "--colour"], ["sample-data", "--days", "0"]])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    assert attribution(*arguments).exit_code == 2


def test_if_the_attribution_fails_the_report_does_not_start_and_the_old_rows_stay(
    small_shop: Shop, history: dg.DagsterInstance
) -> None:
    run(small_shop)
    before = (small_shop.results(), small_shop.csv_bytes())

    text_revenue(small_shop)
    small_shop.conversion("new", "u", "2023-09-02 13:00:00")
    result = run(small_shop)

    assert result.exit_code == 1
    assert (small_shop.results(), small_shop.csv_bytes()) == before
    newest = history.get_runs(limit=1)[0]
    assert (newest.job_name, newest.status) == ("attribute_conversions", dg.DagsterRunStatus.FAILURE)


# -- sample-data and help ---------------------------------------------------------------------------------------------


def test_sample_data_ends_yesterday_and_runs_at_once(tmp_path: Path) -> None:
    made = attribution("sample-data", "--days", "5", "--sessions", "300")
    ran = attribution("run", "--json")

    assert made.exit_code == ran.exit_code == 0
    assert str(tmp_path / "data" / "attribution.db") in made.stdout
    assert json.loads(ran.stdout)["report_end"] == YESTERDAY


def test_sample_data_that_cannot_be_written_is_said_in_one_line(small_shop: Shop) -> None:
    file = small_shop.database / "x.db"

    result = attribution("sample-data", "--database", file)

    assert result.exit_code == 1
    assert result.stderr == f"Error: {file} cannot be written: File exists. Choose another --database.\n"


def test_sample_data_never_overwrites_a_file(small_shop: Shop) -> None:
    before = small_shop.database.read_bytes()

    result = attribution("sample-data", "--database", small_shop.database)

    assert result.exit_code == 1
    assert "already exists" in result.stderr
    assert small_shop.database.read_bytes() == before


def test_help_does_not_wait_for_dagster_or_pandas() -> None:
    code = """import sys
from attribution_assets.command.cli import main
main(["--help"], standalone_mode=False)
print(*sys.modules)"""

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "sample-data" in result.stdout
    assert not {"dagster", "pandas", "numpy"} & set(result.stdout.split())


def test_what_a_command_imports_is_left_alone_by_the_garbage_collector_but_nothing_that_comes_later() -> None:
    code = """import gc
from attribution_assets.command.options import imports
with imports():
    import dagster
before = gc.get_freeze_count()
with imports():
    import wave
print(before > 10_000, gc.get_freeze_count() == before, gc.isenabled())"""

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert result.stdout == "True True True\n"
