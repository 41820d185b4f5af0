"""The PostgreSQL schema: reads at one state, and replaces days in one transaction, with errors that have no password."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import psycopg

from attribution_assets.errors import AttributionError, BusyError, NotFoundError
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.dialect import Engine
from attribution_assets.warehouse.postgres.connection import (
    Driver,
    PostgresConnection,
    connected,
    quoted,
    tables_of,
)
from attribution_assets.warehouse.postgres.functions import OF_POSTGRES
from attribution_assets.warehouse.postgres.replacement import Replacement, insert, stage
from attribution_assets.warehouse.postgres.tables import (
    VERSION,
    make_functions,
    make_table,
    make_tables,
    meta_of,
    one_at_a_time,
)
from attribution_assets.warehouse.query import ROWS_PER_FRAME, Query
from attribution_assets.warehouse.schema import ALL_SOURCES, Table, schema
from attribution_assets.warehouse.sources import Present, broken_sources, check_present, counted_by_id, id_twice
from attribution_assets.warehouse.urls import schema_of, shown, without_passwords
from attribution_assets.warehouse.views import STAND_INS
from attribution_assets.warehouse.warehouse import Cursor, SeenDays, Warehouse, Written, check_guards

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = "attribution"
"""The schema of our tables, where the URL names none."""

SEEN = "seen_days"
"""The table with what late data has seen."""


@dataclass(frozen=True)
class PostgresWarehouse(Warehouse):
    """The schema on the server at `url`, which may hold a password. Every method opens a connection of its own."""

    engine: ClassVar[Engine] = "postgres"

    url: str = field(repr=False)
    held: PostgresConnection | None = field(default=None, repr=False)
    """The connection at the state that is read, of a warehouse at one state."""

    @property
    def name(self) -> str:
        """The server as it may be printed."""
        return shown(self.url)

    @property
    def schema(self) -> str:
        """The schema of our tables."""
        return schema_of(self.url) or SCHEMA

    @property
    def exists(self) -> bool:
        """Whether there is a server to ask: that is seen where something is asked."""
        return True

    def state(self) -> str:
        """What the server has counted of the tables of the database: their files, and the rows that were ever written."""
        with self._plain_errors(), closing(connected(self.url, self.busy_timeout)) as driver:
            [(state,)] = driver.execute(STATE).fetchall()
            return str(state)

    @contextmanager
    def connect(self) -> Iterator[PostgresConnection]:
        """A connection, which commits each statement; the server's errors leave it as AttributionError."""
        if self.held:
            with self._plain_errors():
                yield self.held
            return
        with self._plain_errors(), closing(connected(self.url, self.busy_timeout)) as driver:
            yield self._opened(driver)

    def _opened(self, driver: Driver) -> PostgresConnection:
        """The driver's connection with our functions and what there is of tables now."""
        ours = tables_of(driver, self.schema)
        meta = meta_of(driver, self.schema, ours)
        if int(meta.get("schema_version", 0)) > VERSION:
            raise AttributionError(
                f"{self.name} has schema version {meta['schema_version']}, but this package knows only {VERSION}. "
                "Upgrade attribution_assets."
            )
        if meta.get("functions") != OF_POSTGRES:
            make_functions(driver, self.schema)
            ours = tables_of(driver, self.schema)
        driver.execute(f"SET search_path = {quoted(self.schema)}, pg_catalog")
        return PostgresConnection(driver, ours, tables_of(driver, "public"), self.reading)

    @contextmanager
    def at_one_state(self) -> Iterator[Self]:
        """This database to read alone, in one transaction of the server."""
        with self.connect() as connection:
            if self.held:
                yield self
                return
            with connection.at_one_state():
                connection.execute("SELECT 1")  # the first read decides which state
                yield replace(self, held=replace(connection, is_held=True))

    @contextmanager
    def _answering(self, query: Query) -> Iterator[PostgresConnection]:
        """A connection that answers the query, at one state. Raises AttributionError where a source is missing."""
        with self.connect() as connection, connection.at_one_state():
            self._check(connection, query)
            yield connection

    def _check(self, connection: PostgresConnection, query: Query) -> None:
        check_present(
            Present(self.name, connection.columns, lambda name: _as_read(connection, name), kind="place"), self.reading, query
        )

    def _rows(self, connection: PostgresConnection, text: str, parameters: Mapping[str, Any]) -> Cursor:
        return connection.stream(text, parameters)

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._in_words(error) from None  # what the error was made from may have a password

    def _in_words(self, error: psycopg.Error) -> AttributionError:
        text = (without_passwords(self.url, str(error)).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return BusyError(
                f"{self.name} stayed locked by another process for {self.busy_timeout:g} s. End the process that writes to it, "
                "then run again."
            )
        if isinstance(error, psycopg.errors.UndefinedTable) and (missing := re.search(r'relation "(\w+)" does not', text)):
            if missing[1] in schema():
                return self._not_made(missing[1])
            return AttributionError(
                f"{self.name}: a query reads {missing[1]}, which sql/challenge_db_create.sql does not declare."
            )
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            return AttributionError(
                f"{self.name}: {text}. The user needs USAGE and SELECT on the sources, TEMPORARY on the database, and a schema "
                f"for results: CREATE SCHEMA {self.schema} AUTHORIZATION the user."
            )
        state = error.sqlstate or ""
        if state.startswith("40"):  # a deadlock, or a change beside it
            return BusyError(f"{self.name}: {text}. Run again.")
        if isinstance(error, psycopg.OperationalError) and (not state or state.startswith(("08", "57P"))):
            return BusyError(f"{self.name} does not answer: {text}.")
        return AttributionError(f"{self.name}: {text}.")

    # -- schema -------------------------------------------------------------------------------------------------------

    def prepare(self) -> list[str]:
        """Makes our schema, functions and tables where they are missing."""
        with self.connect() as connection:
            make_tables(connection, self.name)
        return []

    def notes_on_sources(self) -> list[str]:
        """Nothing: how sources are stored needs no word."""
        return []

    def meta(self) -> dict[str, str]:
        """What the schema step notes in the table attribution_meta."""
        with self._plain_errors(), closing(connected(self.url, self.busy_timeout)) as driver:
            return meta_of(driver, self.schema, tables_of(driver, self.schema))

    # -- reading ------------------------------------------------------------------------------------------------------

    def sources(self) -> dict[str, frozenset[str]]:
        """The source tables that there are, each with the columns that it has, declared or not.

        Raises AttributionError where the server does not answer: without its answer, nobody knows which there are.
        """
        with self.connect() as connection:
            found = {name: _as_read(connection, name) for name in ALL_SOURCES}
            return {name: frozenset((*of, *connection.columns(name))) for name, of in found.items() if of}

    def columns(self, table: str) -> list[str]:
        """The columns of a table as it is stored, in lower case; none where it does not exist."""
        with self.connect() as connection:
            return connection.columns(table)

    def _has_column(self, connection: PostgresConnection, table: str, column: str) -> bool:
        return column.lower() in (*connection.columns(table), *_as_read(connection, table))

    def stream(
        self,
        table: Table,
        day_column: str | None = None,
        days: Days | None = None,
        rows_per_frame: int = ROWS_PER_FRAME,
    ) -> Iterator[pd.DataFrame]:
        """The table's rows of the days in frames, read at one state."""
        from attribution_assets.warehouse.frames import in_frames

        with self.connect() as connection, connection.at_one_state():
            if not connection.columns(table.name):
                raise self._not_made(table.name)
            where = f"WHERE {day_column} BETWEEN $first AND $last" if day_column and days else ""
            bounds = {"first": days.first, "last": days.last} if day_column and days else {}
            order = ", ".join(table.key)
            rows = connection.stream(
                f"SELECT {', '.join(table.column_names)} FROM {table.name} {where} ORDER BY {order}", bounds
            )
            yield from in_frames(rows, table, rows_per_frame)

    @contextmanager
    def with_credit(self, query: Query, table_or_file: str, columns: Sequence[str]) -> Iterator[PostgresConnection]:
        """A connection that reads a table of our schema or of public, or a CSV file, as attribution_customer_journey.

        Its temporary table `credit_of_others` has the text of the last of these columns as `given`. Raises NotFoundError where
        there is neither, and AttributionError where a column is missing.
        """
        *ids, credit = columns
        names = ", ".join([*ids, "given"])
        with self._answering(query) as connection:
            found, file = {**connection.in_public, **connection.ours}.get(table_or_file), Path(table_or_file)
            types = ", ".join(f'{name} text COLLATE "C"' for name in [*ids, "given"])
            number = f"{credit} double precision GENERATED ALWAYS AS (number_of(given)) STORED"
            connection.driver.execute(f"CREATE TEMP TABLE credit_of_others ({types}, {number}) ON COMMIT DROP")
            if found:
                _check_columns(f"{table_or_file} in {self.name}", columns, found.columns)
                read = ", ".join(f"CAST({quoted(column)} AS text)" for column in columns)
                connection.driver.execute(f"INSERT INTO credit_of_others ({names}) SELECT {read} FROM {found.place}")
            elif file.is_file():
                with file.open(newline="", encoding="utf-8-sig") as opened:
                    reader = csv.DictReader(opened)
                    _check_columns(str(file), columns, reader.fieldnames or ())
                    with connection.driver.cursor().copy(f"COPY pg_temp.credit_of_others ({names}) FROM STDIN") as copy:
                        for row in reader:
                            copy.write_row([row[column] or None for column in columns])
            else:
                raise NotFoundError(f"{self.name} has no table {table_or_file}, and there is no such CSV file.")
            connection.driver.execute(
                f"CREATE TEMP VIEW attribution_customer_journey AS SELECT {', '.join(columns)} FROM credit_of_others"
            )
            yield connection
            connection.driver.execute("DROP VIEW pg_temp.attribution_customer_journey")

    # -- what late data has seen --------------------------------------------------------------------------------------

    def remember(self, days: Days, states: SeenDays) -> None:
        """Keeps these states of the days in the table seen_days."""
        rows = [(day, part, state) for day, parts in states.items() for part, state in parts.items()]
        with self.connect() as connection, connection.driver.transaction():
            one_at_a_time(connection.driver)
            connection.driver.execute(read_sql(SEEN))
            connection.execute(f"DELETE FROM {SEEN} WHERE date BETWEEN ? AND ?", (days.first, days.last))
            with connection.driver.cursor().copy(f"COPY {SEEN} FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)

    # -- writing ------------------------------------------------------------------------------------------------------

    def create(self, table: Table) -> None:
        """Creates the table where it is missing."""
        with self.connect() as connection, connection.driver.transaction():
            one_at_a_time(connection.driver)
            make_table(connection.driver, table)

    def replace_days(
        self, table: Table, day_column: str, days: Days, rows: Query | pd.DataFrame | Iterable[pd.DataFrame]
    ) -> Written:
        """Replaces the days in one transaction, which one writer of the table holds at a time. Frames are staged before it."""
        with self.connect() as connection:
            staged = "" if isinstance(rows, Query) else stage(connection, table, days, rows)
            with self._writing(connection, table.name):
                replacement = Replacement(connection, table, day_column, days)
                if isinstance(rows, Query):
                    self._check(connection, rows)
                    self._check_ids(connection, rows)
                    check_guards(connection, rows, self.engine, broken_sources)
                    counts = replacement.make(rows.text_in(self.engine), rows.parameters)
                else:
                    counts = replacement.make(staged, {})
        return Written({day: counts.get(day, 0) for day in days})

    def replace_table(self, table: Table, rows: pd.DataFrame) -> int:
        """Replaces all rows in one transaction."""
        with self.connect() as connection:
            staged = stage(connection, table, "all days", rows)
            with self._writing(connection, table.name):
                connection.execute(f"DELETE FROM {table.name}")
                return insert(connection, table, "all days", staged, {})

    @contextmanager
    def _writing(self, connection: PostgresConnection, table: str) -> Iterator[None]:
        if self.held:
            raise AttributionError(f"{self.name} is read at one state, so nothing can be written.")
        if not connection.columns(table):
            raise self._not_made(table)
        with connection.at_one_state(written=table):
            yield

    @contextmanager
    def _reading(self, table: str, day_column: str) -> Iterator[PostgresConnection | None]:
        with self.connect() as connection, connection.at_one_state():
            yield connection if self._has_column(connection, table, day_column) else None

    def _check_ids(self, connection: PostgresConnection, query: Query) -> None:
        """Raises AttributionError where a row of a source that the query reads would count more than once.

        Looks at rows only where the source has no unique index on the id.
        """
        for source in counted_by_id(query):
            key = source.key[0]
            stored = connection.sources.get(source.name)
            if not stored or connection.driver.execute(UNIQUE, [stored.place, key]).fetchone():
                continue
            given = f"FROM {source.name} WHERE {key} IS NOT NULL"
            twice = connection.execute(
                f"SELECT {key}, count(*) {given} GROUP BY {key} HAVING count(*) > 1 LIMIT 1", {}
            ).fetchone()
            if twice:
                has_truth = source.name == "conversions" and "conversions_backend" in connection.sources
                raise id_twice(source, self.name, twice, has_truth=has_truth)


STATE = """
    SELECT md5(string_agg(
        concat_ws(' ', relid, pg_relation_filenode(relid), n_tup_ins, n_tup_upd, n_tup_del), ',' ORDER BY relid
    ))
    FROM pg_stat_user_tables JOIN pg_class ON pg_class.oid = relid
    WHERE relpersistence <> 't'
"""
"""What changes with each write. A server tells it when the writer's connection ends, or within some seconds."""

UNIQUE = """
    SELECT 1 FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
    WHERE indrelid = CAST(%s AS regclass) AND attname = %s
      AND indisunique AND indisvalid AND indpred IS NULL AND indnkeyatts = 1
"""
"""Whether a table has a unique index on the column alone."""


def _check_columns(place: str, columns: Sequence[str], there: Collection[str]) -> None:
    if missing := [column for column in columns if column not in there]:
        raise AttributionError(f"{place} has no column {', '.join(missing)}. Credit has {', '.join(columns)}.")


def _as_read(connection: PostgresConnection, source: str) -> set[str]:
    """The declared columns that a source has, under whatever name they are stored."""
    stored = {*connection.columns(source)} if source in connection.sources else set()
    stand_in, renamed = STAND_INS.get(source, ("", {}))
    if not stored and stand_in:
        back = {there: name for name, there in renamed.items()}
        stored = {back.get(name, name) for name in connection.columns(stand_in)}
    return stored & {column.name for column in schema()[source].columns} if source in schema() else set()
