"""What Dagster's event log says about each day: when it was materialized, whether a check refused it, and whether it is due."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from math import inf
from typing import cast

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from attribution_assets.analysis.late_data import Events, compared_tables
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import is_date

COMMAND_TAG = {"attribution/command": "run"}
"""The tag of the runs of an `attribution run`."""

REASON_TAG = "because"
"""The tag that says why a run was launched. Each of its days shows it."""

TOLD_REASONS = 3
"""How many different reasons a run tells; of the others it tells the number."""

AMOUNTS = ("cost", "orders", "revenue")
"""The metadata of a day that is shown again, as what it was before, once the day is restated."""

POOL = "database"
"""The pool of the assets that write to the database: one step at a time, across all runs."""

UNFINISHED = set(dg.DagsterRunStatus) - {
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
}

WRONG_DAYS = "wrong days"
"""The metadata key of a failed check of results: which of the run's days it refuses."""

EVENTS_AT_ONCE = 1000
"""How many events are read at once."""

FAILED_EVALUATIONS = 100
"""How many failed evaluations of a check are looked at, from the newest back."""


def materialized(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, int]:
    """The days of the asset that were materialized, with the number of the last such event; events count upwards."""
    return dict(instance.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION))


def restatement(
    instance: dg.DagsterInstance, asset: dg.AssetKey, days: Days, tags: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """Of the days that the history knows already, what each was `before`, and why a run with these tags restates it.

    Ask before the run's own events are stored.
    """
    events = [event for day, event in materialized(instance, asset).items() if days.first <= day <= days.last]
    because = {"because": tags[REASON_TAG]} if REASON_TAG in tags else {}
    shown: dict[str, dict[str, str]] = {}
    for some in (events[start : start + EVENTS_AT_ONCE] for start in range(0, len(events), EVENTS_AT_ONCE)):
        wanted = dg.AssetRecordsFilter(asset_key=asset, storage_ids=some)
        for record in instance.fetch_materializations(wanted, limit=len(some)).records:
            if (materialization := record.asset_materialization) and materialization.partition:
                before = amounts(materialization)
                shown[materialization.partition] = {**({"before": before} if before else {}), **because}
    return shown


def amounts(materialization: dg.AssetMaterialization) -> str:
    """The amounts that are shown beside a materialized day, in words; empty if there are none."""
    values = {name: materialization.metadata[name].value for name in AMOUNTS if name in materialization.metadata}
    return ", ".join(f"{name} {value:,.2f}" for name, value in values.items() if isinstance(value, int | float))


def reason_tags(reasons: Iterable[str]) -> dict[str, str]:
    """The tag of a run that was launched for these reasons, each told once."""
    told = list(dict.fromkeys(reasons))
    more = [f"{len(told) - TOLD_REASONS} more"] if len(told) > TOLD_REASONS else []
    return {REASON_TAG: "; ".join([*told[:TOLD_REASONS], *more])}


def compared_events(instance: dg.DagsterInstance, settings: Settings) -> Events:
    """For each table that late data is looked for in, the days that were materialized."""
    return {table.name: materialized(instance, dg.AssetKey(table.name)) for table in compared_tables(settings)}


def attempted(instance: dg.DagsterInstance, asset: dg.AssetKey) -> dict[str, int]:
    """Like `materialized`, but a run that was planned to materialize the day counts too, even if it failed."""
    planned = instance.get_latest_storage_id_by_partition(asset, dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED)
    done = materialized(instance, asset)
    return {day: max(planned.get(day, 0), done.get(day, 0)) for day in planned.keys() | done.keys()}


def refused(
    instance: dg.DagsterInstance, checks: Collection[dg.AssetCheckKey], materializations: Mapping[str, int]
) -> set[str]:
    """The days whose last materialization a blocking check found wrong."""
    days: set[str] = set()
    for check in checks:
        for record in instance.event_log_storage.get_asset_check_execution_history(
            check, limit=FAILED_EVALUATIONS, status={AssetCheckExecutionRecordStatus.FAILED}
        ):
            event = record.event and record.event.dagster_event
            evaluation = event.asset_check_evaluation_data if event else None
            seen = evaluation and evaluation.target_materialization_data
            if evaluation and seen and evaluation.blocking and WRONG_DAYS in evaluation.metadata:
                wrong = cast("list[str]", evaluation.metadata[WRONG_DAYS].value)
                days |= {day for day in wrong if materializations.get(day, inf) <= seen.storage_id}
    return days


def is_anything_at_work(instance: dg.DagsterInstance) -> bool:
    """Whether a run is queued or in progress, or a backfill still has runs to launch."""
    runs = instance.get_run_records(filters=dg.RunsFilter(statuses=list(UNFINISHED)), limit=1)
    return bool(runs or instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]), limit=1))


def end_killed_commands(instance: dg.DagsterInstance) -> None:
    """Marks the runs of killed `attribution run`s as failed and frees their slots in the pool, so that others can go on.

    Call it only if you hold the command's lock or have just seen it free.
    """
    for record in instance.get_run_records(filters=dg.RunsFilter(tags=COMMAND_TAG, statuses=list(UNFINISHED))):
        run = record.dagster_run
        instance.report_run_failed(run, "The `attribution run` that this run belonged to was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def writing_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs that hold slots in the pool. Frees the slots of runs that have ended."""
    holders = instance.event_log_storage.get_concurrency_info(POOL).active_run_ids
    runs = {run_id: instance.get_run_by_id(run_id) for run_id in holders}
    ended = {run_id for run_id, run in runs.items() if run is None or run.is_finished}
    for run_id in ended:
        instance.event_log_storage.free_concurrency_slots_for_run(run_id)
    return holders - ended


def range_tags(days: Days) -> dict[str, str]:
    """The tags of a run over these days."""
    return {"dagster/asset_partition_range_start": days.first, "dagster/asset_partition_range_end": days.last}


def tagged_days(tags: Mapping[str, str]) -> list[str]:
    """The days of a run, one or a range, by its tags; none for a range that is reversed or has no dates, whose run fails."""
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or first
    is_range = first and last and is_date(first) and is_date(last) and first <= last
    return list(Days(first, last)) if first and last and is_range else []


def due_days(attempts: Mapping[str, int], inputs: Mapping[str, int], lookahead_days: int) -> set[str]:
    """The days that have an input newer than their last attempt.

    `attempts` and `inputs` give the number of an event for each day; the inputs of day D are those of D to D + lookahead. Days
    that were never attempted are due as soon as there is an input.
    """
    import pandas as pd

    if not inputs:
        return set()
    days = pd.date_range(pd.Timestamp(min(inputs)) - pd.Timedelta(days=lookahead_days), max(inputs))
    newest = pd.Series({pd.Timestamp(day): float(event) for day, event in inputs.items()}).reindex(days)
    newest = newest[::-1].rolling(lookahead_days + 1, min_periods=1).max()[::-1].dropna()
    return {day for day, event in zip(newest.index.astype(str), newest, strict=True) if event > attempts.get(day, 0)}
