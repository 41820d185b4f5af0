"""A running web application: the server in a process of its own, asked as browsers and programs ask."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import requests

from attribution_assets_tests.command import Forked
from attribution_assets_tests.support import OWN_VARIABLES, PROJECT, wait_for
from attribution_assets_tests.web.accounts import PASSWORD, TOKENS
from attribution_assets_tests.web.serving import serve_to_tests


class LiveWeb:
    """The web application over a database, on a free port; what belongs to it lies in the database's folder.

    What is not given in `environment` is not set: neither the developer's variables nor `.env` reach it. Where the block
    fails, the error comes with what the server wrote.
    """

    def __init__(self, database: Path, *choices: str, **environment: str) -> None:
        self.folder = database.parent
        self._log = self.folder / "serve.log"
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = str(free.getsockname()[1])
        self.url = f"http://127.0.0.1:{port}"
        given = {
            **{name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)},
            "PYTHONPATH": str(PROJECT),
            "DAGSTER_HOME": str(self.folder / "home"),
            "ATTRIBUTION_DATABASE": str(database),
            "ATTRIBUTION_EXPORTS": str(self.folder / "exports"),
            "ATTRIBUTION_WEB_DATABASE": str(self.folder / "web.db"),
            **environment,
        }
        self.process = Forked(serve_to_tests, [port, *choices], self.folder, given, self._log)

    def __enter__(self) -> Self:
        wait_for(self._answers)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.process.is_at_work():
            self.process.send(signal.SIGINT)
            self.process.wait()
        if error:
            error.add_note(self.log)

    @property
    def log(self) -> str:
        """What the server has written."""
        return self._log.read_text()

    def login(self, name: str = "staff", password: str = PASSWORD) -> requests.Session:
        """A browser's session after the form of the login; see `accounts` for who there is."""
        session = requests.Session()
        session.get(f"{self.url}/login/")
        session.post(
            f"{self.url}/login/",
            data={"username": name, "password": password, "csrfmiddlewaretoken": session.cookies["csrftoken"]},
            headers={"Referer": f"{self.url}/login/"},
        )
        return session

    def program(self, name: str = "reader") -> requests.Session:
        """A session of a program, which asks with the token of `name`."""
        session = requests.Session()
        session.headers["Authorization"] = f"Token {TOKENS[name]}"
        return session

    def _answers(self) -> bool:
        if not self.process.is_at_work():
            raise AssertionError(self.log)
        try:
            return requests.get(f"{self.url}/health-check/").ok
        except requests.ConnectionError:
            return False
