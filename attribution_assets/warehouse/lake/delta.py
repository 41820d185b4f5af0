"""Delta tables in a lake's folder: their versions, their files, and one commit that replaces rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from typing import Any, Literal
from urllib.parse import unquote

import pyarrow as pa
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from attribution_assets.errors import AttributionError, BusyError, NotFoundError
from attribution_assets.warehouse.lake.objects import Place, cause, entries, storage_options, tag_of, without_keys
from attribution_assets.warehouse.schema import Table

LOG = "_delta_log"

DAY_COLUMNS = ("conv_date", "date")
"""The columns that hold a table's day."""

CHECKPOINT_INTERVAL = 10
"""After so many commits, delta-rs sums them up in a checkpoint."""

HARDLY_REPEATED = ("session_id", "timestamp")
"""Columns with another value in nearly every row. A dictionary of them takes longer to write and to read than they do."""

NOT_IN_NAMES = "%[]^|\\"
"""What cannot be in the path of a Delta table, of which delta-rs makes a URL."""

READABLE_FEATURES = frozenset({"timestampNtz"})
"""What a Delta table may ask of its readers: whoever takes its Parquet files as they are reads it rightly."""


class OvertakenError(BusyError):
    """Another process has committed to the table since it was read. Nothing is written."""


@dataclass(frozen=True)
class DeltaFiles:
    """A Delta table at one version: its columns in order, by which it is partitioned, and its Parquet files."""

    version: int
    columns: tuple[str, ...]
    partitioned_by: tuple[str, ...]
    files: tuple[str, ...]


def check_name(folder: Place) -> None:
    """Raises AttributionError where delta-rs cannot read or write tables."""
    if found := [character for character in NOT_IN_NAMES if character in str(folder)]:
        characters = " and ".join(found)
        raise AttributionError(
            f"{folder} has {characters} in its name, which delta-rs takes for a part of a URL. Name another."
        )


def last_version(folder: Place) -> int | None:
    """The newest version of the table in the folder, by the names in its log; None where there is none."""
    found = newest(folder)
    return found[0] if found else None


def newest(folder: Place, entries: Callable[[Place], list[Place]] = entries) -> tuple[int, str] | None:
    """The newest version of the table in the folder, and its state; None where there is none. `entries` says what its log has.

    The state is the version, and when it was written: whoever deletes a table and makes it again begins with the same versions.
    """
    log = {entry.name: entry for entry in entries(folder / LOG)}
    versions = [int(name.removesuffix(".json")) for name in log if name.endswith(".json") and name[:20].isdigit()]
    if not versions:
        return None
    version = max(versions)
    return version, f"{version} {tag_of(log[f'{version:020}.json'])}"


@lru_cache(maxsize=512)
def files_of(folder: Place, version: int, _state: str) -> DeltaFiles:
    """The table at this version, by its state. Raises AttributionError for one whose files cannot be read as they are."""
    table = _opened(folder, version)
    protocol = table.protocol()
    features = frozenset(protocol.reader_features or ())
    if not features <= READABLE_FEATURES or (protocol.min_reader_version > 1 and not features):
        what = ", ".join(sorted(features - READABLE_FEATURES)) or "column mapping"
        raise AttributionError(
            f"{folder} is a Delta table with {what}, which cannot be read here. Write it anew without, or as Parquet files."
        )
    names = tuple(field.name for field in table.schema().fields)
    paths = pa.table(table.get_add_actions(flatten=True))["path"].to_pylist()  # in the log, they are encoded as in a URL
    files = sorted(str(folder / unquote(str(path))) for path in paths)
    return DeltaFiles(version, names, tuple(table.metadata().partition_columns), tuple(files))


def create(folder: Place, table: Table) -> None:
    """Makes an empty table of ours, where there is none. One of touchpoints is partitioned by its day."""
    types = {"text": pa.string(), "integer": pa.int64(), "real": pa.float64()}
    fields = [pa.field(column.name, types[column.type], nullable=not column.required) for column in table.columns]
    try:
        DeltaTable.create(
            str(folder),
            pa.schema(fields),
            mode="ignore",
            partition_by=[*partition_of(table)],
            configuration={"delta.checkpointInterval": str(CHECKPOINT_INTERVAL)},
            storage_options=storage_options(folder),
        )
    except (DeltaError, OSError) as error:
        if last_version(folder) is None:  # else another process has made it meanwhile
            raise _unwritten(folder, error) from cause(folder, error)


def partition_of(table: Table) -> tuple[str, ...]:
    """The day column of a table whose rows are keyed by something else, as touchpoints by their conversion; else none.

    The other tables have few rows of a day: a file for each of their days would be many small files.
    """
    days = [column for column in DAY_COLUMNS if column in table.column_names]
    return tuple(day for day in days[:1] if day not in table.key)


def replace_rows(
    folder: Place,
    rows: pa.RecordBatchReader,
    where: str | None,
    said: Mapping[str, str],
    at: int | Literal["newest"] | None = "newest",
) -> int:
    """Replaces the rows that meet the condition (all, without one) by these in one commit, and returns its version.

    `said` is written into the log beside the commit. `at`: the version that the rows were made from, or None for no table.
    Raises OvertakenError where that is no longer the newest: also a commit to other days can have what belongs to these.
    """
    table = _newest(folder) if at == "newest" else None if at is None else _opened(folder, at)
    written: Any = {
        "commit_properties": CommitProperties(custom_metadata={**said}, max_commit_retries=0),
        "writer_properties": WriterProperties(column_properties=_encodings(rows.schema.names)),
    }
    try:
        if table:
            any_columns: Literal["overwrite"] | None = None if where else "overwrite"
            write_deltalake(table, rows, mode="overwrite", predicate=where, schema_mode=any_columns, **written)
        else:
            write_deltalake(str(folder), rows, mode="error", storage_options=storage_options(folder), **written)
    except CommitFailedError as error:
        raise overtaken(folder) from cause(folder, error)
    except (DeltaError, OSError) as error:
        if not table and last_version(folder) is not None:
            raise overtaken(folder) from cause(folder, error)
        raise _unwritten(folder, error) from cause(folder, error)
    return table.version() if table else 0


def commit_files(
    folder: Place, version: int, files: Sequence[AddAction], day_column: str, days: Sequence[str], said: Mapping[str, str]
) -> int:
    """Replaces the rows of the days by these files in the version after this one, and returns it.

    The table is partitioned by its day. Raises OvertakenError where another process has committed since.
    """
    table, added = _opened(folder, version), list[AddAction | RemoveAction](files)
    try:
        table.create_write_transaction(
            added,
            "overwrite",
            table.schema(),
            [day_column],
            [(day_column, "in", [*days])],
            commit_properties=CommitProperties(custom_metadata={**said}, max_commit_retries=0),
        )
    except CommitFailedError as error:
        raise overtaken(folder) from cause(folder, error)
    except (DeltaError, OSError) as error:
        raise _unwritten(folder, error) from cause(folder, error)
    return version + 1


def _newest(folder: Place) -> DeltaTable | None:
    return None if last_version(folder) is None else _opened(folder)


def overtaken(folder: Place) -> OvertakenError:
    """Another process was faster."""
    return OvertakenError(f"Another process has written the same rows of {folder}. Run again.")


def _unwritten(folder: Place, error: Exception) -> AttributionError:
    return AttributionError(f"{folder} cannot be written: {first_line(error)}. Fix that, then run again.")


def _encodings(columns: Iterable[str]) -> dict[str, ColumnProperties]:
    by_difference = ColumnProperties(dictionary_enabled=False, encoding="DELTA_BYTE_ARRAY")
    return {column: by_difference for column in columns if column in HARDLY_REPEATED}


def remove_unused_files(folder: Place, older_than_days: int) -> int:
    """Deletes files that no version of the last days has, also those of writers that were killed. Returns their number.

    Raises AttributionError where that fails: the rows are as they were.
    """
    try:
        table = DeltaTable(str(folder), storage_options=storage_options(folder))
        vacuum = partial(table.vacuum, 24 * older_than_days, enforce_retention_duration=False, full=True)
        unused = vacuum(dry_run=True)
        if unused:
            vacuum(dry_run=False)
    except (DeltaError, OSError) as error:
        raise AttributionError(f"{folder} cannot be tidied: {first_line(error)}.") from cause(folder, error)
    return len(unused)


def versions_of(folder: Place) -> list[dict[str, Any]]:
    """The commits of the table that the log still has, the newest first."""
    return [
        {
            "version": commit["version"],
            "time": datetime.fromtimestamp(commit["timestamp"] / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            "operation": str(commit["operation"]).lower(),
            "days": commit.get("days"),
        }
        for commit in _opened(folder).history()
    ]


def restore(folder: Place, version: int) -> None:
    """Makes the rows of this version those of the table, by a new commit; the newest version stays as it is.

    Raises NotFoundError where there is no such version, and AttributionError where its files are deleted.
    """
    table = _opened(folder)
    if version > table.version():
        raise NotFoundError(f"{folder} has no version {version}: the newest is {table.version()}.")
    if version == table.version():
        return
    try:
        table.restore(version, commit_properties=CommitProperties(max_commit_retries=0))
    except CommitFailedError as error:
        raise overtaken(folder) from cause(folder, error)
    except (DeltaError, OSError) as error:
        raise AttributionError(
            f"{folder} cannot be restored to version {version}: files of it are deleted. "
            "`attribution lake history` lists the versions; a run computes the days anew."
        ) from cause(folder, error)


def first_line(error: Exception | str) -> str:
    """What an error says, in one line, without a point at its end."""
    line = next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)
    code = re.search(r"<Code>(\w+)</Code>", str(error))  # of a store
    return without_keys(f"{line}: {code[1]}" if code else line).rstrip(".")


def _opened(folder: Place, version: int | None = None) -> DeltaTable:
    check_name(folder)
    try:
        return DeltaTable(str(folder), version=version, storage_options=storage_options(folder))
    except (DeltaError, OSError) as error:
        raise AttributionError(f"{folder} cannot be read as a Delta table: {first_line(error)}.") from cause(folder, error)
