"""Spark for tests: a server of Sail in this process, and SQLite databases as lakes that are computed on it."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
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
from attribution_assets_tests.support import PROJECT, wait_for


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


@contextmanager
def spark_server() -> Iterator[str]:
    """The URL of a Spark of two cores, which `make .venv-spark/installed` has installed. It needs Java 17 or later."""
    home = next((PROJECT / ".venv-spark").glob("lib/python*/site-packages/pyspark"))
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port := free_port()),
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
    }
    with TemporaryDirectory() as folder:
        command = [str(home / "bin" / "spark-submit"), "--class", "org.apache.spark.sql.connect.service.SparkConnectServer"]
        command += ["--master", "local[2]", "--driver-memory", "2g"]
        command += [part for name, value in settings.items() for part in ("--conf", f"{name}={value}")]
        environment = {
            **os.environ,
            "SPARK_HOME": str(home),
            "SPARK_LOCAL_DIRS": folder,
            "PYSPARK_PYTHON": str(PROJECT / ".venv-spark" / "bin" / "python"),
        }
        with (
            (Path(folder) / "log").open("w") as log,
            subprocess.Popen(
                [*command, "spark-internal"], env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
            ) as server,
        ):
            try:
                wait_for(lambda: answers(port) or server.poll() is not None)
                assert server.poll() is None, (Path(folder) / "log").read_text()
                yield f"sc://127.0.0.1:{port}"
            finally:
                os.killpg(server.pid, signal.SIGKILL)


class SailProcess:
    """A server of Sail in a process of its own, which can be killed and started again at the same port."""

    def __init__(self, **environment: str) -> None:
        self.port, self._environment = free_port(), environment
        self.start()

    @property
    def url(self) -> str:
        return f"sc://127.0.0.1:{self.port}"

    def start(self) -> None:
        serve = [sys.executable, "-m", "pysail", "spark", "server", "--port", str(self.port)]
        self._process = subprocess.Popen(serve, env={**os.environ, "RUST_LOG": "error", **self._environment})
        wait_for(lambda: answers(self.port))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    """A port that nobody listens at."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def answers(port: int) -> bool:
    """Whether somebody listens at the port."""
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


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
