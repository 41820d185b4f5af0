"""`attribution funnel` without its terminal: how sessions moved through the steps of the shop, its products and its buyers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from attribution_assets.catalog.funnel import FUNNEL_REPORT, OF_FUNNEL
from attribution_assets.catalog.span import days_of
from attribution_assets.catalog.tables import tables_without_sources
from attribution_assets.errors import NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, schema

if TYPE_CHECKING:
    import pandas as pd

Rows = Sequence[Mapping[str, Any]]
"""Rows of funnel_report."""

ALL = "sessions"
"""What the first step loses sessions from."""


def funnel(settings: Settings, start: str | None = None, end: str | None = None) -> dict[str, Any]:
    """The funnel from `start` to `end` (unset: of all days with results), ready for JSON.

    `steps`: the steps in order. `total` and `channels`: sessions; by step, those that reached it; by level (`level_1` is the
    first step or a later one), those that reached that; by step, the share of the sessions. `drop_off`: how many sessions, and
    which share, are lost from each level (first, from all `sessions`) to the next; `largest_drop_off`: the one with the
    largest share, of equal ones the first by name. `days`: the same numbers by day. `products`: views, additions, purchases and
    purchases per view; what was bought most comes first. `customers`: the rows of customer_report. Undefined shares are None.

    Raises NotReadyError where there are no results, or results of other steps.
    """
    days = funnel_days(settings, start, end)
    rows = report_rows(settings, days)
    total = figures(settings.funnel_steps, rows)
    lost = drop_off(settings.funnel_steps, total)
    ranked = sorted((each for each in lost if each["share"] is not None), key=lambda each: (each["from"], each["to"]))
    bounds = {"first_day": days.first, "last_day": days.last}
    stored = settings.warehouse.has
    return {
        "start": days.first,
        "end": days.last,
        "steps": list(settings.funnel_steps),
        "total": total,
        "drop_off": lost,
        "largest_drop_off": max(ranked, key=lambda each: each["share"], default=None),
        "days": [
            {"date": day, "sessions": of_day["sessions"], **of_day["steps"], **of_day["levels"]}
            for day, of_day in figures_by(settings.funnel_steps, rows, "date").items()
        ],
        "channels": [
            {"channel": channel, **of_channel}
            for channel, of_channel in figures_by(settings.funnel_steps, rows, "channel").items()
        ],
        "products": settings.warehouse.rows(Query("product_totals", bounds)) if stored("product_funnel") else [],
        "customers": settings.warehouse.rows(Query("customers_of_days", bounds)),
    }


def funnel_days(settings: Settings, start: str | None, end: str | None) -> Days:
    """The days from `start` to `end`; unset, the first and last with results. Raises NotReadyError where there are none."""
    stored = settings.warehouse.has(FUNNEL_REPORT.name)
    computed = days_of(settings.warehouse, OF_FUNNEL) if stored else None
    if not computed:
        if lacking := tables_without_sources(settings).get(FUNNEL_REPORT.name):
            why = f"it has no {' and no '.join(lacking)}"
        elif settings.warehouse.first_date("events", "created_at", has_times=True) is None:
            why = "no row of events has a time"
        else:
            why = "run `attribution run` first"
        raise NotReadyError(f"{settings.database} has no funnel yet: {why}.")
    return Days(start or min(computed.first, end or computed.first), end or max(computed.last, start or computed.last))


def report_rows(settings: Settings, days: Days) -> list[dict[str, Any]]:
    """The rows of funnel_report of the days. Raises NotReadyError where the steps of some are not those of the settings."""
    rows = settings.warehouse.rows(Query("funnel_of_days", {"first_day": days.first, "last_day": days.last}))
    steps = dict(enumerate(settings.funnel_steps, start=1))
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        if steps.get(row["position"]) == row["step"]:
            counts[row["date"], row["channel"]] = counts.get((row["date"], row["channel"]), 0) + 1
    other = next((row["date"] for row in rows if counts.get((row["date"], row["channel"])) != len(steps)), None)
    if other:
        raise NotReadyError(
            f"The funnel of {other} was computed with other steps than {', '.join(settings.funnel_steps)}. "
            f"Run `attribution run --groups funnel --start {days.first} --end {days.last}`."
        )
    return rows


def figures(steps: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of these rows of funnel_report: `sessions`, and by name `steps`, `levels` and `rates`."""
    rows = list(rows)
    by_step = {step: [row for row in rows if row["step"] == step] for step in steps}
    sessions = sum(row["sessions"] for row in by_step[steps[0]])
    reached = {step: sum(row["reached"] for row in of_step) for step, of_step in by_step.items()}
    levels = (sum(row["level"] for row in of_step) for of_step in by_step.values())
    return {
        "sessions": sessions,
        "steps": reached,
        "levels": {f"level_{position}": level for position, level in enumerate(levels, start=1)},
        "rates": {step: count / sessions if sessions else None for step, count in reached.items()},
    }


def figures_by(steps: Sequence[str], rows: Rows, name: str) -> dict[str, dict[str, Any]]:
    """The figures of the rows with each value of a column, in its order."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return {value: figures(steps, groups[value]) for value in sorted(groups)}


def drop_off(steps: Sequence[str], total: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What is lost from each level to the next, first from all sessions, of what `figures` gives."""
    levels = [total["sessions"], *total["levels"].values()]
    return [
        {
            "from": before,
            "to": step,
            "sessions": levels[position] - levels[position + 1],
            "share": (levels[position] - levels[position + 1]) / levels[position] if levels[position] else None,
        }
        for position, (before, step) in enumerate(zip((ALL, *steps), steps, strict=False))
    ]


def as_frame(settings: Settings, days: Days) -> pd.DataFrame:
    """The rows of funnel_report of the days."""
    import pandas as pd

    return pd.DataFrame(report_rows(settings, days), columns=list(schema()[FUNNEL_REPORT.name].column_names))
