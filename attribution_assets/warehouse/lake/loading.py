"""Fills a lake's sources from an SQLite file, and gives one of them to what works on such a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.warehouse.duckdb import views
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.database import OURS, LakeWarehouse
from attribution_assets.warehouse.lake.objects import InBucket
from attribution_assets.warehouse.lake.opened import OF_SOURCES, LakeCursor
from attribution_assets.warehouse.lake.replacement import ARROW, ROWS_PER_BATCH
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse
from attribution_assets.warehouse.sqlite.state import file_state
from attribution_assets.warehouse.sqlite.views import stored_in
from attribution_assets.warehouse.views import Stored


def import_sources(lake: LakeWarehouse, file: Path) -> dict[str, int]:
    """Copies the source tables of the file into the lake, which is made if there is none. Returns how many rows each has.

    Each table is replaced in one commit; all are read at one state of the file. Columns that the schema does not declare are
    text. Raises AttributionError for a value that has another type than its column, and where the file has no source table, or
    the lake has its sources elsewhere.
    """
    _check_read(lake)
    copied = {}
    with SQLiteWarehouse(file).at_one_state() as snapshot, snapshot.connect() as connection:
        there = stored_in(connection)
        columns = {name: found for name in (*ALL_SOURCES, *FURTHER) if (found := _columns(there, name))}
        if not columns:
            raise AttributionError(f"{file} has no source table, such as session_sources or conversions.")
        lake.check_name()
        for name, expressions in columns.items():
            stored = there.stands_for(schema()[name])[0]
            copied[name] = lake.committed(name, partial(_replace, lake, file, connection, stored, name, expressions))
    lake.make()
    return copied


@contextmanager
def in_sqlite(lake: LakeWarehouse, name: str, *, writes: bool) -> Iterator[SQLiteWarehouse]:
    """A temporary SQLite file with this source of the lake alone; no file, where there is no lake.

    Where it `writes` and the block has changed the table, the rows of then replace it in one commit, and the lake is made if
    there is none. Raises AttributionError where the lake has its sources elsewhere or as files of the user's, and BusyError
    where another process has written the table meanwhile. Errors of the block name the lake instead of the file.
    """
    if writes:
        _check_read(lake)
    with TemporaryDirectory(prefix="attribution-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "source.db"
        is_locked = writes and lake.exists and name in OF_SOURCES
        with lake.writing(name) if is_locked else nullcontext():
            before = delta.last_version(lake.path / name)
            if lake.exists:
                _fill(lake, name, file, writes=writes)
            state = file_state(file)
            try:
                yield SQLiteWarehouse(file)
            except AttributionError as error:
                raise type(error)(str(error).replace(str(file), str(lake.path))) from error
            if writes and file_state(file) != state:
                with nullcontext() if is_locked else lake.writing(name):
                    if delta.last_version(lake.path / name) != before:
                        raise BusyError(f"Another process has written {name} in {lake.path} meanwhile. Run again.")
                    with SQLiteWarehouse(file).connect() as connection:
                        _replace(lake, file, connection, name, name, _columns(stored_in(connection), name), at=before)
                lake.make()


def _check_read(lake: LakeWarehouse) -> None:
    if lake.sources_at:
        raise AttributionError(f"ATTRIBUTION_SOURCES is set, so nobody would read what is written into {lake.path}. Unset it.")


def _fill(lake: LakeWarehouse, name: str, file: Path, *, writes: bool) -> None:
    """Makes the file, with the table as it is in the lake, if it is there."""
    with closing(sqlite3.connect(file)) as connection, connection, lake.connect() as cursor:
        stored = cursor.state.stored.get(name)
        if not stored:
            file.touch()
            return
        if writes and stored.version is None:
            raise AttributionError(
                f"{name} in {lake.path} is a file of your own, so nothing is written into it. Write that, or remove it."
            )
        columns = _columns_in_lake(cursor, name)
        types = {column.name: column.type for column in schema()[name].columns}
        declared = ", ".join(f'"{column}" {types.get(column, "text")}' for column in columns)
        connection.execute(f"CREATE TABLE {name} ({declared})")
        inserted = f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns))})"
        rows = cursor.execute(f"SELECT {', '.join(columns.values())} FROM stored.{name}")
        while some := rows.fetchmany(ROWS_PER_BATCH):
            connection.executemany(inserted, some)


def _columns_in_lake(cursor: LakeCursor, name: str) -> dict[str, str]:
    """By column, the expression that reads it; the declared columns first, and the others as text."""
    read = views.stored_in(cursor.duck).columns(schema()[name]) if name in schema() else {}
    others = (column for column in cursor.state.columns(name) if column not in read and '"' not in column)
    return {**read, **{column: f'CAST("{column}" AS varchar)' for column in others}}


def _replace(
    lake: LakeWarehouse,
    file: Path,
    connection: sqlite3.Connection,
    stored: str,
    name: str,
    columns: Mapping[str, str],
    at: int | Literal["newest"] | None = "newest",
) -> int:
    """Replaces the rows of the lake's table by those of the table `stored` in the file, and returns their number."""
    rows = connection.execute(f"SELECT {', '.join(columns.values())} FROM main.{stored}")
    with _staged(lake, file, name, columns, rows) as staged:
        delta.replace_rows(lake.path / name, staged, None, {"from": str(file)}, at=at)
    return int(connection.execute(f"SELECT count(*) FROM main.{stored}").fetchone()[0])


def _columns(there: Stored, name: str) -> dict[str, str]:
    """By column, the expression that reads it; the declared columns first."""
    stored, renamed = there.stands_for(schema()[name])
    read = there.columns(schema()[name])
    taken = {renamed.get(column, column).lower() for column in read}
    others = [column for column in there.declared(stored) if column not in taken and column not in read and '"' not in column]
    return {**read, **{column: f'CAST("{column}" AS text)' for column in others}}


@contextmanager
def _staged(
    lake: LakeWarehouse, file: Path, name: str, columns: Mapping[str, str], rows: sqlite3.Cursor
) -> Iterator[pa.RecordBatchReader]:
    """The rows in batches, from a Parquet file: delta-rs reads in threads of its own, and SQLite answers in one."""
    types = {column.name: ARROW[column.type] for column in schema()[name].columns}
    fields = pa.schema([pa.field(column, types.get(column, ARROW["text"])) for column in columns])
    with TemporaryDirectory(dir=None if isinstance(lake.path, InBucket) else lake.path / OURS) as folder:
        parquet = Path(folder) / "rows.parquet"
        with pq.ParquetWriter(parquet, fields) as writer:
            while some := rows.fetchmany(ROWS_PER_BATCH):
                values = zip(*some, strict=True)
                arrays = [_array(file, name, field, of_column) for field, of_column in zip(fields, values, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=fields))
        with pq.ParquetFile(parquet) as staged:
            yield pa.RecordBatchReader.from_batches(fields, staged.iter_batches(ROWS_PER_BATCH))


def _array(file: Path, name: str, field: pa.Field[Any], values: tuple[object, ...]) -> pa.Array[Any]:
    try:
        array: pa.Array[Any] = pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise AttributionError(
            f"{name}.{field.name} in {file} has a value of another type than {field.type}: {delta.first_line(error)}."
        ) from error
    return array
