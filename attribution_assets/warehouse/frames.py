"""Rows as pandas frames of bounded size, made from what a cursor gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pandas as pd
from pandas.api.types import union_categoricals

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


def in_sum(frames: Iterable[pd.DataFrame], table: Table) -> pd.DataFrame:
    """The rows of all frames, those of one key as one row, in the order of the key: other columns are summed.

    Columns of text are categories here, and may be in the frames.
    """
    texts = {column.name: "category" for column in table.columns if column.type == "text"}
    total = _frame([], table, table.column_names).astype(texts)
    for frame in frames:
        total = stacked([total, frame.astype(texts)]).groupby([*table.key], as_index=False, observed=True).sum()
    return total


def stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all frames, one after another. A category that several have is one, and categories are in order."""

    def column(name: str) -> pd.Series:
        parts = [frame[name] for frame in frames]
        if isinstance(parts[0].dtype, pd.CategoricalDtype):
            return pd.Series(union_categoricals(parts, sort_categories=True))
        return pd.concat(parts, ignore_index=True)

    return pd.DataFrame({name: column(name) for name in frames[0].columns})


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
