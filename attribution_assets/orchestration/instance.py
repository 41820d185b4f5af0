"""Dagster's instance: the history of runs in DAGSTER_HOME."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import FileLock

from attribution_assets.errors import AttributionError
from attribution_assets.shipped import shipped


@contextmanager
def dagster_instance(home: Path) -> Iterator[dg.DagsterInstance]:
    """Dagster's history in this folder. A new folder is created, with the settings that come with the package.

    Until the end of the block, DAGSTER_HOME is this folder. The instance is made under a lock: if two runs start at once,
    Dagster would create its tables twice.
    """
    with _environment("DAGSTER_HOME", str(home)), _open(home) as instance:
        yield instance


def add_config(home: Path) -> None:
    """Copies the settings that come with the package into a folder that has none."""
    config = home / "dagster.yaml"
    if not config.exists():
        config.write_text(shipped("dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")


def consume_from_now_on(instance: dg.DagsterInstance) -> None:
    """Has the daemon look at the runs that end from now on, to start killed ones again, if it was never started.

    By itself it does the same at its first start, with two warnings.
    """
    from dagster._daemon.auto_run_reexecution.event_log_consumer import DAGSTER_EVENT_TYPES, _create_cursor_key

    keys = [_create_cursor_key(event_type) for event_type in DAGSTER_EVENT_TYPES]
    storage = instance.daemon_cursor_storage
    known, newest = storage.get_cursor_values({*keys}), instance.event_log_storage.get_maximum_record_id() or 0
    if new := {key: str(newest) for key in keys if key not in known}:
        storage.set_cursor_values(new)


def _open(home: Path) -> dg.DagsterInstance:
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            add_config(home)
            return dg.DagsterInstance.get()
    except OSError as error:
        raise AttributionError(
            f"DAGSTER_HOME {home} cannot be written: {error.strerror}. Point it to another folder."
        ) from error


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
