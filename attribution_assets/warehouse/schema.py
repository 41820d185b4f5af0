"""The schema as data: the tables, columns, keys and indexes in sql/challenge_db_create.sql and sql/optional_sources.sql."""

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

OPTIONAL_SOURCES = ("conversions_backend", "ad_costs", "events", "order_items", "products", "campaign_results")
"""Those that the user may have besides."""

ALL_SOURCES = (*SOURCES, *OPTIONAL_SOURCES)

FURTHER = {"exchange_rates": "One row per day and currency: what the currency is worth."}
"""Further tables of the user's that can be imported, each with what it holds: the views of the sources read them."""

BESIDE = {"events": ("session_sources", "conversions", "order_items", "products")}
"""By source, those that a query about it takes as empty where they are missing."""

META = "attribution_meta"
"""The table with the file's schema version and the database's id. It holds no results."""

CHOSEN = "chosen_parameters"
"""The table with the parameters of the IHC model that were chosen for the database. It holds no results."""

BROKEN_ROWS = {"broken_session": "session_sources", "broken_conversion": "conversions"}
"""A view of each connection -> the source of which it has the rows that cannot be attributed, valued or decoded."""


@dataclass(frozen=True)
class Column:
    """A column: its declared type (`text`, `integer`, `real`), whether it refuses NULL, and its description."""

    name: str
    type: str
    required: bool
    description: str
    optional: bool = False
    """A source may lack it, and then it is NULL in every row."""


@dataclass(frozen=True)
class Table:
    """A table as declared: columns in order, primary key, the statement that creates it and those for its indexes.

    The statement does not create columns that a required source may lack.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    create: str
    indexes: Mapping[str, str]

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns that the table always has, in order."""
        return tuple(column.name for column in self.columns if not column.optional)

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
    """Every declared table by name, as SQLite itself reads it."""
    with closing(empty_database()) as connection, closing(_empty_database("challenge_db_create")) as without_optional:
        statements = {**_statements(connection), **_statements(without_optional)}
        return {name: _table(connection, without_optional, name, create) for name, create in statements.items()}


def empty_database() -> sqlite3.Connection:
    """A database in memory with every declared table, column and index and our functions. The caller closes it."""
    connection = sqlite3.connect(":memory:")
    functions.add_to(connection)
    connection.deserialize(_everything_declared())
    return connection


@cache
def _everything_declared() -> bytes:
    with closing(_empty_database("challenge_db_create", "optional_sources")) as connection:
        return connection.serialize()


def _empty_database(*scripts: str) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    functions.add_to(connection)
    for script in scripts:
        connection.executescript(read_sql(script))
    return connection


def _statements(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())


def _table(connection: sqlite3.Connection, without_optional: sqlite3.Connection, name: str, create: str) -> Table:
    added = re.findall(rf"^ALTER TABLE {name} ADD COLUMN (\w+) .*-- (.+)$", read_sql("optional_sources"), re.MULTILINE)
    described = dict([*re.findall(r"^\s*(\w+) .*-- (.+)$", create, re.MULTILINE), *added])
    always = {column for (column,) in without_optional.execute("SELECT name FROM pragma_table_info(?)", (name,))}
    info = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', (name,)).fetchall()
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", (name,)
    ).fetchall()
    return Table(
        name=name,
        columns=tuple(
            Column(column, type_.lower(), bool(required), described[column], not required and column not in always)
            for column, type_, required, _ in info
        ),
        key=tuple(column for _, column in sorted((pk, column) for column, _, _, pk in info if pk)),
        create=create,
        indexes=dict(indexes),
    )
