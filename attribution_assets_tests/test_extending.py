"""docs/extending.md does what it says: a daily table in four files, which runs, is checked, restated and shown."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from attribution_assets_tests.support import PROJECT

PAGE = (PROJECT / "docs" / "extending.md").read_text()
DATABASE = "hours.db"


def block_of_section(number: int) -> str:
    """The code of a numbered section of the page."""
    [section] = re.findall(rf"^## {number}\. .*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    [code] = re.findall(r"```\w+\n(.*?)```", section, re.DOTALL)
    return str(code)


def named_in_section(number: int) -> str:
    """The file that a numbered section of the page is about."""
    [section] = re.findall(rf"^## {number}\. .*?(?=^## )", PAGE, re.MULTILINE | re.DOTALL)
    found = re.search(r"`([\w/]+\.(?:sql|py))`", section)
    assert found
    return found[1]


def commands() -> list[str]:
    """The commands that the page gives once the table is added."""
    [code] = re.findall(r"^## See it\n.*?```sh\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    return str(code).splitlines()


def extend(project: Path) -> list[str]:
    """Does what the page says, in a copy of the project; returns the files that were touched."""
    schema, query, check, catalog = (project / named_in_section(number) for number in (1, 2, 3, 4))
    before, _, after = schema.read_text().partition("CREATE INDEX")
    schema.write_text(f"{before}{block_of_section(1)}\nCREATE INDEX{after}")
    for number, file in ((2, query), (3, check)):
        assert not file.exists()
        file.write_text(block_of_section(number))
    lines = catalog.read_text().splitlines(keepends=True)
    assert lines[-1].startswith("REPORTING = ")
    catalog.write_text("".join(lines[:-1]) + block_of_section(4))
    return sorted(str(file.relative_to(project)) for file in (schema, query, check, catalog))


SESSION = """
import contextlib, io, json, sys, traceback
from click.testing import CliRunner
from attribution_assets.command.cli import main

def attribution(*arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    print(result.stdout, end="")

for program in sys.stdin:
    error = None
    with contextlib.redirect_stdout(io.StringIO()) as said:
        try:
            exec(json.loads(program), {"attribution": attribution})
        except Exception:
            error = traceback.format_exc()
    print(json.dumps([said.getvalue(), error]), flush=True)
"""
"""One process runs all programs of the test, as to import the package takes longer than most of them."""


class Copy:
    """A copy of the project that has been extended; to be closed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("attribution_assets", "sql"):
            shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.touched = extend(folder)

    @cached_property
    def _session(self) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "DAGSTER_HOME": str(self.folder / "home"),
            "ATTRIBUTION_DATABASE": str(self.folder / DATABASE),
            "ATTRIBUTION_END_DATE": "2023-09-30",
        }
        command = [sys.executable, "-c", SESSION]
        return subprocess.Popen(
            command, cwd=self.folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def python(self, program: str) -> str:
        """What the program prints."""
        assert self._session.stdin
        assert self._session.stdout
        self._session.stdin.write(f"{json.dumps(program)}\n")
        self._session.stdin.flush()
        said, error = json.loads(self._session.stdout.readline())
        assert error is None, error
        return str(said)

    def attribution(self, *arguments: str) -> str:
        return self.python(f"attribution(*{arguments!r})")

    def close(self) -> None:
        if "_session" in self.__dict__:
            self._session.communicate()

    def status(self, day: str, asset: str = "sessions_by_hour") -> dict[str, Any]:
        [state] = json.loads(self.attribution("status", "--start", day, "--end", day, "--json"))
        return dict(state["assets"][asset])

    def execute(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / DATABASE)) as connection, connection:
            return connection.execute(statement, parameters).fetchall()


@pytest.fixture
def extended(tmp_path: Path) -> Iterator[Copy]:
    with closing(Copy(tmp_path)) as copy:
        yield copy


SENSOR = """
import dagster as dg
from attribution_assets.definitions import build_defs
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets.settings import read_settings

settings = read_settings()
with dagster_instance(settings.dagster_home) as instance:
    defs = build_defs(settings)
    [request] = defs.resolve_sensor_def("late_data")(dg.build_sensor_context(instance)).run_requests
    ran = defs.resolve_job_def(request.job_name).execute_in_process(
        instance=instance, tags=request.tags, asset_selection=request.asset_selection
    )
    days = [value for name, value in request.tags.items() if name.startswith("dagster/")]
    print(request.job_name, *days, *(event.step_key for event in ran.get_step_success_events()))
"""
"""A tick of the sensor for late data, and the one run that it requests."""


def test_a_daily_table_takes_four_files(extended: Copy) -> None:
    assert extended.touched == [
        "attribution_assets/catalog/reporting.py",
        "sql/challenge_db_create.sql",
        "sql/check_hours_add_up.sql",
        "sql/sessions_by_hour.sql",
    ]


def test_it_runs_is_checked_shown_and_restated_where_late_data_touches_it_alone(extended: Copy) -> None:
    shown = {command.split()[1]: extended.attribution(*command.split()[1:]) for command in commands()}
    [(sessions,)] = extended.execute("SELECT sum(sessions) FROM sessions_by_hour")
    findings = {finding["check"]: finding for finding in json.loads(extended.attribution("check", "--json"))}
    assert sessions == 20_000
    assert (findings["hours_add_up"]["asset"], findings["hours_add_up"]["result"]) == ("sessions_by_hour", "passed")
    assert extended.status("2023-09-29") == {"state": "fresh", "because": None}
    assert re.search(r"hours_add_up +sessions_by_hour +passed", shown["check"])
    assert re.search(r"costs +hours +reporting", shown["status"])

    [(session_id,)] = extended.execute(
        "SELECT session_id FROM session_sources WHERE event_date = '2023-09-29' AND event_time < '12' "
        "AND user_id NOT IN (SELECT user_id FROM conversions) ORDER BY session_id LIMIT 1"
    )
    before = extended.execute("SELECT * FROM sessions_by_hour WHERE date = '2023-09-29'")
    extended.execute("UPDATE session_sources SET event_time = '23:59:59' WHERE session_id = ?", session_id)
    assert extended.status("2023-09-29") == {"state": "stale", "because": "its rows no longer match the sources"}
    assert extended.status("2023-09-29", "channel_costs") == {"state": "fresh", "because": None}
    assert extended.python(SENSOR).split() == [
        *("sum_costs", "2023-09-29", "2023-09-29"),
        *("sessions_by_hour", "sessions_by_hour_checks"),
    ]

    after = extended.execute("SELECT * FROM sessions_by_hour WHERE date = '2023-09-29'")
    assert extended.status("2023-09-29") == {"state": "fresh", "because": None}
    assert dict(row[1:] for row in after)[23] == dict(row[1:] for row in before).get(23, 0) + 1
