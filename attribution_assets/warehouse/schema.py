"""The schema as data: the tables, columns, keys and indexes in sql/challenge_db_create.sql."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from attribution_assets.errors import AttributionError
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import functions

SOURCES = ("session_sources", "session_costs", "conversions")
"""The tables (or views) that the user fills; the pipeline reads them and never creates them."""

META = "attribution_meta"
"""The table with the file's schema version and the database's id. It holds no results."""

BROKEN_ROWS = {"broken_session": "session_sources", "broken_conversion": "conversions"}
"""A view of each connection -> the source of which it has the rows that cannot be attributed, valued or decoded."""


@dataclass(frozen=True)
class Column:
    """A column: its declared type (`text`, `integer`, `real`), whether it refuses NULL, and its description."""

    name: str
    type: str
    required: bool
    description: str


@dataclass(frozen=True)
class Table:
    """A table as declared: columns in order, primary key, the statement that creates it and those for its indexes."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    create: str
    indexes: Mapping[str, str]

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(column.name for column in self.columns)

    def check(self, columns: Sequence[str]) -> None:
        """Raises AttributionError if a column of the table is missing from these, or if one is unknown or listed twice."""
        missing = [column for column in self.column_names if column not in columns]
        unknown = [column for column in columns if column not in self.column_names]
        twice = sorted({column for column in columns if columns.count(column) > 1})
        if missing or unknown or twice:
            raise AttributionError(
                f"The rows for {self.name} "
                + " and ".join(
                    [f"lack the column {column}" for column in missing]
                    + [f"have an unknown column {column}" for column in unknown]
                    + [f"have the column {column} more than once" for column in twice]
                )
                + f". Return exactly the columns that sql/ declares for {self.name}."
            )


@cache
def schema() -> Mapping[str, Table]:
    """Every table of sql/challenge_db_create.sql by name, as SQLite itself reads it."""
    with closing(empty_database()) as connection:
        tables = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: _table(connection, name, create) for name, create in tables}


def empty_database() -> sqlite3.Connection:
    """A database in memory with every declared table and index and our functions. The caller closes it."""
    connection = sqlite3.connect(":memory:")
    functions.add_to(connection)
    connection.executescript(read_sql("challenge_db_create"))
    return connection


def _table(connection: sqlite3.Connection, name: str, create: str) -> Table:
    described = dict(re.findall(r"^\s*(\w+) .*-- (.+)$", create, re.MULTILINE))
    info = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,)).fetchall()
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (name,)
    ).fetchall()
    return Table(
        name=name,
        columns=tuple(Column(column, type_.lower(), bool(required), described[column]) for column, type_, required, _ in info),
        key=tuple(column for _, column in sorted((pk, column) for column, _, _, pk in info if pk)),
        create=create,
        indexes=dict(indexes),
    )
