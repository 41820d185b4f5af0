"""The public surface: what users name in their own code, files and schedules, and what therefore stays where it is."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from attribution_assets.command.channels import channels
from attribution_assets.command.cli import main
from attribution_assets.command.ihc import ihc
from attribution_assets.definitions import build_defs, build_resources
from attribution_assets.settings import Settings
from attribution_assets_tests.support import PROJECT

NAMES = {
    "attribution_assets.definitions": ("defs", "build_defs", "build_assets", "build_resources"),
    "attribution_assets.settings": ("Settings", "read_settings"),
    "attribution_assets.ihc": ("attribute",),
    "attribution_assets.event_log": ("KeptOpenEventLogStorage",),
}
COMMANDS = {
    *("run", "sample-data", "status", "check", "compare", "paths", "explain", "home", "import"),
    *("ihc estimate", "ihc compare", "ihc calibrate", "ihc train"),
    *("channels rules", "channels test", "channels apply"),
}
JOBS = {"attribute_conversions", "sum_costs", "report_channels"}
SENSORS = {"restate", "late_data", "changed_parameters"}


@pytest.mark.parametrize(("module", "name"), [(module, name) for module, names in NAMES.items() for name in names])
def test_users_import_it_from_here_and_the_readme_says_so(module: str, name: str) -> None:
    surface = (PROJECT / "README.md").read_text().partition("## The public surface")[2].partition("\n## ")[0]

    assert hasattr(importlib.import_module(module), name)
    assert {f"`{module}`", f"`{module}.{name}`"} & set(re.findall(r"`[^`]*`", surface))
    assert re.search(rf"[`.]{name}`", surface) or module == "attribution_assets.event_log"  # which dagster.yaml alone names


def test_the_commands_keep_their_names() -> None:
    of_groups = {f"{group.name} {name}" for group in (ihc, channels) for name in group.commands}

    assert of_groups | set(main.commands) >= COMMANDS


def test_build_defs_keeps_its_parameters() -> None:
    assert list(inspect.signature(build_defs).parameters) == ["settings", "resources", "loggers"]


def test_jobs_sensors_schedule_and_resources_keep_their_names() -> None:
    repository = build_defs().get_repository_def()

    assert {job.name for job in repository.get_all_jobs()} >= JOBS
    assert {sensor.name for sensor in repository.sensor_defs} >= SENSORS
    assert [schedule.name for schedule in repository.schedule_defs] == ["yesterday"]
    assert {"io_manager", "csv_io_manager", "ihc"} <= build_resources(Settings()).keys()


def test_a_dagster_yaml_made_before_finds_its_event_log() -> None:
    storage = yaml.safe_load((PROJECT / "attribution_assets" / "dagster.yaml").read_text())["event_log_storage"]

    assert hasattr(importlib.import_module(storage["module"]), storage["class"])


def test_importing_the_definitions_reads_no_settings() -> None:
    broken = {**os.environ, "ATTRIBUTION_LOOKBACK_DAYS": "some"}

    imported = subprocess.run([sys.executable, "-c", "import attribution_assets.definitions"], env=broken, check=False)

    assert imported.returncode == 0


def test_a_workspace_that_names_defs_loads(tmp_path: Path) -> None:
    (tmp_path / "workspace.yaml").write_text(
        "load_from:\n  - python_module:\n      module_name: attribution_assets.definitions\n      attribute: defs\n"
    )
    command = [str(Path(sys.executable).with_name("dagster")), "definitions", "validate", "-w", "workspace.yaml"]
    environment = {**os.environ, "DAGSTER_HOME": str(tmp_path)}

    loaded = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    assert loaded.returncode == 0, loaded.stderr
    assert "Validation successful for code location attribution_assets.definitions:defs" in loaded.stdout + loaded.stderr
