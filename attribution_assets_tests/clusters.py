"""Spark for tests: a server of Sail in this process, and SQLite databases as lakes that are computed on it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pyarrow as pa
from deltalake import write_deltalake

from attribution_assets.warehouse.lake.replacement import ARROW
from attribution_assets.warehouse.schema import META
from attribution_assets.warehouse.spark.cursor import SparkCursor
from attribution_assets.warehouse.spark.database import SparkLakeWarehouse
from attribution_assets.warehouse.views import AS_STORED, Reading
from attribution_assets_tests.lakes import LakeShop


class SparkShop(LakeShop):
    """A shop with the sources in a file, and the same sources and the results in a lake that Spark computes."""

    cluster: ClassVar[str]
    """The URL of the cluster of the session's tests."""

    @property
    def warehouse(self) -> Any:
        """The lake, a SparkLakeWarehouse, with the sources as the file has them now."""
        self.publish()
        return SparkLakeWarehouse(self.lake, spark=self.cluster)


FITTING = {"text": {"text"}, "integer": {"integer"}, "real": {"integer", "real"}}

_servers: list[object] = []


@cache
def sail() -> str:
    """The URL of the server of this process, which ends with it."""
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start()
    _servers.append(server)
    host, port = server.listening_address or ("", 0)
    return f"sc://{host}:{port}"


def is_sail(cluster: str) -> bool:
    """Whether the cluster is the server of this process."""
    return bool(_servers) and cluster == sail()


@contextmanager
def in_spark(database: Path, spark: str, reading: Reading = AS_STORED) -> Iterator[SparkCursor]:
    """A connection to a copy of the file in a lake. A column with a value of another type than its own is text."""
    with TemporaryDirectory() as folder, closing(sqlite3.connect(database)) as source:
        lake = SparkLakeWarehouse(Path(folder), reading=reading, spark=spark)
        lake.make()
        for (table,) in source.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
            if table != META:
                write_deltalake(str(lake.path / table), _copied(source, table))
        with lake._computing() as cursor:
            assert isinstance(cursor, SparkCursor)
            yield cursor


def _copied(source: sqlite3.Connection, table: str) -> pa.Table:
    columns = source.execute("SELECT name, lower(type) FROM pragma_table_xinfo(?) WHERE hidden <> 1", (table,)).fetchall()
    arrays = []
    for name, declared in columns:
        kinds = {kind for (kind,) in source.execute(f'SELECT DISTINCT typeof("{name}") FROM {table}')} - {"null"}
        fits = kinds <= FITTING.get(declared, set())
        as_read = f'"{name}"' if fits and declared != "text" else f'CAST("{name}" AS text)'
        values = [value for (value,) in source.execute(f"SELECT {as_read} FROM {table} ORDER BY rowid")]
        arrays.append(pa.array(values, ARROW[declared] if fits else pa.string()))
    return pa.table(arrays, names=[name for name, _ in columns])
