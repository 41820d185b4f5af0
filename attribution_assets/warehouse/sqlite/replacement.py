"""How the rows of a range of days are replaced: delete, insert, verify, in the caller's transaction, which a problem undoes."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import refused
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.sqlite.sources import columns_of

STORED_AS = {"text": "('text')", "integer": "('integer')", "real": "('real', 'integer')"}
"""Declared type -> SQLite's storage classes of its values."""

Parameters = Mapping[str, Any]
"""The values of a statement's named parameters."""

PARAMETER = re.compile(r"\$\w+")
"""A parameter in a statement."""


@dataclass(frozen=True)
class NewRows:
    """The rows to insert, as a SELECT. `typed`: whether all values are certain to have the declared types."""

    select: str
    parameters: Parameters
    typed: bool = False


@dataclass(frozen=True)
class Replacement:
    """The replacement of exactly the days of a table, on one connection."""

    connection: sqlite3.Connection
    table: Table
    day_column: str
    days: Days

    def make(self, rows: NewRows) -> dict[str, int]:
        """Replaces the days by the rows, and returns the number of rows of each day that has rows.

        Raises AttributionError for rows that cannot be stored under these days.
        """
        columns = self._columns(rows)
        everything = not has_rows_beside(self.connection, self.table, self.day_column, self.days)
        self._delete(everything=everything)
        inserted = self._insert(columns, rows)
        written = self._count()
        self._prove(rows, inserted, written)
        if self.day_column not in self.table.key and not everything:
            self._release_moved()
        return written

    @property
    def _bounds(self) -> dict[str, str]:
        return {"first": self.days.first, "last": self.days.last}

    @property
    def _of_days(self) -> str:
        return f"{self.day_column} BETWEEN :first AND :last"

    def _columns(self, rows: NewRows) -> list[str]:
        """The table's columns in the order in which the rows have them, whatever their case.

        A view has them without computing rows. LIMIT 0 would compute each part of the query that is used more than once.
        """
        in_any_case = {column.lower(): column for column in self.table.column_names}
        self.connection.execute(f"CREATE TEMP VIEW new_rows AS {PARAMETER.sub('NULL', rows.select)}")
        given = self.connection.execute("SELECT name FROM pragma_table_info('new_rows')").fetchall()
        self.connection.execute("DROP VIEW temp.new_rows")
        columns = [in_any_case.get(name.lower(), name) for (name,) in given]
        self.table.check(columns)
        return columns

    def _delete(self, *, everything: bool) -> None:
        self.connection.execute(
            f"DELETE FROM {self.table.name}" + ("" if everything else f" WHERE {self._of_days}"), self._bounds
        )

    def _insert(self, columns: list[str], rows: NewRows) -> int:
        try:
            return self.connection.execute(
                f"INSERT OR REPLACE INTO {self.table.name} ({', '.join(columns)}) {rows.select}", rows.parameters
            ).rowcount
        except sqlite3.IntegrityError as error:
            raise refused.missing(self.table, self.days, str(error)) from error

    def _count(self) -> dict[str, int]:
        counts = f"SELECT {self.day_column}, count(*) FROM {self.table.name} WHERE {self._of_days} GROUP BY {self.day_column}"
        return dict(self.connection.execute(counts, self._bounds).fetchall())

    def _prove(self, rows: NewRows, inserted: int, written: Mapping[str, int]) -> None:
        """Verifies that every row belongs to one of the days, has a unique key, and has values of the declared types."""
        all_days = set(self.days)
        if sum(count for day, count in written.items() if day in all_days) != inserted:
            raise self._why_rows_are_lost(rows)
        if rows.typed:
            return
        mistyped = " OR ".join(
            f"(typeof({column.name}) NOT IN {STORED_AS[column.type]} AND ({column.name} IS NOT NULL OR {int(column.required)}))"
            for column in self.table.columns
        )
        bad = self.connection.execute(
            f"SELECT {self.day_column} FROM {self.table.name} WHERE {self._of_days} AND ({mistyped}) "
            f"ORDER BY {self.day_column} LIMIT 1",
            self._bounds,
        ).fetchone()
        if bad:
            raise refused.mistyped(self.table, bad[0])

    def _release_moved(self) -> None:
        """Deletes the rows under other days of conversions that now belong to these days."""
        unit = self.table.key[0]
        of_these_days = f"SELECT {unit} FROM {self.table.name} WHERE {self._of_days}"
        if (unit, self.day_column) == ("conv_id", "conv_date") and columns_of(self.connection, "conversions"):
            of_these_days += (
                f" UNION SELECT conv_id FROM conversions WHERE {self._of_days}"  # also those left without a session
            )
        self.connection.execute(
            f"DELETE FROM {self.table.name} WHERE {unit} IN ({of_these_days}) "
            f"AND ({self.day_column} IS NULL OR {self.day_column} NOT BETWEEN :first AND :last)",
            self._bounds,
        )

    def _why_rows_are_lost(self, rows: NewRows) -> AttributionError:
        """Why some new rows were not stored under the days: a row is outside them, or two rows have the same key."""
        all_days = set(self.days)
        new_days = self.connection.execute(f"SELECT DISTINCT {self.day_column} FROM ({rows.select}\n)", rows.parameters)
        outside = [day for (day,) in new_days.fetchall() if day not in all_days]
        if outside:
            return refused.outside(self.table, self.day_column, outside[0], self.days)
        key = ", ".join(self.table.key)
        twice = self.connection.execute(
            f"SELECT {key} FROM ({rows.select}\n) GROUP BY {key} HAVING count(*) > 1 LIMIT 1", rows.parameters
        ).fetchone()
        return refused.twice(self.table, twice, self.days)


def has_rows_beside(connection: sqlite3.Connection, table: Table, day_column: str, days: Days) -> bool:
    """Whether the table has rows of other days. If not, all rows can be deleted at once, which is much faster."""
    beside = (f"{day_column} < :first", f"{day_column} > :last", f"{day_column} IS NULL")
    found = " OR ".join(f"EXISTS (SELECT 1 FROM {table.name} WHERE {condition})" for condition in beside)
    return bool(connection.execute(f"SELECT {found}", {"first": days.first, "last": days.last}).fetchone()[0])
