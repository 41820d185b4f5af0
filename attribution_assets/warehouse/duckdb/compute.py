"""Which engine computes a Query: SQLite where an index finds the rows, DuckDB where most of a large database has to be read."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.query import Query
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import ALL_SOURCES, Column, Table, schema
from attribution_assets.warehouse.sqlite.views import stored_in
from attribution_assets.warehouse.views import no_value, select_as_read

logger = logging.getLogger(__name__)

Compute = Literal["auto", "sqlite", "duckdb"]

PROCESS = Path(__file__).with_name("process.py")

THREADS = min(os.cpu_count() or 1, 4)
"""How many threads DuckDB has."""

MEGABYTES, PART_OF_FILE = 40, 1 / 40
"""How much memory DuckDB may use per thread before it uses temporary files: a fixed part, and a part of the file's size.

With half of it, some queries fail.
"""

FEWEST_MEGABYTES = 75
"""How much it may use at least. With less, joins over a million sessions fail or write such files, and take as much memory."""

FEWEST_LOOKUPS = 120_000
"""How many rows SQLite looks up in the time that a process with DuckDB takes to start."""

ROWS_PER_LOOKUP = 20
"""How many rows DuckDB reads from an SQLite file in the time that SQLite takes to look one up by an index."""

READS_AS = {"text": r"char|clob|text", "integer": r"int", "real": r"real|floa|doub"}
"""Declared type in our schema -> the types, as a user declares them, that DuckDB reads as the same."""


class DuckDBError(Exception):
    """DuckDB could not compute a Query, for the reason given."""


@cache
def is_installed() -> bool:
    """Whether DuckDB and its extension for SQLite files are there."""
    return bool(find_spec("duckdb") and find_spec("duckdb_extension_sqlite_scanner"))


def takes_duckdb(connection: sqlite3.Connection, path: Path, query: Query, compute: Compute) -> bool:
    """Whether DuckDB computes the query.

    It does if it can read the tables as SQLite does and, with `auto`, would be faster. Other tables are left to SQLite,
    whatever is asked for: both give the same. Raises AttributionError where DuckDB is asked for and not installed.
    """
    if compute == "sqlite" or not query.driven_by:
        return False
    if compute == "auto" and not _reads_much(connection, query):
        return False
    obstacle = _obstacle(connection, path, query)
    if compute == "duckdb" and not is_installed():
        raise AttributionError(f"DuckDB cannot compute {query.name}: {obstacle}. Fix that, or set ATTRIBUTION_COMPUTE=sqlite.")
    _say_once(
        f"SQLite runs the large queries instead of DuckDB, which would be faster: {obstacle}."
        if obstacle
        else "DuckDB runs the large queries."
    )
    return not obstacle


@cache
def _say_once(message: str) -> None:
    logger.info(message)


def _obstacle(connection: sqlite3.Connection, path: Path, query: Query) -> str | None:
    """Why DuckDB is not available, or might read the query's tables differently from SQLite."""
    if not is_installed():
        return "DuckDB is not installed (pip install duckdb-extension-sqlite-scanner)"
    if not os.access(path, os.W_OK):
        return f"{path} is not writable, so it cannot be locked against changes"
    [(encoding,)] = connection.execute("PRAGMA encoding")
    if encoding != "UTF-8":
        return f"{path} stores text as {encoding}, and DuckDB's file, which is UTF-8, cannot be attached to it"
    for table in (schema()[name] for name in reads(query.text).tables):
        name, renamed = stored_in(connection).stands_for(table)
        found = connection.execute("SELECT type, sql FROM sqlite_master WHERE lower(name) = ?", (name,)).fetchone()
        if stored_in(connection).converted(table, ""):
            return f"exchange_rates converts the amounts of {name}"
        if found and found[0] != "table":
            return f"{name} is a {found[0]}"
        if found and re.search(r"\bcollate\b|\bwithout\s+rowid\b", found[1], re.IGNORECASE):
            return f"{name} is declared with COLLATE or WITHOUT ROWID"
        declared = dict(connection.execute("SELECT lower(name), lower(type) FROM pragma_table_info(?, 'main')", (name,)))
        for column in _columns_read(table, query):
            stored = renamed.get(column.name, column.name).lower()
            type_ = declared.get(stored, "")
            if (column.required or stored in declared) and not re.search(READS_AS[column.type], type_):
                return f"{name}.{column.name} is declared {type_ or 'without a type'}, not {column.type}"
    return None


def _reads_much(connection: sqlite3.Connection, query: Query) -> bool:
    """Whether looking rows up one by one takes longer than reading all tables. Looks at no more rows than that takes."""
    in_all = sum(_rows_at_most(connection, name) for name in reads(query.text).tables)
    enough = max(FEWEST_LOOKUPS, in_all / ROWS_PER_LOOKUP)
    rows = f"SELECT 1 FROM {query.driven_by} LIMIT {math.ceil(enough / query.lookups_per_row)}"
    [(looked_up,)] = connection.execute(f"SELECT count(*) FROM ({rows})", query.parameters)
    return bool(looked_up * query.lookups_per_row >= enough)


def _rows_at_most(connection: sqlite3.Connection, table: str) -> int:
    try:
        [(highest,)] = connection.execute(f"SELECT max(_rowid_) FROM main.{table}")  # rowid may be a column of the user's
    except sqlite3.OperationalError:  # a view, or a table without rowid
        return 0
    return highest or 0


@dataclass(frozen=True)
class QueryAnswer:
    """The SQLite file in which DuckDB leaves the rows of one Query, as the table `answer`."""

    path: Path

    def compute(self, connection: sqlite3.Connection, source: Path, query: Query) -> None:
        """Fills the file, in a separate process. The caller holds the source's write lock, so that the source does not change.

        The connection is one to the source.

        DuckDB contains its own SQLite. If it ran in this process, closing the file would release our locks on it.
        Raises DuckDBError.
        """
        needed = reads(query.text).parameters
        task = {
            "source": str(source),
            "answer": str(self.path),
            "select": query.text_in("duckdb"),
            "parameters": {name: value for name, value in query.parameters.items() if name in needed},
            "functions_and_views": [*functions.IN_DUCKDB, *_views(connection, query)],
            "config": {
                "threads": THREADS,
                "memory_limit": f"{_megabytes(source)}MB",
                "temp_directory": str(self.path.with_suffix(".tmp")),
            },
        }
        command = [sys.executable, "-P", str(PROCESS)]  # -P: the modules beside it are not its own
        reading, writing = os.pipe()  # closed with this process, whatever ends it, and that ends the other one
        with os.fdopen(reading), os.fdopen(writing, "w") as stdin:
            stdin.write(f"{json.dumps(task)}\n")
            stdin.flush()
            ended = subprocess.run(command, stdin=reading, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
        if ended.returncode:
            lines = ended.stderr.strip().splitlines() or [f"its process ended with {ended.returncode}"]
            raise DuckDBError(lines[-1 if lines[0].startswith("Traceback") else 0])


def _views(connection: sqlite3.Connection, query: Query) -> Iterator[str]:
    """The statements that put a view before each source that the query reads, as for SQLite."""
    for source in (schema()[name] for name in ALL_SOURCES if name in reads(query.text).tables):
        stored, renamed = stored_in(connection).stands_for(source)
        needed = {column.name: column for column in _columns_read(source, query)}
        missing = {name: no_value(column) for name, column in needed.items()}
        there = {name: renamed.get(name, name) for name in stored_in(connection).columns(source) if name in needed}
        if not there:  # missing, and taken as empty
            columns = ", ".join(f"{expression} AS {name}" for name, expression in missing.items())
            yield f"CREATE VIEW memory.main.{source.name} AS SELECT {columns} WHERE false"
            continue
        yield f"CREATE VIEW memory.main.{source.name} AS {select_as_read(f'source.main.{stored}', missing | there)}"


def _columns_read(table: Table, query: Query) -> list[Column]:
    """The columns of the table that DuckDB needs: those that it always has, and the optional ones that the query reads."""
    return [column for column in table.columns if not column.optional or column.name in reads(query.text).tables[table.name]]


def _megabytes(source: Path) -> int:
    per_thread = max(FEWEST_MEGABYTES, MEGABYTES + PART_OF_FILE * source.stat().st_size / 1e6)
    return int(max(THREADS, 2) * per_thread)


@contextmanager
def new_answer() -> Iterator[QueryAnswer]:
    """A temporary place for an answer."""
    with tempfile.TemporaryDirectory(prefix="attribution-", ignore_cleanup_errors=True) as folder:
        yield QueryAnswer(Path(folder) / "answer.db")
