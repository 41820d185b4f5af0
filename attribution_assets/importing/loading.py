"""Rows into a source table: what is new, changed or equal, and all of it in one transaction."""

from __future__ import annotations

import csv
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.importing.channel_rules import UNASSIGNED
from attribution_assets.importing.mapping import Importing, closest
from attribution_assets.importing.reading import opened
from attribution_assets.importing.values import DAY_AND_TIME, REPLACED_TOGETHER, TypedRows, key_of, typed_rows
from attribution_assets.warehouse import engagement
from attribution_assets.warehouse.duckdb.compute import READS_AS
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, Table, schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse, transaction
from attribution_assets.warehouse.sqlite.sources import columns_of
from attribution_assets.warehouse.sqlite.views import is_table
from attribution_assets.warehouse.urls import shown

SHOWN = 5
"""How many broken rows are shown."""

CACHE = 256 * 1024
"""How much of the file an import keeps in memory, in KiB: keys come in any order."""

NEW, CHANGED, EQUAL = range(3)


@dataclass(frozen=True)
class Imported:
    """What an import did, or would do: numbers of rows.

    `days` are the first and last of the sound rows, or None. `channels`: how many of these got each channel by the rules.
    `engagement_rules`: how many got engagement flags by each rule. Both are None where the file has them itself. `problems` are
    the first broken rows in words.
    """

    table: str
    source: str
    new: int
    changed: int
    equal: int
    deleted: int
    broken: int
    skipped: int
    days: tuple[str, str] | None
    nonexistent_times: int
    repeated_times: int
    channels: dict[str, int] | None = None
    engagement_rules: dict[str, int] | None = None
    problems: tuple[str, ...] = ()

    def summary(self) -> dict[str, Any]:
        """The same for programs."""
        told = {name: value for name, value in vars(self).items() if name != "problems" and value is not None}
        first, last = self.days or (None, None)
        counted = {
            name: [{one: value, "sessions": sessions} for value, sessions in told[name].items()]
            for name, one in (("channels", "channel"), ("engagement_rules", "engagement_rule"))
            if name in told
        }
        return told | counted | {"days": {"start": first, "end": last}}


def import_source(
    warehouse: SQLiteWarehouse,
    table: str,
    source: str,
    mapping: Importing,
    *,
    replace_days: bool = False,
    check: bool = False,
    skip_broken: Path | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Imports a file, the table of an SQLite file as `file:table`, or what a server has, into a source table of the database.

    The database and the table are made where there are none. Rows are replaced by their key; with `replace_days`, the other
    rows of the days that occur are deleted. With `check`, nothing is written. Broken rows go into the CSV file `skip_broken`.
    Raises AttributionError, with everything as it was, where the file or the mapping is wrong, and for broken rows without
    `skip_broken`.
    """
    if table not in (importable := (*ALL_SOURCES, *FURTHER)):
        raise NotFoundError(f"There is no source table {table}. {closest(table, importable)}")
    declared = schema()[table]
    if replace_days and table not in DAY_AND_TIME:
        raise AttributionError(f"{table} has no days to replace: its rows have none. Leave out --replace-days.")
    name = shown(source)
    tell(f"Reading {name}")
    with opened(source, mapping) as read:
        tell(f"Casting the rows of {name}")
        rows = typed_rows(read, declared, mapping)
        problems = tuple(rows.problems(SHOWN))
        if rows.broken and not check and skip_broken is None:
            raise AttributionError(_stopped(name, rows.broken, problems))
        if skip_broken and not check:
            _set_aside(rows, skip_broken)
        tell(f"Writing {table}")
        rows.stage()
        counted = _Load(warehouse, declared, rows, replace_days=replace_days).run(check=check)
    skipped = rows.broken if skip_broken else 0
    return Imported(
        table=table,
        source=name,
        **counted,
        broken=rows.broken,
        skipped=skipped,
        nonexistent_times=rows.nonexistent_times,
        repeated_times=rows.repeated_times,
        problems=problems,
    )


def _stopped(source: str, broken: int, problems: tuple[str, ...]) -> str:
    more = " There are more such rows." if broken > len(problems) else ""
    return (
        f"{source} has {broken:,} broken row{'' if broken == 1 else 's'}, so nothing was imported: {'; '.join(problems)}."
        f"{more} Fix them, or set them aside with --skip-broken FILE."
    )


def _set_aside(rows: TypedRows, file: Path) -> None:
    if rows.source.file and file.exists() and file.samefile(rows.source.file):
        raise AttributionError(f"{file} is the file that is imported. Choose another file with --skip-broken.")
    try:
        with file.open("w", encoding="utf-8", newline="") as written:
            writer = csv.writer(written)
            writer.writerow([*rows.source.columns, "problem"])
            writer.writerows(rows.broken_rows())
    except OSError as error:
        raise AttributionError(
            f"{file} cannot be written: {error.strerror}. Choose another file with --skip-broken."
        ) from error


@dataclass(frozen=True)
class _Load:
    """The staged rows, and the table that they come into."""

    warehouse: SQLiteWarehouse
    table: Table
    rows: TypedRows
    replace_days: bool

    @property
    def _name(self) -> str:
        return self.table.name

    @property
    def _day(self) -> str:
        """The day of a row, as an expression."""
        day, time = DAY_AND_TIME[self._name]
        return f"substr({day}, 1, 10)" if day == time else day

    def run(self, *, check: bool) -> dict[str, Any]:
        """Counts what is new, changed, equal and deleted, and writes it unless it is only to be checked."""
        path = self.warehouse.path
        if not path.exists() and check:
            with closing(sqlite3.connect(":memory:")) as connection:
                self._attach(connection)
                return self._told(connection, {NEW: self._number(connection)}, 0)
        if not path.exists():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            except OSError as error:
                raise AttributionError(f"{path} cannot be written: {error.strerror}. Choose another --database.") from error
        with self.warehouse.connect() as connection:
            connection.execute(f"PRAGMA cache_size = -{CACHE}")
            self._attach(connection)
            with nullcontext() if check else transaction(connection):
                return self._load(connection, check=check)

    @property
    def _added(self) -> set[str]:
        """The columns that a table gets if it lacks them."""
        return {*self.rows.given, engagement.RULE} & {*self.rows.columns} - {*self.rows.unneeded, *engagement.FLAGS}

    def _attach(self, connection: sqlite3.Connection) -> None:
        connection.execute("ATTACH ? AS staging", (str(self.rows.source.staged),))
        if self.replace_days:
            connection.execute(
                f"CREATE INDEX staging.rows_by_key ON rows ({', '.join(key_of(self.table) or REPLACED_TOGETHER[self._name])})"
            )

    def _load(self, connection: sqlite3.Connection, *, check: bool) -> dict[str, Any]:
        there = self._columns_there(connection)
        missing = [column for column in self.table.columns if column.name in self._added and column.name not in there]
        if not there and not check:
            connection.execute(self._statement())
        elif not check:
            for column in missing:
                connection.execute(f"ALTER TABLE main.{self._name} ADD COLUMN {column.name} {column.type}")
        if not there or not connection.execute(f"SELECT EXISTS (SELECT 1 FROM main.{self._name})").fetchone()[0]:
            fates, deleted = {NEW: self._number(connection)}, 0
        else:
            stored = _Stored(self._name, frozenset(there if check else {*there, *(column.name for column in missing)}))
            fates = self._classify(connection, stored)
            deleted = self._delete_others(connection, stored, check=check)
        if not check:
            self._write(connection, fates)
        return self._told(connection, fates, deleted)

    def _columns_there(self, connection: sqlite3.Connection) -> list[str]:
        """The columns of the table; none where it does not exist. Raises AttributionError where it cannot take the rows."""
        there = columns_of(connection, self._name)
        if there and not is_table(connection, self._name):
            raise AttributionError(
                f"{self._name} in {self.warehouse.path} is a view, so nothing can be imported into it. "
                "Import into another --database."
            )
        for column in self.table.columns if there else ():
            if column.required and column.name not in {*there, *self.rows.derived.intersection(engagement.FLAGS)}:
                raise AttributionError(
                    f"{self._name} in {self.warehouse.path} has no column {column.name}. "
                    "Add it, or import into another --database."
                )
        return there

    def _statement(self) -> str:
        """The statement that creates the table, with the columns of the rows and the key by which they are told apart."""
        lines = [
            f"{column.name} {column.type}{' NOT NULL' if column.required else ''}"
            for column in self.table.columns
            if column.name in self.rows.columns and column.name not in self.rows.unneeded
        ]
        if key := key_of(self.table):
            lines.append(f"PRIMARY KEY ({', '.join(key)})")
        return f"CREATE TABLE main.{self._name} (\n    " + ",\n    ".join(lines) + "\n)"

    def _classify(self, connection: sqlite3.Connection, stored: _Stored) -> dict[int, int]:
        """Whether each staged row is new, changed or equal, in the table `fates`, and how many of each there are."""
        connection.execute("CREATE TEMP TABLE fates (number integer PRIMARY KEY, fate integer)")
        if key_of(self.table):
            equal = " AND ".join(f"{stored.column(name)} IS staged.{name}" for name in self.rows.given)
            connection.execute(
                f"INSERT INTO temp.fates SELECT staged.rowid, CASE WHEN stored.{self.table.key[0]} IS NULL THEN {NEW} "
                f"WHEN {equal} THEN {EQUAL} ELSE {CHANGED} END "
                f"FROM staging.rows AS staged LEFT JOIN main.{self._name} AS stored ON {stored.same_key} "
                "WHERE true ON CONFLICT DO UPDATE SET fate = min(fate, excluded.fate)"
            )
        else:
            self._match_copies(connection, stored)
            connection.execute(
                f"INSERT INTO temp.fates SELECT rowid, CASE WHEN rowid IN (SELECT staged FROM temp.copies) THEN {EQUAL} "
                f"ELSE {NEW} END FROM staging.rows"
            )
        return dict(connection.execute("SELECT fate, count(*) FROM temp.fates GROUP BY fate").fetchall())

    def _match_copies(self, connection: sqlite3.Connection, stored: _Stored) -> None:
        """The table `copies` of pairs of a staged and a stored row that are equal: the first with the first, and so on."""
        given = ", ".join(self.rows.given)
        there = ", ".join(f"{stored.column(name)} AS {name}" for name in self.rows.given)
        equal = " AND ".join(f"staged.{name} IS stored.{name}" for name in (*self.rows.given, "copy"))
        numbered = f"SELECT *, row_number() OVER (PARTITION BY {given} ORDER BY number) AS copy FROM"
        connection.execute(
            "CREATE TEMP TABLE copies AS SELECT staged.number AS staged, stored.number AS stored "
            f"FROM ({numbered} (SELECT rowid AS number, {given} FROM staging.rows)) AS staged "
            f"JOIN ({numbered} (SELECT rowid AS number, {there} FROM main.{self._name} AS stored)) AS stored ON {equal}"
        )

    def _delete_others(self, connection: sqlite3.Connection, stored: _Stored, *, check: bool) -> int:
        """Deletes the stored rows that the staged ones replace together, but for those that are staged; their number."""
        together = REPLACED_TOGETHER.get(self._name)
        others = []
        if self.replace_days:
            others.append(f"{self._day} IN (SELECT DISTINCT {self._day} FROM staging.rows)")
        if together:
            others.append(f"({', '.join(together)}) IN (SELECT {', '.join(together)} FROM staging.rows)")
        if not others:
            return 0
        replaced = (
            "stored.rowid IN (SELECT copies.stored FROM temp.copies)"
            if together
            else f"EXISTS (SELECT 1 FROM staging.rows AS staged WHERE {stored.same_key})"
        )
        rows = f"FROM main.{self._name} AS stored WHERE ({' OR '.join(others)}) AND NOT {replaced}"
        if check:
            return int(connection.execute(f"SELECT count(*) {rows}").fetchone()[0])
        return connection.execute(f"DELETE {rows}").rowcount

    def _write(self, connection: sqlite3.Connection, fates: dict[int, int]) -> None:
        there = frozenset(columns_of(connection, self._name))
        columns = [name for name in self.rows.columns if name in there]
        try:
            if fates.get(CHANGED):
                values = ", ".join(
                    f"{name} = staged.{name}" for name in self.rows.given if name in there - {*key_of(self.table)}
                )
                connection.execute(
                    f"UPDATE main.{self._name} AS stored SET {values} FROM temp.fates JOIN staging.rows AS staged "
                    f"ON staged.rowid = fates.number WHERE fate = {CHANGED} AND {_Stored(self._name, there).same_key}"
                )
            if fates.get(NEW):
                values = ", ".join(f"staged.{name}" for name in columns)
                everything = set(fates) == {NEW}
                new = "" if everything else f"JOIN temp.fates ON staged.rowid = number WHERE fate = {NEW}"
                connection.execute(
                    f"INSERT INTO main.{self._name} ({', '.join(columns)}) "
                    f"SELECT {values} FROM staging.rows AS staged {new} ORDER BY staged.rowid"
                )
        except sqlite3.IntegrityError as error:
            raise AttributionError(
                f"{self._name} in {self.warehouse.path} refuses a row of {self.rows.source.name}: {error}. "
                f"Its rows are told apart by {', '.join(key_of(self.table)) or 'nothing'} in an import; declare it so."
            ) from error
        self._check_declared(connection, _Stored(self._name, there))

    def _check_declared(self, connection: sqlite3.Connection, stored: _Stored) -> None:
        """Raises AttributionError where text is stored as a number that is written otherwise."""
        declared = dict(connection.execute("SELECT lower(name), type FROM pragma_table_xinfo(?, 'main')", (self._name,)))
        for column in self.table.columns:
            if column.name not in declared.keys() & {*self.rows.given} & {*REPLACED_TOGETHER.get(self._name, self.rows.given)}:
                continue
            type_ = declared[column.name]
            if column.type != "text" or re.search(READS_AS["text"], type_, re.IGNORECASE):
                continue
            other = connection.execute(
                f"SELECT staged.{column.name}, stored.{column.name} "
                f"FROM staging.rows AS staged JOIN main.{self._name} AS stored ON {stored.same_key} "
                f"WHERE CAST(stored.{column.name} AS text) <> staged.{column.name} LIMIT 1"
            ).fetchone()
            if other:
                raise AttributionError(
                    f"{self._name}.{column.name} in {self.warehouse.path} is declared {type_}, which makes {other[1]!r} of "
                    f"{other[0]!r}. Declare it as text."
                )

    @staticmethod
    def _number(connection: sqlite3.Connection) -> int:
        [(number,)] = connection.execute("SELECT count(*) FROM staging.rows")
        return int(number)

    def _told(self, connection: sqlite3.Connection, fates: dict[int, int], deleted: int) -> dict[str, Any]:
        days = None
        if self._name in DAY_AND_TIME:
            [(first, last)] = connection.execute(f"SELECT min({self._day}), max({self._day}) FROM staging.rows")
            days = (first, last) if first else None
        counts = {name: fates.get(fate, 0) for fate, name in enumerate(("new", "changed", "equal"))}
        return {
            **counts,
            "deleted": deleted,
            "days": days,
            "channels": {UNASSIGNED: 0} | self._sessions_by(connection, "channel_name")
            if "channel_name" in self.rows.derived
            else None,
            "engagement_rules": self._sessions_by(connection, engagement.RULE)
            if self.rows.derived.intersection(engagement.FLAGS)
            else None,
        }

    @staticmethod
    def _sessions_by(connection: sqlite3.Connection, column: str) -> dict[str, int]:
        """How many staged sessions have each value of the column, most first."""
        asked = f"SELECT {column}, count(*) FROM staging.rows WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1"
        return dict(connection.execute(asked).fetchall())


@dataclass(frozen=True)
class _Stored:
    """The stored rows as they are compared with staged ones: a column that the table lacks is NULL."""

    name: str
    there: frozenset[str]

    def column(self, name: str) -> str:
        """The expression of a column."""
        return f"stored.{name}" if name in self.there else "NULL"

    @property
    def same_key(self) -> str:
        """Whether a stored and a staged row are the same by the key of an import, or are replaced together."""
        required = {column.name for column in schema()[self.name].columns if column.required}
        columns = REPLACED_TOGETHER.get(self.name) or key_of(schema()[self.name])
        return " AND ".join(f"{self.column(name)} {'=' if name in required else 'IS'} staged.{name}" for name in columns)
