"""The checks as Dagster runs them: in every run, on its days, before and after a table is written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from attribution_assets.catalog.table import ATTRIBUTE, REPORT, SUM
from attribution_assets.catalog.tables import CHECKS, table_named
from attribution_assets.definitions import build_assets, build_defs, build_resources
from attribution_assets.errors import AttributionError
from attribution_assets_tests.support import TABLES, Shop

DAY, NEXT_DAY = "2023-09-02", "2023-09-03"


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Anna buys after a session on the day before, Ben on the day after; Zoe only looks."""
    shop.session("s0", "zoe", "2023-09-01 09:00:00", "Email", cost=1)
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email", cost=2)
    shop.session("s2", "ben", f"{NEXT_DAY} 10:00:00", "Ads", cost=3)
    shop.conversion("c1", "anna", f"{DAY} 12:00:00", 100)
    shop.conversion("c2", "ben", f"{NEXT_DAY} 12:00:00", 50)
    return shop


def definitions(shop: Shop) -> dict[str, Any]:
    """The assets and the checks' steps by name."""
    return {
        made.node_def.name: made
        for made in build_assets(shop.settings(lookback_days=1))
        if isinstance(made, dg.AssetsDefinition)
    }


def materialize(
    shop: Shop, instance: dg.DagsterInstance, *names: str, day: str | None = DAY, tags: dict[str, str] | None = None
) -> dg.ExecuteInProcessResult:
    """A plain run of the named assets and checks, which may fail."""
    made = definitions(shop)
    return dg.materialize(
        [made[name] for name in names],
        resources=build_resources(shop.settings(lookback_days=1)),
        instance=instance,
        partition_key=day,
        tags=tags,
        raise_on_error=False,
    )


def checks_alone(shop: Shop, instance: dg.DagsterInstance, asset: str, *names: str) -> dg.ExecuteInProcessResult:
    """Checks of the asset started by themselves, as from the UI."""
    job = build_defs(shop.settings(lookback_days=1)).resolve_implicit_global_asset_job_def()
    keys = {dg.AssetCheckKey(dg.AssetKey(asset), name) for name in names}
    return job.get_subset(asset_selection=set(), asset_check_selection=keys).execute_in_process(
        instance=instance, raise_on_error=False
    )


def by_itself(shop: Shop, instance: dg.DagsterInstance, asset: str) -> dg.ExecuteInProcessResult:
    return materialize(shop, instance, asset)


def by_its_job(shop: Shop, instance: dg.DagsterInstance, asset: str) -> dg.ExecuteInProcessResult:
    job = {"channel_costs": SUM, "channel_reporting": REPORT}.get(asset, ATTRIBUTE).name
    return (
        build_defs(shop.settings(lookback_days=1))
        .resolve_job_def(job)
        .execute_in_process(partition_key=DAY, instance=instance, raise_on_error=False)
    )


def as_the_daemon_does(shop: Shop, instance: dg.DagsterInstance, asset: str) -> dg.ExecuteInProcessResult:
    """A range of a selection of assets that does not speak of checks, as a backfill or a condition requests it."""
    job = build_defs(shop.settings(lookback_days=1)).resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection={dg.AssetKey(asset)}).execute_in_process(
        tags={"dagster/asset_partition_range_start": DAY, "dagster/asset_partition_range_end": NEXT_DAY},
        instance=instance,
        raise_on_error=False,
    )


REVENUE = "UPDATE conversions SET revenue = 'ten' WHERE conv_id = 'c1'"
FLAG = "UPDATE session_sources SET closer_engagement = 7 WHERE session_id = 's3'"
COST = "UPDATE session_costs SET cost = '3 Euro' WHERE session_id = 's3'"
each_way = pytest.mark.parametrize("run", [by_itself, by_its_job, as_the_daemon_does])
Run = Callable[[Shop, dg.DagsterInstance, str], dg.ExecuteInProcessResult]


def stored(instance: dg.DagsterInstance, result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], dg.AssetCheckEvaluation]:
    """What the instance has kept of the run's checks."""
    found = {}
    for table, check in CHECKS:
        records = instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey(table.name), check.name), limit=100
        )
        for record in records:
            if record.run_id == result.run_id and record.event and record.event.dagster_event:
                data = record.event.dagster_event.event_specific_data
                if isinstance(data, dg.AssetCheckEvaluation):
                    found[table.name, check.name] = data
    return found


def failure(result: dg.ExecuteInProcessResult) -> tuple[str, str]:
    """The step that failed, and what it said."""
    [event] = result.get_step_failure_events()
    error = event.step_failure_data.error
    assert error is not None
    assert error.cause is not None
    return str(event.step_key), error.cause.message.strip()


# -- before writing ----------------------------------------------------------------------------------------------------


@each_way
@pytest.mark.parametrize(
    ("asset", "broken", "check", "problem"),
    [
        ("customer_journeys", REVENUE, "conversions_are_sound", "conversions: 'c1' has revenue 'ten', which is not a number"),
        ("customer_journeys", FLAG, "sessions_are_sound", "session_sources: 's3' has closer_engagement 7, which is not 0 or 1"),
        ("channel_costs", COST, "sessions_are_sound", "session_costs: 's3' has cost '3 Euro', which is not a number"),
        ("channel_reporting", REVENUE, "conversions_are_sound", "conversions: 'c1' has revenue 'ten', which is not a number"),
    ],
    ids=["journeys, of a revenue", "journeys, of a session", "costs", "report"],
)
def test_broken_sources_stop_every_run_before_it_writes_and_are_kept_as_a_failed_check(
    sold: Shop, instance: dg.DagsterInstance, run: Run, asset: str, broken: str, check: str, problem: str
) -> None:
    sold.warehouse.prepare()
    sold.execute("INSERT INTO customer_journeys VALUES ('old', 's0', ?, '2023-09-01 09:00:00', 'Email', 1, 1, 1, 0)", DAY)
    sold.execute("INSERT INTO channel_costs VALUES (?, 'old', 1, 2)", DAY)
    sold.execute("INSERT INTO channel_reporting VALUES ('old', ?, 1, 2, 3)", DAY)
    before = sold.table(asset)
    sold.session("s3", "anna", f"{DAY} 10:00:00", "TV", cost=1)
    sold.execute(broken)

    result = run(sold, instance, asset)

    step, message = failure(result)
    assert step == asset
    assert message == (
        f"attribution_assets.errors.AttributionError: {asset} was not written, because its sources are broken: "
        f"{problem}. Fix these rows, then run again."
    )
    found = stored(instance, result)
    assert {name for (_, name), evaluation in found.items() if not evaluation.passed and evaluation.blocking} == {check}
    assert {name for _, name in found} == {check.name for check in table_named(asset).checks if check.before}
    assert sold.table(asset) == before


def test_a_failed_check_says_what_is_wrong_and_shows_rows(sold: Shop, instance: dg.DagsterInstance) -> None:
    for number in range(7):
        sold.conversion(f"n{number}", "nobody", f"{DAY} 12:00:00", 1)

    result = by_itself(sold, instance, "customer_journeys")

    assert result.success  # a warning stops nothing
    evaluation = stored(instance, result)["customer_journeys", "buyers_have_sessions"]
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.description == "7 conversions of 2023-09-02 came from users without any session."
    assert evaluation.metadata["days"].value == DAY
    assert evaluation.metadata["offending rows"].value == 7
    rows = evaluation.metadata["some of them"]
    assert isinstance(rows, dg.TableMetadataValue)
    assert [record.data["conv_id"] for record in rows.records] == ["n0", "n1", "n2", "n3", "n4"]


def test_a_passed_check_says_what_holds(sold: Shop, instance: dg.DagsterInstance) -> None:
    result = by_itself(sold, instance, "customer_journeys")

    evaluation = stored(instance, result)["customer_journeys", "conversions_are_sound"]
    assert evaluation.passed
    assert evaluation.description == (
        "Every conversion of the days has an id, a user, a date, a time and a revenue that can be read."
    )


def test_what_does_not_hold_yet_passes_and_shows_its_rows(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.execute("DELETE FROM session_sources WHERE event_date = '2023-09-01'")  # s2 is the first session, on the next day

    result = materialize(sold, instance, "customer_journeys", day=NEXT_DAY)

    evaluation = stored(instance, result)["customer_journeys", "lookback_is_covered"]
    assert evaluation.passed
    assert (evaluation.description or "").startswith("There is no session up to 2023-09-02, so the lookback of 1 of ")
    rows = evaluation.metadata["not yet"]
    assert isinstance(rows, dg.TableMetadataValue)
    [gap] = rows.records
    assert gap.data == {"from_day": DAY, "to_day": DAY, "days": 1, "conversions": 1}


# -- after writing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", [ATTRIBUTE.name, SUM.name, REPORT.name])
def test_the_jobs_hold_all_checks_of_their_assets(sold: Shop, job: str) -> None:
    made = build_defs(sold.settings()).resolve_job_def(job)

    assets = {key.path[-1] for key in made.asset_layer.executable_asset_keys}
    checks = {(key.asset_key.path[-1], key.name) for key in made.asset_layer.asset_graph.asset_check_keys}
    assert checks == {(table.name, check.name) for table, check in CHECKS if table.name in assets}


@pytest.mark.parametrize(
    ("way", "days"),
    [
        ({"day": DAY}, DAY),
        (
            {"day": None, "tags": {"dagster/asset_partition_range_start": DAY, "dagster/asset_partition_range_end": NEXT_DAY}},
            f"{DAY} to {NEXT_DAY}",
        ),
    ],
    ids=["one day", "a range"],
)
def test_results_are_checked_on_the_days_of_the_run(
    sold: Shop, instance: dg.DagsterInstance, way: dict[str, Any], days: str
) -> None:
    result = materialize(sold, instance, "customer_journeys", "customer_journeys_checks", **way)

    assert result.success
    assert {str(evaluation.metadata["days"].value) for evaluation in stored(instance, result).values()} == {
        days
    }  # before and after


def test_a_check_that_is_started_alone_looks_at_all_computed_days(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.attribute(instance, DAY, NEXT_DAY)

    result = checks_alone(sold, instance, "customer_journeys", "conversions_stand_once")

    assert result.success
    [((_, name), found)] = stored(instance, result).items()
    assert (name, found.metadata["days"].value) == ("conversions_stand_once", f"{DAY} to {NEXT_DAY}")


def test_a_check_that_is_started_alone_before_any_result_says_so(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.warehouse.prepare()

    step, message = failure(checks_alone(sold, instance, "channel_reporting", "report_adds_up"))

    assert step == "channel_reporting_checks"
    assert message.endswith("There is nothing to check yet. Materialize channel_reporting first.")


def test_a_check_that_is_started_alone_and_fails_is_kept_by_the_instance(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.attribute(instance, DAY, NEXT_DAY)
    sold.execute("UPDATE attribution_customer_journey SET ihc = 0.5 WHERE conv_id = 'c1'")

    result = checks_alone(sold, instance, "attribution_customer_journey", "credit_adds_up", "credit_follows_journeys")

    assert not result.success
    passed = {name: found.passed for (_, name), found in stored(instance, result).items()}
    assert passed == {"credit_adds_up": False, "credit_follows_journeys": True}


def test_a_wrong_journey_keeps_the_old_results_downstream(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.attribute(instance, DAY, NEXT_DAY)
    before = sold.results()
    sold.execute(  # a writer that goes wrong
        "CREATE TRIGGER wrong AFTER INSERT ON customer_journeys BEGIN "
        "UPDATE customer_journeys SET timestamp = '2023-09-09 10:00:00' WHERE conv_id = 'c1'; END"
    )
    sold.execute("UPDATE session_sources SET holder_engagement = 0")  # would change the credit

    with pytest.raises(
        AttributionError, match=r"customer_journeys was written but failed a check.*c1.*not before the conversion"
    ):
        sold.attribute(instance, DAY, NEXT_DAY)

    after = sold.results()
    assert after["customer_journeys"] != before["customer_journeys"]
    for table in ("ihc_results", "attribution_customer_journey"):
        assert after[table] == before[table]


def test_wrong_credit_fails_its_check(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.warehouse.prepare()
    sold.execute(
        "CREATE TRIGGER wrong AFTER INSERT ON attribution_customer_journey BEGIN "
        "UPDATE attribution_customer_journey SET ihc = 0.5 WHERE conv_id = 'c1'; END"
    )

    with pytest.raises(AttributionError, match="1 conversion of 2023-09-02 got credit that does not sum to 1: conv_id c1"):
        sold.attribute(instance, DAY)


def test_a_report_that_lost_credit_leaves_the_old_csv_files(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.attribute(instance, DAY, NEXT_DAY)
    sold.report(instance, "2023-09-01", NEXT_DAY)
    before = sold.csv_bytes()
    sold.execute("DELETE FROM customer_journeys WHERE session_id = 's1'")  # its credit is stored

    with pytest.raises(
        AttributionError, match=r"figure orders, reported 0, of_sources 1; .*revenue, reported 0, of_sources 100"
    ):
        sold.report(instance, "2023-09-01", NEXT_DAY)

    assert sold.table("channel_reporting", "date, cost, ihc") == [("2023-09-01", 3.0, 0.0), (NEXT_DAY, 3.0, 1.0)]
    assert sold.csv_bytes() == before

    sold.attribute(instance, DAY, NEXT_DAY)  # what the message leads to
    sold.report(instance, "2023-09-01", NEXT_DAY)

    assert sold.csv_bytes() == before


def test_wrong_costs_fail_their_check(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.warehouse.prepare()
    sold.execute(  # a writer that goes wrong
        "CREATE TRIGGER wrong AFTER INSERT ON channel_costs BEGIN "
        "UPDATE channel_costs SET cost = 9 WHERE channel_name = 'Ads'; END"
    )

    with pytest.raises(
        AttributionError,
        match=r"channel_costs was written but failed.*1 channel on a day of 2023-09-01 to 2023-09-03 had sessions or costs "
        r"that differ from those in the sources: date 2023-09-03, channel_name Ads, sessions 1, sessions_of_sources 1, "
        r"cost 9, cost_of_sources 3\.",
    ):
        sold.sum_costs(instance, "2023-09-01", NEXT_DAY)


# -- in the graph ------------------------------------------------------------------------------------------------------


def test_every_check_is_in_the_graph_and_says_what_it_demands() -> None:
    graph = build_defs().resolve_asset_graph()

    nodes = {(key.asset_key.path[-1], key.name): graph.get(key) for key in graph.asset_check_keys}
    assert {key: (node.blocking, node.description) for key, node in nodes.items()} == {
        (table.name, check.name): (check.blocking, check.demand) for table, check in CHECKS if table.name in TABLES
    }


def test_loading_the_graph_warns_of_nothing() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import attribution_assets.definitions as loaded; loaded.defs()"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert loaded.stderr == ""
