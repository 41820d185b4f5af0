"""The documentation, held to what the code does: commands run as printed, tables name what is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from attribution_assets.catalog.tables import CHECKS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import SOURCES, schema
from attribution_assets_tests.ihc.answers import fill_ledger, write_file
from attribution_assets_tests.support import PROJECT
from attribution_assets_tests.test_definitions import TABLES

DOCUMENTS = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def blocks(document: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a document: language and content."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def table_rows(document: Path, header: str) -> list[list[str]]:
    """The cells of the table that begins with this header line, without the header."""
    _, _, after = document.read_text().partition(header)
    _ruler, *rows = takewhile(lambda line: line.startswith("|"), after.strip().splitlines())
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_and_program_runs_as_printed(document: Path, tmp_path: Path) -> None:
    fill_ledger(tmp_path / "data" / "ihc_ledger.db", 400)  # what the reader has paid for
    write_file(tmp_path / "answers.csv", 400)  # what the reader has recorded
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    output = ""
    for language, content in blocks(document):
        if language == "sh":
            # What `make` would do is another test's, or this one itself: here its targets are only looked up.
            script = re.sub(
                r"^make (.*)$", rf"make --directory '{PROJECT}' --dry-run \1 >/dev/null", content, flags=re.MULTILINE
            )
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stderr
            output = re.sub(r" +$", "", ran.stdout, flags=re.MULTILINE)  # tables are padded, documents are not
        elif language == "python":
            subprocess.run([sys.executable, "-c", content], cwd=tmp_path, env=environment, check=True)
        elif language == "text" and output:
            assert output.endswith(content)
            output = ""


def test_the_settings_table_lists_every_setting_with_its_default_and_meaning() -> None:
    expected = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        if isinstance(field.default, bool):  # which equals 0 or 1
            default = default.lower()
        if isinstance(field.default, tuple):
            default = ",".join(map(str, field.default))
        expected.append([field.validation_alias or f"ATTRIBUTION_{name.upper()}", default, field.description])

    assert table_rows(PROJECT / "README.md", "| variable | default | meaning |") == expected


def test_the_asset_table_lists_the_assets_in_their_order() -> None:
    rows = table_rows(PROJECT / "README.md", "| asset | one row per | its day is the date of | restated when |")

    assert [row[0] for row in rows] == TABLES


def test_the_source_table_lists_every_column() -> None:
    rows = table_rows(PROJECT / "README.md", "| table | one row per | columns |")

    assert {row[0]: row[2] for row in rows} == {name: ", ".join(schema()[name].column_names) for name in SOURCES}


def test_the_table_of_checks_lists_every_check_with_its_assets_and_whether_it_blocks() -> None:
    expected: dict[str, list[str]] = {}
    for table, check in CHECKS:
        row = expected.setdefault(check.name, [check.name, table.name, "yes" if check.blocking else "no"])
        if table.name not in row[1]:
            row[1] += f", {table.name}"

    rows = table_rows(PROJECT / "docs" / "operations.md", "| check | asset | blocks | what to do |")

    assert [row[:3] for row in rows] == list(expected.values())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", document.read_text())

    assert [link for link in links if not (document.parent / link).exists()] == []
