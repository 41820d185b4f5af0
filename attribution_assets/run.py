"""`attribution run` without its terminal: which days, the two Dagster runs, and the summary."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from attribution_assets.definitions import ATTRIBUTION_JOB, REPORTING_JOB, build_defs
from attribution_assets.errors import AttributionError
from attribution_assets.partitions import first_day, last_day
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse
from attribution_assets.warehouse.csv_files import CSVFiles
from attribution_assets.warehouse.days import shift

OnEvent = Callable[[dg.DagsterEvent], None]


@dataclass(frozen=True)
class Plan:
    """The conversion days to attribute, the report days they touch, and lines about rows that no day covers."""

    conversion_days: Days
    report_days: Days
    notes: tuple[str, ...]


def plan_run(settings: Settings, start: str | None, end: str | None) -> Plan:
    """The days of a run from `start` to `end`, both included; unset, from the first conversion to the last source day.

    Raises AttributionError for a database without conversions, for days outside the partitions, and for a reversed range.
    """
    warehouse = SQLiteWarehouse(settings.database)
    first, last = first_day(settings), last_day(settings)
    columns, [values] = warehouse.fetch(Query("source_span", {"last_day": last}))
    span = dict(zip(columns, values, strict=True))
    if span["first_conversion_day"] is None:
        raise AttributionError(
            f"conversions in {settings.database} has no row with a date: there is nothing to attribute. Fill it first."
        )
    if start is None and end is None and span["first_conversion_day"] > last:
        raise AttributionError(
            f"The first conversion is on {span['first_conversion_day']}, after the last day that can run, {last}. "
            "A day can run when it has ended, and is not after ATTRIBUTION_END_DATE."
        )
    if end is None:
        end = max(start or first, span["last_source_day"] or first)
    if start is None:
        start = max(first, min(span["first_conversion_day"], end))
    for day in (start, end):
        if not first <= day <= last:
            raise AttributionError(
                f"{day} is outside the partitions, {first} to {last}. "
                "Choose days between them, or move them with ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE."
            )
    days = Days(start, end)
    return Plan(days, Days(max(first, shift(start, -settings.lookback_days)), end), tuple(_notes(span, last)))


def _notes(span: Mapping[str, Any], last: str) -> list[str]:
    notes = []
    if span["later_sessions"] or span["later_conversions"]:
        notes.append(
            f"{span['later_sessions']:,} sessions and {span['later_conversions']:,} conversions after {last}, "
            "the last day that can run, are not in the report."
        )
    if span["sessions_without_date"] or span["conversions_without_date"]:
        notes.append(
            f"{span['sessions_without_date']:,} sessions and {span['conversions_without_date']:,} conversions have no date "
            "of the form YYYY-MM-DD and are not in the report."
        )
    return notes


def run_days(settings: Settings, plan: Plan, on_event: OnEvent) -> None:
    """Attributes the plan's conversions, then rebuilds its reports, as two runs in Dagster's history.

    `on_event` sees every Dagster event as it happens. Raises AttributionError where a run fails for a reason the user can
    mend; the second run starts only after the first has succeeded.
    """
    CSVFiles(settings.exports, "channel_reporting").prepare()
    defs = build_defs(settings, loggers={"progress": _event_logger(on_event)})
    with dg.DagsterInstance.get() as instance:
        for job, days in ((ATTRIBUTION_JOB, plan.conversion_days), (REPORTING_JOB, plan.report_days)):
            try:
                defs.resolve_job_def(job).execute_in_process(
                    instance=instance,
                    tags={
                        "dagster/asset_partition_range_start": days.first,
                        "dagster/asset_partition_range_end": days.last,
                    },
                    run_config={"loggers": {"progress": {}}},
                )
            except dg.DagsterError as error:
                if isinstance(error.__cause__, AttributionError):  # raised while a resource was set up
                    raise error.__cause__ from None
                raise


def summary(settings: Settings, plan: Plan) -> dict[str, Any]:
    """The report days by channel, the conversions that no channel gets, and the CSV's path, ready for JSON."""
    warehouse = SQLiteWarehouse(settings.database)

    def rows(name: str, days: Days) -> list[dict[str, Any]]:
        columns, values = warehouse.fetch(Query(name, {"first_day": days.first, "last_day": days.last}))
        return [dict(zip(columns, row, strict=True)) for row in values]

    return {
        "start": plan.conversion_days.first,
        "end": plan.conversion_days.last,
        "report_start": plan.report_days.first,
        "report_end": plan.report_days.last,
        "channels": rows("channel_totals", plan.report_days),
        "conversions_without_session": rows("conversions_without_session", plan.conversion_days)[0],
        "csv": str(CSVFiles(settings.exports, "channel_reporting").whole),
        "notes": list(plan.notes),
    }


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
