"""The reports of whether the numbers can be trusted: what is stale, what checks found, what was restated, how fresh all is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import Lock
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from attribution_assets.analysis.reports.form import DEFAULT_DAYS, Answer, Asked, Column, Page, Report
from attribution_assets.analysis.reports.reconciliation import OF_SOURCES
from attribution_assets.catalog.span import days_of, last_day, today
from attribution_assets.catalog.table import DailyTable, Part
from attribution_assets.catalog.tables import parts, sources, sources_read, tables, tables_of_part
from attribution_assets.orchestration.checks import result_of
from attribution_assets.orchestration.history import amounts
from attribution_assets.orchestration.home import history
from attribution_assets.orchestration.status import day_states
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import shift

RESTATEMENTS_SHOWN = 200

LOOKED_AT = 1_000
"""How many materializations of each table are looked through for restatements, from the newest back."""

NEVER_RUN = ("Nothing has been run yet, so there is no history. Run `attribution run` first.",)

Rows = list[dict[str, Any]]

_one_at_a_time = Lock()
"""DAGSTER_HOME belongs to the whole process: two threads must not set it at once."""


def status(settings: Settings, asked: Asked) -> Answer:
    """By day, the newest first, and asset: whether its results are there and right, why not, and when they are final."""
    with _history(settings) as instance:
        if instance is None:
            return Answer((), notes=NEVER_RUN)
        computed = days_of(settings.warehouse, tables(settings))
        end = asked.end or max(computed.last if computed else last_day(settings), asked.start or "")
        states = day_states(settings, instance, asked.start or shift(end, 1 - DEFAULT_DAYS), end, by_history=True)
    rows = [
        {
            "day": state["day"],
            "asset": asset,
            **of_asset,
            "final": state["final"],
            "final_on": state["final_on"],
            "last_run": state["last_run"]["status"] if state["last_run"] else None,
        }
        for state in reversed(states)
        for asset, of_asset in state["assets"].items()
    ]
    return Answer(rows, Days(asked.start or states[0]["day"], end))


def checks(settings: Settings, _: Asked) -> Answer:
    """By check of an asset what its newest evaluation found; what failed comes first."""
    with _history(settings) as instance:
        if instance is None:
            return Answer((), notes=NEVER_RUN)
        found = [
            row for table in tables(settings) for check in table.checks if (row := _evaluation(instance, table, check.name))
        ]
    order = ("failed", "warning", "not_yet", "passed")
    return Answer(sorted(found, key=lambda row: order.index(row["result"])))


def restatements(settings: Settings, _: Asked) -> Answer:
    """The days that another run computed with other amounts than the one before, the newest first."""
    with _history(settings) as instance:
        if instance is None:
            return Answer((), notes=NEVER_RUN)
        found = sorted(
            (event for table in tables(settings) for event in _restated(instance, table)), key=lambda event: -event[0]
        )
    return Answer([row for _, row in found[:RESTATEMENTS_SHOWN]])


def freshness(settings: Settings, _: Asked) -> Answer:
    """By source the last day with rows; by group of reports also the last day computed, and its last run."""
    last_rows = {
        source.name: settings.warehouse.last_date(source.name, source.day_column, today(), source.has_times)
        for source in sources(settings)
        if source.day_column
    }
    of_sources: Rows = [
        {
            "kind": "source",
            "name": name,
            "last_day_with_rows": day,
            "last_day_computed": None,
            "last_run": None,
            "last_run_status": None,
        }
        for name, day in last_rows.items()
    ]
    with _history(settings) as instance:
        of_groups = [_freshness_of(settings, instance, part, last_rows) for part in parts(settings)]
        return Answer([*of_groups, *of_sources], notes=() if instance else NEVER_RUN)


def last_event(settings: Settings) -> int:
    """The number of the last event of the database's history; 0 where it has none."""
    with _history(settings) as instance:
        return (instance.event_log_storage.get_maximum_record_id() or 0) if instance else 0


@contextmanager
def _history(settings: Settings) -> Iterator[dg.DagsterInstance | None]:
    """The history of the database; None where nothing has been run yet."""
    with _one_at_a_time, history(settings) as instance:
        yield instance if instance.get_run_records(limit=1) else None


def _evaluation(instance: dg.DagsterInstance, table: DailyTable, check: str) -> dict[str, Any] | None:
    """What the newest evaluation found; None where there is none."""
    done = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    key = dg.AssetCheckKey(dg.AssetKey(table.name), check)
    for record in instance.event_log_storage.get_asset_check_execution_history(key, limit=1, status=done):
        event = record.event and record.event.dagster_event
        evaluation = event.asset_check_evaluation_data if event else None
        if record.event and evaluation:
            days = evaluation.metadata.get("days")
            return {
                "check": check,
                "asset": table.name,
                "result": result_of(evaluation),
                "when": _time(record.event.timestamp),
                "days": str(days.value) if days else None,
                "sentence": evaluation.description,
            }
    return None


def _restated(instance: dg.DagsterInstance, table: DailyTable) -> Iterator[tuple[int, dict[str, Any]]]:
    """The restatements of the table's days, each with the number of its event."""
    for record in instance.fetch_materializations(dg.AssetKey(table.name), limit=LOOKED_AT).records:
        event = record.asset_materialization
        if event is None or event.partition is None or "before" not in event.metadata:
            continue
        before, after, because = str(event.metadata["before"].value), amounts(event), event.metadata.get("because")
        if before != after:
            yield (
                record.storage_id,
                {
                    "day": event.partition,
                    "asset": table.name,
                    "when": _time(record.timestamp),
                    "before": before,
                    "after": after,
                    "because": str(because.value) if because else None,
                },
            )


def _freshness_of(
    settings: Settings, instance: dg.DagsterInstance | None, part: Part, last_rows: Mapping[str, str | None]
) -> dict[str, Any]:
    entries = tables_of_part(settings, part)
    computed = days_of(settings.warehouse, entries)
    days = [day for source in sources_read(entries) if (day := last_rows.get(source.name))]
    run = _last_run(instance, entries) if instance else None
    return {
        "kind": "group",
        "name": part,
        "last_day_with_rows": max(days, default=None),
        "last_day_computed": computed.last if computed else None,
        "last_run": _time(run.create_timestamp.timestamp()) if run else None,
        "last_run_status": run.dagster_run.status.value.lower() if run else None,
    }


def _last_run(instance: dg.DagsterInstance, entries: tuple[DailyTable, ...]) -> dg.RunRecord | None:
    """The newest run that was to make one of the tables, whoever launched it."""
    records = instance.get_asset_records([dg.AssetKey(table.name) for table in entries])
    run_ids = [run_id for record in records if (run_id := record.asset_entry.last_run_id)]
    runs = instance.get_run_records(filters=dg.RunsFilter(run_ids=run_ids)) if run_ids else []
    return max(runs, key=lambda run: run.create_timestamp, default=None)


def _time(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S")


ASSET = Column("asset", "text", "the table")

STATUS = Report(
    "status",
    "Is it up to date?",
    "For each day and table, whether it has results, and whether they are newer than what they follow from, by the history of "
    "runs. The daemon and `attribution status` look for late data in the sources; what they find is restated, and shows here.",
    (
        Column("day", "day", "the day"),
        ASSET,
        Column("state", "text", "missing, no data, fresh or stale"),
        Column("because", "text", "why it is stale", True),
        Column("final", "flag", "whether the day's report is there and can no longer change"),
        Column("final_on", "day", "last day whose orders can change the day's report", True),
        Column("last_run", "text", "how the day's newest run ended", True),
    ),
    status,
    filters=("asset", "state"),
    of_history=True,
)

CHECKS = Report(
    "checks",
    "What checks found",
    "What each check found when a run last evaluated it. Nothing is checked anew here; `attribution check` does that.",
    (
        Column("check", "text", "the check"),
        ASSET,
        Column("result", "text", "failed, warning, not_yet (more days would meet it, or nothing can) or passed"),
        Column("when", "text", "date and time of the evaluation, UTC"),
        Column("days", "text", "the days that were checked", True),
        Column("sentence", "text", "what it found, or what it demands", True),
    ),
    checks,
    filters=("asset", "result"),
    has_days=False,
    of_history=True,
)

RESTATEMENTS = Report(
    "restatements",
    "What was restated",
    f"Days whose amounts changed when they were computed again, the last {RESTATEMENTS_SHOWN} at most.",
    (
        Column("day", "day", "the day"),
        ASSET,
        Column("when", "text", "date and time of the restatement, UTC"),
        Column("before", "text", "cost, orders and revenue before"),
        Column("after", "text", "cost, orders and revenue since then"),
        Column("because", "text", "why the day was computed again", True),
    ),
    restatements,
    filters=("day", "asset"),
    has_days=False,
    of_history=True,
)

FRESHNESS = Report(
    "freshness",
    "How fresh is it?",
    "The last day of each source, and of each group of reports also the last day computed and the last run.",
    (
        Column("kind", "text", "source or group of reports"),
        Column("name", "text", "which one"),
        Column("last_day_with_rows", "day", "last day of which there are rows; of a group, in one of its sources", True),
        Column("last_day_computed", "day", "last day with results", True),
        Column("last_run", "text", "date and time at which its newest run was launched, UTC", True),
        Column("last_run_status", "text", "how that run ended", True),
    ),
    freshness,
    has_days=False,
    of_history=True,
)

HEALTH = Page("health", "Data health", "Can I trust it?", (FRESHNESS, CHECKS, STATUS, RESTATEMENTS, *OF_SOURCES))
