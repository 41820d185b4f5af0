"""A connection to a PostgreSQL schema of ours: statements of sql/ as the server takes them, and the views that they name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import count
from typing import Any

import psycopg
from psycopg.types.numeric import FloatLoader

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.dialect import PASSED
from attribution_assets.warehouse.postgres.views import views_before
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, schema
from attribution_assets.warehouse.urls import without_schema
from attribution_assets.warehouse.views import STAND_INS, Reading
from attribution_assets.warehouse.warehouse import Cursor

Driver = psycopg.Connection[tuple[Any, ...]]
"""A connection of the driver."""

OF_SOURCES = frozenset({*ALL_SOURCES, *FURTHER, *(name for name, _ in STAND_INS.values())})
"""The names of tables that the user fills."""

SECONDS_TO_CONNECT = 10

LOCKED = "rpv"
"""The kinds of relations that can be locked: tables, partitioned ones and views."""

NULLS_FIRST, NULLS_LAST = " NULLS FIRST ", " NULLS LAST "
"""What is written behind a value that rows are sorted by, upwards or downwards: NULL is less than all."""

END_OF_ORDER = "LIMIT|ROWS|RANGE|UNION ALL|UNION|ON CONFLICT"
"""What comes behind an order."""

SETTINGS = """
    SET client_encoding = 'UTF8'; SET datestyle = 'ISO'; SET timezone = 'UTC'; SET extra_float_digits = 1;
    SET cursor_tuple_fraction = 1; SET jit = off; SET work_mem = '64MB'
"""
"""How values are written as text, and how queries are planned: all of their rows are wanted."""

COLUMNS = """
    SELECT relname, relkind, attname, format_type(CASE WHEN typtype = 'd' THEN typbasetype ELSE pg_type.oid END, NULL)
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    JOIN pg_type ON pg_type.oid = atttypid
    WHERE nspname = %s AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""


@dataclass(frozen=True)
class StoredTable:
    """A table or view of the server: where it is, what it is (relkind of pg_class), and its columns."""

    place: str
    is_a: str
    columns: dict[str, str]


@dataclass
class PostgresConnection:
    """Runs statements with `?` or `$name` for values. The view before a source is made when a statement first names it.

    `ours` are the tables and views in our schema, `in_public` those of the schema public. A connection that is held at one
    state goes on after a statement that failed.
    """

    driver: Driver
    ours: Mapping[str, StoredTable]
    in_public: Mapping[str, StoredTable]
    reading: Reading
    is_held: bool = False
    _made: set[str] = field(default_factory=set)
    _numbers: Iterator[int] = field(default_factory=count)

    @cached_property
    def sources(self) -> dict[str, StoredTable]:
        """The tables that the user fills: those in our schema or, where it has none, in public."""
        found = {**self.in_public, **self.ours}
        return {name: found[name] for name in OF_SOURCES & found.keys()}

    @cached_property
    def views(self) -> dict[str, str]:
        """The views before the sources, and those of our tables that are missing, by name, in an order to make them."""
        return views_before(
            {name: (table.place, table.columns) for name, table in {**self.ours, **self.sources}.items()}, self.reading
        )

    def execute(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """The statement's rows, all of which the driver has then."""
        with self._one_by_one():
            self._make_views(text)
            return self.driver.execute(as_statement(text), parameters if isinstance(parameters, Mapping) else [*parameters])

    def stream(self, text: str, parameters: Mapping[str, Any]) -> RowsOnServer:
        """The statement's rows, which stay on the server until they are asked for, or the transaction ends."""
        with self._one_by_one():
            self._make_views(text)
            name = f"rows_{next(self._numbers)}"
            self.driver.execute(f"DECLARE {name} NO SCROLL CURSOR FOR {as_statement(text)}", parameters)
            return RowsOnServer(self, name)

    @contextmanager
    def at_one_state(self, *, written: str = "") -> Iterator[None]:
        """A transaction in which all statements see one state; without a table that is `written`, nothing of it stays.

        The sources are locked before the state is taken: one that is emptied and filled again meanwhile would be seen as empty.
        Views are gone at its end, so that they are in nobody's way.
        """
        if self.is_held:
            yield
            return
        self.driver.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with self.driver.transaction(force_rollback=not written):
            if written:
                self.driver.execute(f"LOCK TABLE {written} IN SHARE ROW EXCLUSIVE MODE")
            if places := [table.place for _, table in sorted(self.sources.items()) if table.is_a in LOCKED]:
                self.driver.execute(f"LOCK TABLE {', '.join(places)} IN ACCESS SHARE MODE")
            yield
            if written and self._made:
                self.driver.execute(f"DROP VIEW {', '.join(f'pg_temp.{name}' for name in self._made)}")
        self._made.clear()

    def columns(self, table: str) -> list[str]:
        """The columns of a table as it is stored, in lower case; none where it does not exist."""
        found = self.sources.get(table.lower()) or self.ours.get(table.lower())
        return [name.lower() for name in found.columns] if found else []

    @contextmanager
    def _one_by_one(self) -> Iterator[None]:
        """A statement of its own: one that fails leaves a connection that is held as it was, with the views that it had."""
        if not self.is_held:
            yield
            return
        made = {*self._made}
        try:
            with self.driver.transaction():
                yield
        except psycopg.Error:
            self._made.intersection_update(made)
            raise

    def _make_views(self, text: str) -> None:
        """Makes the views that the text names, and those that they read, which come before them."""
        named, needed = _words(text), []
        for name in reversed(self.views):
            if name in named:
                named |= _words(self.views[name])
                needed.append(name)
        for name in (name for name in reversed(needed) if name not in self._made):
            self.driver.execute(f"CREATE TEMP VIEW {name} AS {as_statement(self.views[name])}", {})
            self._made.add(name)


@dataclass(frozen=True)
class RowsOnServer:
    """The rows of a statement that wait on the server."""

    connection: PostgresConnection
    name: str

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns."""
        return self._fetch("0").description

    def fetchmany(self, size: int, /) -> list[tuple[Any, ...]]:
        """So many rows, or those that are left."""
        return self._fetch(str(size)).fetchall()

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return self._fetch("ALL").fetchall()

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one after another."""
        while rows := self.fetchmany(1000):
            yield from rows

    def _fetch(self, which: str) -> Cursor:
        return self.connection.execute(f"FETCH {which} FROM {self.name}")


def connected(url: str, busy_timeout: float = 300) -> Driver:
    """A connection of the driver to the server, which commits each statement, and waits so many seconds for a lock.

    Raises psycopg.Error.
    """
    driver = psycopg.connect(
        without_schema(url),
        autocommit=True,
        connect_timeout=SECONDS_TO_CONNECT,
        application_name="attribution_assets",
        cursor_factory=psycopg.ClientCursor,
    )
    driver.adapters.register_loader("numeric", FloatLoader)
    driver.execute(f"{SETTINGS}; SET lock_timeout = {max(1, int(busy_timeout * 1000))}")
    return driver


def tables_of(driver: Driver, within: str) -> dict[str, StoredTable]:
    """The tables and views of the schema `within`, by name."""
    found: dict[str, StoredTable] = {}
    for name, is_a, column, type_ in driver.execute(COLUMNS, [within]).fetchall():
        if name.lower() in OF_SOURCES and not (name + column).islower() and (name != name.lower() or _is_read(name, column)):
            raise AttributionError(
                f"{within}.{name}.{column} has capital letters in its name, as which it is not read. Rename it, or put a view "
                "with small letters in its place."
            )
        found.setdefault(name, StoredTable(f"{quoted(within)}.{quoted(name)}", is_a, {})).columns[column] = type_
    return found


def _is_read(source: str, column: str) -> bool:
    """Whether the column is one that the source is declared with, in any letters."""
    return source in schema() and column.lower() in {declared.name for declared in schema()[source].columns}


def quoted(name: str) -> str:
    """The name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


@cache
def as_statement(text: str) -> str:
    """The text as the driver takes it: `%(name)s` for `$name`, `%s` for `?`, and names with capital letters quoted.

    What is sorted by texts that stand in the statement is sorted byte for byte, too, and NULL comes before all values.
    """
    capitals = {column.name for table in schema().values() for column in table.columns if not column.name.islower()}
    tokens = re.compile(
        rf"(?P<text>(?:'[^']*')+)|{PASSED}|\$(?P<parameter>\w+)|\?|%|[(),]|\bORDER BY\b|\bDESC\b|\b(?P<end>{END_OF_ORDER})\b"
        rf"|\b(?P<name>{'|'.join(capitals)})\b"
    )
    orders: list[str] = [""]  # for each parenthesis that is open, where NULL comes in the order that is read, if one is

    def written(found: re.Match[str]) -> str:
        part = found[0]
        if part.startswith("--"):
            return ""
        if found["text"]:
            return f'({part.replace("%", "%%")} COLLATE "C")'
        if found["parameter"]:
            return f"%({found['parameter']})s"
        if found["name"]:
            return quoted(part)
        if part == "?":
            return "%s"
        if part == "(":
            orders.append("")
        elif part == "ORDER BY":
            orders[-1] = NULLS_FIRST
        elif part == "DESC":
            orders[-1] = NULLS_LAST
        elif part == ")":
            return orders.pop() + part
        elif part == "," and orders[-1]:
            last, orders[-1] = orders[-1], NULLS_FIRST
            return last + part
        elif found["end"]:
            last, orders[-1] = orders[-1], ""
            return last + part
        return part.replace("%", "%%")

    return tokens.sub(written, text) + orders.pop()
