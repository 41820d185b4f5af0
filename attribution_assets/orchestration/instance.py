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

    Under a lock: if two runs start at once, Dagster would create its tables twice.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / ".lock"):
            config = home / "dagster.yaml"
            if not config.exists():
                config.write_text(shipped("dagster.yaml").read_text(encoding="utf-8"), encoding="utf-8")
            os.environ["DAGSTER_HOME"] = str(home)
            instance = dg.DagsterInstance.get()
    except OSError as error:
        raise AttributionError(
            f"DAGSTER_HOME {home} cannot be written: {error.strerror}. Point it to another folder."
        ) from error
    with instance:
        yield instance
