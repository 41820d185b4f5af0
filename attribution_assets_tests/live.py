"""A running Dagster: webserver and daemon as `make dev` starts them, asked through GraphQL as its UI asks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets_tests.support import OWN_VARIABLES, PROJECT, Shop, wait_for

REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "attribution_assets"}
LOOKBACK = {"ATTRIBUTION_LOOKBACK_DAYS": "3", "ATTRIBUTION_END_DATE": "2023-09-20"}
"""The settings under which a `busy` shop is looked at."""

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
ENDED_BACKFILL = {"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"}

LOCATIONS = """
query { workspaceOrError { ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } }
} } } }
"""
LAUNCH_RUN = """
mutation ($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on PythonError { message }
} }
"""
LAUNCH_BACKFILL = """
mutation ($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) {
  __typename
  ... on LaunchBackfillSuccess { backfillId }
  ... on PythonError { message }
} }
"""
RUNS = """
query { runsOrError { ... on Runs { results {
  runId status jobName tags { key value } assetSelection { path }
} } } }
"""
MATERIALIZATIONS = """
query ($key: AssetKeyInput!) { assetOrError(assetKey: $key) { ... on Asset {
  assetMaterializations(limit: 10000) { partition runId timestamp }
} } }
"""
TICKS = """
query ($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor {
  sensorState { ticks(limit: 1000) { timestamp } }
} } }
"""
BACKFILL = """
query ($id: String!) { partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } } }
"""


@dataclass(frozen=True)
class Run:
    """A run in Dagster's history; `assets` is what was selected, empty for all of the job."""

    id: str
    status: str
    job: str
    assets: tuple[str, ...]
    tags: dict[str, str]

    @property
    def days(self) -> tuple[str, str]:
        """The first and the last day of the run, both included."""
        if day := self.tags.get("dagster/partition"):
            return day, day
        return self.tags["dagster/asset_partition_range_start"], self.tags["dagster/asset_partition_range_end"]


@dataclass(frozen=True)
class Materialization:
    """That a run materialized a day of an asset, and when, in seconds since 1970."""

    asset: str
    day: str
    run: str
    at: float


class LiveDagster:
    """`dg dev` on a shop's database, in a folder of its own, from `with` to the end of its block.

    What is not given in `environment` is not set: neither the developer's variables nor `.env` reach it. Where the block
    fails, the error comes with what `dg dev` and the last run wrote.
    """

    def __init__(self, shop: Shop, folder: Path, **environment: str) -> None:
        project, self._home, self._log = folder / "project", folder / "dagster_home", folder / "dg_dev.log"
        for path in (project, self._home):
            path.mkdir(parents=True)
        for name in ("attribution_assets", "sql", "pyproject.toml"):
            (project / name).symlink_to(PROJECT / name)
        shutil.copy(PROJECT / "attribution_assets" / "dagster.yaml", self._home)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        binaries = Path(sys.executable).parent
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [binaries / "dg", "dev", "--host", "127.0.0.1", "--port", port],
                cwd=project,
                env={
                    **{name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)},
                    "VIRTUAL_ENV": sys.prefix,
                    "PATH": f"{binaries}:{os.environ['PATH']}",
                    "DAGSTER_HOME": str(self._home),
                    "ATTRIBUTION_DATABASE": shop.place,
                    "ATTRIBUTION_EXPORTS": str(shop.exports),
                    **environment,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, which ends as a whole
            )

    def __enter__(self) -> Self:
        try:
            wait_for(self._is_loaded)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.stop()
        if error:  # pytest prints an error's notes
            of_runs = sorted(self._home.rglob("*.err"), key=lambda path: path.stat().st_mtime)
            for path in (self._log, *of_runs[-1:]):
                error.add_note(f"{path}:\n{path.read_text()[-10_000:]}")

    def stop(self) -> None:
        """Ends all processes: as Ctrl-C does, and what does not follow by force."""
        self._process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def graphql(self, query: str, **variables: Any) -> Any:
        """The answer's data."""
        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=None).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def materialize(self, assets: Sequence[str], day: str) -> str:
        """Launches a run of one day, as the Materialize dialog does for a single partition; its id."""
        params = {
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": day}]},
            "runConfigData": "{}",
            "selector": {**REPOSITORY, "pipelineName": "__ASSET_JOB", "assetSelection": _keys(assets)},
        }
        launched = self.graphql(LAUNCH_RUN, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def backfill(self, assets: Sequence[str], days: Sequence[str]) -> str:
        """Launches a backfill, as the Materialize dialog does for several partitions; its id."""
        params = {"assetSelection": _keys(assets), "partitionNames": list(days), "fromFailure": False, "tags": []}
        launched = self.graphql(LAUNCH_BACKFILL, params=params)["launchPartitionBackfill"]
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs(self) -> list[Run]:
        """All runs, the oldest first."""
        return [
            Run(
                run["runId"],
                run["status"],
                run["jobName"],
                tuple(key["path"][-1] for key in run["assetSelection"] or ()),
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in reversed(self.graphql(RUNS)["runsOrError"]["results"])
        ]

    def materializations(self, assets: Sequence[str]) -> list[Materialization]:
        """Every materialization of these assets."""
        return [
            Materialization(asset, event["partition"], event["runId"], int(event["timestamp"]) / 1000)
            for asset, key in zip(assets, _keys(assets), strict=True)
            for event in self.graphql(MATERIALIZATIONS, key=key)["assetOrError"]["assetMaterializations"]
        ]

    def ticks(self, sensor: str) -> list[float]:
        """When the sensor was evaluated, in seconds since 1970."""
        state = self.graphql(TICKS, sensor={**REPOSITORY, "sensorName": sensor})["sensorOrError"]["sensorState"]
        return [tick["timestamp"] for tick in state["ticks"]]

    def wait_for_run(self, run_id: str) -> Run:
        """The run, once it has ended, well or not."""
        return wait_for(
            lambda: next((run for run in self.runs() if run.id == run_id and run.status in ENDED), None),
            every=1,
        )

    def wait_for_backfill(self, backfill_id: str) -> list[Run]:
        """The runs of the backfill, once it has ended, well or not. The daemon looks at it every 30 s, more than once."""
        wait_for(lambda: self.backfill_status(backfill_id) in ENDED_BACKFILL, every=1)
        return [run for run in self.runs() if run.tags.get("dagster/backfill") == backfill_id]

    def backfill_status(self, backfill_id: str) -> str:
        """REQUESTED until it has ended, then COMPLETED_SUCCESS or what became of it."""
        return str(self.graphql(BACKFILL, id=backfill_id)["partitionBackfillOrError"]["status"])

    def _is_loaded(self) -> bool:
        assert self._process.poll() is None, "dg dev ended"
        try:
            entries = self.graphql(LOCATIONS)["workspaceOrError"]["locationEntries"]
        except requests.ConnectionError:
            return False
        if not entries or entries[0]["loadStatus"] != "LOADED":
            return False
        location = entries[0]["locationOrLoadError"]
        assert location["__typename"] == "RepositoryLocation", location
        return True


def busy(shop: Shop, days: int = 20) -> None:
    """Days on which anna comes in the morning and buys at noon."""
    for day in range(1, days + 1):
        shop.session(f"s{day}", "anna", f"2023-09-{day:02} 10:00:00", "Email" if day % 2 else "Ads", cost=day / 7)
        shop.conversion(f"c{day}", "anna", f"2023-09-{day:02} 12:00:00", day * 1.1)


def command(shop: Shop, home: Path, *options: str) -> None:
    """`attribution run` with these options."""
    arguments = ["run", *options, "--database", shop.place, "--exports", str(shop.exports)]
    result = CliRunner().invoke(main, arguments, env={**LOOKBACK, "DAGSTER_HOME": str(home)})
    assert result.exit_code == 0, result.output


def _keys(assets: Sequence[str]) -> list[dict[str, list[str]]]:
    return [{"path": [asset]} for asset in assets]
