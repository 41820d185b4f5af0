"""Functions of whole conversions on the executors: one row per conversion with a list of its rows, so that none is split."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pyarrow as pa

import attribution_assets
from attribution_assets.warehouse.frames import dtypes
from attribution_assets.warehouse.query import Rows, Source
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.spark.cluster import TYPES
from attribution_assets.warehouse.spark.cursor import SparkCursor

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ARROW: dict[str, pa.DataType] = {"text": pa.string(), "integer": pa.int64(), "real": pa.float64()}
"""Declared type in our schema -> Arrow's, as Spark has it."""

Batches = Iterable[pa.RecordBatch]


def mapped(cursor: SparkCursor, source: Source, function: Rows, table: Table) -> DataFrame:
    """The rows of `table` that the function makes of the source's, some conversions at a time, on the executors."""
    ship_this_package(cursor)
    unit = source.table.key[0]
    lists = cursor.frame(
        f"SELECT {unit}, collect_list(struct({', '.join(source.table.column_names)})) AS rows FROM {source.table.name} "
        f"WHERE {source.day_column} BETWEEN $first_day AND $last_day GROUP BY {unit}",
        {"first_day": source.days.first, "last_day": source.days.last},
    )
    columns = ", ".join(f"{column.name} {TYPES[column.type]}" for column in table.columns)
    return lists.mapInArrow(on_batches(function, dtypes(source.table), table), columns)


def on_batches(function: Rows, types: dict[str, str], table: Table) -> Callable[[Batches], Iterator[pa.RecordBatch]]:
    """The function on batches of lists of rows, whose columns get these dtypes."""
    schema = pa.schema([(column.name, ARROW[column.type]) for column in table.columns])

    def computed(batches: Batches) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            lists: Any = batch.column("rows")
            rows = lists.flatten()
            if len(rows):
                given = pa.Table.from_arrays(rows.flatten(), names=[field.name for field in rows.type]).to_pandas()
                yield from pa.Table.from_pandas(function(given.astype(types)), schema, preserve_index=False).to_batches()

    return computed


def ship_this_package(cursor: SparkCursor) -> None:
    """Sends this package to the executors, once a session. A cluster that takes none, as Sail, has it installed."""
    from pyspark.errors import PySparkException

    if not cursor.session.has_package:
        with suppress(PySparkException):
            cursor.session.spark.addArtifacts(str(_zipped()), pyfile=True)
        cursor.session.has_package = True


@cache
def _zipped() -> Path:
    package = Path(attribution_assets.__path__[0])
    file = Path(tempfile.mkdtemp(prefix="attribution-")) / f"{package.name}.zip"
    with ZipFile(file, "w") as zipped:
        for module in sorted(package.rglob("*.py")):
            zipped.write(module, module.relative_to(package.parent))
    return file
