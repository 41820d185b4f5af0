"""Functions of whole conversions on the executors: one row per conversion with a list of its rows, so that none is split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import pyarrow as pa

import attribution_assets
from attribution_assets.errors import NotReadyError
from attribution_assets.warehouse.frames import dtypes
from attribution_assets.warehouse.query import Query, Rows, Source, bounds_of
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.spark.cluster import TYPES
from attribution_assets.warehouse.spark.cursor import SparkCursor

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ARROW: dict[str, pa.DataType] = {"text": pa.string(), "integer": pa.int64(), "real": pa.float64()}
"""Declared type in our schema -> Arrow's, as Spark has it."""

ZIP = "attribution_assets.zip"

Batches = Iterable[pa.RecordBatch]

OnBatches = Callable[[Batches], Iterator[pa.RecordBatch]]


def mapped(cursor: SparkCursor, source: Source, function: Rows, table: Table) -> DataFrame:
    """The rows of `table` that the function makes of the source's, some conversions at a time, on the executors."""
    stored, unit, types = source.table.name, source.table.key[0], dtypes(source.table)
    read = [f"{stored}.{name}" for name in source.table.column_names]
    place, of_days = stored, f"{stored}.{source.day_column} BETWEEN $first_day AND $last_day"
    if source.share:
        other, column = source.share
        place += f" JOIN {other.name} ON {_is_same(source, other)}"
        of_days += f" AND {other.name}.{source.day_column} BETWEEN $first_day AND $last_day"
        read.append(f"{other.name}.{column}")
        types |= {column: dtypes(other)[column]}
        _check_same_rows(cursor, source, other)
    rows = cursor.frame(f"SELECT {', '.join(read)} FROM {place} WHERE {of_days}", bounds_of(source.days))
    return of_units(cursor, rows, unit, on_batches(function, types, table), table)


def summed(cursor: SparkCursor, query: Query, read: Table, function: Rows, table: Table) -> DataFrame:
    """The rows of `table` that the function makes of the query's, on the executors; those of one key as one, summed there."""
    rows = cursor.frame(query.text_in("spark"), query.parameters)
    computed = of_units(cursor, rows, read.key[0], on_batches(function, dtypes(read), table), table)
    sums = {column.name: "sum" for column in table.columns if column.name not in table.key}
    return computed.groupBy(*table.key).agg(sums).toDF(*table.key, *sums)


def of_units(cursor: SparkCursor, rows: DataFrame, unit: str, function: OnBatches, table: Table) -> DataFrame:
    """The rows of `table` that the function makes of the list of each unit's rows."""
    from pyspark.sql.functions import collect_list, struct

    ship_this_package(cursor)
    lists = rows.groupBy(unit).agg(collect_list(struct(*rows.columns)).alias("rows"))
    return lists.mapInArrow(function, ", ".join(f"{column.name} {TYPES[column.type]}" for column in table.columns))


def _is_same(source: Source, other: Table) -> str:
    """The condition that a row of the other table is that of the stored one."""
    same = dict.fromkeys([*source.table.key, source.day_column])
    return " AND ".join(f"{other.name}.{name} = {source.table.name}.{name}" for name in same)


def _check_same_rows(cursor: SparkCursor, source: Source, other: Table) -> None:
    """Raises NotReadyError where one of the tables has a row of the days that the other lacks."""
    for one, two in ((source.table, other), (other, source.table)):
        lacking = (
            f"SELECT 1 FROM {one.name} WHERE {source.day_column} BETWEEN $first_day AND $last_day "
            f"AND NOT EXISTS (SELECT 1 FROM {two.name} WHERE {_is_same(source, other)}) LIMIT 1"
        )
        if cursor.execute(lacking, bounds_of(source.days)).fetchone():
            raise NotReadyError(
                f"{other.name} does not match {source.table.name}. Attribute these days again, then rerun this."
            )


def on_batches(function: Rows, types: dict[str, str], table: Table) -> OnBatches:
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
            cursor.session.spark.addArtifacts(f"{_zipped().name}/{ZIP}", pyfile=True)
        cursor.session.has_package = True


@cache
def _zipped() -> TemporaryDirectory[str]:
    """A folder with this package zipped, which ends with the process."""
    package, folder = Path(attribution_assets.__path__[0]), TemporaryDirectory(prefix="attribution-")
    with ZipFile(Path(folder.name) / ZIP, "w") as zipped:
        for module in sorted(package.rglob("*.py")):
            zipped.write(module, module.relative_to(package.parent))
    return folder
