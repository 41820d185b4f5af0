"""Rows of pandas frames, staged in a temporary table of an SQLite connection for it to take."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
from pandas.api.types import is_float_dtype, is_integer_dtype

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.query import RETURN_THIS
from attribution_assets.warehouse.schema import Table

UNSTORABLE = (sqlite3.ProgrammingError, sqlite3.InterfaceError, OverflowError, UnicodeEncodeError)
"""What sqlite3 raises for a value that it cannot store."""

HAS_TYPE: Mapping[str, Callable[[pd.Series], bool]] = {
    "text": lambda values: isinstance(values.dtype, pd.StringDtype),
    "integer": is_integer_dtype,
    "real": is_float_dtype,
}
"""Declared type -> whether a column of a frame holds nothing else."""


def stage(connection: sqlite3.Connection, table: Table, rows: pd.DataFrame | Iterable[pd.DataFrame]) -> bool:
    """Puts the frames into a temporary table, which is in a separate file, so that nothing is locked while they arrive.

    Returns whether their dtypes make it certain that all values are of the declared types.
    """
    typed = True
    columns = ", ".join(table.column_names)
    connection.execute(f"CREATE TEMP TABLE staged AS SELECT {columns} FROM main.{table.name} LIMIT 0")
    insert = f"INSERT INTO temp.staged ({columns}) VALUES ({', '.join('?' * len(table.columns))})"
    for frame in _frames(table, rows):
        table.check([str(column) for column in frame.columns])
        values = (_values(frame[column]) for column in table.column_names)
        connection.execute("BEGIN")
        try:
            connection.executemany(insert, zip(*values, strict=True))
        except UNSTORABLE as error:
            column = next(column for column in table.column_names if not _can_be_stored(connection, frame[column]))
            raise AttributionError(
                f"The rows for {table.name} contain a value in {column} that SQLite cannot store: {error}."
            ) from error
        connection.execute("COMMIT")
        typed = typed and all(HAS_TYPE[column.type](frame[column.name]) for column in table.columns)
    return typed


def _values(column: pd.Series) -> list[Any]:
    """The column's values for SQLite; missing values are None."""
    return (column.astype(object).where(column.notna(), None) if column.hasnans else column).tolist()


def _frames(table: Table, rows: pd.DataFrame | Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """The frames, each checked to be one. An SQLite error raised while computing them is not reported as one of this file."""
    try:
        for frame in [rows] if isinstance(rows, pd.DataFrame) else rows:
            if not isinstance(frame, pd.DataFrame):
                raise AttributionError(f"The rows for {table.name} come as {type(frame).__name__}. {RETURN_THIS}")
            yield frame
    except sqlite3.Error as error:
        raise AttributionError(f"The rows for {table.name} could not be computed: {error}.") from error


def _can_be_stored(connection: sqlite3.Connection, values: pd.Series) -> bool:
    try:
        for value in values.astype(object).where(values.notna(), None):
            connection.execute("SELECT ?", (value,))
    except UNSTORABLE:
        return False
    return True
