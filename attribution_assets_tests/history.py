"""Dagster's history in memory, which can be emptied, kept in files and put back from them in a moment."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dagster as dg
import sqlalchemy
from dagster._core.instance import InstanceType
from dagster._core.launcher.sync_in_memory_run_launcher import SyncInMemoryRunLauncher
from dagster._core.run_coordinator import DefaultRunCoordinator
from dagster._core.storage.event_log import InMemoryEventLogStorage
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager
from dagster._core.storage.root import TemporaryLocalArtifactStorage
from dagster._core.storage.runs import InMemoryRunStorage

from attribution_assets.orchestration.instance import dagster_instance


class History:
    """A Dagster instance as `DagsterInstance.ephemeral` makes it, of which a worker needs one for all its tests.

    To make one takes longer than to empty one, and SQLAlchemy compiles each statement anew for each. It ends with its `with`.
    """

    def __init__(self) -> None:
        self._runs, self._events = _Runs(), _Events()
        self.instance = dg.DagsterInstance(
            instance_type=InstanceType.EPHEMERAL,
            local_artifact_storage=TemporaryLocalArtifactStorage(),  # type: ignore[no-untyped-call]
            run_storage=self._runs,
            event_storage=self._events,
            compute_log_manager=NoOpComputeLogManager(),
            run_coordinator=DefaultRunCoordinator(),
            run_launcher=SyncInMemoryRunLauncher(),
        )
        self._empty = {name: sqlite3.connect(":memory:") for name in self._databases}
        for name, database in self._databases.items():
            database.backup(self._empty[name])

    @property
    def _databases(self) -> dict[str, sqlite3.Connection]:
        return {"runs": self._runs.connection, "events": self._events.connection}

    def empty(self) -> dg.DagsterInstance:
        """The instance, of which nothing is known."""
        for name, database in self._databases.items():
            self._empty[name].backup(database)
        return self.instance

    def keep(self, folder: Path) -> None:
        """Writes all that is known into a new folder."""
        folder.mkdir()
        for name, database in self._databases.items():
            with closing(sqlite3.connect(folder / f"{name}.db")) as file:
                database.backup(file)

    def put_back(self, folder: Path) -> dg.DagsterInstance:
        """The instance, of which is known what was kept in the folder, and nothing else."""
        for name, database in self._databases.items():
            with closing(sqlite3.connect(folder / f"{name}.db")) as file:
                file.backup(database)
        return self.instance

    def __enter__(self) -> Self:
        self.instance.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.instance.__exit__(kind, error, traceback)
        for database in self._empty.values():
            database.close()


class HistoryOfCommands:
    """The history of all commands in this process, whatever their DAGSTER_HOME is called: in memory, or in files there."""

    def __init__(self) -> None:
        self._memory: History | None = None
        self._in_files = False

    @property
    def instance(self) -> dg.DagsterInstance:
        """The history in memory, made once it is needed."""
        if self._memory is None:
            self._memory = History().__enter__()
        return self._memory.instance

    def begin(self, *, in_files: bool) -> None:
        """Forgets what the commands before did."""
        self._in_files = in_files
        if self._memory:
            self._memory.empty()

    @contextmanager
    def in_files(self) -> Iterator[None]:
        """Has the commands in its block keep their history in files."""
        before, self._in_files = self._in_files, True
        try:
            yield
        finally:
            self._in_files = before

    def of_home(self, home: Path) -> AbstractContextManager[dg.DagsterInstance]:
        """What a command opens in the place of its home; files that are there are used."""
        is_in_files = self._in_files or (home / "history").is_dir()
        return dagster_instance(home) if is_in_files else nullcontext(self.instance)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._memory:
            self._memory.__exit__(None, None, None)


class _Held:
    """The one connection that Dagster holds to a database in memory so that it stays: the thread that made it takes it."""

    _held_conn: sqlalchemy.Connection

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    @property
    def connection(self) -> sqlite3.Connection:
        """Of sqlite3 itself."""
        connection: Any = self._held_conn.connection.dbapi_connection
        assert isinstance(connection, sqlite3.Connection)
        return connection

    def is_of_this_thread(self) -> bool:
        return threading.get_ident() == self._thread

    @contextmanager
    def transaction(self) -> Iterator[sqlalchemy.Connection]:
        with self._held_conn.begin():
            yield self._held_conn


class _Runs(_Held, InMemoryRunStorage):
    @contextmanager
    def connect(self) -> Iterator[sqlalchemy.Connection]:
        with self.transaction() if self.is_of_this_thread() else super().connect() as connection:
            yield connection


class _Events(_Held, InMemoryEventLogStorage):
    def __init__(self) -> None:
        super().__init__()
        self._tables = frozenset(sqlalchemy.inspect(self._held_conn).get_table_names())
        self._held_conn.rollback()

    def _has_asset_key_col_on_connection(self, conn: sqlalchemy.Connection, column_name: str) -> bool:
        return True  # in a new database, of which Dagster asks at every event

    @contextmanager
    def _connect(self) -> Iterator[sqlalchemy.Connection]:
        with self.transaction() if self.is_of_this_thread() else super()._connect() as connection:
            yield connection

    def has_table(self, table_name: str) -> bool:
        return table_name in self._tables
