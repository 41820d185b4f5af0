"""Late data: the computed days that would have other rows now, because source rows came, changed, moved or went."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from math import inf

from attribution_assets.catalog.table import DailyTable, Source
from attribution_assets.catalog.tables import ancestors, kind_of, query_of, sources_read, tables, touched_days
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse, schema
from attribution_assets.warehouse.days import shift, unbroken_ranges

WAIT_SECONDS = 5.0
"""For how long another writer is waited for, to remember what was seen; the next search looks again."""

FEWEST_DAYS = 30
"""A search looks at no fewer days at a time, so that a short lookback does not make many queries."""

DIMENSIONS = {"session_sources": "session_dimension", "conversions": "conversion_dimension"}
"""By source, the view of the values by which reports are broken down."""

DIFFERS = "its rows no longer match the sources"
"""Why a day is late if it is not known what changed."""

UNKNOWN = "unknown"
"""Listed with all parts of a day that no search has looked at before."""

Events = Mapping[str, Mapping[str, int]]
"""By table that late data is looked for in, by day, the number of the event that last materialized the day."""

States = Mapping[str, Mapping[str, str]]
"""By day, the state of each of its parts: of a source a digest of its rows, of a table an event; empty without either."""

Changes = Mapping[str, Set[str]]
"""By day, the parts that changed since the day was last found right; all parts, if no search has looked at it before."""

Reasons = Mapping[str, str]
"""By day that is late, why."""


@dataclass(frozen=True)
class LateDays:
    """By table that late data is looked for in, the days to compute again, each with the reason.

    Days that follow from these by automation are left out. `sources` identifies the state of the days that makes them late.
    """

    days: Mapping[str, Reasons] = field(default_factory=dict)
    sources: str = ""

    def of(self, table: str) -> Reasons:
        """The late days of one table."""
        return self.days.get(table, {})

    def __bool__(self) -> bool:
        return any(self.days.values())


def compared_tables(settings: Settings) -> tuple[DailyTable, ...]:
    """The tables in the graph that late data is looked for in."""
    return tuple(table for table in tables(settings) if table.is_compared)


def states(settings: Settings, windows: Sequence[Days], events: Events) -> Iterator[States]:
    """For each of these ranges, which follow one another, its days as they are now."""
    compared = compared_tables(settings)
    by_source = sources_read(table for table in compared if not table.reaches_any_day)
    digests = {source.name: _digests(settings, source, windows) for source in by_source}
    digests |= {
        _rows_of(table): settings.warehouse.digests(
            schema()[table.name], table.day_column, partial(query_of, settings, table), windows
        )
        for table in compared
        if table.reaches_any_day and events.get(table.name)
    }
    results = {table: {day: str(event) for day, event in of_table.items()} for table, of_table in events.items()}
    for days in windows:
        parts = {part: next(of_windows) for part, of_windows in digests.items()} | results
        yield {day: {part: of_part.get(day, "") for part, of_part in parts.items()} for day in days}


def _rows_of(table: DailyTable) -> str:
    """The part of a day that stands for what the table's rows would be now."""
    return f"rows of {table.name}"


def _digests(settings: Settings, source: Source, windows: Sequence[Days]) -> Iterator[dict[str, str]]:
    """For each of these ranges, by day, the digest of a source's rows, and of the values by which they are broken down."""
    names = [f"digest_{source.name}"]
    if settings.breakdowns and source.name in DIMENSIONS:
        names.append(f"digest_{DIMENSIONS[source.name]}")
    for of_days in zip(*(settings.warehouse.digests_of_sources(name, windows) for name in names), strict=True):
        yield {day: "".join(digests.get(day, "") for digests in of_days) for day in {*chain(*of_days)}}


def changed(now: States, before: States) -> Changes:
    """The days whose state has changed, and which of their parts changed.

    A day that no search has looked at and of which there is nothing, neither rows nor results, has not changed.
    """
    differing = {
        day: {part for part, state in parts.items() if state != before[day].get(part, "")}
        if day in before
        else {*parts, UNKNOWN}
        for day, parts in now.items()
        if day in before or any(parts.values())
    }
    return {day: parts for day, parts in differing.items() if parts}


def search(
    settings: Settings, days: Days, events: Events, *, seconds: float = inf, remember_right_days: bool = False
) -> tuple[LateDays, str | None]:
    """The days that are late because the sources of these days changed, and the day to go on from if time runs out.

    Searches one lookback of days at a time, for about `seconds`. With `remember_right_days`, the next search skips the days
    whose results were all found right, until their sources or results change.
    """
    warehouse, deadline = replace(settings.warehouse, busy_timeout=WAIT_SECONDS), time.monotonic() + seconds
    found, next_day = LateDays(), None
    if remember_right_days and any(events.values()):
        _add_tables(warehouse, compared_tables(settings))
    windows = _windows(days, 1 + max(settings.lookback_days, FEWEST_DAYS))
    for window, now in zip(windows, states(settings, windows, events), strict=True):
        changes = changed(now, warehouse.seen(window))
        late = late_days(settings, changes, events)
        if late:
            found = LateDays(
                {table.name: {**late.of(table.name), **found.of(table.name)} for table in compared_tables(settings)},
                f"{found.sources} {[(changed_day, now.get(changed_day)) for changed_day in changes]}",
            )
        elif changes and remember_right_days:
            warehouse.remember(window, now)
        if window.last < days.last and time.monotonic() > deadline:
            next_day = shift(window.last, 1)
            break
    first_causes = {
        table.name: _without(found.of(table.name), _following_days(settings, table, found.days))
        for table in compared_tables(settings)
    }
    return replace(found, days=first_causes), next_day


def _windows(days: Days, length: int) -> list[Days]:
    """The days in ranges of this length, the last of them shorter."""
    firsts = [*days][::length]
    return [Days(first, min(shift(first, length - 1), days.last)) for first in firsts]


def _without(reasons: Reasons, days: Set[str]) -> Reasons:
    return {day: why for day, why in reasons.items() if day not in days}


def _add_tables(warehouse: Warehouse, compared: Iterable[DailyTable]) -> None:
    """Creates those of the tables that an older database lacks: all their days are to be computed."""
    for table in compared:
        warehouse.create(schema()[table.name])


def late_days(settings: Settings, changes: Changes, events: Events) -> LateDays:
    """Of the days that these changes can touch, those whose stored rows differ from what would be computed now.

    It does not look at days that were never computed, nor at days that follow from late days of another table. Where a changed
    conversion changes a report, all reports of its lookback that the table has are late, as after any other change of a
    conversion.
    """
    late: dict[str, Reasons] = {}
    for table in compared_tables(settings):
        touched = _touched(settings, table, changes)
        candidates = (touched.keys() & _computed(settings, table, events)) - _following_days(settings, table, late)
        differing = _differing(settings, table, candidates)
        for reports in _reports_of_changed_conversions(settings, table, changes):
            if reports & differing:
                differing |= reports & candidates
        late[table.name] = {day: touched[day] for day in sorted(differing)}
    return LateDays(late)


def _differing(settings: Settings, table: DailyTable, days: Set[str]) -> set[str]:
    found: set[str] = set()
    for unbroken in unbroken_ranges(days):
        query = query_of(settings, table, unbroken)
        found |= settings.warehouse.differing_days(schema()[table.name], table.day_column, unbroken, query)
    return found & days


def _computed(settings: Settings, table: DailyTable, events: Events) -> set[str]:
    """The table's computed days, including days that had no input when a table that follows them was computed."""
    return {day for name in (table.name, *_made_with(settings, table)) for day in events.get(name, {})}


def _made_with(settings: Settings, table: DailyTable) -> list[str]:
    """The tables that compute this table's missing days first."""
    return [other.name for other in tables(settings) if table.missing_days and table.name in other.follows]


def _following_days(settings: Settings, table: DailyTable, late: Mapping[str, Reasons]) -> set[str]:
    """The days of the table that are restated after late days of tables that it is computed from."""
    return {
        following
        for name in ancestors(table) & late.keys()
        for day in late[name]
        for following in touched_days(table, name, day, settings.lookback_days)
    }


def _touched(settings: Settings, table: DailyTable, changes: Changes) -> dict[str, str]:
    """The days of the table that the changes can touch, with the reason: what matters most in `table.reads`, last day first."""
    compared = {other.name for other in compared_tables(settings)}
    results = {table.name, *_made_with(settings, table)} | (ancestors(table) & compared)
    touched: dict[str, str] = {}

    def touch(part: str, reason: str) -> None:
        for day in sorted(changes):
            if part in changes[day]:
                why = DIFFERS if UNKNOWN in changes[day] else reason.format(day=day)
                touched.update(dict.fromkeys(touched_days(table, part, day, settings.lookback_days), why))

    for result in sorted(results):
        touch(result, DIFFERS)
    if table.reaches_any_day:
        *others, last = table.reads.values()
        why = f"{', '.join(others)} or {last} changed" if others else f"{last} changed"
        for day in sorted(day for day in changes if _rows_of(table) in changes[day]):
            touched[day] = DIFFERS if UNKNOWN in changes[day] else why
        return touched
    for source, taken in reversed([*table.reads.items()]):
        touch(source, f"{taken} of {{day}} changed")
    return touched


def _reports_of_changed_conversions(settings: Settings, table: DailyTable, changes: Changes) -> list[set[str]]:
    """For each day whose conversions are known to have changed, the days of the table that report them."""
    return [
        {*touched_days(table, source, day, settings.lookback_days)}
        for source in (() if table.reaches_any_day else table.reads)
        if (kind_of(source), table.day_of) == ("conversion", "session")
        for day, parts in changes.items()
        if source in parts and UNKNOWN not in parts
    ]
