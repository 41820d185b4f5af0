"""An SQLite database copied into DuckDB, as a lake has it: the tables in the schema `stored`, the views before them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from attribution_assets.warehouse import functions
from attribution_assets.warehouse.duckdb.views import add_views
from attribution_assets.warehouse.views import AS_STORED, Reading

TYPES = {"text": "varchar", "integer": "bigint", "real": "double"}
FITTING = {"text": {"text"}, "integer": {"integer"}, "real": {"integer", "real"}}


@contextmanager
def in_duckdb(database: Path, reading: Reading = AS_STORED) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to a copy of the file in memory. A column with a value of another type than its own is text."""
    with closing(sqlite3.connect(database)) as source, duckdb.connect() as connection:
        functions.add_to_duckdb(connection)
        connection.execute("CREATE SCHEMA stored")
        connection.execute("SET search_path = 'main,stored'")
        for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
            _copy(source, table, connection)
        add_views(connection, reading)
        yield connection


def _copy(source: sqlite3.Connection, table: str, connection: duckdb.DuckDBPyConnection) -> None:
    columns = source.execute("SELECT name, lower(type) FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,)).fetchall()
    types = []
    for name, declared in columns:
        kinds = {kind for (kind,) in source.execute(f'SELECT DISTINCT typeof("{name}") FROM {table}')} - {"null"}
        types.append(TYPES[declared] if kinds <= FITTING.get(declared, set()) else "varchar")
    declared_columns = ", ".join(f'"{name}" {type_}' for (name, _), type_ in zip(columns, types, strict=True))
    connection.execute(f"CREATE TABLE stored.{table} ({declared_columns})")
    as_read = ", ".join(
        f'CAST("{name}" AS text)' if type_ == "varchar" else f'"{name}"'
        for (name, _), type_ in zip(columns, types, strict=True)
    )
    rows = pd.DataFrame(
        source.execute(f"SELECT {as_read} FROM {table}").fetchall(), columns=[name for name, _ in columns], dtype=object
    )
    if len(rows):
        connection.execute(f"INSERT INTO stored.{table} SELECT * FROM rows")
