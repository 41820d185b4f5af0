"""Dagster's history as dagster.yaml has it kept: the files of Dagster's default, opened once."""

import ast
import importlib
import logging
import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage import event_log as of_dagster
from sqlalchemy import Connection

from attribution_assets import event_log
from attribution_assets.event_log import KeptOpenEventLogStorage
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets_tests.support import PROJECT, wait_for

ASSET = dg.AssetKey("journeys")


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """The history of a new DAGSTER_HOME."""
    with dagster_instance(tmp_path / "home") as instance:
        yield instance


def report(instance: dg.DagsterInstance, day: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(ASSET, partition=day))


def days(instance: dg.DagsterInstance) -> set[str]:
    return instance.get_materialized_partitions(ASSET)


def test_a_new_home_keeps_its_history_open(kept: dg.DagsterInstance) -> None:
    storage = kept.event_log_storage
    assert isinstance(storage, KeptOpenEventLogStorage)

    connections = []
    for _ in range(2):
        with storage.index_connection() as connection:
            connections.append(connection.connection.dbapi_connection)

    assert connections[0] is connections[1]


def test_the_history_is_the_one_that_dagster_keeps_by_default(kept: dg.DagsterInstance, tmp_path: Path) -> None:
    report(kept, "2023-09-01")

    (tmp_path / "home" / "dagster.yaml").unlink()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home")) as default:
        assert not isinstance(default.event_log_storage, KeptOpenEventLogStorage)
        assert days(default) == {"2023-09-01"}
        report(default, "2023-09-02")

    assert days(kept) == {"2023-09-01", "2023-09-02"}


def test_whoever_watches_a_run_sees_what_another_process_writes(kept: dg.DagsterInstance, tmp_path: Path) -> None:
    @dg.job
    def watched() -> None:
        pass

    run = kept.create_run_for_job(watched)
    seen: list[str] = []

    with dg.DagsterInstance.from_config(str(tmp_path / "home")) as other:
        other.watch_event_logs(run.run_id, None, lambda entry, _: seen.append(entry.message))
        kept.report_engine_event("first", run)
        wait_for(lambda: "first" in seen)
        kept.report_engine_event("second", run)
        wait_for(lambda: "second" in seen)


def test_a_history_that_was_wiped_begins_anew(kept: dg.DagsterInstance) -> None:
    report(kept, "2023-09-01")

    kept.wipe()
    assert days(kept) == set()

    report(kept, "2023-09-02")
    assert days(kept) == {"2023-09-02"}


DAYS = [f"2023-09-{day:02}" for day in range(1, 31)]


@dg.asset(
    partitions_def=dg.DailyPartitionsDefinition("2023-09-01", "2023-10-01"),
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def journeys() -> None:
    """An asset of many days in one run."""


@dg.asset_check(asset=journeys)
def is_sound() -> dg.AssetCheckResult:
    """Planned for every day, and judged for all of them together."""
    return dg.AssetCheckResult(passed=True)


def materialize(instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": DAYS[0], "dagster/asset_partition_range_end": DAYS[-1]}
    return dg.materialize([journeys, is_sound], instance=instance, tags=tags)


def test_the_days_of_a_run_are_written_in_few_transactions_and_each_has_its_events(
    kept: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    store = KeptOpenEventLogStorage.store_event_batch

    def counted(storage: KeptOpenEventLogStorage, events: Sequence[dg.EventLogEntry]) -> None:
        batches.append(len(events))
        store(storage, events)

    monkeypatch.setattr(KeptOpenEventLogStorage, "store_event_batch", counted)

    run_id = materialize(kept).run_id

    assert batches == [31, 30]  # planned, with the check, and done
    assert days(kept) == set(DAYS)
    seen = kept.event_log_storage.get_logs_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert [entry.get_dagster_event().partition for entry in seen] == DAYS
    numbers = kept.get_latest_storage_id_by_partition(ASSET, dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert sorted(numbers, key=lambda day: numbers[day]) == DAYS


def of_assets(home: Path, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """By file and table, the rows of a history of one run that are about assets and checks, without ids of runs and times."""
    rows = {}
    for file in (home / "history" / "runs").glob("*.db"):
        with closing(sqlite3.connect(file)) as connection:
            for table in ("event_logs", "asset_keys", "asset_event_tags", "asset_check_executions"):
                columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]
                kept = ", ".join(f'"{name}"' for name in columns if not name.endswith("timestamp"))
                found = connection.execute(f"SELECT {kept} FROM {table} WHERE asset_key IS NOT NULL").fetchall()
                rows[f"{file.stem.replace(run_id, 'run')} {table}"] = [tuple(map(without_times, row)) for row in found]
    return rows


def without_times(value: Any) -> Any:
    ids_hashes_and_times = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}|\d+\.\d+"
    return re.sub(ids_hashes_and_times, "", value) if isinstance(value, str) else value


def test_a_batch_leaves_the_rows_that_dagster_writes_one_by_one(kept: dg.DagsterInstance, tmp_path: Path) -> None:
    run_id = materialize(kept).run_id

    (tmp_path / "default").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "default")) as default:
        assert not isinstance(default.event_log_storage, KeptOpenEventLogStorage)
        of_dagster_itself = of_assets(tmp_path / "default", materialize(default).run_id)

    assert len(of_dagster_itself["index asset_check_executions"]) == len(DAYS) + 1  # planned for each, and judged for all
    assert of_assets(tmp_path / "home", run_id) == of_dagster_itself


def test_of_a_batch_that_fails_nothing_is_kept_and_dagster_writes_its_events_one_by_one(
    kept: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, failed = KeptOpenEventLogStorage._store_asset_event, list[str]()

    def failing_once(storage: KeptOpenEventLogStorage, index: Connection, event: dg.EventLogEntry, number: int) -> None:
        store(storage, index, event, number)
        of_day = event.get_dagster_event().is_step_materialization and event.get_dagster_event().partition
        if of_day == DAYS[-1] and not failed:
            failed.append(of_day)
            raise OSError("the disk is full")

    monkeypatch.setattr(KeptOpenEventLogStorage, "_store_asset_event", failing_once)

    run_id = materialize(kept).run_id

    assert failed
    seen = kept.event_log_storage.get_logs_for_run(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
    assert [entry.get_dagster_event().partition for entry in seen] == DAYS
    assert days(kept) == set(DAYS)


# -- what a release of Dagster may change -------------------------------------------------------------------------------


def private_names() -> Iterator[tuple[str, str]]:
    """What the package imports of Dagster's private modules: module and name."""
    for file in (PROJECT / "attribution_assets").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster._"):
                yield from ((str(node.module), alias.name) for alias in node.names)


PRIVATE = sorted(set(private_names()))


@pytest.mark.parametrize(("module", "name"), PRIVATE, ids=[name for _, name in PRIVATE])
def test_dagster_still_has_the_private_name_that_we_import(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name), f"Dagster {dg.__version__} has no {module}.{name}"


@pytest.mark.parametrize(("module", "name"), event_log.NEEDED_BESIDE.items())
def test_dagster_still_has_what_our_event_log_needs_besides(module: str, name: str) -> None:
    assert hasattr(importlib.import_module(module), name), f"Dagster {dg.__version__} has no {module}.{name}"


@pytest.mark.parametrize("name", event_log.NEEDED)
def test_dagsters_event_log_still_has_what_ours_needs(name: str) -> None:
    assert hasattr(of_dagster.SqliteEventLogStorage, name), f"Dagster {dg.__version__} has no SqliteEventLogStorage.{name}"


def test_where_dagster_has_changed_its_class_that_one_writes_the_same_files_and_it_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with dagster_instance(tmp_path / "home") as instance:
        report(instance, "2023-09-01")
    monkeypatch.setattr(event_log, "NEEDED", (*event_log.NEEDED, "a_method_that_went"))
    caplog.set_level(logging.WARNING)

    for day in ("2023-09-02", "2023-09-03"):
        with dagster_instance(tmp_path / "home") as instance:
            assert type(instance.event_log_storage) is of_dagster.SqliteEventLogStorage
            report(instance, day)

    [warning] = [record.getMessage() for record in caplog.records if record.name == event_log.__name__]
    assert warning.startswith(f"SqliteEventLogStorage of Dagster {dg.__version__} has no a_method_that_went, so")
    monkeypatch.undo()
    with dagster_instance(tmp_path / "home") as instance:
        assert isinstance(instance.event_log_storage, KeptOpenEventLogStorage)
        assert days(instance) == {"2023-09-01", "2023-09-02", "2023-09-03"}


@pytest.mark.parametrize("gone", ["dagster._gone", "dagster._serdes"])
def test_where_dagster_has_moved_what_ours_needs_besides_its_own_class_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, gone: str
) -> None:
    monkeypatch.setattr(event_log, "NEEDED_BESIDE", {gone: "a_name_that_went"})

    with dagster_instance(tmp_path / "home") as instance:
        assert type(instance.event_log_storage) is of_dagster.SqliteEventLogStorage

    assert f"of Dagster {dg.__version__} has no {gone}.a_name_that_went, so" in caplog.text


def test_where_dagsters_class_has_moved_it_is_the_one_of_a_default_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    moved = of_dagster.SqliteEventLogStorage
    monkeypatch.delattr(of_dagster, "SqliteEventLogStorage")

    assert event_log._class_of_dagster() is moved
