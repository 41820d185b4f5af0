"""The SQLite database: reads, streams, and replaces days in one transaction, with errors that say what to do."""

from __future__ import annotations

import logging
import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from attribution_assets.errors import AttributionError, BusyError, NotReadyError
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.dialect import Engine
from attribution_assets.warehouse.duckdb.compute import READS_AS, Compute, DuckDBError, QueryAnswer, new_answer, takes_duckdb
from attribution_assets.warehouse.query import ROWS_PER_FRAME, Query, bounds_of
from attribution_assets.warehouse.schema import ALL_SOURCES, Table, schema
from attribution_assets.warehouse.sources import broken_sources, unreadable_sources
from attribution_assets.warehouse.sqlite.replacement import NewRows, Parameters, Replacement, has_rows_beside
from attribution_assets.warehouse.sqlite.sources import check_ids, check_sources, columns_of
from attribution_assets.warehouse.sqlite.state import file_state
from attribution_assets.warehouse.sqlite.upgrades import (
    bring_up_to_date,
    forget_old_seen_days,
    is_up_to_date,
    meta_of,
    objects_of,
    version_of,
)
from attribution_assets.warehouse.sqlite.views import add_views, collations, columns_as_read
from attribution_assets.warehouse.views import MADE_LATER
from attribution_assets.warehouse.warehouse import Connection, SeenDays, Warehouse, Written, check_guards

if TYPE_CHECKING:
    import pandas as pd

CACHE = 8 * 1024
"""How much of the file a connection keeps in memory, in KiB."""

STAGED = "SELECT * FROM temp.staged ORDER BY rowid"
"""The frames' rows."""

ANSWER = "SELECT * FROM computed.answer ORDER BY rowid"
"""What DuckDB has computed, where its file is attached as `computed`."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SQLiteWarehouse(Warehouse):
    """The database file at `path`, which must exist. Every method opens a connection of its own and closes it."""

    engine: ClassVar[Engine] = "sqlite"

    path: Path
    compute: Compute = "auto"
    """Which engine runs the large queries: `sqlite`, `duckdb`, or `auto`, which chooses the faster one."""

    @property
    def name(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.is_file()

    def state(self) -> str:
        """The state of the file and its write-ahead log."""
        return file_state(self.path)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """A connection in autocommit mode; SQLite's errors leave it as AttributionError.

        Raises AttributionError also for a file that a newer package has upgraded.
        """
        with self._open("rw") as connection:
            yield connection

    @contextmanager
    def at_one_state(self) -> Iterator[Snapshot]:
        """This database to read alone, by SQLite alone: until the end of the block, all answers are of one state of it.

        Others may write meanwhile, and are not held up. Raises AttributionError as `connect` does.
        """
        with self._open("ro") as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT 1 FROM main.sqlite_master LIMIT 1").fetchall()  # the first read decides which state
            yield Snapshot(self.path, "sqlite", connection, busy_timeout=self.busy_timeout, reading=self.reading)

    @contextmanager
    def _open(self, mode: Literal["ro", "rw"]) -> Iterator[sqlite3.Connection]:
        if not self.path.is_file():
            raise NotReadyError(
                f"There is no database {self.path}. Point --database or ATTRIBUTION_DATABASE to yours, "
                "or create one with `attribution sample-data`."
            )
        with (
            self._plain_errors(is_reading=mode == "ro"),
            closing(
                sqlite3.connect(
                    f"{self.path.absolute().as_uri()}?mode={mode}",
                    uri=True,
                    timeout=self.busy_timeout,
                    isolation_level=None,
                )
            ) as connection,
        ):
            functions.add_to(connection)
            connection.execute(f"PRAGMA cache_size = -{CACHE}")
            add_views(connection, self.reading)
            version_of(connection, self.path)
            yield connection

    @contextmanager
    def _plain_errors(self, *, is_reading: bool) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._in_words(error, is_reading=is_reading) from error

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction, which is rolled back on any error."""
        with self.connect() as connection, transaction(connection):
            yield connection

    def _in_words(self, error: sqlite3.Error, *, is_reading: bool) -> AttributionError:
        text = str(error)
        if "not a database" in text:
            return AttributionError(f"{self.path} is not an SQLite database. Point --database or ATTRIBUTION_DATABASE to one.")
        if "locked" in text:
            what_to_do = "Ask again in a moment." if is_reading else "End the process that writes to it, then run again."
            return BusyError(f"{self.path} stayed locked by another process for {self.busy_timeout:g} s. {what_to_do}")
        if missing := re.fullmatch(r"no such table: (?:main\.)?(\w+)", text):
            if missing[1].lower() not in schema():
                undeclared = f"a query reads {missing[1]}, which sql/challenge_db_create.sql does not declare"
                return AttributionError(f"{self.path}: {undeclared}.")
            return self._not_made(missing[1])
        if "readonly" in text or "unable to open" in text:
            return AttributionError(
                f"{self.path} cannot be written. Make the file and its folder writable, then run again: SQLite keeps files "
                "beside it even while it is only read."
            )
        return AttributionError(f"{self.path}: {text}.")

    # -- schema -------------------------------------------------------------------------------------------------------

    def prepare(self) -> list[str]:
        """The schema step: switches the file to WAL, upgrades our tables, and creates those that are missing and all indexes.

        The last three are one transaction, and `attribution_meta` says how far the file is. Source tables are only indexed. A
        source that is a view cannot be, and a line in the result says so; another one tells of a collation that has no effect.
        """
        with self.connect() as connection:
            _switch_to_wal(connection, self.busy_timeout)
            for name in MADE_LATER:
                connection.execute(f"DROP VIEW IF EXISTS temp.{name}")
            if not is_up_to_date(connection, self.path):
                with transaction(connection):
                    bring_up_to_date(connection, self.path)
        return self.notes_on_sources()

    def notes_on_sources(self) -> list[str]:
        """A line for each source that is a view, and for each collation that has no effect."""
        with self.connect() as connection:
            return [
                *(f"{name} is a view, so it cannot be indexed. Its tables should have indexes." for name in _views(connection)),
                *(
                    f"{name} is declared with COLLATE {collation}. Ids and channels are compared byte for byte all the same: "
                    "values that this collation holds to be equal stay apart."
                    for name in ALL_SOURCES
                    for collation in collations(connection, name)
                ),
            ]

    def meta(self) -> dict[str, str]:
        """What the schema step notes in the file: `schema_version` (a number) and `database_id` (a UUID). Empty before it.

        The id tells one database from another; a copy of the file has the same.
        """
        with self.connect() as connection:
            return meta_of(connection)

    # -- reading ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _answering(self, query: Query) -> Iterator[sqlite3.Connection]:
        with self.connect() as connection:
            check_sources(connection, self.path, self.reading, query)
            connection.text_factory = readable
            yield connection

    def sources(self) -> dict[str, frozenset[str]]:
        """The source tables that there are, each with the columns that it has, declared or not; none without a database."""
        try:
            with self.connect() as connection:
                read = {name: columns_as_read(connection, schema()[name]) for name in ALL_SOURCES}
                return {name: frozenset((*of, *columns_of(connection, name))) for name, of in read.items() if of}
        except AttributionError:
            return {}

    def columns(self, table: str) -> list[str]:
        """The columns of a table or view of the file, in lower case, as SQLite compares them; none where it does not exist."""
        with self.connect() as connection:
            return columns_of(connection, table)

    def _check_ids(self, connection: sqlite3.Connection, query: Query) -> None:
        check_ids(connection, self.path, query)

    def _check_guards(
        self, connection: sqlite3.Connection, query: Query, error: Callable[[str, Sequence[str], int], AttributionError]
    ) -> None:
        connection.text_factory = readable
        check_guards(connection, query, self.engine, error)
        connection.text_factory = str

    def _has_column(self, connection: sqlite3.Connection, table: str, column: str) -> bool:
        asked = "SELECT 1 FROM pragma_table_xinfo(?) WHERE lower(name) = lower(?) AND hidden <> 1"
        return connection.execute(asked, (table, column)).fetchone() is not None

    @contextmanager
    def _reading(self, table: str, day_column: str) -> Iterator[Connection | None]:
        with super()._reading(table, day_column) as connection:
            if isinstance(connection, sqlite3.Connection):
                connection.text_factory = readable
            yield connection

    def stream(
        self,
        table: Table,
        day_column: str | None = None,
        days: Days | None = None,
        rows_per_frame: int = ROWS_PER_FRAME,
    ) -> Iterator[pd.DataFrame]:
        """The table's rows of the days in frames, read at one state of the file."""
        from attribution_assets.warehouse.frames import in_frames

        with self.connect() as connection:
            if not columns_of(connection, table.name):
                raise self._not_made(table.name)
            where, bounds = "", {}
            if day_column and days:
                bounds = {"first": days.first, "last": days.last}
                if not connection.in_transaction:
                    connection.execute("BEGIN")  # so that what is found now is still so when the rows are read
                if has_rows_beside(connection, table, day_column, days):
                    where = f"WHERE {day_column} BETWEEN :first AND :last"
            cursor = connection.execute(
                f"SELECT {', '.join(table.column_names)} FROM {table.name} {where} ORDER BY {', '.join(table.key)}",
                bounds if where else {},
            )
            yield from in_frames(cursor, table, rows_per_frame)

    def stream_query(self, query: Query, table: Table, rows_per_frame: int = ROWS_PER_FRAME) -> Iterator[pd.DataFrame]:
        """The rows that the query would write into the table, in frames, computed by the faster engine."""
        from attribution_assets.warehouse.frames import in_frames

        with self.connect() as connection:
            check_sources(connection, self.path, self.reading, query)
            self._check_ids(connection, query)
            self._check_guards(connection, query, unreadable_sources)
            with self._select(connection, query) as (select, parameters):
                cursor = connection.execute(select, parameters)
                table.check([column for column, *_ in cursor.description])
                yield from in_frames(cursor, table, rows_per_frame)

    def differing_days(self, table: Table, day_column: str, days: Days, query: Query) -> set[str]:
        """The days whose rows in the table differ from what the query returns now."""
        columns = ", ".join(table.column_names)
        as_stored = ", ".join(f"CAST({column.name} AS {column.type}) AS {column.name}" for column in table.columns)
        stored = f"SELECT {columns} FROM {table.name} WHERE {day_column} BETWEEN $first_day AND $last_day"
        with self.connect() as connection:
            check_sources(connection, self.path, self.reading, query)
            with self._select(connection, query) as (select, parameters):
                rows = connection.execute(
                    f"WITH fresh AS MATERIALIZED (SELECT {as_stored} FROM ({select}\n)), stored AS ({stored}) "
                    f"SELECT {day_column} FROM (SELECT * FROM fresh EXCEPT SELECT * FROM stored) "
                    f"UNION SELECT {day_column} FROM (SELECT * FROM stored EXCEPT SELECT * FROM fresh)",
                    {**parameters, "first_day": days.first, "last_day": days.last},
                )
                return {day for (day,) in rows}

    def digests(
        self, table: Table, day_column: str, query_of: Callable[[Days], Query], windows: Sequence[Days]
    ) -> Iterator[dict[str, str]]:
        """Range by range, by day, a digest of the rows that the query would write into the table now."""
        values = " || ".join(f"quote({name})" for name in table.column_names)
        for query in map(query_of, windows):
            with self.connect() as connection:
                check_sources(connection, self.path, self.reading, query)
                with self._select(connection, query) as (select, parameters):
                    rows = connection.execute(
                        f"SELECT {day_column}, digest(CAST(group_concat({values}) AS blob)) FROM ({select}\n) GROUP BY 1",
                        parameters,
                    ).fetchall()
            yield dict(rows)

    def digests_of_sources(self, name: str, windows: Sequence[Days]) -> Iterator[dict[str, str]]:
        """Range by range, the rows of the query."""
        for days in windows:
            yield dict(self.fetch(Query(name, bounds_of(days)))[1])

    @contextmanager
    def rows_of(self, query: Query) -> Iterator[sqlite3.Cursor]:
        """The query's rows, computed by the faster engine. Text that cannot be decoded has its bytes as in `fetch`."""
        with self.connect() as connection:
            check_sources(connection, self.path, self.reading, query)
            self._check_guards(connection, query, unreadable_sources)
            with self._select(connection, query) as (select, parameters):
                cursor = connection.execute(select, parameters)
                connection.text_factory = readable
                yield cursor

    @contextmanager
    def _select(self, connection: sqlite3.Connection, query: Query) -> Iterator[tuple[str, Parameters]]:
        """The SELECT that gives the query's rows: its own text, or that of what DuckDB has computed."""
        if self._takes_duckdb(connection, query):
            with new_answer() as answer:
                if self._computed_for_a_reader(connection, answer, query):
                    connection.execute("ATTACH ? AS computed", (str(answer.path),))
                    yield ANSWER, {}
                    return
        yield query.text, query.parameters

    def _takes_duckdb(self, connection: sqlite3.Connection, query: Query) -> bool:
        """Whether DuckDB computes the query. It does not know the backend's conversions."""
        return self.reading.conversions == "tracked" and takes_duckdb(connection, self.path, query, self.compute)

    def _computed_for_a_reader(self, connection: sqlite3.Connection, answer: QueryAnswer, query: Query) -> bool:
        """Like `_computed`, but does not wait for a writer, because SQLite can read while another process writes."""
        connection.execute("PRAGMA busy_timeout = 0")
        try:
            with transaction(connection):
                return self._computed(connection, answer, query)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return False
            raise
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self.busy_timeout * 1000)}")

    def _computed(self, connection: sqlite3.Connection, answer: QueryAnswer, query: Query) -> bool:
        """Whether DuckDB has filled the answer. The caller holds the write lock and, if not, lets SQLite compute."""
        try:
            answer.compute(connection, self.path, query)
        except DuckDBError as error:
            if self.compute == "duckdb":
                raise AttributionError(
                    f"DuckDB could not compute {query.name}: {error}. Fix that, or set ATTRIBUTION_COMPUTE=sqlite."
                ) from error
            logger.warning("DuckDB could not compute %s, so SQLite does: %s", query.name, error)
            return False
        return True

    # -- what late data has seen --------------------------------------------------------------------------------------

    def remember(self, days: Days, states: SeenDays) -> None:
        """Keeps these states of the days in the table seen_days."""
        rows = [(day, part, state) for day, parts in states.items() for part, state in parts.items()]
        with self.write() as connection:
            forget_old_seen_days(connection, self.path)
            connection.execute(read_sql("seen_days"))
            connection.execute("DELETE FROM seen_days WHERE date BETWEEN ? AND ?", (days.first, days.last))
            connection.executemany("INSERT INTO seen_days VALUES (?, ?, ?)", rows)

    # -- writing ------------------------------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Creates the table where it is missing."""
        with self.connect() as connection:
            if not columns_of(connection, table.name):
                connection.execute(table.create)

    def replace_days(
        self, table: Table, day_column: str, days: Days, rows: Query | pd.DataFrame | Iterable[pd.DataFrame]
    ) -> Written:
        """Replaces the days in one transaction.

        A Query runs inside the database, in the writing transaction. Frames are staged first, outside the write lock.
        """
        from attribution_assets.warehouse.sqlite.staging import stage

        with self.connect() as connection:
            if isinstance(rows, Query):
                check_sources(connection, self.path, self.reading, rows)
                self._check_ids(connection, rows)
                counts = self._replace_by_query(connection, table, day_column, days, rows)
            else:
                typed = stage(connection, table, rows)
                with transaction(connection):
                    counts = Replacement(connection, table, day_column, days).make(NewRows(STAGED, {}, typed))
        return Written({day: counts.get(day, 0) for day in days})

    def replace_table(self, table: Table, rows: pd.DataFrame) -> int:
        """Replaces all rows in one transaction."""
        from attribution_assets.warehouse.sqlite.staging import stage

        with self.connect() as connection:
            stage(connection, table, rows)
            with transaction(connection):
                connection.execute(f"DELETE FROM {table.name}")
                columns = ", ".join(table.column_names)
                return connection.execute(f"INSERT INTO {table.name} ({columns}) {STAGED}").rowcount

    def _replace_by_query(
        self, connection: sqlite3.Connection, table: Table, day_column: str, days: Days, query: Query
    ) -> dict[str, int]:
        """Computes and replaces in one transaction; the guards, which find nothing in sound sources, are SQLite's."""
        with new_answer() as answer:
            by_duckdb = self._takes_duckdb(connection, query)
            if by_duckdb:
                connection.execute("ATTACH ? AS computed", (str(answer.path),))
            with transaction(connection, locked_by=f"DELETE FROM {table.name} WHERE 0"):
                self._check_guards(connection, query, broken_sources)
                rows = NewRows(query.text, query.parameters)
                if by_duckdb and self._computed(connection, answer, query):
                    rows = NewRows(ANSWER, {}, _is_typed(connection, table))
                return Replacement(connection, table, day_column, days).make(rows)


@dataclass(frozen=True)
class Snapshot(SQLiteWarehouse):
    """The database at one state: every method reads on one connection, whose transaction is open."""

    held: sqlite3.Connection | None = None

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """The connection at that state. Raises NotReadyError after the end of the block that it was made for."""
        if self.held is None:
            raise NotReadyError(f"{self.path} is not open.")
        with self._plain_errors(is_reading=True):
            yield self.held

    @contextmanager
    def at_one_state(self) -> Iterator[Snapshot]:
        """Itself."""
        yield self


def as_sqlite(warehouse: Warehouse) -> SQLiteWarehouse:
    """The warehouse as an SQLite file, for what works on nothing else. Raises AttributionError for another one."""
    if not isinstance(warehouse, SQLiteWarehouse):
        raise AttributionError(f"{warehouse.name} is no SQLite file, and this works on one alone.")
    return warehouse


def _views(connection: sqlite3.Connection) -> list[str]:
    return sorted(name for name, is_a in objects_of(connection).items() if is_a == "view" and name in ALL_SOURCES)


@contextmanager
def transaction(connection: sqlite3.Connection, locked_by: str | None = None) -> Iterator[None]:
    """A transaction that holds the write lock from its start.

    BEGIN IMMEDIATE takes it for every attached file; a statement that writes nothing takes it for the file of its table alone.
    """
    connection.execute("BEGIN" if locked_by else "BEGIN IMMEDIATE")
    try:
        if locked_by:
            connection.execute(locked_by)
        yield
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _switch_to_wal(connection: sqlite3.Connection, busy_timeout: float) -> None:
    """Waits for another writer itself: here SQLite does not."""
    deadline = time.monotonic() + busy_timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _is_typed(connection: sqlite3.Connection, table: Table) -> bool:
    """Whether DuckDB's answer has the declared types; it gives every value of a column the same one."""
    given = dict(connection.execute("SELECT name, lower(type) FROM computed.pragma_table_info('answer')").fetchall())
    return all(re.search(READS_AS[column.type], given.get(column.name, "")) for column in table.columns)


def readable(text: bytes) -> str:
    """Text as it is, or, where it cannot be decoded, with its bytes as Python writes them: Jos\\xe9. A text_factory."""
    return text.decode("utf-8", "backslashreplace")
