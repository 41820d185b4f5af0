"""KeptOpenEventLogStorage: Dagster's history in its own SQLite files, without reopening them for every write."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import DagsterInstance, EventLogEntry, StringSource, __version__
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine

RUNS = 16
"""For how many runs the engine is kept."""

BATCH = "200"
"""How many events are written at once."""

BUSY_TIMEOUT_SECONDS = 30
"""How long an event waits for another process to write, as in Dagster."""

NEEDED = ("conn_string_for_shard", "dispose", "index_connection", "run_connection", "store_event_batch", "wipe")
"""The members of Dagster's class that KeptOpenEventLogStorage overrides or calls. Dagster may change them in any release."""

logger = logging.getLogger(__name__)


def _class_of_dagster() -> type[Any]:
    """Dagster's class for a history in SQLite files. If it has moved, that of an instance as Dagster makes it by default."""
    try:
        found: type[Any] = importlib.import_module("dagster._core.storage.event_log").SqliteEventLogStorage
    except (ImportError, AttributeError):
        with tempfile.TemporaryDirectory() as folder, DagsterInstance.local_temp(folder) as instance:
            return type(instance.event_log_storage)
    return found


if TYPE_CHECKING:
    from dagster._core.storage.event_log import SqliteEventLogStorage
    from dagster._serdes import ConfigurableClassData
else:
    SqliteEventLogStorage = _class_of_dagster()


class KeptOpenEventLogStorage(SqliteEventLogStorage):
    """Dagster's default event log, in the same files, at a third of the time per event.

    For each of an event's statements Dagster makes an engine, compiles the statement, opens the file and closes it. Here the
    engine is kept with the statements that it has compiled, and so is the connection to the index of all runs. A run's own
    file is closed after each event: that is what the UI watches for. The events of a step's many days come as batches, which
    are one transaction each.

    Where a release of Dagster has changed its class, `from_config_value` gives that class itself, and says so.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """In the folder that Dagster uses: history/runs in DAGSTER_HOME."""
        self._run_engine = lru_cache(RUNS)(self._make_run_engine)
        self._held = _Held()
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", BATCH)  # Dagster has no other place to say so
        super().__init__(base_dir, inst_data)

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """For dagster.yaml: where the history is."""
        return {"dagster_home": StringSource}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Any:
        """One of these as dagster.yaml says, or one of Dagster's own class."""
        folder = str(Path(config_value["dagster_home"]) / "history" / "runs")
        if gone := [name for name in NEEDED if not hasattr(SqliteEventLogStorage, name)]:
            _warn(f"{SqliteEventLogStorage.__name__} of Dagster {__version__} has no {', '.join(gone)}")
            return SqliteEventLogStorage.from_config_value(inst_data, {"base_dir": folder})
        return cls(folder, inst_data)

    def index_connection(self) -> AbstractContextManager[Connection]:
        """A transaction on the index of all runs."""
        return self._transaction(self._index_engine)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """A transaction on the events of a run."""
        return self._transaction(self._run_engine(run_id))

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Stores events of one run, all of them or none."""
        with self._hold(self._index_engine), self._hold(self._run_engine(events[0].run_id)):
            super().store_event_batch(events)

    def wipe(self) -> None:
        """Deletes everything."""
        self._run_engine.cache_clear()  # its files go
        super().wipe()

    def dispose(self) -> None:
        """Closes what is open."""
        if engine := self.__dict__.pop("_index_engine", None):
            engine.dispose()
        super().dispose()

    @cached_property
    def _index_engine(self) -> Engine:
        with super().index_connection():
            pass  # makes or upgrades its tables
        return self._engine("index", QueuePool)

    def _make_run_engine(self, run_id: str) -> Engine:
        with super().run_connection(run_id):
            pass  # makes its tables
        return self._engine(run_id, NullPool)

    def _engine(self, shard: str, pool: type[NullPool | QueuePool]) -> Engine:
        return create_engine(self.conn_string_for_shard(shard), poolclass=pool, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        if held := self._held.connections.get(engine):
            yield held
            return
        with engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def _hold(self, engine: Engine) -> Iterator[None]:
        """One transaction for all that this thread does with the engine inside."""
        with self._transaction(engine) as connection:
            self._held.connections[engine] = connection
            try:
                yield
            finally:
                del self._held.connections[engine]


@cache
def _warn(reason: str) -> None:
    """Says once that Dagster's own class is used."""
    logger.warning("%s, so events are written more slowly, to the same files. Upgrade attribution_assets.", reason)


class _Held(threading.local):
    """The connections that a thread has under way, by their engines."""

    def __init__(self) -> None:
        self.connections: dict[Engine, Connection] = {}
