"""The views before the sources in a PostgreSQL schema, whatever types their columns have."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from attribution_assets.warehouse.schema import BROKEN_ROWS, Column, Table, schema
from attribution_assets.warehouse.views import DAYS, TIMES, Reading, Stored, StoredColumn, broken_rows, views_of

Columns = Mapping[str, str]
"""Of a table, the type of each column, by its name."""

WHOLE = r"smallint|integer|bigint|boolean"
NUMBER = rf"{WHOLE}|numeric.*|real|double precision"
"""PostgreSQL's names of types, as `format_type` gives them."""


def views_before(sources: Mapping[str, tuple[str, Columns]], reading: Reading) -> dict[str, str]:
    """By name, the SELECT of each view before the sources: `sources` has, by name, where each is, and its columns.

    Where text is declared, a number reads as the server spells it, and a date or time as YYYY-MM-DD or HH:MM:SS; of a
    timestamp, the part that the column is for. Where a number is declared, text reads as that number, or, if it is none, as
    NaN, so that guards find it. Text is compared byte for byte.
    """

    def declared(table: str) -> Columns:
        return sources[table][1] if table in sources else {}

    def place(table: str) -> str:
        return sources[table][0]

    def as_read(table: str, column: Column, name: str) -> str:
        return _as_read(column, name, declared(table)[name.rpartition(".")[2].lower()])

    def broken(lacking: Collection[str]) -> dict[str, str]:
        return {
            view: broken_rows(place(source), schema()[source], _columns_of(schema()[source], declared(source)), lacking)
            for view, source in BROKEN_ROWS.items()
            if source in sources
        }

    return views_of(Stored(place, declared, as_read, lambda _source, _read, select: select, broken), reading)


def _columns_of(source: Table, types: Columns) -> dict[str, StoredColumn]:
    """The declared columns that the source has."""
    return {
        column.name: StoredColumn(
            _kind(types[column.name]),
            _as_stored(column.name, types[column.name]),
            _as_read(column, column.name, types[column.name]),
        )
        for column in source.columns
        if column.name in types
    }


def _kind(type_: str) -> str:
    if re.fullmatch(WHOLE, type_):
        return "integer"
    return "real" if re.fullmatch(NUMBER, type_) else "blob" if type_ == "bytea" else "text"


def _as_stored(name: str, type_: str) -> str:
    """The expression of a column as text, a whole number or a number."""
    kind = _kind(type_)
    if kind in ("text", "blob"):
        return _text(name, type_)
    return _as_number(name, type_, "bigint" if kind == "integer" else "double precision")


def _text(name: str, type_: str) -> str:
    return f'{name} COLLATE "C"' if re.fullmatch("text|character varying.*", type_) else f'CAST({name} AS text) COLLATE "C"'


def _as_number(name: str, type_: str, as_: str) -> str:
    if type_ == as_:
        return name
    by = {"boolean": "integer", "real": "text"}.get(type_)  # a real has the digits that it was written with
    return f"CAST(CAST({name} AS {by}) AS {as_})" if by else f"CAST({name} AS {as_})"


def _as_read(column: Column, name: str, type_: str) -> str:
    """The expression of a column of the type, under its name, as our schema declares it."""
    if column.type == "text":
        if type_ == "timestamp with time zone":
            name, type_ = f"({name} AT TIME ZONE 'UTC')", "timestamp"
        if type_.startswith("timestamp") and column.name in (*DAYS, *TIMES):
            return f'CAST(CAST({name} AS {"date" if column.name in DAYS else "time"}) AS text) COLLATE "C"'
        return _text(name, type_)
    if re.fullmatch(WHOLE, type_) and column.type == "integer":
        return _as_number(name, type_, "bigint")
    if re.fullmatch(NUMBER, type_):
        return _as_number(name, type_, "double precision")
    return f"CASE WHEN {name} IS NOT NULL THEN coalesce(number_of(CAST({name} AS text)), CAST('NaN' AS double precision)) END"
