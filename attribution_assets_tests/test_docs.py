"""The documentation, held to what the code does: commands run as printed, tables name what is there, links lead somewhere."""

from __future__ import annotations

import html
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import dagster as dg
import pytest

import attribution_assets
from attribution_assets.definitions import build_defs
from attribution_assets.ihc import attribute
from attribution_assets.ihc.answers import read_answers
from attribution_assets.models import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import SOURCES, schema
from attribution_assets_tests.command import quick_script
from attribution_assets_tests.ihc.answers import fill_ledger
from attribution_assets_tests.support import PROJECT, every_table
from attribution_assets_tests.templates import Templates

IN_README = [
    "customer_journeys",
    "ihc_results",
    "attribution_customer_journey",
    "channel_costs",
    "channel_reporting",
    "channel_reporting_csv",
    "channel_report",
    "channel_report_csv",
]
"""The assets that a newcomer meets; docs/assets.md lists all of them."""

README, DOCS = PROJECT / "README.md", PROJECT / "docs"
EXAMPLE = DOCS / "answers_of_the_embedded_model.csv"
DOCUMENTS = [README, PROJECT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]


def blocks(document: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a document: language and content."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", document.read_text(), re.MULTILINE | re.DOTALL)


def table_rows(document: Path, header: str) -> list[list[str]]:
    """The cells of the table that begins with this header line, without the header."""
    _, _, after = document.read_text().partition(header)
    _ruler, *rows = takewhile(lambda line: line.startswith("|"), after.strip().splitlines())
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def section(document: Path, heading: str) -> str:
    """The text below a heading of the second level."""
    _, _, after = document.read_text().partition(f"\n## {heading}\n")
    return after.partition("\n## ")[0]


def whole_graph() -> dg.Definitions:
    """Everything that can be in the graph."""
    return build_defs(every_table(models=MODELS, alert_url="https://hooks.example.com/alerts"))


def automatic() -> dict[str, str]:
    """The sensors and schedules, and whether they are on by default."""
    repository = whole_graph().get_repository_def()
    return {
        **{each.name: each.default_status.value for each in repository.sensor_defs},
        **{each.name: each.default_status.value for each in repository.schedule_defs},
    }


# Commands and programs ------------------------------------------------------------------------------------------------

SETUP = next(content for language, content in blocks(README) if language == "sh" and "sample-data" in content)
"""What the reader of any document has done before, following the README."""

PRINTED_IN = Counter(content for document in DOCUMENTS for language, content in set(blocks(document)) if language == "sh")
"""In how many documents each block of commands is printed."""


@pytest.fixture(scope="session")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an `attribution` that begins at once."""
    with quick_script(tmp_path_factory.mktemp("scripts")) as folder:
        yield folder


def run(script: str, folder: Path, scripts: Path) -> str:
    """What a script prints; fails where the script does. `make` is only asked whether it has the target."""
    script = re.sub(r"^make (.*)$", rf"make --directory '{PROJECT}' --dry-run \1 >/dev/null", script, flags=re.MULTILINE)
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": f"{scripts}:{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return re.sub(r" +$", "", ran.stdout, flags=re.MULTILINE)  # tables are padded, documents are not


PROGRAMS = "import json, sys\nfor program in json.load(sys.stdin): exec(program, {'__name__': '__main__'})"
"""One process runs all programs of a document, each with names of its own: to import Dagster takes longer than most."""


@pytest.fixture
def set_up(tmp_path: Path, templates: Templates, scripts: Path) -> dict[str, str]:
    """The test's folder as it is after the README's setup, and by block of commands what it printed.

    The blocks of several documents run once, after the setup: all of them only read the database.
    """

    def follow(folder: Path) -> None:
        fill_ledger(folder / "data" / "ihc_ledger.db", 400)  # what the reader has paid for
        shutil.copy(EXAMPLE, folder / "answers.csv")  # what the reader has copied
        of_several = [content for content, documents in PRINTED_IN.items() if documents > 1 and content != SETUP]
        printed = {content: run(content, folder, scripts) for content in (SETUP, *of_several)}
        (folder / "printed.json").write_text(json.dumps(printed))

    printed = templates.copy("reader", follow, tmp_path) / "printed.json"
    content: dict[str, str] = json.loads(printed.read_text())
    printed.unlink()
    return content


@pytest.mark.parametrize(
    "document",
    [
        document
        for document in DOCUMENTS
        if any(language in ("sh", "python") for language, _ in blocks(document))
        and document.name != "extending.md"  # in a copy of the project, by test_extending
    ],
    ids=lambda path: path.name,
)
def test_every_command_and_program_runs_as_printed(
    document: Path, tmp_path: Path, set_up: dict[str, str], scripts: Path
) -> None:
    output = ""
    for language, content in blocks(document):
        if language == "sh":
            output = set_up[content] if content in set_up else run(content, tmp_path, scripts)
        elif language == "text" and output:
            assert output.endswith(content)
            output = ""
    programs = [content for language, content in blocks(document) if language == "python"]
    if programs:
        subprocess.run([sys.executable, "-c", PROGRAMS], input=json.dumps(programs), text=True, check=True)
    made = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert made - ignored_by_git(made) == set()


def ignored_by_git(names: set[str]) -> set[str]:
    """Those that Git would not show as untracked if they lay in the checkout."""
    files = "\n".join(names)
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"], cwd=PROJECT, input=files, capture_output=True, text=True, check=False
    )
    return set(asked.stdout.splitlines())


def test_the_answers_to_try_are_those_of_the_embedded_model() -> None:
    answers = read_answers(EXAMPLE)
    computed = attribute(answers.rename(columns={"conversion_id": "conv_id"}), parameters="challenge")

    assert len(answers) > 1_000
    both = answers.merge(computed, left_on="session_id", right_on="session_id", suffixes=("", "_now"), validate="1:1")
    for output in ("initializer", "holder", "closer", "ihc"):
        assert (both[output] - both[f"{output}_now"]).abs().max() <= 0.5e-4 + 1e-9


def test_the_picture_of_the_report_shows_what_the_command_prints(set_up: dict[str, str]) -> None:
    svg = (DOCS / "report.svg").read_text()
    shown = [html.unescape(text).split() for text in re.findall(r"<text class=\"report-r[^>]*>([^<]*)</text>", svg)]
    report = set_up[SETUP].partition("Channels, sessions of")[2].partition("/")[0].splitlines()[1:]

    words = [word for line in shown for word in line]
    assert len(report) > 15
    assert all(" ".join(line.split()) in " ".join(words) for line in report)


# What is generated ----------------------------------------------------------------------------------------------------


def test_what_is_generated_is_what_the_code_says() -> None:
    make = [
        "make",
        "--silent",
        "--directory",
        str(PROJECT),
        "--old-file",
        ".venv/installed",
        f"BIN={Path(sys.executable).parent}",
    ]

    checked = subprocess.run([*make, "docs-check"], capture_output=True, text=True, check=False)

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_settings_table_lists_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    defaults = Settings()
    rows = table_rows(DOCS / "settings.md", "| variable | default | meaning |")

    for variable, default, _ in rows:
        monkeypatch.setenv(variable.strip("`"), default.strip("`"))  # as a reader does who copies the table into a file

    assert len(rows) == len(Settings.model_fields)
    assert Settings() == defaults


def test_every_asset_and_every_column_is_documented() -> None:
    documented = section(DOCS / "assets.md", "Columns")

    for spec in whole_graph().resolve_all_asset_specs():
        _, _, text = documented.partition(f"### {spec.key.to_user_string()}\n")
        columns = spec.metadata["dagster/column_schema"].columns if "dagster/column_schema" in spec.metadata else []
        assert re.findall(r"^\| `(\w+)` \|", text.partition("\n### ")[0], re.MULTILINE) == [column.name for column in columns]


def test_what_to_do_is_said_of_every_check() -> None:
    checks = {key.name for key in whole_graph().resolve_asset_graph().asset_check_keys}

    assert set(re.findall(r"^### (\w+)$", section(DOCS / "checks.md", "What to do"), re.MULTILINE)) == checks


# What is written by hand ----------------------------------------------------------------------------------------------


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 200


def test_the_readme_lists_the_assets_in_their_order() -> None:
    rows = table_rows(README, "| asset | one row per | a day is the date of | restated when |")

    assert [row[0] for row in rows] == IN_README


def test_the_readme_lists_every_column_of_the_sources() -> None:
    rows = table_rows(README, "| table | one row per | columns |")

    assert {row[0]: row[2] for row in rows} == {name: ", ".join(schema()[name].column_names) for name in SOURCES}


def test_everything_on_the_public_surface_is_there() -> None:
    text = " ".join(section(README, "The public surface").split())
    jobs = {job.name for job in whole_graph().get_repository_def().get_all_jobs() if not job.name.startswith("__")}

    for module in ("definitions", "settings"):
        names = re.findall(r"`(\w+)`", text.partition(f"`attribution_assets.{module}` with ")[2].partition(";")[0])
        assert names
        assert all(hasattr(importlib.import_module(f"attribution_assets.{module}"), name) for name in names)
    assert callable(importlib.import_module("attribution_assets.ihc").attribute)
    assert importlib.import_module("attribution_assets.event_log").KeptOpenEventLogStorage
    assert set(re.findall(r"`(\w+)`", text.partition("the names of the jobs")[2])) == jobs | automatic().keys()


def test_what_runs_automatically_is_listed_with_whether_it_is_on() -> None:
    rows = table_rows(DOCS / "operations.md", "| name | by default | what it does |")

    assert {row[0]: {"on": "RUNNING", "off": "STOPPED"}[row[1]] for row in rows} == automatic()


def test_the_layout_names_every_part_of_the_package() -> None:
    layout = section(DOCS / "design.md", "Layout")
    package = Path(attribution_assets.__file__).parent
    parts = [path for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]

    missing = [path.name for path in parts if f"{path.name}`" not in layout and f"{path.name}/`" not in layout]
    assert set(missing) <= {"__init__.py"}


def test_every_problem_in_data_names_the_test_that_holds_what_is_done() -> None:
    problems = re.split(r"^### ", (DOCS / "data-problems.md").read_text(), flags=re.MULTILINE)[1:]
    tests = {
        name for path in Path(__file__).parent.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert len(problems) == 18
    for problem in problems:
        assert re.findall(r"^- \*\*(.*)\*\*:", problem, re.MULTILINE) == ["What you see", "Why", "What is done", "Test"]
        assert set(re.findall(r"`(test_\w+)`", problem)) & tests, problem


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", document.read_text())
    targets = [((document.parent / path).resolve() if path else document, anchor) for path, anchor in links]

    assert [path for path, _ in targets if not path.exists()] == []
    assert [(path, anchor) for path, anchor in targets if anchor and anchor not in anchors(path)] == []


@pytest.mark.parametrize("document", DOCUMENTS[1:], ids=lambda path: path.name)
def test_every_document_can_be_reached_from_the_readme(document: Path) -> None:
    index = DOCS / "your-data.md" if document.parent == DOCS / "origins" else README

    assert f"]({document.relative_to(index.parent)}" in index.read_text()


def anchors(document: Path) -> set[str]:
    """What a link can follow `#` with: the headings, as GitHub makes anchors of them."""
    prose = re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
