"""What is required of the tables that the user fills, whatever stores them: they exist, and their ids identify rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from attribution_assets.errors import AttributionError
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse.engagement import FLAGS
from attribution_assets.warehouse.query import Query
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import ALL_SOURCES, BESIDE, SOURCES, Table, schema
from attribution_assets.warehouse.views import TIMES, Reading

COUNTED_ONCE = ("session_costs", "events")
"""The sources of which queries count a row once, however often it stands there."""


REQUIRED, OPTIONAL = "sql/challenge_db_create.sql", "sql/optional_sources.sql"
"""The files that declare the sources: those that attribution requires, and the others."""


@dataclass(frozen=True)
class Present:
    """What there is of the sources. `columns` gives a table's columns as stored, `as_read` the declared ones that it has.

    `in_files`: each table is Delta, Parquet or CSV files, and not a table or view of a database. `chosen_by` is the setting
    that says where they are, `kind` what that is.
    """

    path: Path | str
    columns: Callable[[str], Collection[str]]
    as_read: Callable[[str], Collection[str]]
    in_files: bool = False
    chosen_by: str = "--database or ATTRIBUTION_DATABASE"
    kind: Literal["file", "lake", "place"] = "file"

    def how_to_add(self, name: str, file: str) -> str:
        """What to do about a table that is missing, which the file of sql/ declares."""
        if self.in_files:
            return f"Put it there, as a Delta table or in {name}.parquet or {name}.csv, with the columns that {file} declares"
        return f"Add it as {file} declares it"

    def how_to_complete(self, name: str, file: str) -> str:
        """What to do about a column that is missing."""
        if self.in_files:
            return f"Write {name} with it, as {file} declares it"
        return f"Add it, or make {name} a view with the columns that {file} declares"


def check_present(present: Present, reading: Reading, query: Query) -> None:
    """Raises AttributionError where a source table that the query reads is missing or lacks a column that it needs."""
    path, needed_of = present.path, read_by(query)
    if "conversions" in needed_of and reading.conversions == "backend" and not present.columns("conversions_backend"):
        raise AttributionError(
            f"ATTRIBUTION_CONVERSIONS is backend, but {path} has no table conversions_backend. "
            f"{present.how_to_add('conversions_backend', OPTIONAL)}, or set ATTRIBUTION_CONVERSIONS=tracked."
        )
    if not present.columns("session_costs") and present.as_read("ad_costs"):
        needed_of.pop("session_costs", None)  # who has ad spend can do without
    for name in (beside for source in needed_of.keys() & BESIDE.keys() for beside in BESIDE[source]):
        if not present.columns(name):
            needed_of.pop(name, None)
    for name, needed in needed_of.items():
        file = REQUIRED if name in SOURCES else OPTIONAL
        columns = present.as_read(name)
        if not columns:
            raise AttributionError(
                f"{path} has no table {name}, which {query.name} reads. {present.how_to_add(name, file)}, or point "
                f"{present.chosen_by} to the right {present.kind}."
            )
        for column in schema()[name].column_names:
            can_do_without = column in FLAGS or (query.is_lenient and column in TIMES)
            if column in needed and column not in columns and not can_do_without:
                raise AttributionError(f"{name} in {path} has no column {column}. {present.how_to_complete(name, file)}.")


def read_by(query: Query) -> dict[str, set[str]]:
    """The source tables that the query or one of its guards reads, each with the columns that they need of it."""
    read = [reads(text).tables for text in (query.text, *map(read_sql, query.guards))]
    return {
        source: {column for tables in read for column in tables.get(source, ())}
        for source in ALL_SOURCES
        if any(source in tables for tables in read)
    }


def counted_by_id(query: Query) -> list[Table]:
    """The sources that the query reads of which a row would count more than once if its id stood there twice."""
    read = () if query.is_lenient else (schema()[name] for name in read_by(query))
    return [source for source in read if len(source.key) == 1 and source.name not in COUNTED_ONCE]


def id_twice(source: Table, path: Path | str, found: Sequence[object], *, has_truth: bool) -> AttributionError:
    """The error that an id stands in several rows: `found` is the id, and in how many."""
    key = source.key[0]
    return AttributionError(
        f"{key} {found[0]!r} appears {found[1]} times in {source.name} in {path} and would be counted as many times. "
        f"Keep one row per {key}{', or set ATTRIBUTION_CONVERSIONS=backend' if has_truth else ''}."
    )


def broken_sources(name: str, problems: Sequence[str], offending: int) -> AttributionError:
    """The error that a table was not written, with up to five of the `offending` rows."""
    return _broken(f"{name} was not written", problems, offending, "run again")


def unreadable_sources(name: str, problems: Sequence[str], offending: int) -> AttributionError:
    """The error that rows cannot be computed from their sources, with up to five of the `offending` rows."""
    return _broken(f"{name} cannot be computed", problems, offending, "try again")


def _broken(what: str, problems: Sequence[str], offending: int, afterwards: str) -> AttributionError:
    more = " There are more such rows." if offending > len(problems[:5]) else ""
    return AttributionError(
        f"{what}, because its sources are broken: {'; '.join(problems[:5])}.{more} Fix these rows, then {afterwards}."
    )
