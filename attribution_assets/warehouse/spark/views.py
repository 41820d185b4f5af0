"""The views before the sources in a Spark session, whatever types their files declare."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from attribution_assets.warehouse.schema import BROKEN_ROWS, Column, schema
from attribution_assets.warehouse.views import DAYS, TIMES, Reading, Stored, broken_rows, columns_there, views_of

STORED = "stored_"
"""What stands before the names of the sources as they are stored: the temporary views of a session have no schemas."""

WHOLE = "tinyint|smallint|int|bigint|boolean"
NUMBER = rf"{WHOLE}|decimal\(.*|float|double"
"""The types of Spark that are whole numbers, and numbers."""

NOT_TEXT = ((WHOLE + r"|decimal\(\d+,0\)", "integer"), (NUMBER, "real"), ("binary", "blob"))
"""The types of Spark whose values are of this kind, as `type_of` has it; those of all others are text."""

Columns = Mapping[str, str]
"""Of a source, the type of each column, by its name in lower case."""


def views_before(sources: Mapping[str, Columns], reading: Reading) -> dict[str, str]:
    """By name, the SELECT of each view before the sources, which the session has with STORED before their names.

    Where text is declared, a number reads as Spark spells it, and a date or time as YYYY-MM-DD or HH:MM:SS; of a timestamp, the
    part that the column is for. Where a number is declared, text reads as that number, or, if it is none, as NaN, so that
    guards find it.
    """

    def place(table: str) -> str:
        return f"{STORED}{table} AS {table}"

    def declared(table: str) -> Columns:
        return sources.get(table, {})

    def as_read(table: str, column: Column, name: str) -> str:
        return _as_read(column, name, declared(table)[name.rpartition(".")[2].lower()])

    def broken(lacking: Collection[str]) -> dict[str, str]:
        return {
            view: broken_rows(
                place(source), schema()[source], columns_there(schema()[source], declared(source), _kind, _as_read), lacking
            )
            for view, source in BROKEN_ROWS.items()
            if declared(source)
        }

    return views_of(Stored(place, declared, as_read, lambda _source, _read, select: select, broken), reading)


def _kind(type_: str) -> str:
    return next((kind for types, kind in NOT_TEXT if re.fullmatch(types, type_)), "text")


def _as_read(column: Column, name: str, type_: str) -> str:
    """The expression of a column whose declared type is `type_`, under its name, as our schema declares it."""
    if column.type == "text":
        if type_.startswith("timestamp") and column.name in DAYS:
            return f"CAST(CAST({name} AS date) AS text)"
        if type_.startswith("timestamp") and column.name in TIMES:
            return f"date_format({name}, 'HH:mm:ss.SSSSSS')"
        return name if type_ == "string" else f"CAST({name} AS text)"
    if re.fullmatch(WHOLE, type_) and column.type == "integer":
        return name if type_ == "bigint" else f"CAST({name} AS bigint)"
    if re.fullmatch(NUMBER, type_):
        return name if type_ == "double" else f"CAST({name} AS double)"
    return f"CASE WHEN {name} IS NOT NULL THEN coalesce(number_of({name}), CAST('nan' AS double)) END"
