"""Late data: the computed days that would have other rows now, because source rows came, changed, moved or went."""

from __future__ import annotations

import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from math import inf

from attribution_assets.catalog.sources import SOURCES
from attribution_assets.catalog.table import JOBS, DailyTable, Job
from attribution_assets.catalog.tables import ancestors, query_of, tables, tables_of, touched_days
from attribution_assets.settings import Settings
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.days import shift, unbroken_ranges
from attribution_assets.warehouse.sqlite.sources import columns_of

WAIT_SECONDS = 5.0
"""For how long another writer is waited for, to remember what was seen; the next search looks again."""

FEWEST_DAYS = 30
"""A search looks at no fewer days at a time, so that a short lookback does not make many queries."""

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
    """By job, the days to compute again, each with the reason; without the days that automation requests after these.

    `sources` identifies the state that makes the days late.
    """

    days: Mapping[Job, Reasons] = field(default_factory=dict)
    sources: str = ""

    def of(self, job: Job) -> Reasons:
        """The late days of one job."""
        return self.days.get(job, {})

    def __bool__(self) -> bool:
        return any(self.days.values())


def compared_tables(settings: Settings) -> tuple[DailyTable, ...]:
    """The tables in the graph that late data is looked for in."""
    return tuple(table for table in tables(settings) if table.is_compared)


def states(settings: Settings, days: Days, events: Events) -> States:
    """The days as they are now."""
    bounds = {"first_day": days.first, "last_day": days.last}
    digests = {source.name: dict(settings.warehouse.fetch(Query(f"digest_{source.name}", bounds))[1]) for source in SOURCES}
    results = {table: {day: str(event) for day, event in of_table.items()} for table, of_table in events.items()}
    return {day: {part: of_part.get(day, "") for part, of_part in (digests | results).items()} for day in days}


def seen(warehouse: SQLiteWarehouse, days: Days) -> States:
    """The days as `remember` last had them."""
    found: dict[str, dict[str, str]] = {}
    with warehouse.connect() as connection:
        if "part" in columns_of(connection, "seen_days"):
            rows = connection.execute("SELECT * FROM seen_days WHERE date BETWEEN ? AND ?", (days.first, days.last))
            for day, part, state in rows:
                found.setdefault(day, {})[part] = state
    return found


def remember(warehouse: SQLiteWarehouse, days: Days, now: States) -> None:
    """Keeps these states of the days, of which every result was found right."""
    rows = [(day, part, state) for day, parts in now.items() for part, state in parts.items()]
    with replace(warehouse, busy_timeout=WAIT_SECONDS).write() as connection:
        connection.execute(read_sql("seen_days"))
        connection.execute("DELETE FROM seen_days WHERE date BETWEEN ? AND ?", (days.first, days.last))
        connection.executemany("INSERT INTO seen_days VALUES (?, ?, ?)", rows)


def changed(now: States, before: States) -> Changes:
    """The days whose state has changed, and which of their parts changed."""
    differing = {
        day: {part for part, state in parts.items() if state != before[day].get(part, "")}
        if day in before
        else {*parts, UNKNOWN}
        for day, parts in now.items()
    }
    return {day: parts for day, parts in differing.items() if parts}


def search(
    settings: Settings, days: Days, events: Events, *, seconds: float = inf, remember_right_days: bool = False
) -> tuple[LateDays, str | None]:
    """The days that are late because the sources of these days changed, and the day to go on from if time runs out.

    Searches one lookback of days at a time, for about `seconds`. With `remember_right_days`, the next search skips the days
    whose results were all found right, until their sources or results change.
    """
    warehouse, deadline = settings.warehouse, time.monotonic() + seconds
    found, day = LateDays(), days.first
    if remember_right_days and any(events.values()):
        replace(warehouse, busy_timeout=WAIT_SECONDS).prepare()  # a file from before has other tables
    while day <= days.last:
        window = Days(day, min(shift(day, max(settings.lookback_days, FEWEST_DAYS)), days.last))
        now = states(settings, window, events)
        changes = changed(now, seen(warehouse, window))
        late = late_days(settings, changes, events)
        if late:
            found = LateDays(
                {job: {**late.of(job), **found.of(job)} for job in JOBS},
                f"{found.sources} {[(changed_day, now.get(changed_day)) for changed_day in changes]}",
            )
        elif changes and remember_right_days:
            remember(warehouse, window, now)
        day = shift(window.last, 1)
        if time.monotonic() > deadline:
            break
    following = {job: _following_days(settings, job, found.days) for job in JOBS}
    by_themselves = {job: {day: why for day, why in found.of(job).items() if day not in following[job]} for job in JOBS}
    return replace(found, days=by_themselves), day if day <= days.last else None


def late_days(settings: Settings, changes: Changes, events: Events) -> LateDays:
    """The days that these changes can affect and whose stored rows differ from what would be computed now.

    Days that were never computed are left out, and so are days that follow from late days of an earlier job. If a changed
    conversion makes one report late, the reports of its whole lookback are late, as after any other change of a conversion. If
    only reports were recomputed, just the days that differ are late.
    """
    late: dict[Job, Reasons] = {}
    for job in JOBS:
        reasons: dict[str, str] = {}
        candidates, differing = set[str](), set[str]()
        following = _following_days(settings, job, late)
        for table in [table for table in tables_of(settings, job) if table.is_compared]:
            touched = _touched(settings, table, changes)
            reasons = touched | reasons
            to_compare = (touched.keys() & _computed(settings, table, events)) - following
            candidates |= to_compare
            differing |= _differing(settings, table, to_compare)
        for of_conversion in _reports_of_changed_conversions(settings, job, changes):
            if of_conversion & differing:
                differing |= of_conversion & candidates
        late[job] = {day: reasons[day] for day in sorted(differing)}
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


def _following_days(settings: Settings, job: Job, late: Mapping[Job, Reasons]) -> set[str]:
    """The days of the job's tables that are restated after late days of other jobs."""
    return {
        following
        for table in tables_of(settings, job)
        for ancestor in compared_tables(settings)
        if ancestor.job != job and ancestor.name in ancestors(table)
        for day in late.get(ancestor.job, {})
        for following in touched_days(table, ancestor.name, day, settings.lookback_days)
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
    for source, taken in reversed([*table.reads.items()]):
        touch(source, f"{taken} of {{day}} changed")
    return touched


def _reports_of_changed_conversions(settings: Settings, job: Job, changes: Changes) -> list[set[str]]:
    """For each source day that is known to have changed, the report days of the job that read it."""
    return [
        {*touched_days(table, source, day, settings.lookback_days)}
        for table in tables_of(settings, job)
        if table.is_compared and table.days == "session"
        for source in table.reads
        for day, parts in changes.items()
        if source in parts and UNKNOWN not in parts
    ]
