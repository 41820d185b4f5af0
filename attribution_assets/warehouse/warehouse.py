"""What every warehouse does: the sources are read, our tables are read and replaced by days, whatever stores them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self

from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.dialect import Engine, in_dialect
from attribution_assets.warehouse.query import ROWS_PER_FRAME, ROWS_SUMMED, Query, Rows, bounds_of
from attribution_assets.warehouse.schema import Column, Table
from attribution_assets.warehouse.sources import unreadable_sources
from attribution_assets.warehouse.views import AS_STORED, TYPES, Reading

if TYPE_CHECKING:
    import pandas as pd

END_OF_DAY = " 24"
"""After the date: what is later, as text, than every time of the day."""

SeenDays = Mapping[str, Mapping[str, str]]
"""By day, the state of each of its parts, in which everything of the day was right."""


class Cursor(Protocol):
    """Rows, as Python's database interface has them."""

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns; the first of each is its name."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows, one after another."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows that are left."""

    def fetchmany(self, size: int, /) -> list[tuple[Any, ...]]:
        """So many rows, or those that are left."""


@dataclass(frozen=True)
class Written:
    """What replacing days has written: the number of rows of each day, and the table's version, where it has versions."""

    rows: dict[str, int]
    version: int | None = None


def named(cursor: Cursor) -> Iterator[dict[str, Any]]:
    """The rows, each by the names of its columns."""
    columns = [column for column, *_ in cursor.description or ()]
    return (dict(zip(columns, row, strict=True)) for row in cursor)


class Connection(Protocol):
    """What answers statements, with `?` for the values of a sequence or `$name` for those of a mapping."""

    def execute(self, text: str, parameters: Sequence[Any] | Mapping[str, Any], /) -> Cursor:
        """The statement's rows."""


@dataclass(frozen=True)
class Warehouse(ABC):
    """A database at a place: an SQLite file, a lake or a PostgreSQL server. Every method sees one state of it.

    All methods raise AttributionError for what the user can fix: a missing source or column, a place that cannot be written. It
    is NotReadyError if the database or one of our tables does not exist yet, and BusyError if another process kept it locked.
    """

    engine: ClassVar[Engine]
    """Whose statements it runs."""

    busy_timeout: float = field(default=300, kw_only=True)
    """How many seconds to wait for another writer."""
    reading: Reading = field(default=AS_STORED, kw_only=True)
    """How the sources are read."""

    # -- what each engine does ----------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def name(self) -> str:
        """The place as it may be printed."""

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether there is a database at the place."""

    @abstractmethod
    def state(self) -> str:
        """A text that changes with every change of the database, found without reading it."""

    @property
    def here(self) -> Warehouse:
        """The same database, computed where it is if not on a cluster."""
        return self

    def computed_by(self) -> dict[str, str]:
        """What computes the queries, by what it is called and its versions; nothing where that is this machine."""
        return {}

    @abstractmethod
    def prepare(self) -> list[str]:
        """The schema step: creates those of our tables that are missing. Returns a line for each thing the user should know."""

    @abstractmethod
    def notes_on_sources(self) -> list[str]:
        """A line for each thing about how the sources are stored that the user should know."""

    @abstractmethod
    def meta(self) -> dict[str, str]:
        """What the schema step notes: `schema_version` (a number) and `database_id` (a UUID). Empty before it.

        The id tells one database from another; a copy of it has the same.
        """

    @abstractmethod
    def connect(self) -> AbstractContextManager[Connection]:
        """A connection, on which each source has its view, as queries read it; errors leave it as AttributionError."""

    @abstractmethod
    def at_one_state(self) -> AbstractContextManager[Self]:
        """This database to read alone: until the end of the block, all answers are of one state of it."""

    @abstractmethod
    def sources(self) -> dict[str, frozenset[str]]:
        """The source tables that there are, each with the columns that it has, declared or not; none without a database."""

    @abstractmethod
    def columns(self, table: str) -> list[str]:
        """The columns of a table as it is stored, in lower case; none where it does not exist."""

    @abstractmethod
    def _answering(self, query: Query) -> AbstractContextManager[Any]:
        """A connection that answers the query. Raises AttributionError where a source is missing."""

    @abstractmethod
    def stream(
        self,
        table: Table,
        day_column: str | None = None,
        days: Days | None = None,
        rows_per_frame: int = ROWS_PER_FRAME,
    ) -> Iterator[pd.DataFrame]:
        """The table's rows of the days in frames of about `rows_per_frame` rows, ordered by key: so they are written fastest.

        Rows that share their leading key column, as those of a conversion, stay together.
        """

    @abstractmethod
    def remember(self, days: Days, states: SeenDays) -> None:
        """Keeps these states of the days for the next search for late data, in place of earlier ones."""

    @abstractmethod
    def create(self, table: Table) -> None:
        """Creates the table where it is missing."""

    @abstractmethod
    def replace_days(
        self, table: Table, day_column: str, days: Days, rows: Query | pd.DataFrame | Iterable[pd.DataFrame]
    ) -> Written:
        """Replaces exactly the days of the table by the rows, at once or not at all.

        Where the day is no part of the key, the leading key column (the conversion) belongs to one day: what returns under
        these days leaves the day where it was. Raises AttributionError, with the old rows in place, for missing or unknown
        columns, a row outside the days, NULL, a value of another type than declared, a key given twice, and for rows that a
        guard of the query returns.
        """

    @abstractmethod
    def replace_table(self, table: Table, rows: pd.DataFrame) -> int:
        """Replaces all rows of a table that has no days, at once or not at all, and returns their number.

        Raises AttributionError, with the old rows in place, as `replace_days` does.
        """

    @abstractmethod
    def _check_ids(self, connection: Any, query: Query) -> None:
        """Raises AttributionError where a row of a source that the query reads would count more than once."""

    @abstractmethod
    def _has_column(self, connection: Any, table: str, column: str) -> bool:
        """Whether the table, or the view before a source, has the column."""

    # -- what is the same for all, unless an engine has its own way -----------------------------------------------------

    def fetch(self, query: Query) -> tuple[list[str], list[tuple[Any, ...]]]:
        """The query's column names and rows. Text that cannot be decoded has its bytes as in Python: Jos\\xe9."""
        with self._answering(query) as connection:
            cursor = connection.execute(query.text_in(self.engine), query.parameters)
            return [column for column, *_ in cursor.description or ()], cursor.fetchall()

    @contextmanager
    def rows_of(self, query: Query) -> Iterator[Cursor]:
        """The query's rows, once its guards have found nothing. Raises AttributionError if a source is missing or broken."""
        with self._answering(query) as connection:
            check_guards(connection, query, self.engine, unreadable_sources)
            yield self._rows(connection, query.text_in(self.engine), query.parameters)

    def frames(self, query: Query, rows_per_frame: int = ROWS_PER_FRAME) -> Iterator[pd.DataFrame]:
        """The rows of `rows_of` in frames of about `rows_per_frame`, in the query's order and with its names of columns."""
        import pandas as pd

        with self.rows_of(query) as cursor:
            columns = [column for column, *_ in cursor.description or ()]
            while rows := cursor.fetchmany(rows_per_frame):
                yield pd.DataFrame(rows, columns=columns)

    def stream_query(self, query: Query, table: Table, rows_per_frame: int = ROWS_PER_FRAME) -> Iterator[pd.DataFrame]:
        """The rows that the query would write into the table, in frames as of `stream`; nothing is written.

        Raises AttributionError for the broken sources for which `replace_days` would.
        """
        with self._proven(query) as connection:
            cursor = self._rows(connection, query.text_in(self.engine), query.parameters)
            table.check([column for column, *_ in cursor.description or ()])
            yield from self._in_frames(cursor, table, rows_per_frame)

    def summed(self, query: Query, read: Table, function: Rows, table: Table) -> pd.DataFrame:
        """The rows of `table` that the function makes of the query's, those of one key as one: their other columns are summed.

        `read`: what the query's rows look like. The function gets some rows at a time, and all that share its leading key
        column together. Raises AttributionError as `stream_query` does.
        """
        from attribution_assets.warehouse.frames import in_sum

        return in_sum(map(function, self.stream_query(query, read, ROWS_SUMMED)), table)

    @contextmanager
    def _proven(self, query: Query) -> Iterator[Any]:
        """A connection that answers the query, whose sources are sound."""
        with self._answering(query) as connection:
            self._check_ids(connection, query)
            check_guards(connection, query, self.engine, unreadable_sources)
            yield connection

    def differing_days(self, table: Table, day_column: str, days: Days, query: Query) -> set[str]:
        """The days whose rows in the table differ from what the query returns now."""
        columns = ", ".join(f"{as_stored(column)} AS {column.name}" for column in table.columns)
        fresh = self._digest_of_days(table, day_column, f"SELECT {columns} FROM ({query.text_in(self.engine)}\n) AS new")
        stored = self._digest_of_days(
            table, day_column, f"SELECT * FROM {table.name} WHERE {day_column} BETWEEN $first_day AND $last_day"
        )
        with self._answering(query) as connection:
            cursor = connection.execute(
                f"SELECT coalesce(fresh.day, stored.day) FROM ({fresh}) AS fresh "
                f"FULL JOIN ({stored}) AS stored ON stored.day = fresh.day WHERE fresh.digest IS DISTINCT FROM stored.digest",
                {**query.parameters, **bounds_of(days)},
            )
            return {day for (day,) in cursor}

    def digests(
        self, table: Table, day_column: str, query_of: Callable[[Days], Query], windows: Sequence[Days]
    ) -> Iterator[dict[str, str]]:
        """For each of these ranges, by day, a digest of the rows that the query of the days would write into the table now.

        The ranges follow one another. Their rows are read range by range, or, where whole sources are read anyway, at once.
        """
        query = query_of(Days(windows[0].first, windows[-1].last))
        with self._answering(query) as connection:
            select = self._digest_of_days(table, day_column, query.text_in(self.engine))
            digests = dict(connection.execute(select, query.parameters).fetchall())
        yield from by_window(digests, windows)

    def digests_of_sources(self, name: str, windows: Sequence[Days]) -> Iterator[dict[str, str]]:
        """For each of these ranges, the rows of the query `name`, which are a day and a digest: read as of `digests`."""
        query = Query(name, bounds_of(Days(windows[0].first, windows[-1].last)))
        yield from by_window(dict(self.fetch(query)[1]), windows)

    def _digest_of_days(self, table: Table, day_column: str, rows: str) -> str:
        """The SELECT of a digest of each day of these rows of the table, whatever their order."""
        digest = in_dialect(f"row_digest({', '.join(table.column_names)})", self.engine)
        return f"SELECT {day_column} AS day, {digest} AS digest FROM ({rows}\n) AS computed GROUP BY 1"

    def _rows(self, connection: Any, text: str, parameters: Mapping[str, Any]) -> Cursor:
        """The statement's rows, which are computed or fetched as they are asked for."""
        rows: Cursor = connection.execute(text, parameters)
        return rows

    def _in_frames(self, cursor: Any, table: Table, rows_per_frame: int) -> Iterator[pd.DataFrame]:
        """The cursor's rows; rows with the same leading key stay together."""
        from attribution_assets.warehouse.frames import in_frames

        return in_frames(cursor, table, rows_per_frame)

    def seen(self, days: Days) -> dict[str, dict[str, str]]:
        """The days as `remember` last had them."""
        found: dict[str, dict[str, str]] = {}
        with self._reading("seen_days", "part") as connection:
            if connection:
                asked = "SELECT date, part, state FROM seen_days WHERE date BETWEEN ? AND ?"
                for day, part, state in connection.execute(asked, (days.first, days.last)):
                    found.setdefault(day, {})[part] = state
        return found

    def rows(self, query: Query) -> list[dict[str, Any]]:
        """The query's rows, each by the names of its columns."""
        columns, rows = self.fetch(query)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def has(self, table: str) -> bool:
        """Whether the table exists."""
        return bool(self.columns(table))

    def span(self, table: str, day_column: str) -> Days | None:
        """From the first to the last day of the table's rows; None where it has none, or does not exist."""
        with self._reading(table, day_column) as connection:
            if not connection:
                return None
            asked = f"SELECT (SELECT min({day_column}) FROM {table}), (SELECT max({day_column}) FROM {table})"
            [(first, last)] = connection.execute(asked, ()).fetchall()
            return Days(first, last) if first else None

    def rows_by_day(self, table: str, day_column: str, days: Days, has_times: bool = False) -> dict[str, int]:
        """How many rows the table has of each of the days that has some; none where it does not exist."""
        with self._reading(table, day_column) as connection:
            if not connection:
                return {}
            day = _day_in(day_column, has_times)
            counted = f"SELECT {day}, count(*) FROM {table} WHERE {day_column} BETWEEN ? AND ? GROUP BY {day}"
            return dict(connection.execute(counted, (days.first, f"{days.last}{END_OF_DAY}")).fetchall())

    def first_date(self, table: str, day_column: str, has_times: bool = False) -> str | None:
        """The earliest real date since 1970 in a source, whose rows may hold any text; None where there is none, or no table.

        Walks the index of the column from its start, if there is one.
        """
        return self._date_at_end(table, day_column, has_times, "ASC", "9999-12-31")

    def last_date(self, table: str, day_column: str, until: str, has_times: bool = False) -> str | None:
        """The latest real date in a source, not after the day `until`; None where there is none, or no table."""
        return self._date_at_end(table, day_column, has_times, "DESC", until)

    def _date_at_end(
        self, table: str, day_column: str, has_times: bool, order: Literal["ASC", "DESC"], until: str
    ) -> str | None:
        with self._reading(table, day_column) as connection:
            if not connection:
                return None
            day = _day_in(day_column, has_times)
            found = connection.execute(
                in_dialect(
                    f"SELECT {day} FROM {table} WHERE {day_column} BETWEEN '1970' AND ? AND is_date({day}) "
                    f"ORDER BY {day_column} {order} LIMIT 1",
                    self.engine,
                ),
                (f"{until}{END_OF_DAY}",),
            ).fetchone()
            return str(found[0]) if found else None

    @contextmanager
    def _reading(self, table: str, day_column: str) -> Iterator[Connection | None]:
        """A connection to read days of a table; None where there is no such column."""
        with self.connect() as connection:
            yield connection if self._has_column(connection, table, day_column) else None

    def read(self, table: Table, day_column: str | None = None, days: Days | None = None) -> pd.DataFrame:
        """The table's rows of the days (all, without days), ordered by day and key; dtypes as declared, also when empty."""
        from attribution_assets.warehouse.frames import one_frame

        order = dict.fromkeys([*([day_column] if day_column else []), *table.key])
        return one_frame(self.stream(table, day_column, days), table, list(order))

    def _not_made(self, table: str) -> NotReadyError:
        return NotReadyError(f"{self.name} has no table {table} yet. Run `attribution run`, or materialize {table} first.")


def _day_in(day_column: str, has_times: bool) -> str:
    return f"substr({day_column}, 1, 10)" if has_times else day_column


def check_guards(
    connection: Connection, query: Query, engine: Engine, error: Callable[[str, Sequence[str], int], AttributionError]
) -> None:
    """Raises the error of the query's name and up to six problems that one of its guards finds."""
    for guard in query.guards:
        text = in_dialect(read_sql(guard), engine)
        problems = [problem for (problem,) in connection.execute(f"{text} LIMIT 6", query.parameters)]
        if problems:
            raise error(query.name, problems, len(problems))


def as_stored(column: Column) -> str:
    """The expression of a column's value as it is stored: as its type, and 0 instead of -0, as in an SQLite file."""
    return f"CAST({column.name} AS {TYPES[column.type]}){' + 0.0' if column.type == 'real' else ''}"


def by_window(digests: Mapping[str, str], windows: Sequence[Days]) -> Iterator[dict[str, str]]:
    """For each of the ranges, its days of these."""
    return ({day: digests[day] for day in days if day in digests} for days in windows)
