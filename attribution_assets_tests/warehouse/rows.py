"""What the tests of the warehouse say in one line: rows in three forms, refusals, other processes."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import pytest

from attribution_assets.catalog.tables import TABLES
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets_tests.command import PROCESSES
from attribution_assets_tests.support import Shop

ATTRIBUTION = schema()["attribution_customer_journey"]
JOURNEYS = schema()["customer_journeys"]
COSTS = schema()["channel_costs"]
REPORTING = schema()["channel_reporting"]
DAY_COLUMNS = {table.name: table.day_column for table in TABLES if not (table.csv_of or table.needs or table.only_with)}
OURS = tuple(DAY_COLUMNS)

CUSTOMER_JOURNEYS = Query(
    "customer_journeys",
    {
        "first_day": "2023-09-01",
        "last_day": "2023-09-01",
        "last_conversion_day": "2023-09-01",
        "first_session_day": "2023-06-03",
        "lookback_days": 90,
        "include_converting_session": 0,
        "nobody": "[]",
    },
    guards=("broken_conversions",),
)

COLUMNS = ("conv_id", "session_id", "ihc", "conv_date")
OLD = [("c1", "s1", 1.0, "2023-09-01"), ("c2", "s2", 1.0, "2023-09-02"), ("c3", "s3", 1.0, "2023-09-03")]

Row = tuple[Any, ...]
Rows = Query | pd.DataFrame | Iterable[pd.DataFrame]
AddSQL = Callable[[str], str]


class Given(Protocol):
    """Rows in the form that the test runs with."""

    def __call__(self, *rows: Row, columns: Sequence[str] = COLUMNS) -> Rows: ...


def frame(*rows: Row, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def select(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """The rows as a SELECT."""
    if not rows:
        return f"SELECT {', '.join(f'NULL AS {column}' for column in columns)} WHERE 1 = 0"
    literals = (["NULL" if value is None else repr(value) for value in row] for row in rows)
    named = (", ".join(f"{value} AS {name}" for value, name in zip(row, columns, strict=True)) for row in literals)
    return " UNION ALL ".join(f"SELECT {row}" for row in named)


def replace(shop: Shop, rows: Rows, first: str, last: str | None = None) -> dict[str, int]:
    """Replaces the days `first` to `last` of attribution_customer_journey."""
    return shop.warehouse.replace_days(ATTRIBUTION, "conv_date", Days(first, last or first), rows).rows


def change(shop: Shop, *statements: str) -> None:
    for statement in statements:
        shop.execute(statement)


@contextmanager
def refused(*words: str, kind: type[AttributionError] = AttributionError) -> Iterator[None]:
    """What stands inside raises an AttributionError of one line, which says these words; of this kind, where one is given."""
    with pytest.raises(kind) as raised:
        yield
    message = str(raised.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@contextmanager
def locked(database: Path, how: str = "IMMEDIATE") -> Iterator[None]:
    """Another connection holds the write lock (EXCLUSIVE: keeps readers out too, unless the file is in WAL mode)."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {how}")
        yield
        connection.execute("ROLLBACK")


def in_processes(*calls: tuple[Any, ...]) -> list[int | None]:
    """Runs each (function, *arguments) in a Python process of its own, all at once, and returns their exit codes."""
    barrier = PROCESSES.Barrier(len(calls))
    processes = [PROCESSES.Process(target=function, args=(barrier, *arguments)) for function, *arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    return [process.exitcode for process in processes]


def everything(database: Path) -> list[Row]:
    """Every table, view and index of the file, with the statement that made it."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def made(database: Path, *statements: str) -> SQLiteWarehouse:
    """A new database file that these statements fill."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return SQLiteWarehouse(database)


def open_files(database: Path) -> list[str]:
    """The database's files that this process holds open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the folder
            links.append(str(descriptor.readlink()))
    return [link for link in links if link.startswith(str(database))]
