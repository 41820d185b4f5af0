"""Rows as pandas frames of bounded size, made from what a cursor gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.schema import Column, Table
from attribution_assets.warehouse.warehouse import Cursor

DTYPES = {"text": "str", "integer": "int64", "real": "float64"}
"""Declared type -> dtype of a column that is read and has no missing values."""


def in_frames(cursor: Cursor, table: Table, rows_per_frame: int) -> Iterator[pd.DataFrame]:
    """The cursor's rows; rows with the same leading key stay together."""
    columns = [column for column, *_ in cursor.description or ()]
    leading = columns.index(table.key[0])
    held: list[tuple[Any, ...]] = []
    while rows := cursor.fetchmany(rows_per_frame):
        held += rows
        cut = len(held) - 1
        while cut and held[cut - 1][leading] == held[-1][leading]:
            cut -= 1
        if cut:
            yield _frame(held[:cut], table, columns)
            held = held[cut:]
    if held:
        yield _frame(held, table, columns)


def one_frame(frames: Iterable[pd.DataFrame], table: Table, order: Sequence[str]) -> pd.DataFrame:
    """All rows of the frames, in this order of columns; dtypes as declared, also where there are none."""
    return pd.concat([_frame([], table, table.column_names), *frames]).sort_values(list(order), ignore_index=True)


def _frame(rows: Sequence[tuple[Any, ...]], table: Table, columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))[list(table.column_names)]
    try:
        return frame.astype(dtypes(table))
    except (TypeError, ValueError) as error:
        raise AttributionError(f"{table.name} contains a value that does not have its column's type: {error}.") from error


def dtypes(table: Table) -> dict[str, str]:
    """The dtype of each column that is read."""
    return {column.name: _dtype(column) for column in table.columns}


def _dtype(column: Column) -> str:
    """The dtype of a column that is read. A whole number that may be missing needs one that knows missing values."""
    return "Int64" if column.type == "integer" and not column.required else DTYPES[column.type]
