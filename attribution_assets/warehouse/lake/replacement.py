"""How the rows of a range of days are replaced in a lake: staged, verified, and committed with what they displace."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import refused
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.duckdb.scanners import literal
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.objects import Place
from attribution_assets.warehouse.lake.opened import LakeCursor, types_of
from attribution_assets.warehouse.query import RETURN_THIS
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.warehouse import Written, as_stored

if TYPE_CHECKING:
    import pandas as pd

ROWS_PER_BATCH = 100_000
"""How many rows go from DuckDB to a Delta table at once."""

ROWS_PER_INSERT = 400_000
"""How many rows of frames go to DuckDB at once: with fewer, it takes three times as long."""

TYPE_NAMES = {"text": "VARCHAR", "integer": ".*INT.*|BOOLEAN|DOUBLE", "real": ".*INT.*|DOUBLE|FLOAT|DECIMAL.*"}
"""Declared type -> DuckDB's types of an answer's column that are stored as it."""

ARROW: Mapping[str, pa.DataType] = {"text": pa.large_string(), "integer": pa.int64(), "real": pa.float64()}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replacement:
    """The replacement of exactly the days of a table in `folder` by the rows of the temporary table `answer`, on one cursor.

    `keep_days`: for how many days files of earlier versions are kept.
    """

    folder: Place
    keep_days: int
    table: Table
    day_column: str
    days: Days
    cursor: LakeCursor

    def make(self) -> Written:
        """Verifies the rows and commits them."""
        prove(self.cursor, self.table, self.days)
        self._prove_days()
        moved, kept = self._moved()
        where = f"{self.day_column} >= '{self.days.first}' AND {self.day_column} <= '{self.days.last}'"
        if moved:
            where = f"{where} OR {self.day_column} IN ({', '.join(map(literal, moved))})"
        rows = answer_of(self.cursor, f"SELECT * FROM new {kept}")
        read = self.cursor.state.stored[self.table.name].version
        version = delta.replace_rows(self.folder, rows, where, {"days": str(self.days)}, at=read)
        tidy(self.folder, self.keep_days)
        counted = f"SELECT {self.day_column}, count(*) FROM new GROUP BY {self.day_column}"
        counts = dict(self.cursor.execute(counted).fetchall())
        return Written({day: counts.get(day, 0) for day in self.days}, version)

    def _prove_days(self) -> None:
        """Verifies that every row belongs to one of the days."""
        all_days = {*self.days}
        for (day,) in self.cursor.execute(f"SELECT DISTINCT {self.day_column} FROM new").fetchall():
            if day not in all_days:
                raise refused.outside(self.table, self.day_column, day, self.days)

    def _moved(self) -> tuple[list[str], str]:
        """The other days that have rows of what belongs to these days now, and the SELECT of the rows that remain there."""
        stored = self.cursor.state.stored[self.table.name]
        if self.day_column in self.table.key or not delta.files_of(stored.folder, stored.version or 0, stored.state).files:
            return [], ""
        unit, day, table = self.table.key[0], self.day_column, self.table.name
        of_these_days = f"SELECT {unit} FROM new"
        if (unit, day) == ("conv_id", "conv_date") and self.cursor.state.columns("conversions"):
            among = f"conv_date BETWEEN '{self.days.first}' AND '{self.days.last}'"
            of_these_days += f" UNION SELECT conv_id FROM conversions WHERE {among}"  # also those left without a session
        self.cursor.execute(f"CREATE TEMP TABLE belonging AS SELECT DISTINCT {unit} FROM ({of_these_days})")
        self.cursor.execute(
            f"CREATE TEMP TABLE left_day AS SELECT DISTINCT {day} FROM {table} "
            f"WHERE {day} NOT BETWEEN ? AND ? AND {unit} IN (SELECT {unit} FROM belonging)",
            (self.days.first, self.days.last),
        )
        moved = sorted(day for (day,) in self.cursor.execute("SELECT * FROM left_day").fetchall())
        remaining = (
            f"UNION ALL SELECT {', '.join(self.table.column_names)} FROM {table} "
            f"WHERE {day} IN (SELECT {day} FROM left_day) AND {unit} NOT IN (SELECT {unit} FROM belonging)"
        )
        return moved, remaining if moved else ""


def tidy(folder: Place, keep_days: int) -> None:
    """Deletes files that no version of the last days has. Where that fails, the rows are written all the same."""
    try:
        delta.remove_unused_files(folder, keep_days)
    except AttributionError as error:
        logger.warning("The rows of %s are written, but not tidied: %s", folder.name, error)


def prove(cursor: LakeCursor, table: Table, days: Days | str) -> None:
    """Verifies that the rows of `answer` have the table's columns, in any case and order, with values of the declared types.

    Also that none is missing that has to be there, and that no key stands twice. Makes the view `new`: the rows as they are to
    be stored.
    """
    given = {name.lower(): (name, type_) for name, type_, *_ in cursor.execute("DESCRIBE answer").fetchall()}
    in_any_case = {column.lower(): column for column in table.column_names}
    table.check([in_any_case.get(lower, name) for lower, (name, _) in given.items()])
    counted = ", ".join(f"count({column.name})" for column in table.columns)
    [(rows, *values_of)] = cursor.execute(f"SELECT count(*), {counted} FROM answer").fetchall()
    for column, values in zip(table.columns, values_of, strict=True):
        if column.required and values < rows:
            raise refused.missing(table, days, f"{table.name}.{column.name} is NULL in one of them")
        if values and not re.fullmatch(TYPE_NAMES[column.type], given[column.name.lower()][1]):
            raise refused.mistyped(table, days)
    whole = (f"coalesce({column.name} = floor({column.name}), true)" for column in table.columns if column.type == "integer")
    if cursor.execute(f"SELECT 1 FROM answer WHERE NOT ({' AND '.join(['true', *whole])}) LIMIT 1").fetchone():
        raise refused.mistyped(table, days)
    stored = ", ".join(f"{as_stored(column)} AS {column.name}" for column in table.columns)
    cursor.execute(f"CREATE TEMP VIEW new AS SELECT {stored} FROM answer")
    key = ", ".join(table.key)
    if found := cursor.execute(f"SELECT {key} FROM new GROUP BY {key} HAVING count(*) > 1 LIMIT 1").fetchone():
        raise refused.twice(table, found, days)


def stage(cursor: LakeCursor, table: Table, days: Days | str, rows: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
    """Puts the frames into the temporary table `answer`, with the declared types. Raises AttributionError for other values."""
    import pandas as pd

    cursor.execute(f"CREATE TEMP TABLE answer ({types_of(table)})")
    gathered: list[pa.Table] = []
    for frame in [rows] if isinstance(rows, pd.DataFrame) else rows:
        if not isinstance(frame, pd.DataFrame):
            raise AttributionError(f"The rows for {table.name} come as {type(frame).__name__}. {RETURN_THIS}")
        table.check([str(column) for column in frame.columns])
        try:
            arrays = [_array(frame[column.name], ARROW[column.type]) for column in table.columns]
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, UnicodeError) as error:
            raise refused.mistyped(table, days) from error
        gathered.append(pa.table(arrays, names=[*table.column_names]))
        if sum(map(len, gathered)) >= ROWS_PER_INSERT:
            _insert(cursor, gathered)
            gathered = []
    if gathered:
        _insert(cursor, gathered)


def _insert(cursor: LakeCursor, tables: list[pa.Table]) -> None:
    cursor.duck.register("gathered", pa.concat_tables(tables))
    cursor.execute("INSERT INTO answer SELECT * FROM gathered")
    cursor.duck.unregister("gathered")


def _array(values: pd.Series, type_: pa.DataType) -> pa.Array[Any]:
    return pa.array([None] * len(values) if values.isna().all() else values, type_, from_pandas=True)


def hand_over(staging: LakeCursor, cursor: LakeCursor, table: Table) -> None:
    """Copies the staged rows to a cursor of another state."""
    cursor.execute(f"CREATE TEMP TABLE answer ({types_of(table)})")
    cursor.duck.register("staged", answer_of(staging, "SELECT * FROM answer"))
    cursor.execute("INSERT INTO answer SELECT * FROM staged")
    cursor.duck.unregister("staged")


def answer_of(cursor: LakeCursor, select: str) -> pa.RecordBatchReader:
    """The rows in batches."""
    return cursor.duck.sql(select).to_arrow_reader(ROWS_PER_BATCH)
