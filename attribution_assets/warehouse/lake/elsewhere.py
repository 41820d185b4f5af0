"""The sources of a lake that lie elsewhere, and are read there: in another folder, in an SQLite file, or on a server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb

from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.warehouse.duckdb.scanners import first_line, literal, load, quoted
from attribution_assets.warehouse.duckdb.servers import Server
from attribution_assets.warehouse.lake.opened import OF_SOURCES, Stored, stored_tables
from attribution_assets.warehouse.schema import schema
from attribution_assets.warehouse.sqlite.state import file_state
from attribution_assets.warehouse.urls import is_server

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BESIDE = "beside"
"""The name under which a database is attached."""

READ_AS = {"text": ("VARCHAR", "BIGINT"), "integer": ("BIGINT",), "real": ("DOUBLE", "BIGINT")}
"""Declared type in our schema -> as what DuckDB reads a column of an SQLite file, where it reads it as SQLite does."""

WHOLE_SNAPSHOTS = ("REPEATABLE-READ", "SERIALIZABLE")
"""The isolation levels of MySQL at which a transaction sees one state."""


@dataclass(frozen=True)
class Folder:
    """A folder with Delta tables, Parquet files or CSV files, as a lake's own."""

    path: Path

    @property
    def name(self) -> str:
        """The folder as it may be printed."""
        return str(self.path)

    def tables(self) -> tuple[Stored, ...]:
        """The sources as they are stored now."""
        return tuple(
            Stored(table.name, table.folder, table.version, table.files, f"{self.path} {table.state}")
            for table in stored_tables(self.path)
            if table.name in OF_SOURCES
        )

    def state(self) -> str:
        """A text that changes with every change."""
        return "; ".join(f"{table.name} {table.state}" for table in self.tables())


@dataclass(frozen=True)
class SQLiteFile:
    """An SQLite file at one state."""

    path: Path
    at: str

    @property
    def name(self) -> str:
        """The file as it may be printed."""
        return str(self.path)

    def state(self) -> str:
        """A text that changes with every change."""
        return f"{self.path} {self.at}"

    def attach(self, duck: DuckDBPyConnection) -> tuple[Stored, ...]:
        """Attaches the file, and returns the sources that it has.

        Raises AttributionError for one with a column whose declared type DuckDB reads otherwise than SQLite.
        """
        load(duck, "sqlite")
        try:
            duck.execute(f"ATTACH {literal(str(self.path))} AS {BESIDE} (TYPE sqlite, READ_ONLY)")
            listed = f"FROM sqlite_scan({literal(str(self.path))}, 'sqlite_master') WHERE type IN ('table', 'view')"
            names = {name.lower(): name for (name,) in duck.execute(f"SELECT name {listed}").fetchall()}
            return tuple(self._table(duck, name, names[name]) for name in dict.fromkeys(OF_SOURCES) if name in names)
        except duckdb.Error as error:
            raise AttributionError(f"{self.path} cannot be read as SQLite: {first_line(error)}") from error

    def _table(self, duck: DuckDBPyConnection, name: str, as_named: str) -> Stored:
        place = f"{BESIDE}.main.{quoted(as_named)}"
        types = {column: str(type_) for column, type_, *_ in duck.execute(f"DESCRIBE {place}").fetchall()}
        declared = {column.name: column.type for column in schema()[name].columns} if name in schema() else {}
        for column, type_ in types.items():
            if column.lower() in declared and type_ not in READ_AS[declared[column.lower()]]:
                raise AttributionError(
                    f"{name}.{column} in {self.path} is declared with another type than {declared[column.lower()]}, or is an "
                    f"expression of a view. Declare it so, or copy the file: attribution lake import {self.path}."
                )
        columns = ", ".join(
            f"decode({quoted(column)}) AS {quoted(column)}" if type_ == "BLOB" else quoted(column)
            for column, type_ in types.items()
        )
        return Stored(name, self.path, state=self.state(), rows=f"SELECT {columns} FROM {place}")


@dataclass(frozen=True)
class OnServer:
    """Tables of a PostgreSQL or MySQL server, whose state nobody knows. A transaction of DuckDB's sees one state of them.

    `copied`: whether they are read into DuckDB at once, at one state for all that follows.
    """

    server: Server
    copied: bool = False

    @property
    def name(self) -> str:
        """The server as it may be printed."""
        return self.server.name

    def state(self) -> str:
        """Another text each time."""
        return str(uuid4())

    def attach(self, duck: DuckDBPyConnection) -> tuple[Stored, ...]:
        """Attaches the server, and returns the sources that it has."""
        self.server.attach(duck, BESIDE)
        if self.server.scanner == "mysql":
            self._check_isolation(duck)
        asked = (
            f"SELECT DISTINCT table_name FROM duckdb_columns() WHERE database_name = '{BESIDE}' "
            f"AND schema_name = {literal(self.server.schema)}"
        )
        names = {name.lower(): name for (name,) in duck.execute(asked).fetchall()}
        place = f"{BESIDE}.{quoted(self.server.schema)}"
        there = {name: f"{place}.{quoted(names[name])}" for name in dict.fromkeys(OF_SOURCES) if name in names}
        if self.copied:
            there = _copied(duck, there)
        return tuple(Stored(name, Path(), rows=f"SELECT * FROM {table}") for name, table in there.items())

    def _check_isolation(self, duck: DuckDBPyConnection) -> None:
        asked = "SHOW VARIABLES WHERE variable_name IN ('tx_isolation', 'transaction_isolation')"
        found = self.server.execute(duck, f"FROM mysql_query('{BESIDE}', {{}})", asked).fetchall()
        for _, level in found:
            if level not in WHOLE_SNAPSHOTS:
                raise AttributionError(
                    f"{self.name} has the isolation level {level}, at which a step would see changes that are half made. "
                    "Set it to REPEATABLE-READ there."
                )


def _copied(duck: DuckDBPyConnection, tables: Mapping[str, str]) -> dict[str, str]:
    """Copies the tables in one transaction into DuckDB, and returns where each of them is now."""
    duck.execute("CREATE SCHEMA copied")
    duck.begin()
    for name, table in tables.items():
        duck.execute(f"CREATE TABLE copied.{name} AS SELECT * FROM {table}")
    duck.commit()
    duck.execute(f"DETACH {BESIDE}")
    return {name: f"copied.{name}" for name in tables}


Elsewhere = Folder | SQLiteFile | OnServer


def elsewhere_at(place: str) -> Elsewhere:
    """What is at the place: a URL, a folder or a file. Raises NotReadyError where there is nothing."""
    if is_server(place):
        return OnServer(Server(place))
    path = Path(place)
    if path.is_dir():
        return Folder(path)
    if path.is_file():
        return SQLiteFile(path, file_state(path))
    raise NotReadyError(f"There is no folder or SQLite file {path}. Point ATTRIBUTION_SOURCES to that with your sources.")
