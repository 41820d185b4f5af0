"""All daily tables in the order of the graph, and what follows from them together: inputs, days in reach, queries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from attribution_assets.catalog.attribution import ATTRIBUTION
from attribution_assets.catalog.breakdowns import BREAKDOWNS
from attribution_assets.catalog.campaigns import OF_CAMPAIGNS
from attribution_assets.catalog.funnel import OF_FUNNEL
from attribution_assets.catalog.models import OF_MODELS
from attribution_assets.catalog.reconciliation import RECONCILIATION
from attribution_assets.catalog.reporting import REPORTING, SESSION_SPEND
from attribution_assets.catalog.sources import SOURCES
from attribution_assets.catalog.table import JOBS, Check, DailyTable, Job, Kind, Parameters, Part, Source
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.days import shift

TABLES = (*ATTRIBUTION, *REPORTING, *OF_MODELS, *BREAKDOWNS, *RECONCILIATION, *OF_FUNNEL, *OF_CAMPAIGNS)
"""Every daily table, each after those that it follows."""

CHECKS: tuple[tuple[DailyTable, Check], ...] = tuple((table, check) for table in TABLES for check in table.checks)
"""Every check with its table, in the order in which a run comes to it."""

PARTS: tuple[Part, ...] = tuple(dict.fromkeys(job.part for job in JOBS))
"""The parts of the graph that can be run alone, in their order."""

MAIN_SOURCE: Mapping[Part, str] = {"attribution": "conversions", "funnel": "events", "campaigns": "campaign_results"}
"""By part, the source whose rows give it days."""

_TABLES = {table.name: table for table in TABLES}
_SOURCES = {source.name: source for source in SOURCES}


def tables(settings: Settings) -> tuple[DailyTable, ...]:
    """The daily tables that are in the graph under these settings, as computed from others in the graph alone."""
    in_graph = {table.name: table for table in TABLES if _is_in_graph(settings, table)}
    in_sources = {source.name for source in sources(settings)}

    def present(names: Iterable[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in in_graph)

    return tuple(
        replace(
            table,
            follows=present(table.follows),
            also_reads=present(table.also_reads),
            reads={name: taken for name, taken in table.reads.items() if name in in_sources},
        )
        for table in in_graph.values()
    )


def _is_in_graph(settings: Settings, table: DailyTable) -> bool:
    return _is_chosen(settings, table) and not _lacking(settings, table)


def _lacking(settings: Settings, table: DailyTable) -> frozenset[str]:
    needs = table.needs | (table.only_with.needs(settings) if table.only_with else frozenset())
    lacking = needs - settings.present if needs else needs
    return lacking | _lacking_of_part(settings, table.job.part)


def _lacking_of_part(settings: Settings, part: Part) -> frozenset[str]:
    """What the part `attribution` lacks, if the database is there for another one. If it is not, a run says what is missing.

    Ad spend can stand for what sessions cost.
    """
    others = {source for other, source in MAIN_SOURCE.items() if other != "attribution"}
    if part != "attribution" or not settings.present & others:
        return frozenset()
    required = {source.name for source in SOURCES if not source.optional}
    return frozenset(required - ({"session_costs"} if "ad_costs" in settings.present else set()) - settings.present)


def _is_chosen(settings: Settings, table: DailyTable) -> bool:
    return table.only_with is None or table.only_with.is_made(settings)


def has_spend(settings: Settings) -> bool:
    """Whether costs have ad spend: the database has a source of it, and says which campaign a session came from."""
    return _is_in_graph(settings, SESSION_SPEND)


def sources(settings: Settings) -> tuple[Source, ...]:
    """The sources that are in the graph: those that attribution requires, if it is, and the others that the database has."""
    requires = not _lacking_of_part(settings, "attribution")
    return tuple(source for source in SOURCES if (requires and not source.optional) or source.name in settings.present)


def parts(settings: Settings) -> tuple[Part, ...]:
    """The parts that are in the graph, in the order in which they run."""
    return tuple(dict.fromkeys(job.part for job in JOBS if tables_of(settings, job)))


def without_sources(settings: Settings) -> dict[Part, tuple[str, ...]]:
    """The parts that are not in the graph, with the sources that the first table of each lacks."""
    there = parts(settings)
    first = {table.job.part: table for table in reversed(TABLES)}
    return {part: tuple(sorted(_lacking(settings, first[part]))) for part in PARTS if part not in there}


def tables_of_part(settings: Settings, part: Part) -> tuple[DailyTable, ...]:
    """The tables in the graph that are of this part."""
    return tuple(table for table in tables(settings) if table.job.part == part)


def tables_without_sources(settings: Settings) -> dict[str, list[str]]:
    """The daily tables that are not in the graph for lack of optional sources: by name, `table` or `table.column` to add."""
    lacking = {table.name: sorted(_lacking(settings, table)) for table in TABLES if _is_chosen(settings, table)}
    return {name: missing for name, missing in lacking.items() if missing}


def tables_of(settings: Settings, job: Job) -> tuple[DailyTable, ...]:
    """The tables in the graph that the job materializes."""
    return tuple(table for table in tables(settings) if table.job == job)


def table_named(name: str) -> DailyTable:
    """The entry of a daily table. Raises KeyError for another name."""
    return _TABLES[name]


def kind_of(name: str) -> Kind:
    """Whose date is a day of the daily table or source. Raises KeyError for another name."""
    return (_TABLES.get(name) or _SOURCES[name]).day_of


def sources_read(entries: Iterable[DailyTable]) -> tuple[Source, ...]:
    """The sources that these tables read."""
    read = {name for table in entries for name in table.reads}
    return tuple(source for source in SOURCES if source.name in read)


def ancestors(table: DailyTable) -> set[str]:
    """The daily tables that it is computed from, directly or indirectly."""
    parents = {*table.follows, *table.also_reads}
    return parents.union(*(ancestors(_TABLES[parent]) for parent in parents))


def touched_days(table: DailyTable, upstream: str, day: str, lookback_days: int) -> Days:
    """The days of the table that one day of a table or source that it reads can change.

    A conversion of day C reaches back to sessions of the days C - lookback to C.
    """
    match kind_of(upstream), table.day_of:
        case ("session", "session") | ("conversion", "conversion"):
            return Days(day, day)
        case "session", "conversion":
            return Days(day, shift(day, lookback_days))
        case "conversion", "session":
            return Days(shift(day, -lookback_days), day)
    raise NotImplementedError(f"Say here which days of {table.name} a day of {upstream} can change.")


def later_days(table: DailyTable, upstream: str, lookback_days: int) -> int:
    """How many days after day D the last day of a table or source is that day D of the table reads."""
    return lookback_days if (kind_of(upstream), table.day_of) == ("conversion", "session") else 0


def inputs(settings: Settings) -> dict[str, dict[str, int]]:
    """By table in the graph, the tables that it follows, with how many of their later days it reads.

    Day D follows days D to D + that number. Whatever else a table reads is restated together with one of these.
    """
    return {
        table.name: {name: later_days(table, name, settings.lookback_days) for name in table.follows}
        for table in tables(settings)
    }


def parameters(settings: Settings, table: DailyTable, days: Days) -> Parameters:
    """The parameters of the table's query, its guards and its checks for these days of it.

    `last_conversion_day`: the last day of the conversions that the days read. `first_session_day`: the first day of the
    sessions that they read. `spend_wins`: empty, where there is no ad spend.
    """
    lookback, read = settings.lookback_days, (*table.follows, *table.also_reads, *table.reads)
    return {
        "first_day": days.first,
        "last_day": days.last,
        "last_conversion_day": shift(days.last, max((later_days(table, name, lookback) for name in read), default=0)),
        "first_session_day": shift(days.first, -lookback) if table.day_of == "conversion" else days.first,
        "lookback_days": lookback,
        "include_converting_session": int(settings.include_converting_session),
        "nobody": nobody_of(settings),
        "currency": settings.currency,
        "conversions": settings.conversions,
        "spend_wins": settings.spend_wins if has_spend(settings) else "",
        **table.parameters(settings),
    }


def nobody_of(settings: Settings) -> str:
    """The ids that are nobody's, as the parameter `nobody` of queries: a JSON array."""
    return json.dumps(sorted({*settings.nobody}))


def query_of(settings: Settings, table: DailyTable, days: Days) -> Query:
    """The query that gives the table's rows for these days."""
    asked = parameters(settings, table, days)
    of_backend = settings.conversions == "backend" and "conversions" in table.reads
    guards = (*table.guards, "broken_truth") if of_backend else table.guards
    return Query(table.name, asked, guards, table.driven_by, table.lookups_per_row, table.is_lenient)


def names(entries: Iterable[DailyTable]) -> list[str]:
    """The tables' names, in order."""
    return [table.name for table in entries]
