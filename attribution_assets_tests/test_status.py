"""`attribution status`: of each day what is missing, fresh or stale and why, when it is final, and its last run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets.orchestration.status import day_states, reasons
from attribution_assets_tests.automated import Automated, september
from attribution_assets_tests.support import TABLES


def states(automated: Automated, start: str = "2023-09-01", end: str = "2023-09-12") -> list[dict[str, Any]]:
    return day_states(automated.settings, automated.instance, start, end)


def stale(automated: Automated, asset: str) -> dict[str, str]:
    """The asset's stale days, with the reason."""
    told = {state["day"]: state["assets"][asset] for state in states(automated)}
    return {day: asset["because"] for day, asset in told.items() if asset["state"] == "stale"}


def test_days_that_were_never_computed_are_missing(computed: Automated) -> None:
    *_, tenth, eleventh, _ = states(computed)

    assert {asset["state"] for asset in tenth["assets"].values()} == {"fresh"}
    assert {asset["state"] for asset in eleventh["assets"].values()} == {"missing"}


def test_a_run_of_a_reversed_range_is_the_last_run_of_no_day(computed: Automated) -> None:
    before = states(computed)
    reversed_range = {"dagster/asset_partition_range_start": "2023-09-03", "dagster/asset_partition_range_end": "2023-09-01"}
    computed.instance.add_run(dg.DagsterRun("report_channels", tags=reversed_range))

    assert states(computed) == before


def test_late_data_makes_its_days_and_all_that_follows_them_stale(computed: Automated) -> None:
    computed.shop.conversion("late", "anna", "2023-09-08 23:00:00", 5.0)

    assert stale(computed, "customer_journeys") == {"2023-09-08": "conversions of 2023-09-08 changed"}
    assert stale(computed, "ihc_results") == {"2023-09-08": "customer_journeys of 2023-09-08 is stale"}
    assert stale(computed, "channel_reporting") == dict.fromkeys(
        september(5, 6, 7, 8), "attribution_customer_journey of 2023-09-08 is stale"
    )
    assert list(stale(computed, "channel_reporting_csv")) == september(5, 6, 7, 8)


def test_a_changed_revenue_makes_only_the_reports_stale(computed: Automated) -> None:
    computed.shop.execute("UPDATE conversions SET revenue = 11 WHERE conv_id = 'buys8'")

    assert stale(computed, "customer_journeys") == {}
    assert stale(computed, "channel_reporting") == dict.fromkeys(september(5, 6, 7, 8), "revenue of 2023-09-08 changed")


def test_a_changed_cost_makes_the_costs_and_the_report_of_its_day_stale(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")

    assert stale(computed, "customer_journeys") == {}
    assert stale(computed, "channel_costs") == {"2023-09-05": "costs of 2023-09-05 changed"}
    assert stale(computed, "channel_reporting") == {"2023-09-05": "channel_costs of 2023-09-05 is stale"}
    assert stale(computed, "channel_reporting_csv") == {"2023-09-05": "channel_reporting of 2023-09-05 is stale"}


def test_late_data_of_nobody_makes_only_costs_stale(computed: Automated) -> None:
    computed.choices["nobody"] = ["nobody"]
    computed.shop.session("n1", "nobody", "2023-09-07 10:00:00", cost=5)
    computed.shop.conversion("cn", "nobody", "2023-09-08 10:00:00")

    assert stale(computed, "customer_journeys") == {}
    assert stale(computed, "channel_costs") == {"2023-09-07": "sessions of 2023-09-07 changed"}

    computed.choices["nobody"] = []

    assert stale(computed, "customer_journeys") == {"2023-09-08": "conversions of 2023-09-08 changed"}


def test_a_report_that_is_older_than_its_costs_is_stale(computed: Automated) -> None:
    computed.sum_costs("2023-09-05")

    assert stale(computed, "channel_costs") == {}
    assert stale(computed, "channel_reporting") == {"2023-09-05": "channel_costs is newer"}


def test_a_change_is_noticed_without_the_sensor_having_looked_before(automated: Automated) -> None:
    automated.attribute("2023-09-01", "2023-09-10")
    automated.report("2023-09-01", "2023-09-10")
    automated.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")

    assert stale(automated, "channel_costs") == {"2023-09-05": "its rows no longer match the sources"}


def test_reports_that_are_older_than_their_attribution_are_stale(computed: Automated) -> None:
    computed.attribute("2023-09-08")

    assert stale(computed, "channel_reporting") == dict.fromkeys(september(5, 6, 7, 8), "attribution_customer_journey is newer")


def test_each_reason_is_told_once(computed: Automated) -> None:
    computed.shop.execute("UPDATE conversions SET revenue = 11 WHERE conv_id = 'buys8'")

    assert reasons(states(computed)) == ["channel_reporting of 2023-09-05 to 2023-09-08: revenue of 2023-09-08 changed."]


def test_a_report_is_final_when_the_last_day_of_its_lookback_is_over(automated: Automated) -> None:
    today = datetime.now(UTC).date()
    automated.choices["end_date"] = None
    automated.report(str(today - timedelta(days=4)), str(today - timedelta(days=3)))

    older, newer = states(automated, str(today - timedelta(days=4)), str(today - timedelta(days=3)))

    assert (older["final_on"], older["final"]) == (str(today - timedelta(days=1)), True)
    assert (newer["final_on"], newer["final"]) == (str(today), False)


def test_a_day_without_a_report_is_never_final(computed: Automated) -> None:
    *_, tenth, eleventh = states(computed, end="2023-09-11")

    assert (tenth["final"], eleventh["final"]) == (True, False)


def test_the_last_run_of_a_day_is_shown_with_what_became_of_it(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 'much' WHERE session_id = 'anna5'")
    computed.materialize("2023-09-05", "channel_costs")

    fourth, fifth = states(computed, "2023-09-04", "2023-09-05")

    assert (fourth["last_run"]["job"], fourth["last_run"]["status"]) == ("report_channels", "success")
    assert fifth["last_run"]["status"] == "failure"
    assert fifth["last_run"]["seconds"] > 0


def test_looking_at_the_status_writes_nothing(computed: Automated) -> None:
    before = computed.shop.database.read_bytes()
    computed.shop.execute("DELETE FROM seen_days")
    before = computed.shop.database.read_bytes()

    states(computed)

    assert computed.shop.database.read_bytes() == before


@pytest.fixture
def commanded(computed: Automated, monkeypatch: pytest.MonkeyPatch) -> Automated:
    """A shop that the command finds by the environment, without a history."""
    for name, value in {
        "ATTRIBUTION_DATABASE": computed.shop.database,
        "ATTRIBUTION_LOOKBACK_DAYS": 3,
        "ATTRIBUTION_START_DATE": "2023-09-01",
        "ATTRIBUTION_END_DATE": "2023-09-20",
    }.items():
        monkeypatch.setenv(name, str(value))
    return computed


def test_the_command_prints_a_line_for_days_that_are_alike(commanded: Automated) -> None:
    printed = CliRunner().invoke(main, ["status", "--start", "2023-09-05", "--end", "2023-09-07"])

    assert printed.exit_code == 0, printed.output
    assert "2023-09-05 to 2023-09-07  missing" in printed.output
    assert printed.output.rstrip().count("2023-09-0") == 2


def test_where_no_day_has_results_the_command_says_what_to_run_and_calls_none_final(commanded: Automated) -> None:
    printed = CliRunner().invoke(main, ["status"])

    assert "None of these days has results. `attribution run` computes them." in printed.output
    assert "final" not in printed.output


def test_a_range_in_which_no_day_can_run_is_answered_by_the_days_that_can(commanded: Automated) -> None:
    printed = CliRunner().invoke(main, ["status", "--start", "2023-10-05"])

    assert printed.exit_code == 1
    assert printed.stderr == (
        "Error: No day from 2023-10-05 to 2023-09-20 can run. The partitions are 2023-09-01 to 2023-09-20.\n"
    )


def test_what_the_checks_of_the_sources_find_is_said_below_the_days(commanded: Automated) -> None:
    commanded.shop.conversion("stranger", "nobody", "2023-09-05 10:00:00")
    days = ("--start", "2023-09-05", "--end", "2023-09-06")

    printed = CliRunner().invoke(main, ["status", *days])
    as_json = json.loads(CliRunner().invoke(main, ["status", *days, "--json"]).stdout)

    sentence = "1 conversion of 2023-09-05 to 2023-09-06 came from users without any session."
    assert f"buyers_have_sessions, warning: {sentence}" in printed.stdout
    told = {"check": "buyers_have_sessions", "asset": "customer_journeys", "result": "warning", "sentence": sentence}
    assert [told in state["checks"] for state in as_json] == [True, True]


def test_the_command_gives_every_day_as_json(commanded: Automated) -> None:
    printed = CliRunner().invoke(main, ["status", "--start", "2023-09-05", "--end", "2023-09-07", "--json"])

    days = json.loads(printed.stdout)
    assert [state["day"] for state in days] == september(5, 6, 7)
    assert list(days[0]["assets"]) == TABLES
    assert days[0]["assets"]["channel_reporting"] == {"state": "missing", "because": None}


def test_strict_status_exits_with_code_1_where_a_day_is_stale(
    automated: Automated, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {
        "ATTRIBUTION_DATABASE": automated.shop.database,
        "ATTRIBUTION_EXPORTS": automated.shop.exports,
        "ATTRIBUTION_LOOKBACK_DAYS": 3,
        "ATTRIBUTION_START_DATE": "2023-09-01",
        "ATTRIBUTION_END_DATE": "2023-09-10",
        "DAGSTER_HOME": tmp_path / "home",
    }.items():
        monkeypatch.setenv(name, str(value))
    CliRunner().invoke(main, ["run"])

    fresh = CliRunner().invoke(main, ["status", "--strict"])
    automated.shop.conversion("late", "anna", "2023-09-08 23:00:00", 5.0)
    stale = CliRunner().invoke(main, ["status", "--strict"])
    lenient = CliRunner().invoke(main, ["status"])

    assert (fresh.exit_code, stale.exit_code, lenient.exit_code) == (0, 1, 0)
    assert "stale" in stale.stdout


def test_days_that_were_never_computed_do_not_fail_strict_status(commanded: Automated) -> None:
    assert CliRunner().invoke(main, ["status", "--strict"]).exit_code == 0
