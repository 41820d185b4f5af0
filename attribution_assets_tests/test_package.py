"""What the package says about itself, and how its command is found."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from click.testing import CliRunner

import attribution_assets
from attribution_assets.command.cli import main
from attribution_assets_tests.support import PROJECT

DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]


def test_the_command_prints_its_version() -> None:
    result = CliRunner().invoke(main, ["--version"])

    assert (result.exit_code, result.output) == (0, f"attribution, version {DECLARED['version']}\n")


def test_the_module_is_the_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "attribution_assets", "--version"], capture_output=True, text=True, check=True
    )

    assert result.stdout == f"attribution, version {DECLARED['version']}\n"


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (Path(attribution_assets.__file__).parent / "py.typed").exists()
    assert "Typing :: Typed" in DECLARED["classifiers"]


def test_every_supported_python_is_named() -> None:
    named = [
        name.removeprefix("Programming Language :: Python :: ") for name in DECLARED["classifiers"] if ":: Python ::" in name
    ]

    assert DECLARED["requires-python"] == ">=3.11,<3.14"
    assert named == ["3.11", "3.12", "3.13"]


def test_the_changelog_has_the_version_and_what_comes_next() -> None:
    headings = [line for line in (PROJECT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]

    assert headings[0] == "## Unreleased"
    assert f"## {DECLARED['version']}" in headings
