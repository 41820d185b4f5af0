"""What tests say in one line: fill a small shop's database, run days, read tables."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self, TypeVar

import dagster as dg

from attribution_assets.catalog.table import ATTRIBUTE, REPORT, SUM
from attribution_assets.catalog.tables import TABLES as CATALOG
from attribution_assets.catalog.tables import names
from attribution_assets.definitions import build_defs
from attribution_assets.settings import Settings
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import SOURCES, SQLiteWarehouse, schema
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, META

PROJECT = Path(__file__).parents[1]
SHARED = PROJECT.parent / "shared"
OWN_VARIABLES = ("ATTRIBUTION_", "AWS_", "IHC_", "DAGSTER_")
TABLES = names(table for table in CATALOG if not (table.needs or table.only_with))
"""The assets that there are without models and optional sources, in their order."""

WITH_SOURCES = names(table for table in CATALOG if not table.of_models and (table.needs or table.only_with))
"""The assets that there are with optional sources or choices alone."""

OF_MODELS = ("channel_values", "model_attribution", "model_reporting", "model_comparison", "path_report")
"""The tables that are filled where models are chosen."""

EVEN = """{
 "phase_weights": {"initializer": 1, "holder": 1, "closer": 1}, "channel_weights": {},
 "initializer_membership": [[0, 0]], "closer_membership": [[0, 0]]
}"""
"""Parameters with which each of a journey's two sessions gets half."""

T = TypeVar("T")


def wait_for(look: Callable[[], T | None], every: float = 0.2) -> T:
    """What `look` gives as soon as it is something, however long that takes: a machine may be slow."""
    while not (found := look()):
        time.sleep(every)
    return found


def definitions(settings: Settings) -> dg.Definitions:
    """The graph for these settings, built once; without a start date it begins where the database does now."""
    return _from_start_date(settings) if settings.start_date else build_defs(settings)


_from_start_date = lru_cache(maxsize=4)(build_defs)


@cache
def database_with_every_source() -> Path:
    """A database with every source and no row: with it, all tables of the catalog can be in the graph."""
    shop = Shop(Path(_OF_THIS_PROCESS.name) / "every-source.db", Path(_OF_THIS_PROCESS.name) / "exports")
    shop.add_optional_sources()
    return shop.database


_OF_THIS_PROCESS = TemporaryDirectory()


def every_table(**choices: Any) -> Settings:
    """Settings with which every table of the catalog is in the graph, but for those of models."""
    return Settings(database=database_with_every_source(), conversions="backend", breakdowns=["market"], **choices)


class Shop:
    """A database with the three source tables; rows are given as a person would say them."""

    def __init__(self, database: Path, exports: Path) -> None:
        self.database, self.exports = database, exports
        with self._transaction() as connection:
            for source in SOURCES:
                connection.execute(schema()[source].create)

    @property
    def warehouse(self) -> SQLiteWarehouse:
        return SQLiteWarehouse(self.database)

    @property
    def place(self) -> str:
        """Where commands find the database, as it is now."""
        return str(self.database)

    def publish(self) -> None:
        """Has the database get what was said to the shop: a file has it at once."""

    def session(
        self,
        session_id: str,
        user: str,
        at: str,
        channel: str = "Email",
        *,
        cost: Any = 0.0,
        holder: Any = 1,
        closer: Any = 1,
    ) -> None:
        """A session `at` a time "2023-09-01 10:00:00"; a cost of "missing" leaves no row in session_costs."""
        date, time = at.split(" ")
        columns = ", ".join(schema()["session_sources"].column_names)
        values = (session_id, user, date, time, channel, holder, closer)
        self.execute(f"INSERT INTO session_sources ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, 0)", *values)
        if cost != "missing":
            self.execute("INSERT INTO session_costs (session_id, cost) VALUES (?, ?)", session_id, cost)

    def conversion(self, conv_id: str, user: str, at: str, revenue: Any = 100.0) -> None:
        date, time = at.split(" ")
        columns = ", ".join(schema()["conversions"].column_names)
        self.execute(f"INSERT INTO conversions ({columns}) VALUES (?, ?, ?, ?, ?)", conv_id, user, date, time, revenue)

    def add_optional_sources(self) -> None:
        """Adds every column and table that a database may have besides."""
        with self._transaction() as connection:
            connection.executescript(read_sql("optional_sources"))

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Runs and commits one statement and returns its rows."""
        with self._transaction() as connection:
            return connection.execute(statement, parameters).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed, without a wait for the disk."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.execute("PRAGMA synchronous = OFF")
            yield connection

    @classmethod
    def at(cls, database: Path, exports: Path) -> Self:
        """A shop on a database that is there, or will be."""
        shop = cls.__new__(cls)
        shop.database, shop.exports = database, exports
        return shop

    def copy(self, folder: Path) -> Shop:
        """The same database and files in another folder."""
        shutil.copytree(self.database.parent, folder)
        return self.at(folder / self.database.name, folder / self.exports.name)

    def copy_sources(self, folder: Path, *, learned: bool = False) -> Shop:
        """Another shop in a new folder with the same sources, of which nothing is computed (with `learned`, but values)."""
        folder.mkdir()
        shop = Shop(folder / "shop.db", folder / "exports")
        if learned:
            shop.warehouse.prepare()
        with shop._transaction() as connection:
            for table in (*SOURCES, *(["channel_values"] if learned else [])):
                for row in self.table(table):
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", row)
        return shop

    def results(self) -> dict[str, list[tuple[Any, ...]]]:
        """All rows of the tables that the pipeline fills; of those that need a setting or a source, if there are any."""
        tables = {name: self.table(name) for name in schema() if name not in (*ALL_SOURCES, *FURTHER, META)}
        return {name: rows for name, rows in tables.items() if rows or name in TABLES}

    def csv_bytes(self) -> dict[str, bytes]:
        """The content of all CSV files, by their path in the exports folder."""
        return {str(path.relative_to(self.exports)): path.read_bytes() for path in self.exports.rglob("*.csv")}

    def table(self, name: str, columns: str = "*") -> list[tuple[Any, ...]]:
        """The rows of a table, sorted."""
        return sorted(self.execute(f"SELECT {columns} FROM {name}"))

    def settings(self, **settings: Any) -> Settings:
        return Settings(database=self.place, exports=self.exports, **settings)

    def attribute(
        self, instance: dg.DagsterInstance, start: str, end: str | None = None, **settings: Any
    ) -> dg.ExecuteInProcessResult:
        """Runs the attribution assets for the conversion days `start` to `end`, both included."""
        return self._run(ATTRIBUTE.name, instance, start, end, settings)

    def sum_costs(
        self, instance: dg.DagsterInstance, start: str, end: str | None = None, **settings: Any
    ) -> dg.ExecuteInProcessResult:
        """Sums the costs of the session days `start` to `end`, both included."""
        return self._run(SUM.name, instance, start, end, settings)

    def report(
        self, instance: dg.DagsterInstance, start: str, end: str | None = None, **settings: Any
    ) -> dg.ExecuteInProcessResult:
        """Runs channel_reporting and its CSV for the session days `start` to `end`, both included.

        Costs that were never summed are summed first; those that were stay as they are.
        """
        return self._run(REPORT.name, instance, start, end, settings)

    def _run(
        self, job: str, instance: dg.DagsterInstance, start: str, end: str | None, settings: dict[str, Any]
    ) -> dg.ExecuteInProcessResult:
        return (
            definitions(self.settings(**settings))
            .resolve_job_def(job)
            .execute_in_process(
                instance=instance,
                tags={"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end or start},
            )
        )
