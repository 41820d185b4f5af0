"""Fills a lake's sources from an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.database import ARROW, OURS, ROWS_PER_BATCH, LakeWarehouse
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse
from attribution_assets.warehouse.sqlite.views import stored_in
from attribution_assets.warehouse.views import Stored


def import_sources(lake: LakeWarehouse, file: Path) -> dict[str, int]:
    """Copies the source tables of the file into the lake, which is made if there is none. Returns how many rows each has.

    Each table is replaced in one commit; all are read at one state of the file. Columns that the schema does not declare are
    text. Raises AttributionError for a value that has another type than its column, and where the file has no source table.
    """
    copied = {}
    with SQLiteWarehouse(file).at_one_state() as snapshot, snapshot.connect() as connection:
        there = stored_in(connection)
        columns = {name: found for name in (*ALL_SOURCES, *FURTHER) if (found := _columns(there, name))}
        if not columns:
            raise AttributionError(f"{file} has no source table, such as session_sources or conversions.")
        lake.path.mkdir(parents=True, exist_ok=True)
        for name, expressions in columns.items():
            stored, _ = there.stands_for(schema()[name])
            rows = connection.execute(f"SELECT {', '.join(expressions.values())} FROM main.{stored}")
            with lake.writing(name), _staged(lake, file, name, expressions, rows) as staged:
                delta.replace_rows(lake.path / name, staged, None, {"from": str(file)})
            copied[name] = connection.execute(f"SELECT count(*) FROM main.{stored}").fetchone()[0]
    lake.make()
    return copied


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
    with TemporaryDirectory(dir=lake.path / OURS) as folder:
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
