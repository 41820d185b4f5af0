"""Which folder holds the history of which database: a history belongs to one database."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Self

import dagster as dg
from filelock import FileLock

from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.reporting import CHANNEL_REPORTING
from attribution_assets.catalog.table import DailyTable
from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.orchestration.instance import add_config, dagster_instance
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Location, Warehouse
from attribution_assets.warehouse.opening import warehouse_at

HOMES = Path(".dagster_home")
"""The folder with a home for each database, where DAGSTER_HOME is not set."""

COMPARED = 100
"""How many materializations of a table are compared with its rows, from the newest back."""


@dataclass(frozen=True)
class Record:
    """What a home notes of its database: the id, the absolute path or the URL without a password, and where the home was then.

    The id is None while no run has made one: then the home has been made for the database at that place, and holds no run.
    """

    database_id: str | None
    database: str
    home: str

    @classmethod
    def read(cls, home: Path) -> Self | None:
        """The home's record; None where it has none. Raises AttributionError for a file that is no record."""
        file = _file(home)
        try:
            return cls(**json.loads(file.read_text(encoding="utf-8")))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError) as error:
            raise AttributionError(
                f"{file} does not say whose history {home} holds: {error}. Delete the file; the next run writes it."
            ) from error

    def write(self) -> None:
        """Writes it into its home, at once or not at all."""
        file = _file(Path(self.home))
        unfinished = file.with_name(f"{file.name}.{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        unfinished.replace(file)

    def names(self, database: str) -> bool:
        """Whether it was written for the file at this path, or the server at this URL."""
        noted, there = Path(self.database), Path(database)
        return self.database == database or (noted.exists() and there.exists() and noted.samefile(there))

    def is_of(self, warehouse: Warehouse, home: Path) -> bool:
        """Whether the home that it was found in belongs to this database.

        A database that has moved keeps its home, and so does one that was copied together with it. The copy of a file that is
        still there is another database.
        """
        if self.database_id is None or not warehouse.exists:
            return self.names(warehouse.name)
        if self.database_id != _id_of(warehouse):
            return False
        return self.names(warehouse.name) or self._has_moved() or Path(self.home) != home

    def _has_moved(self) -> bool:
        """Whether the database is no longer where it was; not where a server does not say so, as without its password."""
        try:
            return _id_of(warehouse_at(Location.of(self.database))) != self.database_id
        except BusyError:
            return False


def find_home(settings: Settings) -> Path | None:
    """The folder with the history of the settings' database; None where it has none yet. Writes nothing to the database.

    Raises AttributionError where DAGSTER_HOME is set to the home of another database.
    """
    warehouse = settings.warehouse
    if home := settings.dagster_home:
        if not home.is_dir():
            return None
        if Record.read(home):
            _check_record(home, warehouse)
        elif _is_home(home) or (home / "history").is_dir():
            with dagster_instance(home) as instance:
                check_history(instance, warehouse)
        return home
    homes = HOMES.absolute()
    own = [home for home in _homes_in(homes) if (record := Record.read(home)) and record.is_of(warehouse, home)]
    if own:
        return max(own, key=lambda home: (_names(home, warehouse), _file(home).stat().st_mtime))
    if _is_home(homes) and not Record.read(homes):  # of a version that had one home for all databases
        with dagster_instance(homes) as instance:
            return homes if _agrees(instance, warehouse) else None
    return None


@contextmanager
def history(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The history of the settings' database, to look at; an empty one in memory where there is none yet.

    Raises AttributionError as `find_home` does.
    """
    home = find_home(settings)
    with dagster_instance(home) if home else dg.DagsterInstance.ephemeral() as instance:
        yield instance


def make_home(settings: Settings) -> Path:
    """The folder with the history of the settings' database, which is made where there is none, and notes whose it is.

    Raises AttributionError as `find_home` does, and where the folder cannot be written.
    """
    folder, warehouse = settings.dagster_home or HOMES.absolute(), settings.warehouse
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".homes.lock"):
            home = find_home(settings) or _new_home(folder, warehouse)
            add_config(home)
            _note(home, warehouse)
    except OSError as error:
        raise AttributionError(
            f"DAGSTER_HOME {folder} cannot be written: {error.strerror}. Point it to another folder."
        ) from error
    return home


def check_history(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    """Raises AttributionError if the history is that of another database. One in memory is everybody's."""
    home = Path(instance.root_directory)
    if instance.is_ephemeral:
        return
    if Record.read(home):
        _check_record(home, warehouse)
    elif not _agrees(instance, warehouse):
        raise _of_another(home, warehouse, "another database")


def claim_history(instance: dg.DagsterInstance, warehouse: Warehouse) -> None:
    """Checks the history as `check_history` does, and notes in its home whose it is: a run is about to write into both.

    A database that has no id yet gets one, by the schema step.
    """
    check_history(instance, warehouse)
    if instance.is_ephemeral or not warehouse.exists:
        return
    if _id_of(warehouse) is None:
        warehouse.prepare()
    _note(Path(instance.root_directory), warehouse)


def _homes_in(folder: Path) -> list[Path]:
    return [folder, *sorted(folder.iterdir())] if folder.is_dir() else []


def _is_home(folder: Path) -> bool:
    return (folder / "dagster.yaml").is_file()


def _file(home: Path) -> Path:
    return home / "database.json"


def _names(home: Path, warehouse: Warehouse) -> bool:
    record = Record.read(home)
    return record is not None and record.names(warehouse.name)


def _new_home(folder: Path, warehouse: Warehouse) -> Path:
    """A new folder, named for the database."""
    location = Location.of(warehouse.name)
    stem = location.path.stem if location.path.name else location.name
    names = (f"{stem}-{number}" if number > 1 else stem for number in count(1))
    home = next(home for name in names if not (home := folder / name).exists())
    home.mkdir()
    Record(None, warehouse.name, str(home)).write()
    return home


def _note(home: Path, warehouse: Warehouse) -> None:
    """Writes the home's record, once the database has an id."""
    record = Record(_id_of(warehouse), warehouse.name, str(home))
    if record.database_id and record != Record.read(home):
        record.write()


def _id_of(warehouse: Warehouse) -> str | None:
    """The database's id; None before the schema step, and for what is no database of ours."""
    try:
        return warehouse.meta().get("database_id")
    except BusyError:
        raise
    except AttributionError:
        return None


def _check_record(home: Path, warehouse: Warehouse) -> None:
    record = Record.read(home)
    if record and not record.is_of(warehouse, home):
        earlier = (
            "the database that was there before" if record.names(warehouse.name) else f"another database, {record.database}"
        )
        raise _of_another(home, warehouse, earlier)


def _of_another(home: Path, warehouse: Warehouse, other: str) -> AttributionError:
    return AttributionError(
        f"DAGSTER_HOME {home} holds the history of {other}, not of {warehouse.name}. Unset it, or set it to another folder."
    )


def _agrees(instance: dg.DagsterInstance, warehouse: Warehouse) -> bool:
    """Whether the database has what the history says was written last: of most days, as many rows."""
    return not warehouse.exists or all(
        _is_as_written(instance, warehouse, table) for table in (CUSTOMER_JOURNEYS, CHANNEL_REPORTING)
    )


def _is_as_written(instance: dg.DagsterInstance, warehouse: Warehouse, table: DailyTable) -> bool:
    written: dict[str, int] = {}
    for event in instance.fetch_materializations(dg.AssetKey(table.name), limit=COMPARED).records:
        materialization = event.asset_materialization
        rows = materialization and materialization.metadata.get("dagster/partition_row_count")
        if materialization and materialization.partition and rows:
            written.setdefault(materialization.partition, int(str(rows.value)))
    with_rows = {day: rows for day, rows in written.items() if rows}
    if not with_rows:
        return True
    found = warehouse.rows_by_day(table.name, table.day_column, Days(min(with_rows), max(with_rows)))
    return 2 * sum(found.get(day) == rows for day, rows in with_rows.items()) > len(with_rows)
