"""Alerts of failed runs and stale days: what is due, by the history; that each is sent once; and the sensors that send them."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock, Timeout

from attribution_assets.analysis.alerts import (
    Alert,
    FailedCheck,
    FailedRun,
    Sighting,
    Stale,
    alert_of_command,
    alert_of_run,
    alert_of_stale_days,
    seen_again,
)
from attribution_assets.catalog.span import today
from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.orchestration.automation import is_command_at_work
from attribution_assets.orchestration.history import COMMAND_TAG, REASON_TAG, is_anything_at_work, tagged_days
from attribution_assets.orchestration.home import check_history, find_home, history
from attribution_assets.orchestration.sending import NotSentError, targets
from attribution_assets.orchestration.status import reasons_of, stale_days
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days

DAY_SECONDS = 24 * 60 * 60
"""How old a failure can be and still be told, and how long a target that does not answer is tried."""

WAIT_FOR_RETRY_SECONDS = 10 * 60
"""How long Dagster may take to start a run again, before its failure is told."""

SECONDS_OF_A_TICK = 30
"""How long alerts are sent before the rest is left to the next tick. Dagster ends a tick after 60 s."""

SECONDS_FOR_OTHERS = 20
"""How long to wait for another process that sends alerts."""

SECONDS_BETWEEN_SEARCHES = 15 * 60
"""How often stale days are looked for: on a large database, it takes seconds."""

MEMORY = "attribution_alerts"
"""The key under which the history keeps what was told and what is waiting to be sent."""

ASSETS_NAMED = 3
"""Of a run without a job of a name, how many assets an alert names."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Waiting:
    """An alert that some targets were not sent yet, and since when, in seconds since 1970."""

    alert: Alert
    targets: tuple[str, ...]
    since: float


@dataclass
class _Memory:
    """The keys of alerts, each with when it was taken up, for two days; and the alerts that are waiting to be sent."""

    known: dict[str, float]
    waiting: list[_Waiting]

    @classmethod
    def read(cls, instance: dg.DagsterInstance) -> _Memory:
        text = instance.daemon_cursor_storage.get_cursor_values({MEMORY}).get(MEMORY)
        stored: dict[str, Any] = json.loads(text) if text else {"known": {}, "waiting": []}
        known = {key: at for key, at in stored["known"].items() if at > time.time() - 2 * DAY_SECONDS}
        waiting = [_Waiting(Alert.of(each["alert"]), tuple(each["targets"]), each["since"]) for each in stored["waiting"]]
        return cls(known, waiting)

    def write(self, instance: dg.DagsterInstance) -> None:
        waiting = [{"alert": each.alert.stored(), "targets": each.targets, "since": each.since} for each in self.waiting]
        instance.daemon_cursor_storage.set_cursor_values({MEMORY: json.dumps({"known": self.known, "waiting": waiting})})


def send(instance: dg.DagsterInstance, settings: Settings, alerts: Iterable[Alert]) -> str:
    """Sends these alerts, if they are new to the history, and those that are still waiting; in a few words, what came of it.

    What cannot be sent is logged in one line, which shows no URL, and waits in the history for the next call, for up to a day.
    A lock keeps two processes from sending the same. Raises BusyError if another holds it for too long; then nothing is sent.
    """
    try:
        with FileLock(Path(instance.root_directory) / ".attribution_alerts.lock", timeout=SECONDS_FOR_OTHERS):
            return _send(instance, settings, alerts)
    except Timeout as error:
        raise BusyError("Another process is sending alerts. The next look sends what it leaves.") from error


def _send(instance: dg.DagsterInstance, settings: Settings, alerts: Iterable[Alert]) -> str:
    memory, began, reachable = _Memory.read(instance), time.time(), dict(targets(settings))
    configured = tuple(reachable)
    for alert in alerts:
        if alert.key not in memory.known:
            memory.known[alert.key] = began
            memory.waiting.append(_Waiting(alert, configured, began))
    sent, skipped, failed = 0, list[_Waiting](), list[_Waiting]()
    while memory.waiting:
        each = memory.waiting.pop(0)
        left = [name for name in each.targets if name in configured]
        has_failed = False
        for name in [name for name in left if name in reachable and time.time() < began + SECONDS_OF_A_TICK]:
            try:
                reachable[name](each.alert)
            except NotSentError as error:
                logger.warning("An alert could not be sent to the %s: %s.", name, error)
                del reachable[name]  # the next call tries it again, and with another alert first: it may be this one's fault
                has_failed = True
            else:
                left.remove(name)
                sent += 1
        if left and each.since < began - DAY_SECONDS:
            logger.warning("An alert could not be sent for a day, so it is given up: %s", each.alert.title)
        elif left:
            (failed if has_failed else skipped).append(replace(each, targets=tuple(left)))
        _Memory(memory.known, [*skipped, *memory.waiting, *failed]).write(instance)  # now: whoever is killed here sent it once
    return f"Sent: {sent}. Waiting: {len(skipped) + len(failed)}." if sent or skipped or failed else "There is nothing to tell."


def alerts_of_failed_runs(instance: dg.DagsterInstance, settings: Settings) -> Iterator[Alert]:
    """Of each run that failed within a day and was not told yet.

    A run that was cancelled has not failed, nor has one of a command that was interrupted. Neither has one that Dagster starts
    again, because its process died: only the last try is told, if it fails too. A blocking check that fails always fails its
    run, so it is told with it.
    """
    known, now = _Memory.read(instance).known, time.time()
    since = datetime.fromtimestamp(now - DAY_SECONDS, UTC)
    failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    for record in reversed(instance.get_run_records(filters=failed)):
        run, ended = record.dagster_run, record.end_time or now
        is_old = ended < now - DAY_SECONDS  # a tag that came later counts as an update
        is_told = is_old or f"run {run.run_id}" in known
        if not (is_told or _was_interrupted(run) or _is_retried(instance, run, now - ended)):
            yield alert_of_run(_failed_run(instance, run), settings.database.name, settings.web_url)


def _was_interrupted(run: dg.DagsterRun) -> bool:
    """Whether somebody ended the command, by Ctrl-C. Dagster, which knows no command, calls it a failure."""
    return run.tags.items() >= COMMAND_TAG.items() and run.tags.get("dagster/failure_reason") == "UNEXPECTED_TERMINATION"


def _is_retried(instance: dg.DagsterInstance, run: dg.DagsterRun, seconds_ago: float) -> bool:
    """Whether Dagster has started the run again, or will. It cannot for the runs of a command."""
    if "dagster/auto_retry_run_id" in run.tags:
        return True
    may_be = instance.run_retries_enabled and run.remote_job_origin and run.tags.get("dagster/will_retry", "true") == "true"
    return bool(may_be) and seconds_ago < WAIT_FOR_RETRY_SECONDS


def _failed_run(instance: dg.DagsterInstance, run: dg.DagsterRun) -> FailedRun:
    days = tagged_days(run.tags)
    return FailedRun(
        run.run_id,
        _what(run),
        str(Days(days[0], days[-1])) if days else "",
        run.tags.get(REASON_TAG, ""),
        _problem(instance, run),
        tuple(_failed_checks(instance, run)),
        int(run.tags.get("dagster/retry_number", "0")),
    )


def _what(run: dg.DagsterRun) -> str:
    """The run's job; its assets, where Dagster has made the job for them."""
    if not run.job_name.startswith("__"):
        return run.job_name
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    more = [f"{len(assets) - ASSETS_NAMED} more"] if len(assets) > ASSETS_NAMED else []
    return ", ".join([*assets[:ASSETS_NAMED], *more]) or "a run"


def _problem(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """What a step of the run failed with, at its root; if none did, what Dagster says of the run."""
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        for record in instance.get_records_for_run(run.run_id, of_type=kind).records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            data: Any = event.event_specific_data
            error = getattr(data, "error", None)
            while error and error.cause:
                error = error.cause
            if error:
                return re.sub(r"^attribution_assets\.[\w.]+: ", "", error.message)  # ours say everything without their name
            if kind == dg.DagsterEventType.RUN_FAILURE:
                return event.message or "Dagster says no more."
    return "Dagster says no more."


def _failed_checks(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[FailedCheck]:
    for record in instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records:
        event = record.event_log_entry.dagster_event
        evaluation = event and event.asset_check_evaluation_data
        if evaluation and evaluation.blocking and not evaluation.passed:
            yield FailedCheck(evaluation.asset_key.path[-1], evaluation.check_name)


def alert_after_command(settings: Settings, began: float, problem: Exception | None) -> None:
    """Sends what there is to tell after an `attribution run` that began then, in seconds since 1970.

    That is what failed, in this command or before, and was not told yet; and its `problem`, if no failed run stands for it,
    such as a missing database: the same one once a day. Whether a daemon is alive does not matter, because the history knows
    what was told. Never raises: what goes wrong here is logged, and must not hide the command's own problem.
    """
    if not targets(settings):
        return
    try:
        with _history_if_there_is_one(settings) as instance:
            alerts = [*alerts_of_failed_runs(instance, settings)]
            if problem and not _has_failed_run(instance, began):
                said = str(problem) if isinstance(problem, AttributionError) else f"{type(problem).__name__}: {problem}"
                alerts.append(alert_of_command(said, today(), settings.database.name, settings.web_url))
            send(instance, settings, alerts)
    except Exception as error:
        logger.warning("Alerts could not be sent, because of a %s.", type(error).__name__)


@contextmanager
def _history_if_there_is_one(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The history of the settings' database; an empty one in memory if there is none, or DAGSTER_HOME has that of another."""
    try:
        find_home(settings)
    except AttributionError:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
    else:
        with history(settings) as instance:
            yield instance


def _has_failed_run(instance: dg.DagsterInstance, began: float) -> bool:
    """Whether a run of a command has failed since then."""
    since = datetime.fromtimestamp(began, UTC)
    runs = dg.RunsFilter(tags=COMMAND_TAG, statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    return any(record.create_timestamp >= since for record in instance.get_run_records(filters=runs))


def alert_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensors that send alerts, on by default; none where alerts have no target."""
    return [_failed_runs_sensor(settings), _stale_days_sensor(settings)] if targets(settings) else []


def _failed_runs_sensor(settings: Settings) -> dg.SensorDefinition:
    """Asks the history for what failed, rather than for each failure's event as Dagster's run failure sensor does.

    That one leaves out the runs of commands and whatever failed before its first tick, and is done with a failure that it could
    not tell.
    """

    @dg.sensor(
        name="failed_runs",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends an alert of each run that failed, by a check or otherwise, once.",
    )
    def failed_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        try:
            check_history(context.instance, settings.warehouse)
            return dg.SkipReason(send(context.instance, settings, alerts_of_failed_runs(context.instance, settings)))
        except AttributionError as error:
            return dg.SkipReason(str(error))

    return failed_runs


def _stale_days_sensor(settings: Settings) -> dg.SensorDefinition:
    """Remembers in its cursor when it first saw each day stale: no event says when rows came into the sources."""

    @dg.sensor(
        name="stale_days",
        minimum_interval_seconds=SECONDS_BETWEEN_SEARCHES,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Sends an alert of days that have been stale for more than {settings.alert_stale_hours:g} hours, once.",
    )
    def stale_days_(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        def skip(reason: str) -> dg.SensorResult:
            return dg.SensorResult(skip_reason=reason, cursor=context.cursor)

        instance = context.instance
        if is_command_at_work(instance) or is_anything_at_work(instance):
            return skip("Runs are in progress. Stale days are looked for when they have finished.")
        now, newest = time.time(), instance.event_log_storage.get_maximum_record_id() or 0
        try:
            check_history(instance, settings.warehouse)
            stale = stale_days(settings, instance)
            before = [Sighting.of(stored) for stored in json.loads(context.cursor or "[]")]
            sightings = seen_again(before, stale, now, newest)
            due = [each for each in sightings if not each.is_told and each.at < now - settings.alert_stale_hours * 3600]
            result = send(instance, settings, [_alert_of(due, stale, settings)] if due else [])
        except AttributionError as error:
            return skip(str(error))
        told = [replace(each, is_told=each.is_told or each in due) for each in sightings]
        return dg.SensorResult(skip_reason=result, cursor=json.dumps([each.stored() for each in told]))

    return stale_days_


def _alert_of(due: Sequence[Sighting], stale: Mapping[str, Mapping[str, Stale]], settings: Settings) -> Alert:
    """One alert of the days of all these sightings."""
    days: dict[str, dict[str, str]] = {}
    for sighting in due:
        for asset, of_asset in sighting.days.items():
            days.setdefault(asset, {}).update({day: stale[asset][day].because for day in of_asset})
    return alert_of_stale_days(
        {asset: [*of_asset] for asset, of_asset in days.items()},
        reasons_of(days),
        min(sighting.at for sighting in due),
        settings.alert_stale_hours,
        settings.database.name,
        settings.web_url,
    )
