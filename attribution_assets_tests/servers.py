"""A shop whose database is a schema on a PostgreSQL server: what tests say to a shop in SQL goes to a file and is copied."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from psycopg.errors import DeadlockDetected

from attribution_assets.warehouse import SQLiteWarehouse, schema
from attribution_assets.warehouse.postgres.connection import Driver, PostgresConnection, connected, quoted
from attribution_assets.warehouse.postgres.database import PostgresWarehouse
from attribution_assets.warehouse.postgres.tables import make_table
from attribution_assets.warehouse.schema import META
from attribution_assets.warehouse.sqlite.state import file_state
from attribution_assets.warehouse.urls import schema_of
from attribution_assets.warehouse.views import AS_STORED, Reading
from attribution_assets_tests.importing.databases import Database
from attribution_assets_tests.lakes import OURS
from attribution_assets_tests.support import Shop, wait_for

TYPES = {"text": "text", "integer": "bigint", "real": "double precision"}
FITTING = {"text": {"text"}, "integer": {"integer"}, "real": {"integer", "real"}}

NUMBERS = count(1)


def new_schema(server: Database) -> str:
    """The URL of a schema on the server that nobody has used yet."""
    return f"{server.url}?schema=shop_{next(NUMBERS)}"


@contextmanager
def in_postgres(database: Path, server: Database, reading: Reading = AS_STORED) -> Iterator[PostgresConnection]:
    """A connection to a copy of the file in a schema of its own: sources and results."""
    url = new_schema(server)
    with closing(connected(url)) as driver:
        copy_tables(database, driver, str(schema_of(url)))
        with PostgresWarehouse(url, reading=reading).connect() as connection:
            yield connection
        wait_for(partial(_dropped, driver, str(schema_of(url))))


def _dropped(driver: Driver, within: str) -> bool:
    """Whether the schema could be dropped. A session that ends just now drops its views of the tables itself."""
    try:
        driver.execute(f"DROP SCHEMA {within} CASCADE")
    except DeadlockDetected:
        return False
    return True


def copy_tables(database: Path, driver: Driver, within: str, *, but: tuple[str, ...] = ()) -> None:
    """Copies the tables and views of the file into the schema, whatever is there; results have the types of ours."""
    driver.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted(within)}")
    driver.execute(f"SET search_path = {quoted(within)}")
    with closing(sqlite3.connect(database)) as source:
        for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
            if table not in (META, *but):
                driver.execute(f"DROP TABLE IF EXISTS {table}")
                _copy(source, table, driver)


def _copy(source: sqlite3.Connection, table: str, driver: Driver) -> None:
    """A column with a value of another type than its own is text."""
    columns = source.execute("SELECT name, lower(type) FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,)).fetchall()
    types = []
    for name, declared in columns:
        kinds = {kind for (kind,) in source.execute(f'SELECT DISTINCT typeof("{name}") FROM {table}')} - {"null"}
        types.append(TYPES[declared] if kinds <= FITTING.get(declared, set()) else "text")
    if table in OURS:
        make_table(driver, schema()[table])
    else:
        defined = ", ".join(f"{quoted(name)} {type_}" for (name, _), type_ in zip(columns, types, strict=True))
        driver.execute(f"CREATE TABLE {table} ({defined})")
    as_read = ", ".join(
        f'CAST("{name}" AS text)' if type_ == "text" else f'"{name}"' for (name, _), type_ in zip(columns, types, strict=True)
    )
    listed = ", ".join(quoted(name) for name, _ in columns)
    with driver.cursor().copy(f"COPY {table} ({listed}) FROM STDIN") as copy:
        for row in source.execute(f"SELECT {as_read} FROM {table}"):
            copy.write_row(row)


class PostgresShop(Shop):
    """A shop with the sources in a file, and the same sources and the results in a schema of a server."""

    server: ClassVar[Database]
    """The server of the session's tests."""

    _url = ""
    _copied = ""

    @property
    def url(self) -> str:
        """The URL of the shop's schema."""
        self._url = self._url or new_schema(self.server)
        return self._url

    def copy(self, folder: Path) -> PostgresShop:
        """The same database and files: the schema is copied, too."""
        self.publish()
        super().copy(folder)
        shop = self.at(folder / self.database.name, folder / self.exports.name)
        shop._copied, (old, new) = file_state(shop.database), (schema_of(self.url), schema_of(shop.url))
        with closing(connected(self.url)) as driver, driver.transaction():
            driver.execute(f"CREATE SCHEMA {new}")
            tables = driver.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [old]).fetchall()
            for (table,) in tables:
                driver.execute(f"CREATE TABLE {new}.{table} (LIKE {old}.{table} INCLUDING ALL)")
                driver.execute(f"INSERT INTO {new}.{table} SELECT * FROM {old}.{table}")
            if (META,) in tables:
                driver.execute(f"DELETE FROM {new}.{META} WHERE key = 'functions'")  # which a copy of tables does not have
        return shop

    def publish(self) -> None:
        """Copies the file's sources, if they have changed."""
        if (state := file_state(self.database)) != self._copied:
            with closing(connected(self.url)) as driver:
                copy_tables(self.database, driver, str(schema_of(self.url)), but=OURS)
            self._copied = state

    @property
    def warehouse(self) -> Any:
        """The schema, a PostgresWarehouse, with the sources as the file has them now."""
        self.publish()
        return PostgresWarehouse(self.url)

    @property
    def place(self) -> str:
        """The schema, once it has the sources as the file has them now."""
        self.publish()
        return self.url

    def table(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The rows of a table, sorted."""
        return sorted(self._rows(name)) if name in OURS and columns == "*" else super().table(name, columns)

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """As of a shop. A statement about results runs on a copy of them in the file, which replaces them if it wrote."""
        about = [name for name in OURS if re.search(rf"\b{name}\b", statement)]
        if not about:
            return super().execute(statement, *parameters)
        self.warehouse.prepare()
        with closing(sqlite3.connect(self.database)) as connection:
            SQLiteWarehouse(self.database).prepare()
            for name in about:
                marks = ", ".join("?" * len(schema()[name].column_names))
                connection.execute(f"DELETE FROM {name}")
                connection.executemany(f"INSERT INTO {name} VALUES ({marks})", sorted(self._rows(name), key=repr))
            before = connection.total_changes
            rows = connection.execute(statement, parameters).fetchall()
            if connection.total_changes != before:
                for name in about:
                    self._put(name, connection.execute(f"SELECT * FROM {name}").fetchall())
            connection.rollback()
        self._copied = file_state(self.database)
        return rows

    def _rows(self, name: str) -> list[tuple[Any, ...]]:
        with closing(connected(self.url)) as driver:
            try:
                return driver.execute(f"SELECT * FROM {schema_of(self.url)}.{name}").fetchall()
            except psycopg.errors.UndefinedTable:
                return []

    def _put(self, name: str, rows: list[tuple[Any, ...]]) -> None:
        table = f"{schema_of(self.url)}.{name}"
        with closing(connected(self.url)) as driver, driver.transaction():
            driver.execute(f"DELETE FROM {table}")
            with driver.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
