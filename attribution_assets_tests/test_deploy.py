"""What deploy/ has: the image gets every file that it needs, and what is started exists."""

from __future__ import annotations

import configparser
import re
import shlex
import sys
from pathlib import Path

import yaml
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets_tests.support import PROJECT

DEPLOY = PROJECT / "deploy"


def exists(command: list[str]) -> bool:
    """Whether the program of a command is installed here; of ours, whether it takes these options."""
    program, *options = command
    if Path(program).name == "attribution":
        return CliRunner().invoke(main, [*options, "--help"]).exit_code == 0
    return (Path(sys.executable).parent / Path(program).name).exists()


def test_the_image_copies_what_is_there_and_nothing_else_is_sent_to_it() -> None:
    copied = {
        name
        for line in re.findall(r"^COPY (.+) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        for name in line.split()
    }
    sent = {line.removeprefix("!") for line in (DEPLOY / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")}

    assert copied == sent
    assert all((PROJECT / name).exists() for name in copied)


def test_every_service_starts_a_program_that_the_image_has() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    assert services.keys() == {"web", "dagster", "daemon"}
    assert all(exists(service["command"]) for service in services.values())
    assert all(port.startswith("127.0.0.1:") for service in services.values() for port in service.get("ports", []))


def test_the_unit_starts_a_command_that_there_is_and_leaves_runs_alone() -> None:
    unit = configparser.ConfigParser(interpolation=None)
    unit.read(DEPLOY / "attribution-web.service")

    assert exists(shlex.split(unit["Service"]["ExecStart"]))
    assert unit["Service"]["KillMode"] == "process"
