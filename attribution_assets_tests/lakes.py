"""A shop whose database is a lake: what tests say to a shop in SQL goes through an SQLite file, which is copied to and fro."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa

from attribution_assets.warehouse import SQLiteWarehouse, Table, schema
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.loading import import_sources
from attribution_assets.warehouse.lake.objects import Place
from attribution_assets.warehouse.lake.replacement import ARROW
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, META
from attribution_assets.warehouse.sqlite.state import file_state
from attribution_assets_tests.support import Shop

OURS = tuple(name for name in schema() if name not in {*ALL_SOURCES, *FURTHER, META})


class LakeShop(Shop):
    """A shop with the sources in a file, and the same sources and the results in a lake beside it."""

    _imported = ""

    @property
    def lake(self) -> Path:
        """The folder of the lake."""
        return self.database.with_suffix("")

    def publish(self) -> None:
        """Imports the file's sources, if they have changed."""
        if (state := file_state(self.database)) != self._imported:
            import_sources(LakeWarehouse(self.lake), self.database)
            self._imported = state

    @property
    def warehouse(self) -> Any:
        """The lake, a LakeWarehouse, with the sources as the file has them now."""
        self.publish()
        return LakeWarehouse(self.lake)

    @property
    def place(self) -> str:
        """The lake, once it has the sources as the file has them now."""
        return f"{self.warehouse.path}/"

    def table(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The rows of a table, sorted."""
        return sorted(rows_of(self.lake, schema()[name])) if name in OURS and columns == "*" else super().table(name, columns)

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """As of a shop. A statement about results runs on a copy of them in the file, which replaces them if it wrote."""
        about = [name for name in OURS if re.search(rf"\b{name}\b", statement)]
        if not about:
            return super().execute(statement, *parameters)
        lake = self.warehouse
        lake.prepare()
        with closing(sqlite3.connect(self.database)) as connection:
            SQLiteWarehouse(self.database).prepare()
            for name in about:
                self._fill(connection, schema()[name])
            before = connection.total_changes
            rows = connection.execute(statement, parameters).fetchall()
            if connection.total_changes != before:
                for name in about:
                    put(lake, schema()[name], connection.execute(f"SELECT {_columns(schema()[name])} FROM {name}").fetchall())
            connection.rollback()
        self._imported = file_state(self.database)
        return rows

    def _fill(self, connection: sqlite3.Connection, table: Table) -> None:
        connection.execute(f"DELETE FROM {table.name}")
        marks = ", ".join("?" * len(table.column_names))
        rows = sorted(rows_of(self.lake, table), key=repr)  # which a lake has in no order
        connection.executemany(f"INSERT INTO {table.name} ({_columns(table)}) VALUES ({marks})", rows)


def rows_of(lake: Place, table: Table) -> list[tuple[Any, ...]]:
    """The rows of a table of the lake; none where it does not exist."""
    warehouse = LakeWarehouse(lake)
    if not warehouse.has(table.name):
        return []
    with warehouse.connect() as connection:
        return connection.execute(f"SELECT {_columns(table)} FROM {table.name}").fetchall()


def put(lake: LakeWarehouse, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Makes these the rows of a table of the lake, whatever they say."""
    values = zip(*rows, strict=True) if rows else ((),) * len(table.columns)
    arrays = [pa.array(of_column, ARROW[column.type]) for column, of_column in zip(table.columns, values, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, names=[*table.column_names])
    delta.replace_rows(lake.path / table.name, pa.RecordBatchReader.from_batches(batch.schema, [batch]), None, {})


def _columns(table: Table) -> str:
    return ", ".join(table.column_names)
