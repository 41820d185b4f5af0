"""The views before the sources in a DuckDB connection, whatever types their files declare."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.schema import BROKEN_ROWS, Column, schema
from attribution_assets.warehouse.views import DAYS, TIMES, Reading, Stored, broken_rows, columns_there, views_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORED = "stored"
"""The schema with the tables of the user's and ours, as tables or views."""

WHOLE = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN"
NUMBER = rf"{WHOLE}|DECIMAL\(.*|FLOAT|DOUBLE"
"""The types of DuckDB that are whole numbers, and numbers."""

NOT_TEXT = ((WHOLE + r"|DECIMAL\(\d+,0\)", "integer"), (NUMBER, "real"), ("BLOB", "blob"))
"""The types of DuckDB whose values are of this kind, as `type_of` has it; those of all others are text."""


def add_views(connection: DuckDBPyConnection, reading: Reading) -> dict[str, str]:
    """Puts a view before each source of the schema `stored`, under its name in the schema `main`. Returns their SELECTs.

    The connection has the functions of `functions.add_to_duckdb` and the search path `main,stored`. Where text is declared, a
    number reads as SQLite spells it, and a date or time as YYYY-MM-DD or HH:MM:SS; of a timestamp, the part that the column is
    for. Where a number is declared, text reads as that number, or, if it is none, as NaN, so that guards find it.
    """
    views = {name: in_dialect(select, "duckdb") for name, select in views_of(stored_in(connection), reading).items()}
    for name, select in views.items():
        connection.execute(f"CREATE OR REPLACE VIEW main.{name} AS {select}")
    return views


def stored_in(connection: DuckDBPyConnection) -> Stored:
    """The tables and views in the schema `stored`."""
    asked = (
        "SELECT lower(table_name), lower(column_name), data_type FROM duckdb_columns() "
        "WHERE database_name = current_database() AND schema_name = ? ORDER BY column_index"
    )
    tables: dict[str, dict[str, str]] = {}
    for table, column, type_ in connection.execute(asked, [STORED]).fetchall():
        tables.setdefault(table, {})[column] = type_

    def declared(table: str) -> Mapping[str, str]:
        return tables.get(table, {})

    def as_read(table: str, column: Column, name: str) -> str:
        return _as_read(column, name, declared(table)[name.rpartition(".")[2].lower()])

    def place(table: str) -> str:
        return f"{STORED}.{table}"

    def broken(lacking: Collection[str]) -> dict[str, str]:
        return {
            view: broken_rows(
                place(source), schema()[source], columns_there(schema()[source], declared(source), _kind, _as_read), lacking
            )
            for view, source in BROKEN_ROWS.items()
            if declared(source)
        }

    return Stored(place, declared, as_read, lambda _source, _read, select: select, broken)


def _kind(type_: str) -> str:
    return next((kind for types, kind in NOT_TEXT if re.fullmatch(types, type_)), "text")


def _as_read(column: Column, name: str, type_: str) -> str:
    """The expression of a column whose declared type is `type_`, under its name, as our schema declares it."""
    if column.type == "text":
        if type_ == "TIMESTAMP WITH TIME ZONE":
            name = f"({name} AT TIME ZONE 'UTC')"
        if type_.startswith("TIMESTAMP") and column.name in DAYS:
            return f"CAST(CAST({name} AS date) AS text)"
        if type_.startswith("TIMESTAMP") and column.name in TIMES:
            return f"CAST(CAST({name} AS time) AS text)"
        return name if type_ == "VARCHAR" else f"CAST({name} AS text)"
    if re.fullmatch(WHOLE, type_) and column.type == "integer":
        return name if type_ == "BIGINT" else f"CAST({name} AS bigint)"
    if re.fullmatch(NUMBER, type_):
        return name if type_ == "DOUBLE" else f"CAST({name} AS double)"
    return f"CASE WHEN {name} IS NOT NULL THEN coalesce(number_of({name}), 'nan') END"
