"""A lake at one state, opened in DuckDB: each source in the schema `stored`, and before each its view.

DuckDB with the sources is kept from one state to the next while they stay as they are, since a commit changes one result. A
result becomes a view of the cursor whose statement names it.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol
from urllib.parse import unquote
from uuid import uuid4

import duckdb
import numpy as np
import pyarrow as pa

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.duckdb.compute import THREADS
from attribution_assets.warehouse.duckdb.scanners import listed
from attribution_assets.warehouse.duckdb.views import STORED, add_views
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.csv_sources import rows_of_csv
from attribution_assets.warehouse.lake.objects import InBucket, Place, entries, listing
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, Table, schema
from attribution_assets.warehouse.views import STAND_INS, Reading
from attribution_assets.warehouse.warehouse import Cursor

MEMORY = "1GB"
"""How much memory DuckDB may use before it uses temporary files. Rows on their way to and from it are not in it."""

ENDINGS = ("parquet", "csv")
"""How the files end that can be sources."""

TYPES = {"text": "varchar", "integer": "bigint", "real": "double"}
"""Declared type in our schema -> DuckDB's."""

KEPT = 4
"""How many states of sources are kept open, for the next reader."""

HASHES = 20_000_000
"""How many keys are compared at once, of 8 bytes each."""


@dataclass(frozen=True)
class Stored:
    """A table of the lake as it is stored now: its name, where it is, and what tells this state from another.

    `version`: of a Delta table. Of others, `files` are the Parquet or CSV files, or `rows` is the SELECT over an attached
    database. A `state` that is empty is not known.
    """

    name: str
    folder: Place
    version: int | None = None
    files: tuple[Place, ...] = ()
    state: str = ""
    rows: str = ""

    def select(self) -> str:
        """The SELECT of its rows."""
        if self.rows:
            return self.rows
        if self.version is None:
            return self._of_files()
        found = delta.files_of(self.folder, self.version, self.state)
        columns = ", ".join(_quoted_name(name) for name in found.columns)
        if not found.files:
            declared = self._types()
            empty = (f"CAST(NULL AS {declared.get(name, 'varchar')}) AS {_quoted_name(name)}" for name in found.columns)
            return f"SELECT {', '.join(empty)} WHERE false"
        by_name = f", union_by_name = {str(self.name in OF_SOURCES).lower()}"  # a column can be younger than the oldest files
        if not found.partitioned_by:
            return f"SELECT {columns} FROM read_parquet({listed(found.files)}{by_name})"
        if len(found.files) == 1:  # DuckDB 1.5.5 fails at min() of a partition's column over a single file
            of_file = dict(part.split("=", 1) for part in Path(found.files[0]).parts if "=" in part)
            values = {name: f"{_value(of_file[name])} AS {_quoted_name(name)}" for name in found.partitioned_by}
            columns = ", ".join(values.get(name, _quoted_name(name)) for name in found.columns)
            return f"SELECT {columns} FROM read_parquet({listed(found.files)}, hive_partitioning = false)"
        types = ", ".join(f"{_quoted(name)}: varchar" for name in found.partitioned_by)
        by_day = f", hive_partitioning = true, hive_types = {{{types}}}"
        return f"SELECT {columns} FROM read_parquet({listed(found.files)}{by_day}{by_name})"

    @property
    def is_result(self) -> bool:
        """Whether it is a Delta table that runs fill."""
        return self.version is not None and self.name not in OF_SOURCES

    def columns(self) -> list[str]:
        """The columns of a Delta table, in lower case."""
        return [name.lower() for name in delta.files_of(self.folder, self.version or 0, self.state).columns]

    def _of_files(self) -> str:
        endings = {file.suffix.removeprefix(".").lower() for file in self.files}
        if len(endings) != 1:
            raise AttributionError(f"{self.folder} has files of several kinds ({', '.join(sorted(endings))}). Keep one kind.")
        if endings == {"csv"}:
            return rows_of_csv(self.files)
        return f"SELECT * FROM read_parquet({listed(map(str, self.files))}, union_by_name = true, hive_partitioning = false)"

    def _types(self) -> dict[str, str]:
        table = schema().get(self.name)
        return {column.name: TYPES[column.type] for column in table.columns} if table else {}


SEEN = "seen_days"
"""The table with what late data has seen."""

OF_SOURCES = (*ALL_SOURCES, *FURTHER, *(name for name, _ in STAND_INS.values()))
"""The names of tables that the user fills."""


def stored_tables(folder: Place) -> tuple[Stored, ...]:
    """The tables in the folder as they are now: ours, and the sources as Delta tables, Parquet files or CSV files."""
    within = listing(folder)
    there = {entry.name: entry for entry in within(folder)}
    begins = {name.partition(".")[0].lower() for name in there}
    names = [name for name in dict.fromkeys([*schema(), *OF_SOURCES, SEEN]) if name.lower() in begins]
    return tuple(found for name in names if (found := _stored(folder, name, there, within)))


def _stored(folder: Place, name: str, there: Mapping[str, Place], within: Callable[[Place], list[Place]]) -> Stored | None:
    """The table of the name, of what is `there` in the folder, and `within` those in it."""
    newest = delta.newest(folder / name, within) if name in there else None
    alone = [file for ending in ENDINGS if (file := there.get(f"{name}.{ending}")) and file.is_file()]
    endings = tuple(f".{ending}" for ending in ENDINGS)
    of_folder = entries(folder / name) if name in there and not newest else []
    inside = sorted((file for file in of_folder if file.name.endswith(endings)), key=str)
    if len(forms := [*alone, *([folder / name] if newest or inside else [])]) > 1:
        raise AttributionError(f"{name} stands in {folder} more than once: {' and '.join(map(str, forms))}. Keep one of them.")
    if newest:
        version, state = newest
        return Stored(name, folder / name, version, (), state)
    if files := (*alone, *inside):
        return Stored(name, folder / name, None, files, "; ".join(map(_state_of, files)))
    return None


def _state_of(file: Place) -> str:
    """Both of its times: tools can set the one back, but not the other."""
    if isinstance(file, InBucket):
        return f"{file.name} {file.tag}"
    state = file.stat()
    return f"{file.name} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"


class Attached(Protocol):
    """A database with the sources beside a lake."""

    def attach(self, duck: duckdb.DuckDBPyConnection) -> tuple[Stored, ...]:
        """Attaches it, and returns the sources that it has."""

    def __hash__(self) -> int:
        """By what it is, and its state."""


def table_of_others(folder: Place, name: str) -> Stored | None:
    """Any table in the folder as it is now, ours or not; None where there is none of the name."""
    within = listing(folder)
    there = {entry.name: entry for entry in within(folder)}
    return _stored(folder, name, there, within) if Path(name).name == name else None


class AtState(Cursor, Protocol):
    """A connection to one state of the lake, whose last statement has rows."""

    @property
    def state(self) -> Opened:
        """The state."""

    def execute(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> Cursor:
        """The statement's rows. Of named values, it gets those that it names."""

    def batches(self, rows_per_batch: int) -> Iterable[pa.RecordBatch]:
        """The rows in batches, in their order."""

    def may_stand_twice(self, table: str, key: str) -> bool:
        """Whether two rows of the table may have the same key. If so, a statement has to tell."""

    def has_no_rows(self, view: str) -> None:
        """From here on, nobody looks through what the view reads."""


@dataclass(frozen=True)
class LakeCursor:
    """Runs statements in DuckDB, as a connection of its own to one state.

    A result that a statement names becomes a view of this connection. What runs on `duck` itself sees those that were named.
    """

    duck: duckdb.DuckDBPyConnection
    state: Opened
    _named: set[str] = field(default_factory=set)

    def execute(self, text: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> LakeCursor:
        """The statement's rows. Of named values, it gets those that it names."""
        for name in self.state.results.keys() & set(re.findall(r"\w+", text.lower())) - self._named:
            self.duck.execute(f"CREATE TEMP VIEW {name} AS {self.state.results[name].select()}")
            self._named.add(name)
        if isinstance(parameters, Mapping):
            named = set(re.findall(r"\$(\w+)", re.sub(r"--.*", "", text)))
            self.duck.execute(text, {name: value for name, value in parameters.items() if name in named})
        else:
            self.duck.execute(text, [*parameters])
        return self

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns of the last statement."""
        return self.duck.description

    def batches(self, rows_per_batch: int) -> Iterable[pa.RecordBatch]:
        """The rows in batches, in their order."""
        return self.duck.to_arrow_reader(rows_per_batch)

    def has_no_rows(self, view: str) -> None:
        """From here on, nobody looks through what the view reads."""
        self.state.sources.has_no_rows(view)

    def may_stand_twice(self, table: str, key: str) -> bool:
        """Whether two rows have keys with the same hash. Sorting hashes takes a third of what DuckDB takes to group keys."""
        [(rows,)] = self.execute(f"SELECT count(*) FROM {table}").fetchall()
        parts = -(-rows // HASHES)
        for part in range(parts):
            given = f"FROM {table} WHERE {key} IS NOT NULL AND hash({key}) % {parts} = {part}"
            self.execute(f"SELECT hash({key}) AS hash {given}")
            hashes = np.sort(self.duck.fetchnumpy()["hash"])
            if (hashes[1:] == hashes[:-1]).any():
                return True
        return False

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        return self.duck.fetchone()

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""
        return self.duck.fetchall()

    def fetchmany(self, size: int, /) -> list[tuple[Any, ...]]:
        """So many rows, or those that are left."""
        return self.duck.fetchmany(size)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one after another."""
        while rows := self.duck.fetchmany(1000):
            yield from rows


@dataclass(frozen=True)
class Opened:
    """The lake at one state: its sources, and its results by their names in lower case."""

    sources: OpenedSources
    results: Mapping[str, Stored]

    def cursor(self) -> LakeCursor:
        """A connection of its own to the state. The caller closes it."""
        return LakeCursor(self.sources.duck.cursor(), self)

    @cached_property
    def stored(self) -> Mapping[str, Stored]:
        """Every table by name."""
        return {**self.sources.stored, **{table.name: table for table in self.results.values()}}

    def columns(self, table: str, within: str = STORED) -> list[str]:
        """The columns of a table as it is stored, or of a view in `main`, in lower case; none where it does not exist."""
        if result := self.results.get(table.lower()):
            return result.columns()
        return self.sources.columns.get((within, table.lower()), [])


@dataclass(frozen=True, eq=False)
class OpenedSources:
    """The sources at one state. `views`: the SELECTs of the views before them; `empty`: those that have no rows."""

    stored: Mapping[str, Stored]
    duck: duckdb.DuckDBPyConnection
    views: Mapping[str, str]
    empty: set[str] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    @cached_property
    def columns(self) -> Mapping[tuple[str, str], list[str]]:
        """By schema and table or view, its columns, in lower case."""
        asked = (
            "SELECT schema_name, lower(table_name), lower(column_name) FROM duckdb_columns() "
            "WHERE database_name = current_database() ORDER BY column_index"
        )
        found: dict[tuple[str, str], list[str]] = {}
        for within, table, column in self.duck.cursor().execute(asked).fetchall():
            found.setdefault((within, table), []).append(column)
        return found

    def has_no_rows(self, view: str) -> None:
        """From here on, nobody looks through what the view reads."""
        with self._lock:
            if view not in self.empty:
                self.duck.cursor().execute(
                    f"CREATE OR REPLACE VIEW main.{view} AS SELECT * FROM ({self.views[view]}) WHERE false"
                )
                self.empty.add(view)


def opened(stored: tuple[Stored, ...], reading: Reading, attached: Attached | None = None) -> Opened:
    """The lake with these tables and those of a database beside. Raises AttributionError for a source that cannot be read."""
    return Opened(opened_sources(_sources(stored), reading, attached, _bucket(stored)), _results(stored))


def newly_opened(stored: tuple[Stored, ...], reading: Reading, attached: Attached | None) -> Opened:
    """As `opened`, in a DuckDB that nobody else has, and that is not kept."""
    return Opened(_newly_opened(_sources(stored), reading, attached, _bucket(stored)), _results(stored))


def _sources(stored: tuple[Stored, ...]) -> tuple[Stored, ...]:
    return tuple(table for table in stored if not table.is_result)


def _bucket(stored: tuple[Stored, ...]) -> InBucket | None:
    """The bucket where some of the tables lie."""
    return next((InBucket(table.folder.bucket) for table in stored if isinstance(table.folder, InBucket)), None)


def _results(stored: tuple[Stored, ...]) -> dict[str, Stored]:
    return {table.name.lower(): table for table in stored if table.is_result}


@lru_cache(maxsize=KEPT)
def opened_sources(
    stored: tuple[Stored, ...], reading: Reading, attached: Attached | None, bucket: InBucket | None
) -> OpenedSources:
    """The sources at one state, kept for the next reader."""
    return _newly_opened(stored, reading, attached, bucket)


def _newly_opened(
    stored: tuple[Stored, ...], reading: Reading, attached: Attached | None, bucket: InBucket | None
) -> OpenedSources:
    duck = duckdb.connect(
        config={
            "threads": THREADS,
            "memory_limit": MEMORY,
            "temp_directory": str(Path(tempfile.gettempdir()) / f"attribution-lake-{uuid4()}"),
            "preserve_insertion_order": False,
            "enable_external_file_cache": False,  # the system keeps files in memory, and drops those that a commit displaced
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    duck.execute(f"CREATE SCHEMA {STORED}")
    functions.add_to_duckdb(duck)
    if bucket:
        bucket.add_to_duckdb(duck)
    duck.execute(f"SET search_path = 'main,{STORED}'")
    if attached:
        stored = (*stored, *attached.attach(duck))
    for table in stored:
        duck.execute(f"CREATE VIEW {STORED}.{table.name} AS {table.select()}")
    views = add_views(duck, reading)
    for name in (table.name for table in stored if table.name not in {*ALL_SOURCES, *FURTHER}):
        duck.execute(f"CREATE VIEW main.{name} AS SELECT * FROM {STORED}.{name}")
    return OpenedSources({table.name: table for table in stored}, duck, views)


def types_of(table: Table) -> str:
    """The columns of a table of ours with their types, as in CREATE TABLE."""
    return ", ".join(f"{_quoted_name(column.name)} {TYPES[column.type]}" for column in table.columns)


def _value(of_partition: str) -> str:
    """A partition's value, as the name of its folder has it."""
    return "CAST(NULL AS varchar)" if of_partition == "__HIVE_DEFAULT_PARTITION__" else _quoted(unquote(of_partition))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted_name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
