"""The reports of the channels: what each cost and earned, over a range of days, by day, and against the range before."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from math import fsum
from typing import Any

from attribution_assets.analysis.report import basis, totals
from attribution_assets.analysis.reports.form import (
    Answer,
    Asked,
    Chart,
    Column,
    Link,
    Page,
    Report,
    Row,
    credited,
    of_days,
    stored,
)
from attribution_assets.catalog.reporting import CHANNEL_REPORT
from attribution_assets.catalog.span import days_of, is_final
from attribution_assets.errors import NotFoundError, NotReadyError
from attribution_assets.models.registry import BY_NAME, MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.days import shift

FIGURES = ("cost", "orders", "revenue")
"""What adds up."""

OTHER_SETTINGS = "other settings than now"
"""What is said for the parameters of results that were computed with settings that have changed since."""

OF_REPORT = (
    stored("channel_report", "cost", "amount"),
    stored("channel_report", "orders", "number"),
    stored("channel_report", "revenue", "amount"),
    stored("channel_report", "CPO", "amount", heading="CPO"),
    stored("channel_report", "ROAS", "number", heading="ROAS"),
)

BEFORE = (
    Column("cost_before", "amount", "cost of as many days before the range", True),
    Column("orders_before", "number", "orders of as many days before the range", True),
    Column("revenue_before", "amount", "revenue of as many days before the range", True),
)

RATIOS_BEFORE = (
    Column("cpo_before", "amount", "cost per order of as many days before the range", True, heading="CPO before"),
    Column("roas_before", "number", "return on ad spend of as many days before the range", True, heading="ROAS before"),
)

FINAL = Column("final", "flag", "whether no later order can be credited to the day any more")


@of_days(CHANNEL_REPORT)
def together(settings: Settings, asked: Asked, days: Days) -> Answer:
    """All channels together (blended), and those that cost something (paid), with the figures of the range before."""
    cells = report_cells(settings, asked.model, days)
    now, before = sums(cells, "channel"), _sums_before(settings, asked, days)
    rows = [
        {"channels": name, **of_all(of_now), **_before(None if of_before is None else of_all(of_before))}
        for name, of_now, of_before in (("all", now, before), ("paid", _paid(now), None if before is None else _paid(before)))
    ]
    return Answer(rows if cells else (), **credited(settings, days, basis_of(settings, asked.model, days, cells)))


@of_days(CHANNEL_REPORT)
def channels(settings: Settings, asked: Asked, days: Days) -> Answer:
    """By channel the figures of the days asked for and those of the range before; what earns most comes first.

    Channels of the range before alone come last, with nothing on the days.
    """
    cells = report_cells(settings, asked.model, days)
    now = sorted(sums(cells, "channel"), key=lambda row: (-row["revenue"], -row["cost"], row["channel"]))
    before = _sums_before(settings, asked, days)
    earlier = None if before is None else {row["channel"]: row for row in before}
    rows = now + [{"channel": name, **_figures(())} for name in earlier or () if name not in {row["channel"] for row in now}]
    return Answer(
        [{**row, **_before(None if earlier is None else earlier.get(row["channel"], _figures(())))} for row in rows],
        total={"channel": "total", **of_all(rows), **_before(None if earlier is None else of_all(earlier.values()))},
        **credited(settings, days, basis_of(settings, asked.model, days, cells)),
    )


@of_days(CHANNEL_REPORT)
def days_of_report(settings: Settings, asked: Asked, days: Days) -> Answer:
    """By day the figures of all channels, and whether they are final."""
    cells = report_cells(settings, asked.model, days)
    rows = [{**row, "final": is_final(settings, row["date"])} for row in sums(cells, "date")]
    return Answer(
        rows,
        total={"date": "total", **of_all(rows)},
        **credited(settings, days, basis_of(settings, asked.model, days, cells)),
    )


def cells(settings: Settings, asked: Asked) -> Answer:
    """By day and channel the figures of the report, as they are stored; where one `date` is asked for, of that day alone."""
    day = asked.values.get("date")
    return _cells(settings, asked if day is None or asked.start or asked.end else replace(asked, start=day, end=day))


@of_days(CHANNEL_REPORT)
def _cells(settings: Settings, asked: Asked, days: Days) -> Answer:
    found = report_cells(settings, asked.model, days)
    rows = [{**row, "final": is_final(settings, row["date"])} for row in found]
    return Answer(rows, **credited(settings, days, basis_of(settings, asked.model, days, found)))


def report_cells(settings: Settings, model: str, days: Days) -> list[dict[str, Any]]:
    """The rows of sql/report_cells.sql: by day and channel the figures under the model.

    Raises NotFoundError for a model that there is not, and NotReadyError for one whose report has not been computed.
    """
    if model not in MODELS:
        raise NotFoundError(f"There is no model {model!r}. Choose from {', '.join(MODELS)}.")
    if model not in ("ihc", *settings.models):
        raise NotReadyError(f"The report under {model} is not computed. Add {model} to ATTRIBUTION_MODELS, then run all days.")
    return cells_of(settings, [model], days)


def cells_of(settings: Settings, models: Sequence[str], days: Days) -> list[dict[str, Any]]:
    """The same under each of these models that has been computed."""
    bounds = {"first_day": days.first, "last_day": days.last, "models": json.dumps(models)}
    return settings.warehouse.rows(Query("report_cells", bounds))


def range_before(settings: Settings, days: Days) -> Days | None:
    """As many days, before the first of these; None where the report does not have them all, so that none are compared."""
    reported = days_of(settings.warehouse, [CHANNEL_REPORT])
    first = shift(days.first, -len(days))
    return Days(first, shift(days.first, -1)) if reported and reported.first <= first < days.first else None


def sums(rows: Iterable[Row], name: str) -> list[dict[str, Any]]:
    """For each value of a column, in its order: cost, orders and revenue, and CPO and ROAS, None where undefined."""
    ordered = sorted(rows, key=lambda row: row[name])
    return [{name: value, **_figures(list(group))} for value, group in groupby(ordered, lambda row: row[name])]


def of_all(rows: Iterable[Row]) -> dict[str, Any]:
    """The figures of all rows together. CPO and ROAS are blended: over all channels, paid or not."""
    return {name.lower(): value for name, value in totals(list(rows)).items() if not name.startswith("paid")}


def basis_of(settings: Settings, model: str, days: Days, found: Sequence[Row]) -> dict[str, str | None]:
    """By what the credit of these cells was computed, and in which currency amounts are.

    For ihc as of `analysis.report.basis`. Another model's parameters are its settings; where its rows have been computed with
    other settings than those of now, it says so.
    """
    if model == "ihc":
        return basis(settings, Days(days.first, shift(days.last, settings.lookback_days)))
    rules = settings.model_rules
    used = rules.used_by(BY_NAME[model], ())
    own = [f"{name.replace('_', ' ')} {_in_words(value)}" for name, value in used.items() if name != "direct_channels"]
    if {row["settings"] for row in found} - {settings.models_fingerprint(rules)}:
        own = [OTHER_SETTINGS]
    return {
        "model": model,
        "parameters": "; ".join([*dict.fromkeys(row["parameters"] for row in found), *own]),
        "computed_by": "embedded",
        "learned_from": "your journeys" if BY_NAME[model].learn else None,
        "currency": settings.currency,
    }


def _in_words(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{part:g}" for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value).lower()


def _figures(rows: Sequence[Row]) -> dict[str, Any]:
    added = {name: fsum(row[name] for row in rows) for name in FIGURES}
    return {
        **added,
        "cpo": added["cost"] / added["orders"] if added["orders"] else None,
        "roas": added["revenue"] / added["cost"] if added["cost"] else None,
    }


def _sums_before(settings: Settings, asked: Asked, days: Days) -> list[dict[str, Any]] | None:
    """By channel the figures of the range before; None where there is none to compare with."""
    before = range_before(settings, days)
    return sums(report_cells(settings, asked.model, before), "channel") if before else None


def _before(row: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"{name}_before": row[name] if row else None for name in (*FIGURES, "cpo", "roas")}


def _paid(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["cost"]]


TOTALS = Report(
    "totals",
    "All channels together",
    "All channels (blended), and those that cost something (paid), beside the same number of days before.",
    (
        Column("channels", "text", "all: every channel; paid: those that cost something in the range"),
        *OF_REPORT,
        *BEFORE,
        *RATIOS_BEFORE,
    ),
    together,
    by_model=True,
)

CHANNELS = Report(
    "channels",
    "Channels",
    "What each channel cost and earned over the days, beside the same number of days before.",
    (
        stored("channel_report", "channel", "text", link=Link("why", {"channel": "channel"})),
        *OF_REPORT,
        *BEFORE,
    ),
    channels,
    by_model=True,
)

DAYS = Report(
    "days",
    "Days",
    "What all channels together cost and earned on each day of sessions.",
    (stored("channel_report", "date", "day"), *OF_REPORT, FINAL),
    days_of_report,
    by_model=True,
)

CELLS = Report(
    "channel_reporting",
    "Channels by day",
    "What each channel cost and earned on each day of sessions.",
    (
        stored("channel_report", "date", "day", link=Link("why", {"date": "date", "channel": "channel"})),
        stored("channel_report", "channel", "text"),
        *OF_REPORT,
        FINAL,
    ),
    cells,
    filters=("date", "channel"),
    by_model=True,
)

OVERVIEW = Page(
    "overview",
    "Overview",
    "What did we spend, what did it bring, what changed?",
    (TOTALS, CHANNELS, DAYS),
    figures="totals",
    charts=(Chart("days", ("cost", "revenue")),),
)
