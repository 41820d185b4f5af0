"""How the rows of a range of days are replaced on a PostgreSQL server: delete, insert, verify, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import refused
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.postgres.connection import PostgresConnection, as_statement, quoted
from attribution_assets.warehouse.query import RETURN_THIS
from attribution_assets.warehouse.schema import Column, Table

if TYPE_CHECKING:
    import pandas as pd

STAGED_AS = {"text": 'text COLLATE "C"', "integer": "numeric", "real": "double precision"}
"""Declared type -> that of a column of staged rows: a number that should be whole is seen to be."""

NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")
GIVEN_AS = {"text": ("text", "varchar", "bpchar"), "integer": NUMBERS, "real": NUMBERS}
"""Declared type -> the types of an answer's column whose values are stored as it; of others, only NULL is."""

MISTYPED = (psycopg.DataError, psycopg.errors.DatatypeMismatch, UnicodeError, OverflowError)
"""What the server and its driver say of a value that has not the type of its column."""


@dataclass(frozen=True)
class Replacement:
    """The replacement of exactly the days of a table, on one connection, in a transaction that holds the table's lock."""

    connection: PostgresConnection
    table: Table
    day_column: str
    days: Days

    def make(self, select: str, parameters: Mapping[str, Any]) -> dict[str, int]:
        """Replaces the days by the rows of the SELECT, and returns the number of rows of each day that has rows.

        Raises AttributionError for rows that cannot be stored under these days.
        """
        self._run(f"DELETE FROM {self.table.name} WHERE {self._of_days}")
        inserted = insert(self.connection, self.table, self.days, select, parameters)
        counted = f"SELECT {self._day}, count(*) FROM {self.table.name} WHERE {self._of_days} GROUP BY 1"
        written = dict(self._run(counted).fetchall())
        if sum(count for day, count in written.items() if day in {*self.days}) != inserted:
            raise self._outside(select, parameters)
        if self.day_column not in self.table.key:
            self._release_moved()
        return written

    @property
    def _day(self) -> str:
        return quoted(self.day_column)

    @property
    def _of_days(self) -> str:
        return f"{self._day} BETWEEN $first AND $last"

    def _run(self, statement: str) -> psycopg.Cursor[tuple[Any, ...]]:
        bounds = {"first": self.days.first, "last": self.days.last}
        return self.connection.driver.execute(as_statement(statement), bounds)

    def _release_moved(self) -> None:
        """Deletes the rows under other days of conversions that now belong to these days."""
        unit = self.table.key[0]
        of_these_days = f"SELECT {unit} FROM {self.table.name} WHERE {self._of_days}"
        if (unit, self.day_column) == ("conv_id", "conv_date") and self.connection.columns("conversions"):
            self.connection.execute("SELECT 1 FROM conversions LIMIT 0")  # makes the view
            of_these_days += (
                f" UNION SELECT conv_id FROM conversions WHERE {self._of_days}"  # also those left without a session
            )
        self._run(
            f"DELETE FROM {self.table.name} WHERE {unit} IN ({of_these_days}) AND {self._day} NOT BETWEEN $first AND $last"
        )

    def _outside(self, select: str, parameters: Mapping[str, Any]) -> AttributionError:
        """Why some new rows were not stored under the days: a row is outside them."""
        all_days = {*self.days}
        new_days = self.connection.execute(f"SELECT DISTINCT {self._day} FROM ({select}\n) AS new", parameters)
        outside = [day for (day,) in new_days.fetchall() if day not in all_days]
        return refused.outside(self.table, self.day_column, outside[0], self.days)


def insert(connection: PostgresConnection, table: Table, days: Days | str, select: str, parameters: Mapping[str, Any]) -> int:
    """Inserts the rows of the SELECT, in place of those with the same key, and returns their number.

    Raises AttributionError for missing or unknown columns, and for what the server refuses: NULL, a value of another type, a
    key given twice.
    """
    given = connection.execute(f"SELECT * FROM ({select}\n) AS new LIMIT 0", parameters).description or ()
    in_any_case = {column.lower(): column for column in table.column_names}
    types = {in_any_case.get(name.lower(), name): (name, code) for name, code, *_ in given}
    table.check([in_any_case.get(name.lower(), name) for name, *_ in given])
    infos = connection.driver.adapters.types
    other = [
        quoted(name)
        for column in table.columns
        for name, code in [types[column.name]]
        if (info := infos.get(code)) and info.name not in GIVEN_AS[column.type]
    ]
    has_some = " OR ".join(f"{name} IS NOT NULL" for name in other)
    if other and connection.execute(f"SELECT 1 FROM ({select}\n) AS new WHERE {has_some} LIMIT 1", parameters).fetchone():
        raise refused.mistyped(table, days)
    read = ", ".join(_as_stored(column, quoted(types[column.name][0])) for column in table.columns)
    names, key = (", ".join(map(quoted, columns)) for columns in (table.column_names, table.key))
    new = ", ".join(f"{quoted(name)} = excluded.{quoted(name)}" for name in table.column_names)
    try:
        with connection.driver.transaction():
            rows = f"INSERT INTO {table.name} ({names}) SELECT {read} FROM ({select}\n) AS new"
            return connection.driver.execute(
                as_statement(f"{rows} ON CONFLICT ({key}) DO UPDATE SET {new}"), parameters
            ).rowcount
    except psycopg.errors.NotNullViolation as error:
        raise refused.missing(table, days, f"{table.name}.{error.diag.column_name} is NULL in one of them") from error
    except psycopg.errors.CardinalityViolation as error:
        asked = f"SELECT {key} FROM ({select}\n) AS new GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
        raise refused.twice(table, connection.execute(asked, parameters).fetchone(), days) from error
    except MISTYPED as error:
        raise refused.mistyped(table, days) from error


def _as_stored(column: Column, name: str) -> str:
    """The expression of a value as it is stored: a whole number that is none fails, and 0 stands for -0."""
    if column.type == "integer":
        return f"CAST(CAST(trim_scale(CAST({name} AS numeric)) AS text) AS bigint)"
    return f"CAST({name} AS double precision) + 0.0" if column.type == "real" else f"CAST({name} AS text)"


def stage(connection: PostgresConnection, table: Table, days: Days | str, rows: pd.DataFrame | Iterable[pd.DataFrame]) -> str:
    """Copies the frames into a temporary table, before anything is locked, and returns the SELECT of its rows."""
    import pandas as pd

    driver = connection.driver
    columns = ", ".join(f"{quoted(column.name)} {STAGED_AS[column.type]}" for column in table.columns)
    driver.execute(f"CREATE TEMP TABLE staged ({columns})")
    for frame in [rows] if isinstance(rows, pd.DataFrame) else rows:
        if not isinstance(frame, pd.DataFrame):
            raise AttributionError(f"The rows for {table.name} come as {type(frame).__name__}. {RETURN_THIS}")
        table.check([str(column) for column in frame.columns])
        values = [_values(frame[column.name]) for column in table.columns]
        try:
            with driver.cursor().copy("COPY pg_temp.staged FROM STDIN") as copy:
                for row in zip(*values, strict=True):
                    copy.write_row(row)
        except MISTYPED as error:
            raise refused.mistyped(table, days) from error
    return "SELECT * FROM pg_temp.staged"


def _values(column: pd.Series) -> Sequence[Any]:
    """The column's values for the server; missing values are None, and truth is 0 or 1."""
    values = column.astype("int64") if column.dtype == bool else column
    return (values.astype(object).where(values.notna(), None) if values.hasnans else values).tolist()
