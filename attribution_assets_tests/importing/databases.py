"""A PostgreSQL and a MariaDB server of the tests' own, each in a folder that is gone afterwards."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from attribution_assets_tests.support import wait_for

USER, PASSWORD = "owner", "s3cret/word"
IN_URL = "s3cret%2Fword"
ICU = ("--locale-provider=icu", "--icu-locale=en-US")
"""A locale in which 'a' comes before 'B', and 'B' before 'c'; bytes have it otherwise."""


@dataclass(frozen=True)
class Database:
    """A server's database, whose user needs a password. `client` is the command that runs the SQL put behind it."""

    scheme: str
    port: int
    client: tuple[str, ...]

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}/shop"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{USER}:{IN_URL}@{self.place}"

    @property
    def printed(self) -> str:
        """The URL as it may be printed."""
        return f"{self.scheme}://{USER}@{self.place}"

    def execute(self, sql: str) -> None:
        subprocess.run([*self.client, sql], check=True, capture_output=True)


@contextmanager
def postgres() -> Iterator[Database]:
    bin_ = next((str(path.parent) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    initdb, server, psql = (_found(name, "postgresql", bin_) for name in ("initdb", "postgres", "psql"))
    user = "nobody" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    port = _free_port()
    with _folder(user) as folder:
        (folder / "password").write_text(PASSWORD)
        access = [f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
        cluster = [f"--pgdata={folder / 'data'}", "--no-sync", "--locale=C.UTF-8", *ICU]
        subprocess.run([initdb, *cluster, *access], check=True, user=user, capture_output=True)
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", f"port={port}", "fsync=off", "DateStyle=German")
        with _running([server, "-D", str(folder / "data"), *(f"--{each}" for each in settings)], port, user):
            client = (psql, "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname")
            at = f"postgresql://{USER}:{IN_URL}@127.0.0.1:{port}"
            ready = [*client, f"{at}/postgres", "--command", "SELECT 1"]  # it answers while it is still starting up
            wait_for(lambda: subprocess.run(ready, check=False, capture_output=True).returncode == 0)
            subprocess.run([*client, f"{at}/postgres", "--command", "CREATE DATABASE shop"], check=True, capture_output=True)
            yield Database("postgresql", port, (*client, f"{at}/shop", "--command"))


@contextmanager
def mariadb() -> Iterator[Database]:
    install, server, client = (
        _found(name, "mariadb-server-core mariadb-client-core", "/usr/sbin")
        for name in ("mariadb-install-db", "mariadbd", "mariadb")
    )
    port = _free_port()
    as_root = ["--user=root"] if os.geteuid() == 0 else []
    with _folder(None) as folder:
        data, bare = f"--datadir={folder / 'data'}", "--no-defaults"
        method = ["--auth-root-authentication-method=normal", "--skip-test-db"]
        subprocess.run([install, bare, data, *method, *as_root], check=True, capture_output=True)
        options = [f"--socket={folder / 'socket'}", "--bind-address=127.0.0.1", "--default-time-zone=+05:00"]
        with _running([server, bare, data, f"--port={port}", *options, *as_root], port, None):
            command = (client, bare, "--user=root", "--host=127.0.0.1", f"--port={port}")
            created = f"CREATE DATABASE shop; GRANT ALL ON shop.* TO {USER}@'%' IDENTIFIED BY '{PASSWORD}'"
            subprocess.run([*command, "--execute", created], check=True, capture_output=True)
            yield Database("mysql", port, (*command, "shop", "--execute"))


def _found(program: str, package: str, folder: str | None) -> str:
    """The program's path. Without it the tests are skipped, but not in CI."""
    found = shutil.which(program, path=os.pathsep.join(filter(None, (folder, os.environ["PATH"]))))
    if found is None:
        missing = f"no {program} (Debian: apt-get install {package}): no import from this server was tried"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


@contextmanager
def _folder(user: str | None) -> Iterator[Path]:
    """A folder of the user's, outside of pytest's, which no other user may enter."""
    with TemporaryDirectory(prefix="server-") as name:
        if user:
            shutil.chown(name, user)
        yield Path(name)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def _running(command: list[str], port: int, user: str | None) -> Iterator[None]:
    with subprocess.Popen(command, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(lambda: server.poll() is not None or _answers(port), every=0.05)
            yield
        finally:
            server.terminate()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
