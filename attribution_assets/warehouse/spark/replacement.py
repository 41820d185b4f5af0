"""How executors replace the days of a table of touchpoints: they write files that nobody sees, and delta-rs commits these."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote
from uuid import uuid4

import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from pyarrow.fs import FileSelector

from attribution_assets.warehouse import refused
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.duckdb.scanners import literal
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.objects import Place, file_system
from attribution_assets.warehouse.lake.replacement import tidy
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.spark.cluster import TYPES, path_of
from attribution_assets.warehouse.spark.cursor import SparkCursor
from attribution_assets.warehouse.warehouse import Written

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

STAGED = "staged-"
"""How the folder begins into which executors write. A name that begins with _ or a point would be hidden from vacuum."""

NO_VALUE = ("__HIVE_DEFAULT_PARTITION__", "")
"""What stands in the name of a partition's folder for NULL, on Spark and on Sail."""

TYPE_NAMES = {
    "text": "string|void",
    "integer": "tinyint|smallint|int|bigint|boolean|void",
    "real": r"tinyint|smallint|int|bigint|float|double|decimal\(.*|void",
}
"""Declared type -> Spark's types of an answer's column that are stored as it."""


@dataclass(frozen=True)
class SparkReplacement:
    """The replacement of exactly the days of a table in `folder`, which is partitioned by its day, at one state.

    `keep_days`: for how many days files of earlier versions are kept.
    """

    folder: Place
    keep_days: int
    table: Table
    day_column: str
    days: Days
    cursor: SparkCursor
    _staged: list[Place] = field(default_factory=list)

    def make(self, rows: DataFrame, check_unchanged: Callable[[], None]) -> Written:
        """Has the rows written and verified, and commits them. `check_unchanged` raises where their sources have changed."""
        self._prove_types(rows)
        self.cursor.session.check_shared(self.folder)
        try:
            files = self._stage(rows)
            self._prove(files)
            check_unchanged()
            moved, kept = self._moved(files)
            version = self._commit([*files, *kept], [*self.days, *moved])
        finally:
            for folder in self._staged:
                remove_folder(folder)
        tidy(self.folder, self.keep_days)
        counts = Counter[str]()
        for file in files:
            counts[file.day] += file.rows
        return Written({day: counts[day] for day in self.days}, version)

    def _prove_types(self, rows: DataFrame) -> None:
        in_any_case = {column.lower(): column for column in self.table.column_names}
        self.table.check([in_any_case.get(name.lower(), name) for name in rows.columns])
        types = {name.lower(): type_ for name, type_ in rows.dtypes}
        if not all(re.fullmatch(TYPE_NAMES[column.type], types[column.name.lower()]) for column in self.table.columns):
            raise refused.mistyped(self.table, self.days)

    def _stage(self, rows: DataFrame) -> list[StagedFile]:
        """Has the rows written, and returns the files."""
        staged = self.folder / f"{STAGED}{uuid4()}"
        self._staged.append(staged)
        columns = []
        for column in self.table.columns:
            plus = " + 0.0D" if column.type == "real" else ""  # 0 instead of -0
            columns.append(f"CAST(`{column.name}` AS {TYPES[column.type]}){plus} AS `{column.name}`")
        written = rows.selectExpr(*columns).repartition(self.day_column).write.partitionBy(self.day_column)
        written.parquet(path_of(staged))
        return [*_files_in(staged)]

    def _prove(self, files: Sequence[StagedFile]) -> None:
        """Verifies that each row belongs to one of the days, that no value is missing, and that no key stands twice."""
        all_days = {*self.days}
        for file in files:
            if file.day in NO_VALUE:
                raise refused.missing(self.table, self.days, f"{self.table.name}.{self.day_column} is NULL in one of them")
            if file.day not in all_days:
                raise refused.outside(self.table, self.day_column, file.day, self.days)
        if not files:
            return
        self.cursor.session.spark.read.parquet(*(path_of(file.place) for file in files)).createOrReplaceTempView("staged")
        for name in (column.name for column in self.table.columns if column.required and column.name != self.day_column):
            may_lack = any(name in file.may_lack for file in files)
            if may_lack and self.cursor.execute(f"SELECT 1 FROM staged WHERE {name} IS NULL LIMIT 1").fetchone():
                raise refused.missing(self.table, self.days, f"{self.table.name}.{name} is NULL in one of them")
        key = ", ".join(self.table.key)
        if not self.cursor.may_stand_twice("staged", key):
            return
        if found := self.cursor.execute(f"SELECT {key} FROM staged GROUP BY {key} HAVING count(*) > 1 LIMIT 1").fetchone():
            raise refused.twice(self.table, found, self.days)

    def _moved(self, files: Sequence[StagedFile]) -> tuple[list[str], list[StagedFile]]:
        """The other days that have rows of what belongs to these days now, and files with the rows that remain there."""
        stored = self.cursor.state.stored[self.table.name]
        if not delta.files_of(stored.folder, stored.version or 0, stored.state).files:
            return [], []
        unit, day, table = self.table.key[0], self.day_column, self.table.name
        first, last = map(literal, (self.days.first, self.days.last))
        of_these_days = [f"SELECT {unit} FROM staged"] if files else []
        if (unit, day) == ("conv_id", "conv_date") and self.cursor.state.columns("conversions"):
            of_these_days.append(f"SELECT conv_id FROM conversions WHERE conv_date BETWEEN {first} AND {last}")
        if not of_these_days:
            return [], []
        belonging = " UNION ".join(of_these_days)
        left = f"SELECT DISTINCT {day} FROM {table} WHERE ({day} < {first} OR {day} > {last}) AND {unit} IN ({belonging})"
        moved = sorted(day for (day,) in self.cursor.execute(left).fetchall())
        if not moved:
            return [], []
        remaining = self.cursor.frame(
            f"SELECT {', '.join(self.table.column_names)} FROM {table} "
            f"WHERE {day} IN ({', '.join(map(literal, moved))}) "
            f"AND NOT EXISTS (SELECT 1 FROM ({belonging}) AS belonging WHERE belonging.{unit} = {table}.{unit})"
        )
        return moved, self._stage(remaining)

    def _commit(self, files: Sequence[StagedFile], days: Sequence[str]) -> int:
        """Replaces the days by the files, in one commit, and returns its version."""
        added = [file.taken_over(self.folder, self.day_column) for file in files]
        read = self.cursor.state.stored[self.table.name].version or 0
        return delta.commit_files(self.folder, read, added, self.day_column, days, {"days": str(self.days)})


@dataclass(frozen=True)
class StagedFile:
    """A Parquet file that an executor wrote: where it is, of which day its rows are, and how many rows and bytes it has.

    `may_lack`: the columns of which its footer does not say that none of their values is NULL.
    """

    place: Place
    day: str
    rows: int
    size: int
    may_lack: frozenset[str]

    def taken_over(self, folder: Place, day_column: str) -> AddAction:
        """Moves the file to the folder of its day, and returns what commits it."""
        in_table = f"{day_column}={quote(self.day)}/{uuid4()}-{self.place.name}"
        target = folder / in_table
        files, path = file_system(self.place)
        if isinstance(target, Path):
            target.parent.mkdir(exist_ok=True)
        files.move(path, file_system(target)[1])
        counted = json.dumps({"numRecords": self.rows})
        return AddAction(quote(in_table, safe="/="), self.size, {day_column: self.day}, int(time() * 1000), True, counted)


def _files_in(staged: Place) -> Iterator[StagedFile]:
    files, root = file_system(staged)
    for found in files.get_file_info(FileSelector(root, allow_not_found=True, recursive=True)):
        if found.extension == "parquet":
            name = found.path.removeprefix(f"{root}/")
            day = unquote(name.partition("/")[0].partition("=")[2])
            footer = pq.read_metadata(found.path, filesystem=files)
            yield StagedFile(staged / name, day, footer.num_rows, found.size, frozenset(_may_lack(footer)))


def _may_lack(footer: pq.FileMetaData) -> Iterator[str]:
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            column = footer.row_group(group).column(number)
            of_column = column.statistics
            if not of_column or of_column.null_count != 0:
                yield column.path_in_schema


def remove_folder(folder: Place) -> None:
    """Removes the folder, if it is there. Where that fails, its files belong to no version, and are tidied later."""
    files, root = file_system(folder)
    with suppress(OSError):
        files.delete_dir(root)
