"""`attribution run` without its terminal: which days, what the IHC API would be sent, the Dagster runs, the summary."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from filelock import FileLock, Timeout

from attribution_assets.catalog.queries import journeys_query
from attribution_assets.definitions import build_defs
from attribution_assets.errors import AttributionError
from attribution_assets.ihc import Redistribution
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.service import Limits, estimate
from attribution_assets.orchestration.automation import command_lock
from attribution_assets.orchestration.history import COMMAND_TAG, end_killed_commands, range_tags, writing_runs
from attribution_assets.orchestration.jobs import attribution_job, costs_job, reporting_job
from attribution_assets.orchestration.partitions import first_day, last_day
from attribution_assets.settings import Settings
from attribution_assets.shipped import shipped
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.csv_files import CSVFiles
from attribution_assets.warehouse.days import shift

logger = logging.getLogger(__name__)

OnEvent = Callable[[dg.DagsterEvent], None]


@dataclass(frozen=True)
class Plan:
    """The conversion days to attribute, the days whose costs to sum, the report days that these touch, notes on other rows."""

    conversion_days: Days
    cost_days: Days
    report_days: Days
    notes: tuple[str, ...]


def plan_run(settings: Settings, start: str | None, end: str | None) -> Plan:
    """The days of a run from `start` to `end`, both included; brings the database up to the schema.

    Unset, from the first conversion to the last day with a session or conversion, and over all days that have results: where
    a source row is gone or has moved away, its results go too.

    Raises AttributionError for a database without conversions, for days outside the partitions, and for a reversed range.
    """
    warehouse = settings.warehouse
    first, last = first_day(settings), last_day(settings)
    sources = _only_row(warehouse, "source_span", {"first_day": first, "last_day": last})
    if sources["first_conversion_day"] is None:
        raise AttributionError(
            f"conversions in {settings.database} has no row with a date: there is nothing to attribute. Fill it first."
        )
    if first > last or (start is None and end is None and sources["first_conversion_day"] > last):
        first_conversion = max(first, sources["first_conversion_day"])
        raise AttributionError(
            f"The first conversion is on {first_conversion}, after the last day that can run, {last}. "
            "A day can run when it has ended, from ATTRIBUTION_START_DATE to ATTRIBUTION_END_DATE."
        )
    notes = warehouse.prepare()
    results = _only_row(warehouse, "result_span", {})

    everything = start is None
    first_result = [results["first_report_day"], results["first_cost_day"]] if everything else []
    if end is None:
        ends = [start or first, sources["last_day"] or first, results["last_day"] or first]
        end = max(day for day in ends if day <= last or day == start)
    if start is None:
        start = max(first, min(filter(None, [sources["first_conversion_day"], results["first_conversion_day"], end])))
    for day in (start, end):
        if not first <= day <= last:
            raise AttributionError(
                f"{day} is outside the partitions, {first} to {last}. "
                "Choose days between them, or move them with ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE."
            )
    days = Days(start, end)
    report_days = Days(max(first, min(filter(None, [shift(start, -settings.lookback_days), *first_result]))), end)
    return Plan(days, report_days if everything else days, report_days, (*notes, *_notes(sources, first, last)))


def _only_row(warehouse: SQLiteWarehouse, query: str, parameters: Mapping[str, str | int]) -> dict[str, Any]:
    columns, [row] = warehouse.fetch(Query(query, parameters))
    return dict(zip(columns, row, strict=True))


def _notes(sources: Mapping[str, Any], first: str, last: str) -> list[str]:
    """A line for each kind of source rows that belong to no day of the partitions."""
    kinds = {
        "earlier_{}": f"before {first}, the first day,",
        "later_{}": f"after {last}, the last day that can run,",
        "{}_without_date": "without a date of the form YYYY-MM-DD",
    }
    counts = {what: (sources[kind.format("sessions")], sources[kind.format("conversions")]) for kind, what in kinds.items()}
    return [
        f"{sessions:,} sessions and {conversions:,} conversions {what} are not in the report."
        for what, (sessions, conversions) in counts.items()
        if sessions or conversions
    ]


def execute_plan(settings: Settings, plan: Plan, on_event: OnEvent) -> None:
    """Attributes the plan's conversions, sums its costs and rebuilds its reports, as three runs in Dagster's history.

    `on_event` sees every Dagster event as it happens. Raises AttributionError where a run fails for a reason the user can
    mend; a run starts only after the one before it has succeeded.
    """
    CSVFiles(settings.exports, "channel_reporting").prepare()
    defs = build_defs(settings, loggers={"progress": _event_logger(on_event)})
    with dagster_instance(settings.dagster_home) as instance, _alone(settings.dagster_home, instance):
        for job, days in (
            (attribution_job, plan.conversion_days),
            (costs_job, plan.cost_days),
            (reporting_job, plan.report_days),
        ):
            _wait_for_other_runs(instance)
            try:
                defs.resolve_job_def(job.name).execute_in_process(
                    instance=instance, tags={**COMMAND_TAG, **range_tags(days)}, run_config={"loggers": {"progress": {}}}
                )
            except dg.DagsterError as error:
                if isinstance(error.__cause__, AttributionError):  # raised while a resource was set up
                    raise error.__cause__ from None
                raise


@contextmanager
def _alone(home: Path, instance: dg.DagsterInstance) -> Iterator[None]:
    """Holds the command's lock, so that automation leaves the reports to this run; what a killed one left is ended first."""
    lock = command_lock(home)
    try:
        lock.acquire(timeout=1)  # the sensor for late data holds it for a moment
    except Timeout:
        logger.info("Another `attribution run` is at work in %s; waiting for it to end.", home)
        lock.acquire()
    try:
        end_killed_commands(instance)
        yield
    finally:
        lock.release()


def _wait_for_other_runs(instance: dg.DagsterInstance) -> None:
    """Until no other run holds the pool. Dagster would wait too, but without a word, and deaf to Ctrl-C."""
    told: set[str] = set()
    while runs := writing_runs(instance):
        for run_id in runs - told:
            logger.info("Run %s of the UI or the daemon is at work; waiting for it to end, or end it there.", run_id)
        told |= runs
        time.sleep(0.5)


def estimate_plan(settings: Settings, plan: Plan) -> dict[str, Any]:
    """What the IHC API would be sent for the plan's conversions, ready for JSON; sends nothing, and needs no key.

    The counts are those of `attribution_assets.ihc.service.estimate`.
    """
    counts = estimate(
        settings.warehouse.stream_query(journeys_query(settings, plan.conversion_days), schema()["customer_journeys"]),
        ihc_account(settings),
        Ledger(settings.ihc_ledger),
        Limits(settings.ihc_max_journeys, settings.ihc_max_sessions),
        settings.ihc_long_journeys,
    )
    return {"start": plan.conversion_days.first, "end": plan.conversion_days.last, **counts}


def ihc_account(settings: Settings) -> Account:
    """Under which the ledger has the answers that these settings ask for."""
    redistribution = Redistribution.load(settings.ihc_redistribution) if settings.ihc_redistribution else None
    return Account(settings.ihc_api_url, settings.ihc_conv_type_id or "", redistribution)


def summary(settings: Settings, plan: Plan) -> dict[str, Any]:
    """The report days by channel, the conversions that no channel gets, and the CSV's path, ready for JSON."""
    warehouse = settings.warehouse
    conversion_days = {"first_day": plan.conversion_days.first, "last_day": plan.conversion_days.last}
    report_days = {"first_day": plan.report_days.first, "last_day": plan.report_days.last}
    columns, channels = warehouse.fetch(Query("channel_totals", report_days))
    return {
        "start": plan.conversion_days.first,
        "end": plan.conversion_days.last,
        "report_start": plan.report_days.first,
        "report_end": plan.report_days.last,
        "channels": [dict(zip(columns, channel, strict=True)) for channel in channels],
        "conversions_without_session": _only_row(warehouse, "conversions_without_session", conversion_days),
        "credit_before_first_day": _only_row(
            warehouse,
            "credit_before_first_day",
            {**conversion_days, "first_partition": first_day(settings), "lookback_days": settings.lookback_days},
        ),
        "csv": str(CSVFiles(settings.exports, "channel_reporting").whole),
        "notes": list(plan.notes),
    }


@contextmanager
def dagster_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's history in this folder, which is made, with the settings that come with the package, if it is new.

    Under a lock: of two runs that begin at once, Dagster would make its tables for each.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            config = home / "dagster.yaml"
            if not config.exists():
                config.write_text(shipped("dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
            os.environ["DAGSTER_HOME"] = str(home)
            instance = dg.DagsterInstance.get()
    except OSError as error:
        raise AttributionError(
            f"DAGSTER_HOME {home} cannot be written: {error.strerror}. Point it to another folder."
        ) from error
    with instance:
        yield instance


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

    return dg.LoggerDefinition(progress, description="Hands events to whoever shows progress; prints nothing.")
