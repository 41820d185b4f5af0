"""`attribution run` and what `--keep` stores, without a terminal: their Dagster runs, alone and after those of others."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from filelock import Timeout

from attribution_assets.analysis.plan import RunPlan
from attribution_assets.catalog.models import require_models
from attribution_assets.definitions import build_defs
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.alerts import alert_after_command
from attribution_assets.orchestration.automation import command_lock
from attribution_assets.orchestration.checks import told_by
from attribution_assets.orchestration.history import COMMAND_TAG, end_killed_commands, range_tags, reason_tags, writing_runs
from attribution_assets.orchestration.home import make_home
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets.settings import Settings
from attribution_assets.warehouse.csv_files import CSVFiles

logger = logging.getLogger(__name__)

OnEvent = Callable[[dg.DagsterEvent], None]


def execute_plan(settings: Settings, plan: RunPlan, on_event: OnEvent) -> list[dict[str, Any]]:
    """Runs the plan's jobs, in their order, once for each of their unbroken ranges of days.

    `on_event` sees every Dagster event as it happens. Returns what the checks found that does not hold, or not yet, as of
    `orchestration.checks.told_by`. Raises AttributionError if a run fails for a reason that the user can fix. A run starts only
    after the one before it has succeeded.
    """
    evaluations: list[dg.AssetCheckEvaluation] = []
    if plan.attribution:
        CSVFiles(settings.exports, "channel_reporting").prepare()
    defs = build_defs(settings, loggers={"progress": _event_logger(on_event)})
    with dagster_instance(make_home(settings)) as instance, _alone(instance):
        for job, days in ((of_job.job, days) for of_job in plan.jobs for days in of_job.ranges):
            tags = {**range_tags(days), "days": str(days), **reason_tags(["`attribution run`"])}
            result = _executed(settings, instance, defs.resolve_job_def(job.name), tags)
            evaluations += result.get_asset_check_evaluations()
    return told_by(evaluations)


def keep(settings: Settings, table: str, config: Mapping[str, str | bool | None], on_event: OnEvent) -> None:
    """Fills a table that has no days, model_comparison or path_report, in a run of its asset with this config.

    `on_event` as in `execute_plan`. Raises NotReadyError where no models are chosen.
    """
    require_models(settings, table)
    given = {name: value for name, value in config.items() if value is not None}
    defs = build_defs(settings, loggers={"progress": _event_logger(on_event)})
    with dagster_instance(make_home(settings)) as instance, _alone(instance):
        job = defs.resolve_implicit_global_asset_job_def()
        _executed(settings, instance, job, reason_tags(["`--keep`"]), [dg.AssetKey(table)], {table: {"config": given}})


def _executed(
    settings: Settings,
    instance: dg.DagsterInstance,
    job: dg.JobDefinition,
    tags: Mapping[str, str],
    assets: Sequence[dg.AssetKey] | None = None,
    ops: Mapping[str, Any] | None = None,
) -> dg.ExecuteInProcessResult:
    """The result of a run of the job, or of these of its assets, once no other run is in progress."""
    _wait_for_other_runs(instance)
    try:
        return job.execute_in_process(
            instance=instance,
            asset_selection=assets,
            tags={**COMMAND_TAG, "database": settings.database.name, **tags},
            run_config={"loggers": {"progress": {}}, "ops": {**(ops or {})}},
        )
    except dg.DagsterError as error:
        if isinstance(error.__cause__, AttributionError):  # raised while a resource was set up
            raise error.__cause__ from None
        raise


@contextmanager
def alerting(settings: Settings) -> Iterator[None]:
    """Sends alerts of what fails in the block, if they have a target, and of what failed before and was not told yet."""
    began = time.time()
    try:
        yield
    except Exception as error:
        alert_after_command(settings, began, error)
        raise
    alert_after_command(settings, began, None)


@contextmanager
def _alone(instance: dg.DagsterInstance) -> Iterator[None]:
    """Holds the command's lock, so that automation leaves the reports to this run. Ends the runs of a killed command first."""
    lock = command_lock(instance)
    try:
        lock.acquire(timeout=1)  # the sensor for late data holds it for a moment
    except Timeout:
        logger.info("Another `attribution run` is using %s. Waiting for it to finish.", instance.root_directory)
        lock.acquire()
    try:
        end_killed_commands(instance)
        yield
    finally:
        lock.release()


def _wait_for_other_runs(instance: dg.DagsterInstance) -> None:
    """Waits until no other run holds the pool. Dagster would wait too, but without a message, and without heeding Ctrl-C."""
    reported: set[str] = set()
    while runs := writing_runs(instance):
        for run_id in runs - reported:
            logger.info(
                "Run %s of the UI or the daemon is in progress. Waiting for it to finish; you can terminate it there.", run_id
            )
        reported |= runs
        time.sleep(0.5)


def _event_logger(on_event: OnEvent) -> dg.LoggerDefinition:
    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event = getattr(record, "dagster_meta", {}).get("dagster_event")
            if event is not None:
                on_event(event)

    def progress(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("attribution", logging.DEBUG)
        logger.addHandler(Handler())
        return logger

    return dg.LoggerDefinition(progress, description="Passes events to the progress display. Prints nothing.")
