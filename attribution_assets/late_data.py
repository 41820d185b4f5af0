"""Late data: the computed days that would come out otherwise now, because source rows came, changed, moved or went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field, replace
from math import inf

from attribution_assets.queries import journeys_query, reporting_query
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.days import shift
from attribution_assets.warehouse.query import read_sql
from attribution_assets.warehouse.sources import columns_of

SOURCES = ("sessions", "costs", "conversions")

UNSEEN = ("never looked at",) * len(SOURCES)

Events = Mapping[str, int]
"""By day, the number of the event with which the day was last materialized."""

States = Mapping[str, tuple[str, str, str]]
"""By day, a digest of its sessions, one of their costs with its report's event, one of its conversions with their event."""

Changes = Mapping[str, Set[str]]
"""By day, which of `sessions`, `costs`, `conversions` are others than when all was last found right; a report made since
counts as `costs`, an attribution as `conversions`."""


@dataclass(frozen=True)
class LateDays:
    """Conversion days to attribute again, and report days to rebuild beside those that these touch; each with the reason.

    `sources` identifies the state of the sources that makes them late.
    """

    conversions: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, str] = field(default_factory=dict)
    sources: str = ""


def states(warehouse: SQLiteWarehouse, days: Days, attributed: Events, reported: Events) -> States:
    """The days as their sources and results are now."""
    _, rows = warehouse.fetch(Query("source_digests", {"first_day": days.first, "last_day": days.last}))
    digests = {day: sources for day, *sources in rows}
    now = {}
    for day in days:
        sessions, costs, conversions = digests.get(day, ("", "", ""))
        now[day] = (sessions, f"{costs} {reported.get(day, '')}", f"{conversions} {attributed.get(day, '')}")
    return now


def seen(warehouse: SQLiteWarehouse, days: Days) -> States:
    """The days as `remember` last had them."""
    with warehouse.connect() as connection:
        if not columns_of(connection, "seen_sources"):
            return {}
        rows = connection.execute("SELECT * FROM seen_sources WHERE date BETWEEN ? AND ?", (days.first, days.last))
        return {day: (sessions, costs, conversions) for day, sessions, costs, conversions in rows}


def remember(warehouse: SQLiteWarehouse, days: Days, now: States) -> None:
    """Keeps these states of the days, of which every result was found right."""
    with warehouse.write() as connection:
        connection.execute(read_sql("seen_sources"))
        connection.execute("DELETE FROM seen_sources WHERE date BETWEEN ? AND ?", (days.first, days.last))
        connection.executemany("INSERT INTO seen_sources VALUES (?, ?, ?, ?)", ((day, *state) for day, state in now.items()))


def changed(now: States, before: States) -> Changes:
    """The days that are in another state, and in which source, or the results beside it, they are."""
    differing = {
        day: {source for source, state, old in zip(SOURCES, states, before.get(day, UNSEEN), strict=True) if state != old}
        for day, states in now.items()
    }
    return {day: sources for day, sources in differing.items() if sources}


def search(
    settings: Settings, days: Days, attributed: Events, reported: Events, *, seconds: float = inf, keep: bool = False
) -> tuple[LateDays, str | None]:
    """The late days that changes of the sources on these days make, and the day to go on from if the time is over.

    Looks at a lookback of days at a time, for about so many seconds. With `keep`, the next search passes over the days whose
    results were all found right, until their sources or results are others.
    """
    warehouse, deadline = SQLiteWarehouse(settings.database), time.monotonic() + seconds
    found, day = LateDays(), days.first
    while day <= days.last:
        window = Days(day, min(shift(day, max(settings.lookback_days, 30)), days.last))
        now = states(warehouse, window, attributed, reported)
        changes = changed(now, seen(warehouse, window))
        late = late_days(settings, changes, attributed.keys(), reported.keys())
        if late.conversions or late.reports:
            sources = f"{found.sources} {[(changed_day, now.get(changed_day)) for changed_day in changes]}"
            found = LateDays({**late.conversions, **found.conversions}, {**late.reports, **found.reports}, sources)
        elif changes and keep:
            remember(warehouse, window, now)
        day = shift(window.last, 1)
        if time.monotonic() > deadline:
            break
    following = {report for late in found.conversions for report in reports_of(late, settings.lookback_days)}
    reports = {report: why for report, why in found.reports.items() if report not in following}
    return replace(found, reports=reports), day if day <= days.last else None


def late_days(settings: Settings, changes: Changes, attributed: Set[str], reported: Set[str]) -> LateDays:
    """Of the days that these changes can reach, those whose stored rows are not what would be computed now.

    `attributed` and `reported` are the days that were computed; others are not looked at. A conversion day is late if its
    journeys differ; the reports that it touches follow it, and are not named. Else, where a conversion's revenue changed the
    report, its day's whole lookback is late, and of the days whose sessions or costs changed, those whose report differs.
    """
    warehouse, lookback = SQLiteWarehouse(settings.database), settings.lookback_days

    def differing(table: str, day_column: str, days: Set[str], query: Callable[[Settings, Days], Query]) -> set[str]:
        found: set[str] = set()
        for unbroken in unbroken_ranges(days):
            found |= warehouse.differing_days(schema()[table], day_column, unbroken, query(settings, unbroken))
        return found & days

    why = _reached_conversions(changes, lookback)
    conversions = differing("customer_journeys", "conv_date", why.keys() & attributed, journeys_query)
    following = {report for day in conversions for report in reports_of(day, lookback)}

    why_report = _reached_reports(changes, lookback)
    reports = differing("channel_reporting", "date", why_report.keys() & reported - following, reporting_query)
    for day in [day for day, sources in changes.items() if "conversions" in sources]:
        touched = reports_of(day, lookback) & reported - following
        reports |= touched if touched & reports else set()
    return LateDays({day: why[day] for day in sorted(conversions)}, {day: why_report[day] for day in sorted(reports)})


def _reached_conversions(changes: Changes, lookback_days: int) -> dict[str, str]:
    """The conversion days whose journeys the changes can touch, with the reason."""
    reached: dict[str, str] = {}
    for day, sources in changes.items():
        if "sessions" in sources:
            reached |= {shift(day, later): f"sessions of {day} changed" for later in range(lookback_days + 1)}
    return reached | {day: f"conversions of {day} changed" for day, sources in changes.items() if "conversions" in sources}


def _reached_reports(changes: Changes, lookback_days: int) -> dict[str, str]:
    """The report days that the changes can touch even where no journey changes, with the reason."""
    reached: dict[str, str] = {}
    for day, sources in changes.items():
        if "conversions" in sources:
            reached |= dict.fromkeys(reports_of(day, lookback_days), f"conversions of {day} changed")
    for day, sources in changes.items():
        if changed_here := [source for source in ("sessions", "costs") if source in sources]:
            reached[day] = f"{changed_here[0]} of {day} changed"
    return reached


def reports_of(conversion_day: str, lookback_days: int) -> set[str]:
    """The report days that conversions of this day can touch."""
    return {shift(conversion_day, -earlier) for earlier in range(lookback_days + 1)}


def unbroken_ranges(days: Iterable[str]) -> list[Days]:
    """The days as unbroken ranges, in order."""
    ranges: list[Days] = []
    for day in sorted(days):
        if ranges and shift(ranges[-1].last, 1) == day:
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days(day, day))
    return ranges
