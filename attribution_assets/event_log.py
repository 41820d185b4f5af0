"""KeptOpenEventLogStorage: Dagster's history in its own SQLite files, without reopening them for every write."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dagster import DagsterEventType, DagsterInstance, EventLogEntry, StringSource, __version__
from sqlalchemy import Connection, Engine, NullPool, QueuePool, create_engine, func, select

RUNS = 16
"""For how many runs the engine is kept."""

BATCH = "200"
"""How many events are written at once."""

BUSY_TIMEOUT_SECONDS = 30
"""How long an event waits for another process to write, as in Dagster."""

NEEDED = (
    "_event_to_row",
    "_store_asset_check_evaluation_planned",
    "_store_asset_event",
    "_store_asset_event_tags",
    "conn_string_for_shard",
    "dispose",
    "index_connection",
    "prepare_insert_event",
    "run_connection",
    "store_event_batch",
    "wipe",
)
"""The members of Dagster's class that KeptOpenEventLogStorage overrides or calls. Dagster may change them in any release."""

NEEDED_BESIDE = {
    "dagster._core.storage.asset_check_execution_record": "AssetCheckExecutionRecordStatus",
    "dagster._core.storage.event_log.schema": "AssetCheckExecutionsTable",
}
"""What it calls besides: by module of Dagster's, a name."""

OF_ASSETS = {
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_OBSERVATION,
}
PLANNED_CHECK = DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED

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
    are one transaction each, and one statement for each table. The rows are those that Dagster writes.

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
        if gone := [*_gone()]:
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
        with self._hold(self._index_engine) as index, self._hold(self._run_engine(events[0].run_id)) as of_run:
            if not all(event.dagster_event_type in {*OF_ASSETS, PLANNED_CHECK} for event in events):
                super().store_event_batch(events)
                return
            insert = self.prepare_insert_event(events[0]).table.insert()
            rows = [self._event_to_row(event) for event in events]
            of_run.execute(insert, rows)
            index.execute(insert, rows)
            last = index.execute(select(func.max(insert.table.c.id))).scalar_one()
            self._describe(index, dict(zip(range(last - len(rows) + 1, last + 1), events, strict=True)))

    def _describe(self, index: Connection, events: Mapping[int, EventLogEntry]) -> None:
        """Stores what the index has of these events beside themselves, by their numbers there.

        An asset's row there is of its last event of each type; Dagster writes it for every one.
        """
        of_assets = {number: event for number, event in events.items() if event.dagster_event_type in OF_ASSETS}
        self._store_asset_event_tags(index, [*of_assets.values()], [*of_assets])
        newest = {
            (event.get_dagster_event().asset_key, event.dagster_event_type): number for number, event in of_assets.items()
        }
        for number in sorted(newest.values()):
            self._store_asset_event(index, events[number], number)
        for number, event in events.items():
            if event.dagster_event_type == PLANNED_CHECK:
                self._store_asset_check_evaluation_planned(event, number)

    def _store_asset_check_evaluation_planned(self, event: EventLogEntry, event_id: int | None) -> None:
        """Stores a row for each day of a planned check, as Dagster does, which makes the event's text for each of them."""
        from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
        from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable

        planned: Any = event.get_dagster_event().event_specific_data
        stored = self._event_to_row(event)
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": stored["event"],
            "evaluation_event_timestamp": stored["timestamp"],
            "evaluation_event_storage_id": event_id,
        }
        days = planned.partitions_subset.get_partition_keys() if planned.partitions_subset else [None]
        with self.index_connection() as index:
            index.execute(AssetCheckExecutionsTable.insert(), [{**row, "partition": day} for day in days])

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
    def _hold(self, engine: Engine) -> Iterator[Connection]:
        """One transaction for all that this thread does with the engine inside."""
        with self._transaction(engine) as connection:
            self._held.connections[engine] = connection
            try:
                yield connection
            finally:
                del self._held.connections[engine]


def _gone() -> Iterator[str]:
    """What is needed of Dagster and not there."""
    yield from (name for name in NEEDED if not hasattr(SqliteEventLogStorage, name))
    for module, name in NEEDED_BESIDE.items():
        try:
            getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            yield f"{module}.{name}"


@cache
def _warn(reason: str) -> None:
    """Says once that Dagster's own class is used."""
    logger.warning("%s, so events are written more slowly, to the same files. Upgrade attribution_assets.", reason)


class _Held(threading.local):
    """The connections that a thread has under way, by their engines."""

    def __init__(self) -> None:
        self.connections: dict[Engine, Connection] = {}
