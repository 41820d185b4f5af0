"""The lake: reads in DuckDB at one state, and replaces days of a Delta table in one commit."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar, cast
from uuid import uuid4

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from attribution_assets.errors import AttributionError, BusyError, NotFoundError, NotReadyError
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.dialect import Engine
from attribution_assets.warehouse.duckdb.servers import Server
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.csv_sources import error_in_csv, rows_of_csv
from attribution_assets.warehouse.lake.elsewhere import Elsewhere, Folder, OnServer, elsewhere_at
from attribution_assets.warehouse.lake.objects import InBucket, Place, cause, write_text
from attribution_assets.warehouse.lake.opened import (
    KEPT,
    OF_SOURCES,
    SEEN,
    AtState,
    LakeCursor,
    Opened,
    Stored,
    newly_opened,
    opened,
    opened_sources,
    stored_tables,
    table_of_others,
)
from attribution_assets.warehouse.lake.proofs import Proofs, note, noted
from attribution_assets.warehouse.lake.replacement import Replacement, answer_of, hand_over, prove, stage
from attribution_assets.warehouse.location import MARKER
from attribution_assets.warehouse.query import Query, bounds_of
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, META, Table, schema
from attribution_assets.warehouse.sources import (
    Present,
    broken_sources,
    check_present,
    read_by,
)
from attribution_assets.warehouse.urls import is_server
from attribution_assets.warehouse.views import STAND_INS, Reading
from attribution_assets.warehouse.warehouse import SeenDays, Warehouse, Written, by_window, check_guards

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1
"""The version of the lake's layout that this package knows."""

OURS = "_attribution"
"""The folder in the lake with locks, and with what was proved of sources."""

ROWS_PER_FRAME = 100_000
"""About how many rows a streamed frame holds: more than of an SQLite file, since each frame costs its own statements."""

COMMITS = 5
"""How often a commit is tried, each time from the rows of then, while other processes commit to the table."""

PAUSE = 0.5
"""How many seconds at most lie between the first two tries; between later ones, a multiple."""

LAST_ORDER = re.compile(r"\nORDER BY [^()]*$")
"""The order of a query's rows, which a lake does not keep: sorting is a third of some queries' time."""


Result = TypeVar("Result")


@dataclass(frozen=True)
class LakeWarehouse(Warehouse):
    """The lake in the folder `path`, on a disk or in a bucket, which has our marker. A reader sees the versions it finds."""

    engine: ClassVar[Engine] = "duckdb"

    path: Place
    keep_days: int = 7
    """For how many days files of earlier versions are kept."""
    sources_at: str = field(default="", repr=False)
    """Where the sources lie if not in the lake: a folder, an SQLite file or the URL of a server, which may hold a password."""
    held: Held | None = None
    """The state that is read, of a warehouse at one state."""

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path)

    @property
    def exists(self) -> bool:
        """Whether the folder is a lake of ours."""
        return (self.path / MARKER).is_file()

    def state(self) -> str:
        """The versions of Delta tables, and the names, sizes and times of other files; with a server, a new text each time."""
        elsewhere = self._elsewhere
        of_lake = "; ".join(f"{table.name} {table.state}" for table in _in_lake(self.path, elsewhere))
        return f"{of_lake}; {elsewhere.state()}" if elsewhere else of_lake

    def meta(self) -> dict[str, str]:
        """What the marker says."""
        try:
            return {str(key): str(value) for key, value in json.loads((self.path / MARKER).read_text(encoding="utf-8")).items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError) as error:
            raise AttributionError(f"{self.path / MARKER} cannot be read: {error}. Restore it from a copy.") from error

    def make(self) -> None:
        """Makes the folder a lake, if it is none: the marker is written last, with a new id."""
        self.check_name()
        if self.exists:
            return
        meta = {"schema_version": str(VERSION), "database_id": str(uuid4())}
        try:
            write_text(self.path / MARKER, json.dumps(meta, indent=2) + "\n")
        except OSError as error:
            raise AttributionError(f"{self.path} cannot be written: {error.strerror}. Choose another folder.") from error

    def check_name(self) -> None:
        """Raises AttributionError where no lake can lie."""
        if isinstance(self.path, Path) and self.path.is_file():
            raise AttributionError(f"{self.path} is a file, so it cannot be a lake. Name a folder: --database lake/")
        delta.check_name(self.path)

    def prepare(self) -> list[str]:
        """Creates those of our tables that are missing, each empty."""
        self._check_place()
        there = {table.name for table in stored_tables(self.path)}
        for name, table in schema().items():
            if name not in {*ALL_SOURCES, *FURTHER, META, *there}:
                self.create(table)
        return []

    def notes_on_sources(self) -> list[str]:
        """Nothing: how sources are stored needs no word."""
        return []

    def create(self, table: Table) -> None:
        """Creates the Delta table where it is missing."""
        with self._plain_errors():
            delta.create(self.path / table.name, table)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _check_place(self) -> None:
        self.check_name()
        meta = self.meta()
        if not meta and not self.exists:
            if self.path.is_dir():
                raise NotReadyError(
                    f"{self.path} is a folder, but no lake: it has no {MARKER}. Make it one with "
                    f"`attribution lake import FILE.db --database {self.path}/`, also if an import was interrupted."
                )
            raise NotReadyError(
                f"There is no lake {self.path}. Make one with `attribution lake import FILE.db --database {self.path}/`."
            )
        version = meta.get("schema_version", "0")
        if not version.isdecimal() or int(version) > VERSION:
            raise AttributionError(
                f"{self.path} has schema version {version}, but this package knows only {VERSION}. Upgrade attribution_assets."
            )

    @property
    def place_of_sources(self) -> str:
        """Where the sources lie, as it may be printed."""
        elsewhere = self._elsewhere
        return elsewhere.name if elsewhere else str(self.path)

    @property
    def _elsewhere(self) -> Elsewhere | None:
        return elsewhere_at(self.sources_at) if self.sources_at else None

    @contextmanager
    def _opened(self, *, with_server: bool = True) -> Iterator[Opened]:
        """The lake as it is now. Without the server, the sources that lie on one are missing."""
        if self.held:
            yield self.held.whole if with_server else self.held.ours
            return
        self._check_place()
        elsewhere = self._elsewhere
        stored = _in_lake(self.path, elsewhere)
        if isinstance(elsewhere, OnServer):
            if not with_server:
                yield opened(stored, self.reading)
                return
            state = newly_opened(stored, self.reading, elsewhere)
            with closing(state.sources.duck):  # which lets go of the server
                yield state
        elif elsewhere is None or isinstance(elsewhere, Folder):
            yield opened(stored, self.reading)
        else:
            yield opened(stored, self.reading, elsewhere)

    @contextmanager
    def connect(self, *, with_server: bool = True) -> Iterator[LakeCursor]:
        """A connection to the newest state; all that it reads of a server is of one moment."""
        with self._plain_errors(), self._opened(with_server=with_server) as state:
            cursor = state.cursor()
            with closing(cursor.duck):
                if with_server and not self.held and isinstance(self._elsewhere, OnServer):
                    cursor.duck.begin()
                yield cursor

    @contextmanager
    def at_one_state(self) -> Iterator[Self]:
        """This lake at the versions of now. What lies on a server is copied when it is first asked for."""
        elsewhere = self._elsewhere
        with self._plain_errors(), self._opened(with_server=False) as state:
            on_server = replace(elsewhere, copied=True) if isinstance(elsewhere, OnServer) else None
            stored = tuple(table for table in state.stored.values() if not table.rows)
            held = Held(state, stored, self.reading, on_server)
        yield self if self.held else replace(self, held=held)

    def _computing(self, *, with_server: bool = True) -> AbstractContextManager[AtState]:
        """A connection to the newest state whose statements are those of `engine`: queries run on it."""
        return self.connect(with_server=with_server)

    @contextmanager
    def _answering(self, query: Query) -> Iterator[AtState]:
        """A connection that answers the query. Raises AttributionError where a source is missing.

        It is BusyError where files with sources have changed until the end of the block: some rows may be older than others.
        """
        with self._computing(with_server=bool(read_by(query))) as cursor:
            check_present(self._present(cursor.state), self.reading, query)
            self._proofs.of_rows(cursor, query)
            yield cursor
            self._check_unchanged(cursor.state)

    def _check_unchanged(self, state: Opened) -> None:
        elsewhere = self._elsewhere
        in_files = {name: table for name, table in state.stored.items() if table.files}
        now = {table.name: table for table in _in_lake(self.path, elsewhere)} if in_files else {}
        changed = [name for name, table in in_files.items() if now.get(name) != table]
        changed += [
            name
            for name, table in state.stored.items()
            if table.rows and table.state and elsewhere and table.state != elsewhere.state()
        ]
        if changed:
            raise BusyError(f"{changed[0]} in {self.place_of_sources} has changed while it was read. Run again.")

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (duckdb.Error, pa.ArrowException) as error:
            if isinstance(error, duckdb.InternalException | duckdb.FatalException | duckdb.IOException):
                opened_sources.cache_clear()  # where DuckDB failed, or lost its temporary files, nothing more is answered
            is_secret = is_server(self.sources_at)  # what the error has been made from may have a password
            raise self._in_words(error) from (None if is_secret else cause(self.path, error))

    def _in_words(self, error: Exception) -> AttributionError:
        if in_file := error_in_csv(error):
            return AttributionError(f"{in_file}.")
        text = delta.first_line(error)
        if is_server(self.sources_at):
            text = Server(self.sources_at).without_passwords(text).rstrip(".")
        if missing := re.search(r"Table with name (\w+) does not exist", text):
            if missing[1].lower() in schema():
                return self._not_made(missing[1])
            undeclared = f"a query reads {missing[1]}, which sql/challenge_db_create.sql does not declare"
            return AttributionError(f"{self.path}: {undeclared}.")
        if "No files found that match" in text or "HTTP 404" in text:
            return AttributionError(
                f"{self.path}: a file of a table is gone ({text}). Bring back a version that has its files with "
                "`attribution lake restore`, or import the source again."
            )
        return AttributionError(f"{self.path}: {text}.")

    def sources(self) -> dict[str, frozenset[str]]:
        """The source tables that there are, each with the columns that it has, declared or not; none without a lake."""
        try:
            with self._plain_errors(), self._opened() as state:
                found = {name: frozenset((*_as_read(state, name), *state.columns(name))) for name in ALL_SOURCES}
        except AttributionError:
            return {}
        return {name: columns for name, columns in found.items() if columns}

    def columns(self, table: str) -> list[str]:
        """The columns of a table of the lake, in lower case; none where it does not exist."""
        with self._plain_errors(), self._opened(with_server=table.lower() in OF_SOURCES) as state:
            return state.columns(table)

    @contextmanager
    def _reading(self, table: str, day_column: str) -> Iterator[LakeCursor | None]:
        """As of every warehouse; of results, nobody asks the server with the sources."""
        with self.connect(with_server=table.lower() in OF_SOURCES) as cursor:
            yield cursor if self._has_column(cursor, table, day_column) else None

    def _has_column(self, connection: LakeCursor, table: str, column: str) -> bool:
        return column.lower() in connection.state.columns(table, "main")

    def _date_at_end(
        self, table: str, day_column: str, has_times: bool, order: Literal["ASC", "DESC"], until: str
    ) -> str | None:
        """As of every warehouse. What was found in files is kept for as long as they stay as they are: no index finds it."""
        asked, elsewhere = (table, day_column, has_times, order, until), self._elsewhere
        stored = self.held.stored if self.held else _in_lake(self.path, elsewhere)
        sources = tuple(source for source in stored if source.name in OF_SOURCES)
        if not isinstance(elsewhere, Folder | None) or not all(source.state for source in sources):
            return super()._date_at_end(*asked)
        found = _dates_in(sources, self.reading)
        if asked not in found:
            found[asked] = super()._date_at_end(*asked)
        return found[asked]

    def frames(self, query: Query, rows_per_frame: int = ROWS_PER_FRAME) -> Iterator[pd.DataFrame]:
        """The rows of `rows_of` in frames."""
        with self.rows_of(query) as cursor:
            for batch in cast("AtState", cursor).batches(rows_per_frame):
                yield batch.to_pandas()

    def stream(
        self,
        table: Table,
        day_column: str | None = None,
        days: Days | None = None,
        rows_per_frame: int = ROWS_PER_FRAME,
    ) -> Iterator[pd.DataFrame]:
        """The table's rows of the days in frames."""
        with self.connect(with_server=False) as cursor:
            if not cursor.state.columns(table.name):
                raise self._not_made(table.name)
            where = f"WHERE {day_column} BETWEEN $first AND $last" if day_column and days else ""
            bounds = {"first": days.first, "last": days.last} if day_column and days else {}
            cursor.execute(
                f"SELECT {', '.join(table.column_names)} FROM {table.name} {where} ORDER BY {', '.join(table.key)}", bounds
            )
            yield from self._in_frames(cursor, table, rows_per_frame)

    def _check_ids(self, connection: AtState, query: Query) -> None:
        self._proofs.of_ids(connection, query)

    def _in_frames(self, cursor: AtState, table: Table, rows_per_frame: int) -> Iterator[pd.DataFrame]:
        """The cursor's rows, as `frames.in_frames` gives those of SQLite."""
        from attribution_assets.warehouse.frames import dtypes

        held: pa.Table | None = None
        for batch in cursor.batches(rows_per_frame):
            some = pa.Table.from_batches([batch]).select([*table.column_names])
            whole = pa.concat_tables([held, some]) if held else some
            leading = whole[table.key[0]]
            cut, last = len(whole) - 1, leading[-1]
            while cut and leading[cut - 1] == last:
                cut -= 1
            held = whole.slice(cut)
            if cut:
                yield whole.slice(0, cut).to_pandas().astype(dtypes(table))
        if held:
            yield held.to_pandas().astype(dtypes(table))

    def digests_of_sources(self, name: str, windows: Sequence[Days]) -> Iterator[dict[str, str]]:
        """Range by range, the rows of the query. Those of one state of the sources are noted, and not computed again."""
        query = Query(name, bounds_of(Days(windows[0].first, windows[-1].last)))
        file = self.path / OURS / "digests" / f"{name}.json"
        with self._answering(query) as cursor:
            now = self._decisive(cursor.state, query)
            before = noted(file)
            if now and isinstance(before, dict) and before.get("of") == now:
                digests = before["digests"]
            else:
                digests = dict(cursor.execute(query.text_in(self.engine), query.parameters).fetchall())
                self._check_unchanged(cursor.state)
                if now:
                    note(file, {"of": now, "digests": digests})
        yield from by_window(digests, windows)

    def _decisive(self, state: Opened, query: Query) -> str | None:
        """What decides about the query's rows, if it reads sources alone: its text, the views, and the state of every source.

        None where the state of a source is not known.
        """
        states = {name: table.state for name, table in state.stored.items() if name in OF_SOURCES}
        if not all(states.values()):
            return None
        decisive = [query.text_in(self.engine), query.parameters, state.sources.views, states, functions.OF_DUCKDB]
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    @contextmanager
    def with_credit(self, query: Query, table_or_file: str, columns: Sequence[str]) -> Iterator[LakeCursor]:
        """A connection that reads a table in the lake's folder, or a CSV file, as attribution_customer_journey.

        Its temporary table `credit_of_others` has the text of the last of these columns as `given`. Raises NotFoundError where
        there is neither, and AttributionError where a column is missing.
        """
        found, file = table_of_others(self.path, table_or_file), Path(table_or_file)
        if not found and not file.is_file():
            raise NotFoundError(f"{self.path} has no table {table_or_file}, and there is no such CSV file.")
        select = found.select() if found else rows_of_csv([file])
        place = f"{table_or_file} in {self.path}" if found else str(file)
        with self._answering(query) as answering:
            cursor = cast("LakeCursor", answering)
            there = {name for name, *_ in cursor.execute(f"DESCRIBE {select}").fetchall()}
            if missing := [column for column in columns if column not in there]:
                raise AttributionError(f"{place} has no column {', '.join(missing)}. Credit has {', '.join(columns)}.")
            *ids, credit = columns
            texts = ", ".join(f"CAST({name} AS varchar) AS {name}" for name in ids)
            number = f"CAST({credit} AS varchar) AS given, number_of({credit}) AS {credit}"
            cursor.execute(f"CREATE TEMP TABLE credit_of_others AS SELECT {texts}, {number} FROM ({select})")
            read = "CREATE OR REPLACE TEMP VIEW attribution_customer_journey AS SELECT * EXCLUDE (given) FROM credit_of_others"
            cursor.execute(read)
            yield cursor

    def _present(self, state: Opened) -> Present:
        elsewhere = self._elsewhere
        present = Present(self.place_of_sources, state.columns, lambda name: _as_read(state, name))
        if elsewhere is None:
            return replace(present, in_files=True, kind="lake")
        return replace(present, in_files=isinstance(elsewhere, Folder), chosen_by="ATTRIBUTION_SOURCES", kind="place")

    @property
    def _proofs(self) -> Proofs:
        return Proofs(self.path / OURS / "proved", self.place_of_sources, self.reading, self._check_unchanged)

    # -- what late data has seen --------------------------------------------------------------------------------------

    def remember(self, days: Days, states: SeenDays) -> None:
        """Keeps these states of the days in the Delta table seen_days."""
        rows = [(day, part, state) for day, parts in states.items() for part, state in parts.items()]

        def write() -> None:
            read = delta.last_version(self.path / SEEN)
            where = None if read is None else f"date >= '{days.first}' AND date <= '{days.last}'"
            delta.replace_rows(self.path / SEEN, _seen(rows), where, {"days": str(days)}, at=read)

        self.committed(SEEN, write)

    # -- writing ------------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self, table: str) -> Iterator[None]:
        """One writer of a table at a time. The system frees the lock of a writer that is killed. A bucket has no locks."""
        if self.held:
            raise AttributionError(f"{self.path} is read at one state, so nothing can be written.")
        if isinstance(self.path, InBucket):
            yield
            return
        lock = self.path / OURS / f"{table}.lock"
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(lock, timeout=self.busy_timeout):
                yield
        except Timeout:
            raise BusyError(
                f"{table} in {self.path} stayed locked by another process for {self.busy_timeout:g} s. "
                "End the process that writes to it, then run again."
            ) from None
        except OSError as error:
            raise AttributionError(f"{self.path} cannot be written: {error.strerror}. Fix that, then run again.") from error

    def committed(self, table: str, write: Callable[[], Result]) -> Result:
        """What `write` returns, which reads the table and commits to it; once more from its start, if others were faster."""
        for number in range(COMMITS):
            try:
                with self.writing(table):
                    return write()
            except delta.OvertakenError:
                time.sleep(SystemRandom().uniform(0, PAUSE * (number + 1)))
        raise BusyError(
            f"Other processes have committed to {table} in {self.path} each of the {COMMITS} times that its rows were made. "
            "Run again when they have ended."
        )

    def replace_days(
        self, table: Table, day_column: str, days: Days, rows: Query | pd.DataFrame | Iterable[pd.DataFrame]
    ) -> Written:
        """Replaces the days in one commit.

        The rows are computed where nobody sees them, and verified, before anything is written. Frames come before the lock.
        """
        with self._plain_errors():
            if isinstance(rows, Query):
                return self.committed(table.name, partial(self._replace_by_query, table, day_column, days, rows))
            with self.connect(with_server=False) as staging:
                stage(staging, table, days, rows)
                return self.committed(table.name, partial(self._replace_by_staged, table, day_column, days, staging))

    def _replace_by_query(self, table: Table, day_column: str, days: Days, rows: Query) -> Written:
        with self._computing() as cursor:
            check_present(self._present(cursor.state), self.reading, rows)
            self._proofs.of_ids(cursor, rows)
            self._proofs.of_rows(cursor, rows)
            check_guards(cursor, rows, self.engine, broken_sources)
            unordered = LAST_ORDER.sub("", rows.text_in(self.engine))
            return self._replace_by_answer(cursor, table, day_column, days, unordered, rows.parameters)

    def _replace_by_staged(self, table: Table, day_column: str, days: Days, staging: LakeCursor) -> Written:
        with self.connect() as cursor:
            if cursor.state == staging.state:
                return Replacement(self.path / table.name, self.keep_days, table, day_column, days, staging).make()
            hand_over(staging, cursor, table)
            return Replacement(self.path / table.name, self.keep_days, table, day_column, days, cursor).make()

    def _replace_by_answer(
        self,
        cursor: Any,
        table: Table,
        day_column: str,
        days: Days,
        statement: str,
        parameters: Mapping[str, str | int | float],
    ) -> Written:
        """Replaces the days by the rows of a statement, on a connection of `_computing`."""
        cursor.execute(f"CREATE TEMP TABLE answer AS {statement}", parameters)
        self._check_unchanged(cursor.state)
        return Replacement(self.path / table.name, self.keep_days, table, day_column, days, cursor).make()

    def replace_table(self, table: Table, rows: pd.DataFrame) -> int:
        """Replaces all rows in one commit."""
        with self.connect(with_server=False) as cursor:
            stage(cursor, table, "all days", [rows])
            prove(cursor, table, "all days")
            self.committed(
                table.name,
                lambda: delta.replace_rows(self.path / table.name, answer_of(cursor, "SELECT * FROM new"), None, {}),
            )
        return len(rows)

    # -- versions -----------------------------------------------------------------------------------------------------

    def versions(self, table: str) -> list[dict[str, Any]]:
        """The versions of a Delta table, the newest first: `version`, `time` (UTC), `operation`, `days` (those replaced)."""
        return delta.versions_of(self._delta_table(table))

    def restore(self, table: str, version: int) -> None:
        """Makes the rows of this version those of the table. What late data has seen is forgotten: its days may differ now."""
        folder = self._delta_table(table)
        self.committed(table, lambda: delta.restore(folder, version))
        if delta.last_version(self.path / SEEN) is not None:
            self.committed(SEEN, lambda: delta.replace_rows(self.path / SEEN, _seen([]), None, {}))

    def vacuum(self) -> int:
        """Deletes the files that no version of the last `keep_days` has, and returns their number."""
        self._check_place()
        folders = [stored.folder for stored in stored_tables(self.path) if stored.version is not None]
        return sum(delta.remove_unused_files(folder, self.keep_days) for folder in folders)

    def _delta_table(self, table: str) -> Place:
        self._check_place()
        if table not in {*schema(), *FURTHER} or delta.last_version(self.path / table) is None:
            raise NotFoundError(f"{self.path} has no Delta table {table}, and nothing else has versions.")
        return self.path / table


@dataclass(eq=False)
class Held:
    """The state of a lake that is held for several questions: `ours`, without what lies on a server, and `whole`, with it."""

    ours: Opened
    stored: tuple[Stored, ...]
    reading: Reading
    on_server: OnServer | None

    @cached_property
    def whole(self) -> Opened:
        """The same with the tables of the server, as they are when it is first asked for."""
        return newly_opened(self.stored, self.reading, self.on_server) if self.on_server else self.ours


def _in_lake(folder: Place, elsewhere: Elsewhere | None) -> tuple[Stored, ...]:
    """The tables in the folder as they are now; of sources that lie elsewhere, those of a folder, and not attached ones."""
    if elsewhere is None:
        return stored_tables(folder)
    ours = tuple(table for table in stored_tables(folder) if table.name not in OF_SOURCES)
    return (*ours, *elsewhere.tables()) if isinstance(elsewhere, Folder) else ours


@lru_cache(maxsize=KEPT)
def _dates_in(_sources: tuple[Stored, ...], _reading: Reading) -> dict[tuple[str, str, bool, str, str], str | None]:
    """The first and last dates that were found in these sources, by what was asked: at first, none."""
    return {}


def _seen(rows: Sequence[tuple[str, str, str]]) -> pa.RecordBatchReader:
    """Rows of seen_days."""
    columns = [pa.array(values, pa.string()) for values in zip(*rows, strict=True)] or [pa.array([], pa.string())] * 3
    batch = pa.RecordBatch.from_arrays(columns, names=["date", "part", "state"])
    return pa.RecordBatchReader.from_batches(batch.schema, [batch])


def _as_read(state: Opened, source: str) -> set[str]:
    """The declared columns that a source has, under whatever name they are stored."""
    columns = {*state.columns(source)}
    stand_in, renamed = STAND_INS.get(source, ("", {}))
    if not columns and stand_in:
        back = {stored: name for name, stored in renamed.items()}
        columns = {back.get(name, name) for name in state.columns(stand_in)}
    return columns & {column.name for column in schema()[source].columns}
