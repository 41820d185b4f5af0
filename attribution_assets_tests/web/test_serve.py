"""`attribution serve`: where it listens, who can log in, and how it ends."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets_tests.support import Shop, wait_for

ADMIN = {"DJANGO_SUPERUSER_USERNAME": "ann", "DJANGO_SUPERUSER_PASSWORD": "a word that is secret"}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Served:
    """The command in a process of its own, and what it has written."""

    def __init__(self, shop: Shop, *options: str, **environment: str) -> None:
        self.port, self._says = free_port(), shop.database.with_name("says.txt")
        with self._says.open("wb") as says:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "attribution_assets", "serve"),
                    *("--database", str(shop.database), "--port", str(self.port), *options),
                ],
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=says,
                stderr=subprocess.STDOUT,
            )

    @property
    def says(self) -> str:
        return self._says.read_text()

    def is_at_work(self) -> bool:
        assert self.process.poll() is None, self.says
        return "Ctrl-C ends it" in self.says

    def get(self, address: str, **headers: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{address}", headers=headers)


@contextmanager
def served(shop: Shop, *options: str, **environment: str) -> Iterator[Served]:
    server = Served(shop, *options, **environment)
    try:
        wait_for(server.is_at_work)
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def refused(shop: Shop, *options: str, **environment: str) -> str:
    """What it says when it ends at once with exit code 1."""
    server = Served(shop, *options, **environment)
    assert server.process.wait() == 1
    return server.says


def accounts() -> list[tuple[str, int]]:
    with closing(sqlite3.connect(Path("data/web.db"))) as connection:
        return connection.execute("SELECT username, is_superuser FROM auth_user").fetchall()


def test_it_serves_the_database_until_ctrl_c(shop: Shop) -> None:
    with served(shop) as server:
        health = server.get("/health-check/")
        server.process.send_signal(signal.SIGINT)
        code = server.process.wait()

    assert (health.status_code, health.json()) == (200, {"status": "ok"})
    assert code == 0
    assert server.says.splitlines() == [
        "There is no account yet. Make one with `attribution serve --create-admin`.",
        f"Serving {shop.database} at http://127.0.0.1:{server.port}. Ctrl-C ends it.",
    ]


def test_it_makes_the_first_account_once(shop: Shop) -> None:
    with served(shop, "--create-admin", **ADMIN) as server:
        first = server.says
    with served(shop, "--create-admin", **ADMIN) as server:
        second = server.says

    assert accounts() == [("ann", 1)]
    assert "ann may do everything" in first
    assert "There is an account ann already" in second


def test_a_password_that_is_too_simple_is_refused(shop: Shop) -> None:
    says = refused(shop, "--create-admin", DJANGO_SUPERUSER_USERNAME="ann", DJANGO_SUPERUSER_PASSWORD="password")

    assert says.startswith("Error: There can be no such account: This password is too common.")
    assert len(says.splitlines()) == 1
    assert accounts() == []


def test_a_port_that_is_taken_is_one_line(shop: Shop) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        says = refused(shop, "--port", str(port))

    assert says.splitlines()[-1] == (
        f"Error: 127.0.0.1:{port} cannot be listened on: Address already in use. Choose another address with --host or --port."
    )
    assert "Traceback" not in says


def test_a_file_of_its_own_that_is_no_database_is_one_line(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "web.db").write_text("no database, but a text that is long enough to be none\n" * 100)

    says = refused(shop, ATTRIBUTION_WEB_DATABASE="web.db")

    assert says == (
        f"Error: {tmp_path}/web.db cannot be used: file is not a database. Point ATTRIBUTION_WEB_DATABASE to another file.\n"
    )


@pytest.mark.parametrize("mode", [None, 0o644])
def test_nobody_else_can_read_its_files(shop: Shop, tmp_path: Path, mode: int | None) -> None:
    if mode:
        (tmp_path / "web.db").touch(mode)
        (tmp_path / "web.db").chmod(mode)

    with served(shop, ATTRIBUTION_WEB_DATABASE="web.db") as server:
        server.get("/login/")
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.glob("web.db*")}

    assert modes == {f"web.db{suffix}": "0o600" for suffix in ("", "-wal", "-shm", ".lock", ".key")}


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command of Django's says over an application that nobody has served yet."""
    return subprocess.run(
        [sys.executable, "-m", "attribution_assets.web", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_account_can_be_made_before_it_is_served_first(shop: Shop) -> None:
    made = manage("createsuperuser", "--noinput", "--email", "", ATTRIBUTION_DATABASE=str(shop.database), **ADMIN)

    assert made.returncode == 0, made.stderr
    assert accounts() == [("ann", 1)]


def test_a_key_that_others_can_read_is_one_line(shop: Shop, tmp_path: Path) -> None:
    key = tmp_path / "web.db.key"
    key.write_text("secret")
    key.chmod(0o644)
    says = f"Error: {key} can be read by others, who could log in as anybody. Run `chmod 600 {key}`.\n"

    made = manage("createsuperuser", ATTRIBUTION_DATABASE=str(shop.database), ATTRIBUTION_WEB_DATABASE="web.db")

    assert (made.returncode, made.stderr) == (1, says)
    assert refused(shop, ATTRIBUTION_WEB_DATABASE="web.db") == says


def test_it_says_who_is_answered_where_others_can_reach_it(shop: Shop) -> None:
    with served(shop, "--host", "0.0.0.0") as server:
        by_name = server.get("/login/", Host="reports.example.com")

    assert "Only who asks for 127.0.0.1, localhost, ::1 is answered. Set ATTRIBUTION_WEB_URL to what people use." in server.says
    assert by_name.status_code == 400


def test_who_asks_by_its_url_is_answered(shop: Shop) -> None:
    with served(shop, "--host", "0.0.0.0", ATTRIBUTION_WEB_URL="http://reports.example.com") as server:
        by_name = server.get("/login/", Host="reports.example.com")

    assert "Only who asks" not in server.says
    assert by_name.status_code == 200


def test_without_the_extra_it_says_what_to_install(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "django", None)

    result: Result = CliRunner().invoke(main, ["serve", "--database", str(shop.database)])

    assert result.exit_code == 1
    assert result.stderr == "Error: The web application needs django. Run `pip install 'attribution_assets[web]'`.\n"
