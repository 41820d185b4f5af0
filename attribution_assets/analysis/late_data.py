"""Late data: the computed days that would come out otherwise now, because source rows came, changed, moved or went."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from math import inf

from attribution_assets.catalog.queries import costs_query, journeys_query, model_reporting_query, reporting_query
from attribution_assets.settings import Settings
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.days import shift, unbroken_ranges
from attribution_assets.warehouse.sqlite.sources import columns_of

PARTS = ("sessions", "costs", "conversions", "attribution", "report")
"""What may have changed of a day: its sources, and its results, which may have been computed from other sources since."""

PATIENCE = 5.0
"""For how many seconds another writer is waited for, to remember what was seen; the next search looks again."""

OTHERWISE = "its rows are not what the sources give now"

UNKNOWN = "unknown"
"""Beside all parts, where nobody looked at the day before."""

Events = Mapping[str, int]
"""By day, the number of the event with which the day was last materialized."""


@dataclass(frozen=True)
class Computed:
    """The days that were materialized: journeys (`attributed`), costs (`summed`), both reports (`reported`, `by_models`)."""

    attributed: Events = field(default_factory=dict)
    summed: Events = field(default_factory=dict)
    reported: Events = field(default_factory=dict)
    by_models: Events = field(default_factory=dict)


States = Mapping[str, Sequence[str]]
"""By day, what identifies each of its parts: a digest of the rows of a source, the event of a result."""

Changes = Mapping[str, Set[str]]
"""By day, the parts that are others than when all was last found right; all of them, where that was never looked at."""


@dataclass(frozen=True)
class LateDays:
    """Conversion days to attribute again, days whose costs to sum again, and report days to rebuild beside those that follow.

    Each with the reason; `sources` identifies the state of the days that makes them late.
    """

    conversions: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, str] = field(default_factory=dict)
    reports: Mapping[str, str] = field(default_factory=dict)
    sources: str = ""


def states(warehouse: SQLiteWarehouse, days: Days, computed: Computed) -> States:
    """The days as they are now."""
    _, rows = warehouse.fetch(Query("source_digests", {"first_day": days.first, "last_day": days.last}))
    digests = {day: sources for day, *sources in rows}

    def results(day: str) -> tuple[str, str]:
        of_report = (computed.summed, computed.reported, computed.by_models)
        return str(computed.attributed.get(day, "")), " ".join(str(events[day]) for events in of_report if day in events)

    return {day: (*digests.get(day, ("", "", "")), *results(day)) for day in days}


def seen(warehouse: SQLiteWarehouse, days: Days) -> States:
    """The days as `remember` last had them."""
    with warehouse.connect() as connection:
        if not columns_of(connection, "seen_days"):
            return {}
        rows = connection.execute("SELECT * FROM seen_days WHERE date BETWEEN ? AND ?", (days.first, days.last))
        return {day: parts for day, *parts in rows}


def remember(warehouse: SQLiteWarehouse, days: Days, now: States) -> None:
    """Keeps these states of the days, of which every result was found right."""
    with replace(warehouse, patience=PATIENCE).write() as connection:
        connection.execute(read_sql("seen_days"))
        connection.execute("DELETE FROM seen_days WHERE date BETWEEN ? AND ?", (days.first, days.last))
        connection.executemany("INSERT INTO seen_days VALUES (?, ?, ?, ?, ?, ?)", ((day, *parts) for day, parts in now.items()))


def changed(now: States, before: States) -> Changes:
    """The days that are in another state, and which of their parts are."""
    differing = {
        day: {part for part, is_, was in zip(PARTS, parts, before[day], strict=True) if is_ != was}
        if day in before
        else {*PARTS, UNKNOWN}
        for day, parts in now.items()
    }
    return {day: parts for day, parts in differing.items() if parts}


def search(
    settings: Settings, days: Days, computed: Computed, *, seconds: float = inf, keep: bool = False
) -> tuple[LateDays, str | None]:
    """The late days that changes of the sources on these days make, and the day to go on from if the time is over.

    Looks at a lookback of days at a time, for about so many seconds. With `keep`, the next search passes over the days whose
    results were all found right, until their sources or results are others.
    """
    warehouse, deadline = settings.warehouse, time.monotonic() + seconds
    found, day = LateDays(), days.first
    if keep and computed.reported:
        _add_channel_costs(warehouse)
    while day <= days.last:
        window = Days(day, min(shift(day, max(settings.lookback_days, 30)), days.last))
        now = states(warehouse, window, computed)
        changes = changed(now, seen(warehouse, window))
        late = late_days(settings, changes, computed)
        if late.conversions or late.costs or late.reports:
            sources = f"{found.sources} {[(changed_day, now.get(changed_day)) for changed_day in changes]}"
            found = LateDays(
                {**late.conversions, **found.conversions},
                {**late.costs, **found.costs},
                {**late.reports, **found.reports},
                sources,
            )
        elif changes and keep:
            remember(warehouse, window, now)
        day = shift(window.last, 1)
        if time.monotonic() > deadline:
            break
    following = _following(found.conversions, found.costs, settings.lookback_days)
    reports = {report: why for report, why in found.reports.items() if report not in following}
    return replace(found, reports=reports), day if day <= days.last else None


def _add_channel_costs(warehouse: SQLiteWarehouse) -> None:
    """Gives the table to a file that was last written before it existed: all its reports follow from costs to be summed."""
    with replace(warehouse, patience=PATIENCE).connect() as connection:
        if not columns_of(connection, "channel_costs"):
            connection.execute(schema()["channel_costs"].create)


def _following(conversions: Iterable[str], costs: Iterable[str], lookback_days: int) -> set[str]:
    """The report days that restate themselves after these."""
    return {*costs, *(report for day in conversions for report in reports_of(day, lookback_days))}


def late_days(settings: Settings, changes: Changes, computed: Computed) -> LateDays:
    """Of the days that these changes can reach, those whose stored rows are not what would be computed now.

    Days that were never computed are not looked at. A conversion day is late if its journeys differ, a day's costs if they do;
    the reports that follow from these are not named. Else, where a conversion's revenue changed the report, its day's whole
    lookback is late, and of the days whose report was made anew, those that differ.
    """
    warehouse, lookback = settings.warehouse, settings.lookback_days

    def differing(table: str, day_column: str, days: Set[str], query: Callable[[Settings, Days], Query]) -> set[str]:
        found: set[str] = set()
        for unbroken in unbroken_ranges(days):
            found |= warehouse.differing_days(schema()[table], day_column, unbroken, query(settings, unbroken))
        return found & days

    reach = _reached_conversions(changes, lookback)
    conversions = differing("customer_journeys", "conv_date", reach.keys() & computed.attributed.keys(), journeys_query)
    reach_of_costs = _reached_costs(changes)
    summed = computed.summed.keys() | computed.reported.keys()  # a report sums none on a day without sessions
    costs = differing("channel_costs", "date", reach_of_costs.keys() & summed, costs_query)

    reach_of_reports = _reached_reports(changes, lookback)
    candidates = (reach_of_reports.keys() & computed.reported.keys()) - _following(conversions, costs, lookback)
    reports = differing("channel_reporting", "date", candidates, reporting_query)
    if settings.models:  # revenue that moved between conversions may change these alone
        reports |= differing("model_reporting", "date", candidates & computed.by_models.keys(), model_reporting_query)
    for day in [day for day, parts in changes.items() if "conversions" in parts and UNKNOWN not in parts]:
        touched = reports_of(day, lookback) & candidates
        reports |= touched if touched & reports else set()
    return LateDays(
        {day: reach[day] for day in sorted(conversions)},
        {day: reach_of_costs[day] for day in sorted(costs)},
        {day: reach_of_reports[day] for day in sorted(reports)},
    )


def _reached_conversions(changes: Changes, lookback_days: int) -> dict[str, str]:
    """The conversion days whose journeys the changes can touch, with the reason."""
    reached: dict[str, str] = {}
    for day, parts in changes.items():
        if "attribution" in parts:
            reached.setdefault(day, OTHERWISE)
        if "sessions" in parts:
            for later in range(lookback_days + 1):
                reached[shift(day, later)] = _because("sessions", day, parts)
    return reached | {day: _because("conversions", day, parts) for day, parts in changes.items() if "conversions" in parts}


def _reached_costs(changes: Changes) -> dict[str, str]:
    """The days whose costs the changes can touch, with the reason."""
    reached: dict[str, str] = {}
    for day, parts in changes.items():
        if of_the_day := [part for part in ("sessions", "costs") if part in parts]:
            reached[day] = _because(of_the_day[0], day, parts)
        elif "report" in parts:
            reached[day] = OTHERWISE
    return reached


def _reached_reports(changes: Changes, lookback_days: int) -> dict[str, str]:
    """The report days that the changes can touch even where no journey and no cost changes, with the reason."""
    reached: dict[str, str] = {}
    for day, parts in changes.items():
        if "conversions" in parts:
            reached |= {report: _because("revenue", day, parts) for report in reports_of(day, lookback_days)}
        elif "attribution" in parts:
            reached |= dict.fromkeys(reports_of(day, lookback_days) - reached.keys(), OTHERWISE)
    return dict.fromkeys((day for day, parts in changes.items() if "report" in parts), OTHERWISE) | reached


def _because(what: str, day: str, parts: Set[str]) -> str:
    return OTHERWISE if UNKNOWN in parts else f"{what} of {day} changed"


def reports_of(conversion_day: str, lookback_days: int) -> set[str]:
    """The report days that conversions of this day can touch."""
    return {shift(conversion_day, -earlier) for earlier in range(lookback_days + 1)}
