"""What the five tables of attribution shuffle, and the CPU time that they take, on a Spark of this machine: by its event log.

`python spark.py` (with .venv's Python, after `make .venv-spark/installed`) makes a lake of made-up sessions for each size,
computes its tables one after another as a run does, and prints a row for each. `--without-broadcast` joins as where
conversions are too many to broadcast. CPU is that of executors, without their Python processes.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr
from speed.databases import FIRST_DAY, make

from attribution_assets.catalog.tables import query_of, table_named
from attribution_assets.ihc.embedded import embedded_results
from attribution_assets.ihc.parameters import IHCParameters
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Frames, schema
from attribution_assets.warehouse.days import shift
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.query import Source
from attribution_assets_tests.clusters import spark_server

SIZES, DAYS, LOOKBACK_DAYS = (100_000, 1_000_000), 90, 30
TABLES = ("customer_journeys", "ihc_results", "attribution_customer_journey", "channel_costs", "channel_reporting")
LOGGED_AFTER = 3.0
"""Seconds until the event log has what has ended."""


@dataclass(frozen=True)
class Step:
    """A table that was computed: its rows, and when the step began and ended."""

    table: str
    rows: int
    began: float
    ended: float


@dataclass(frozen=True)
class Task:
    """What the event log says of a task: when it began, its CPU seconds, and the bytes that it shuffled and held at most."""

    began: float
    cpu: float
    shuffled: int
    held: int


@contextmanager
def logging_server(log: Path, settings: Sequence[str]) -> Iterator[str]:
    """The URL of a Spark that logs its events to the folder."""
    log.mkdir()
    logged = {"enabled": "true", "dir": log.as_uri(), "compress": "false", "rolling.enabled": "false"}
    lines = [*(f"spark.eventLog.{name} {value}" for name, value in logged.items()), *settings]
    (log.parent / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    os.environ["SPARK_CONF_DIR"] = str(log.parent)
    with spark_server() as url:
        yield url


def make_lake(folder: Path, sessions: int) -> None:
    """Makes a lake whose sources are Parquet files of the benchmarks' sessions."""
    made = folder.with_suffix(".db")
    make(made, sessions, DAYS)  # and beside it the folder with the same rows as Parquet, under the name of the lake
    made.unlink()
    LakeWarehouse(folder).make()


def steps(lake: Path, url: str) -> Iterator[Step]:
    """Computes the tables one after another."""
    settings = Settings(database=lake, lookback_days=LOOKBACK_DAYS, compute="spark", spark=SecretStr(url))
    warehouse, days = settings.warehouse, Days(FIRST_DAY, shift(FIRST_DAY, DAYS - 1))
    warehouse.prepare()
    warehouse.computed_by()
    for name in TABLES:
        table = table_named(name)
        given = credited(settings, days) if table.is_python else query_of(settings, table, days)
        began = time.time()
        written = warehouse.replace_days(schema()[name], table.day_column, days, given)
        yield Step(name, sum(written.rows.values()), began, time.time())


def credited(settings: Settings, days: Days) -> Frames:
    """What the embedded model makes of the journeys."""
    journeys = schema()["customer_journeys"]
    stored = settings.warehouse.stream(journeys, "conv_date", days)
    model = partial(embedded_results, parameters=IHCParameters.load("challenge"), redistribution=None)
    return Frames(stored, Source(journeys, "conv_date", days)).each(model)


def tasks(log: Path) -> list[Task]:
    """The tasks in the logs of the folder."""
    return [
        _task(event["Task Info"], event["Task Metrics"])
        for file in log.iterdir()
        for event in _whole(file.read_text(encoding="utf-8").splitlines())
        if event["Event"] == "SparkListenerTaskEnd" and "Task Metrics" in event
    ]


def _whole(lines: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The events; the last line may be half written."""
    yield from (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))


def _task(info: dict[str, Any], metrics: dict[str, Any]) -> Task:
    shuffled = metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
    cpu = (metrics["Executor CPU Time"] + metrics["Executor Deserialize CPU Time"]) / 1e9
    return Task(info["Launch Time"] / 1000, cpu, shuffled, metrics["Peak Execution Memory"])


def main() -> None:
    """Measures each size, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="numbers of sessions")
    parser.add_argument("--without-broadcast", action="store_true", help="never broadcast a side of a join")
    given = parser.parse_args()
    settings = ["spark.sql.autoBroadcastJoinThreshold -1"] if given.without_broadcast else []
    print("| sessions | table | rows | MB shuffled | CPU seconds | MB of the largest task |\n|---|---|---|---|---|---|")
    for sessions in given.sizes:
        with TemporaryDirectory() as folder, logging_server(Path(folder) / "events", settings) as url:
            lake = Path(folder) / "lake"
            make_lake(lake, sessions)
            computed = [*steps(lake, url)]
            time.sleep(LOGGED_AFTER)
            logged = tasks(Path(folder) / "events")
        for step in computed:
            own = [task for task in logged if step.began <= task.began <= step.ended]
            shuffled, held = sum(task.shuffled for task in own) / 1e6, max((task.held for task in own), default=0) / 1e6
            cpu = sum(task.cpu for task in own)
            print(f"| {sessions:,} | {step.table} | {step.rows:,} | {shuffled:,.1f} | {cpu:.1f} | {held:,.0f} |", flush=True)


if __name__ == "__main__":
    main()
