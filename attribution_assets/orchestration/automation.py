"""What runs automatically: conditions that restate days after their inputs, and the sensor for late data."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from attribution_assets.analysis.late_data import LateDays, search
from attribution_assets.analysis.parameters import RESULTS, days_of_other_parameters, name_in_use
from attribution_assets.catalog.span import first_day, last_day
from attribution_assets.catalog.table import ATTRIBUTE, JOBS, DailyTable, Job
from attribution_assets.catalog.tables import ancestors, inputs, tables_of
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.history import (
    attempted,
    compared_events,
    due_days,
    end_killed_commands,
    is_anything_at_work,
    materialized,
    range_tags,
    reason_tags,
    refused,
)
from attribution_assets.orchestration.home import check_history
from attribution_assets.orchestration.jobs import AssetJobs
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Location
from attribution_assets.warehouse.days import shift, unbroken_ranges
from attribution_assets.warehouse.opening import warehouse_at

SECONDS_OF_A_TICK = 30
"""How long a tick searches for late data before it leaves the rest to the next tick. Dagster ends a tick after 60 s."""

warnings.filterwarnings("ignore", message=".*`use_user_code_server`", category=dg.BetaWarning)


class InputIsNewer(dg.AutomationCondition[dg.AssetKey]):
    """True for a day if one of its inputs is newer than the day's last attempt and no blocking check refused an input.

    The inputs of day D are days D to D + n of the assets that it follows, with n from `inputs`. The condition reads the current
    event log, so nothing is missed while the daemon is off or when several runs end between two ticks.
    """

    def __init__(self, inputs: Mapping[str, int]) -> None:
        """The assets that it follows, each with how many later days of it are read."""
        self.inputs = inputs

    @property
    def description(self) -> str:
        """What the UI shows beside the condition."""
        return "an input was materialized after the last attempt"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """The days of the candidates that are due."""
        graph, instance = context.asset_graph, context.asset_graph_view.instance
        attempts = attempted(instance, context.key)
        due, held = set[str](), set[str]()
        for name, lookahead_days in self.inputs.items():
            parent = dg.AssetKey(name)
            inputs = materialized(instance, parent)
            due |= due_days(attempts, inputs, lookahead_days)
            for day in refused(instance, graph.get(parent).check_keys, inputs):
                held |= {shift(day, -earlier) for earlier in range(lookahead_days + 1)}
        candidates = context.candidate_subset
        due &= candidates.expensively_compute_partition_keys()
        return dg.AutomationResult(context, candidates.compute_intersection_with_partition_keys(due - held))


class CommandAtWork(dg.AutomationCondition[dg.AssetKey]):
    """True while an `attribution run` uses this history, because it rebuilds the reports of its days itself."""

    @property
    def description(self) -> str:
        """What the UI shows beside the condition."""
        return "an `attribution run` is in progress"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """All candidates, or none."""
        return _all_or_none(context, is_command_at_work(context.asset_graph_view.instance))


class HistoryOfAnother(dg.AutomationCondition[dg.AssetKey]):
    """True where the history is that of another database: its events say nothing about the days of this one."""

    def __init__(self, database: Location) -> None:
        """The database whose days they are."""
        self.database = database

    @property
    def description(self) -> str:
        """What the UI shows beside the condition."""
        return "the history is that of another database"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """All candidates, or none."""
        try:
            check_history(context.asset_graph_view.instance, warehouse_at(self.database))
        except AttributionError:
            return _all_or_none(context, True)
        return _all_or_none(context, False)


def _all_or_none(context: dg.AutomationContext[dg.AssetKey], is_true: bool) -> dg.AutomationResult[dg.AssetKey]:
    return dg.AutomationResult(context, context.candidate_subset if is_true else context.get_empty_subset())


def command_lock(instance: dg.DagsterInstance) -> FileLock:
    """The lock that an `attribution run` holds during its Dagster runs. The system frees it if the command is killed."""
    return FileLock(Path(instance.root_directory) / ".attribution_run.lock")


def is_command_at_work(instance: dg.DagsterInstance) -> bool:
    """Whether an `attribution run` holds the lock."""
    try:
        with command_lock(instance).acquire(timeout=0):
            return False
    except Timeout:
        return True


def automation_condition(settings: Settings, table: DailyTable) -> dg.AutomationCondition[dg.AssetKey] | None:
    """The condition of a table that follows other tables: a day is requested once its new inputs are complete.

    If the table keeps its days, each is requested only once. A table that follows no others has no condition.
    """
    if not table.follows:
        return None
    in_progress = dg.AutomationCondition.in_progress() | dg.AutomationCondition.any_deps_in_progress()
    restated = (
        ~HistoryOfAnother(settings.database)
        & ~CommandAtWork()
        & ~in_progress  # before the events are read: those of a run that has ended by now are all there
        & (
            InputIsNewer(inputs(settings)[table.name])
            | dg.AutomationCondition.any_deps_match(dg.AutomationCondition.will_be_requested())
        )
    )
    if table.is_kept:
        return (restated & dg.AutomationCondition.missing()).with_label("computed once")
    return restated.with_label("restated after its inputs")


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates the conditions of all assets; on by default."""
    return dg.AutomationConditionSensorDefinition(
        "restate",
        target=dg.AssetSelection.all(),
        minimum_interval_seconds=15,
        default_status=dg.DefaultSensorStatus.RUNNING,
        use_user_code_server=True,
        run_tags=reason_tags(["an input was computed again"]),
        description=(
            "Requests exactly the days whose inputs were materialized after them. A conversion day is followed by the reports "
            "of its whole lookback."
        ),
    )


def late_data_sensor(settings: Settings, jobs: AssetJobs) -> dg.SensorDefinition:
    """Requests the computed days whose sources have changed since; on by default."""

    @dg.sensor(
        name="late_data",
        jobs=[*jobs.values()],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Looks for sessions, costs and conversions that arrived, changed, moved or disappeared after their days were "
            "computed, and requests the days whose results would now change. The reports that depend on them follow "
            "automatically."
        ),
    )
    def late_data(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        def skip(reason: str) -> dg.SensorResult:
            return dg.SensorResult(skip_reason=reason, cursor=context.cursor)

        instance = context.instance
        if waits := _waits(settings, instance):
            return skip(waits)
        before = json.loads(context.cursor or "{}")
        state, start = (before["state"], before["next"]) if before.get("next") else (settings.warehouse.state(), None)
        if state == before.get("state") and start is None:
            return skip("The database has not changed.")
        events = compared_events(instance, settings)
        first, last = shift(first_day(settings), -settings.lookback_days), last_day(settings)
        try:
            late, start = search(
                settings,
                Days(start or first, last),
                events,
                seconds=SECONDS_OF_A_TICK,
                remember_right_days=True,
            )
        except AttributionError as error:
            return skip(str(error))
        requests = [request for job in JOBS for request in _requests(settings, job, late)]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else f"Searched the days up to {start or last}: every result matches the sources.",
            cursor=json.dumps({"state": state, "next": start}),
        )

    return late_data


def _waits(settings: Settings, instance: dg.DagsterInstance) -> str:
    """Why nothing is requested now; empty if nothing is at work."""
    try:
        check_history(instance, settings.warehouse)
        with command_lock(instance).acquire(timeout=0):
            end_killed_commands(instance)
    except AttributionError as error:
        return str(error)
    except Timeout:
        return "An `attribution run` is in progress. The search starts when it has finished."
    return "Runs are in progress. The search starts when they have finished." if is_anything_at_work(instance) else ""


def changed_parameters_sensor(settings: Settings, jobs: AssetJobs) -> dg.SensorDefinition:
    """Finds the days that other parameters of the IHC model computed, and requests them if the settings say so."""

    @dg.sensor(
        name="changed_parameters",
        jobs=[jobs[ATTRIBUTE]],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Looks for days that were computed with other parameters of the embedded IHC model than those in use. With "
            "ATTRIBUTION_RESTATE_PARAMETERS=true it requests them, and the reports that depend on them follow automatically."
        ),
    )
    def changed_parameters(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        def skip(reason: str, cursor: str | None = context.cursor) -> dg.SensorResult:
            return dg.SensorResult(skip_reason=reason, cursor=cursor)

        instance, before = context.instance, json.loads(context.cursor or "{}")
        if waits := _waits(settings, instance):
            return skip(waits)
        if settings.uses_api:
            return skip("The API computes IHC.")
        try:
            state, now = f"{settings.warehouse.state()} {settings.restate_parameters}", name_in_use(settings)
            if (state, now) == (before.get("state"), before.get("parameters")):
                return skip("Neither the database nor the parameters have changed.")
            computed = materialized(instance, dg.AssetKey(RESULTS))
            others = days_of_other_parameters(settings, computed)
        except AttributionError as error:
            return skip(str(error))
        since = before["since"] if now == before.get("parameters") else max(computed.values(), default=0)
        cursor = json.dumps({"state": state, "parameters": now, "since": since})
        due = {day: why for day, why in others.items() if computed[day] <= since}  # no day comes twice, whoever computes it
        if not due:
            return skip(f"Every day was computed with {now}.", cursor)
        if not settings.restate_parameters:
            return skip(
                f"{len(due):,} days were computed with other parameters than {now}. Run these days again, or set "
                "ATTRIBUTION_RESTATE_PARAMETERS=true.",
                cursor,
            )
        requests = _requests(settings, ATTRIBUTE, LateDays({RESULTS: due}, f"{now} since {since}"))
        return dg.SensorResult(run_requests=[*requests], cursor=cursor)

    return changed_parameters


def _requests(settings: Settings, job: Job, late: LateDays) -> Iterator[dg.RunRequest]:
    """Runs of the job's late tables and what follows them there, once for what makes them late.

    So once for each state of the sources, and of the results that were not computed again since.
    """
    in_job = tables_of(settings, job)
    due: dict[str, set[str]] = {}
    reasons: dict[str, str] = {}
    for table in in_job:
        for day, why in late.of(table.name).items():
            reasons.setdefault(day, why)
            due.setdefault(day, set()).update(other.name for other in in_job if table.name in {other.name, *ancestors(other)})
    identity = hashlib.sha256(late.sources.encode()).hexdigest()[:16]
    for selected in sorted({tuple(sorted(names)) for names in due.values()}):
        for days in unbroken_ranges(day for day, names in due.items() if names == set(selected)):
            is_whole = len(selected) == len(in_job)
            yield dg.RunRequest(
                job_name=job.name,
                run_key=f"{job.name} {days} {identity}" + ("" if is_whole else f" {' '.join(selected)}"),
                tags={**range_tags(days), **reason_tags(reasons[day] for day in days)},
                asset_selection=None if is_whole else [dg.AssetKey(name) for name in selected],
            )
