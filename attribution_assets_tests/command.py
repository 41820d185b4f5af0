"""`attribution` in a process of its own, which begins with everything imported."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from pathlib import Path
from threading import Thread
from typing import Any

from attribution_assets.command.cli import main

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["attribution_assets.command.run", "attribution_assets_tests.lakes", "pytest", __name__])


Work = Callable[[list[str]], object]
"""What a process does with its arguments."""


class Forked:
    """A process that does `work` with these arguments, in this folder and environment; what it prints is in the file `says`.

    It is forked from one that has imported what a run needs, which takes longer than a small run.
    """

    def __init__(
        self,
        work: Work,
        arguments: list[str],
        folder: Path,
        environment: Mapping[str, str],
        says: Path,
    ) -> None:
        says.touch()
        self.says = says
        self._process = PROCESSES.Process(target=_into_file, args=(work, arguments, folder, environment, says))
        self._process.start()

    def wait(self, seconds: float | None = None) -> int | None:
        """Waits for its end, and gives its exit code; None if it has not ended by then."""
        self._process.join(seconds)
        return self._process.exitcode

    def is_at_work(self) -> bool:
        return self._process.is_alive()

    def send(self, signal: int) -> None:
        assert self._process.pid
        os.kill(self._process.pid, signal)

    def kill(self) -> None:
        """Ends it wherever it is."""
        self._process.kill()
        self._process.join()


class Command(Forked):
    """`attribution` with these arguments, in the folder and environment of now but for what is given."""

    def __init__(self, *arguments: str | Path, says: Path, **environment: str) -> None:
        super().__init__(_attribution, [*map(str, arguments)], Path.cwd(), {**os.environ, **environment}, says)


def _attribution(arguments: list[str]) -> None:
    main(arguments, prog_name="attribution")


def _into_file(work: Work, arguments: list[str], folder: Path, environment: Mapping[str, str], says: Path) -> None:
    file = os.open(says, os.O_WRONLY | os.O_TRUNC)
    _become(folder, environment, (os.open(os.devnull, os.O_RDONLY), file, file))
    work(arguments)


def _become(folder: Path, environment: Mapping[str, str], streams: Sequence[int]) -> None:
    gc.freeze()  # what is imported stays
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for stream, file in enumerate(streams):
        os.dup2(file, stream)


SCRIPT = """#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as asked:
    asked.connect({address!r})
    socket.send_fds(asked, [b"."], [0, 1, 2])
    asked.sendall(json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode())
    asked.shutdown(socket.SHUT_WR)
    sys.exit(int(asked.recv(16)))
"""


@contextmanager
def quick_script(folder: Path) -> Iterator[Path]:
    """A folder for the PATH whose `attribution` does what the real one does, in processes that begin with everything imported.

    The script hands its arguments, folder, environment and streams over to them, and ends with their exit code.
    """
    address = folder / "asked"
    script = folder / "attribution"
    script.write_text(SCRIPT.format(python=sys.executable, address=str(address)))
    script.chmod(0o755)
    with socket.create_server(str(address), family=socket.AF_UNIX) as server:
        Thread(target=_answer, args=(server,), daemon=True).start()
        yield folder
        server.shutdown(socket.SHUT_RDWR)


def _answer(server: socket.socket) -> None:
    while True:
        try:
            asked, _ = server.accept()
        except OSError:  # it is closed
            return
        Thread(target=_answer_one, args=(asked,), daemon=True).start()


def _answer_one(asked: socket.socket) -> None:
    with asked:
        _, streams, *_ = socket.recv_fds(asked, 1, 3)
        arguments, folder, environment = json.loads(asked.makefile("rb").read())
        process = PROCESSES.Process(target=_detached, args=(arguments, folder, environment, [DupFd(file) for file in streams]))
        process.start()
        for file in streams:
            os.close(file)
        process.join()
        asked.sendall(str(process.exitcode).encode())


def _detached(arguments: list[str], folder: Path, environment: Mapping[str, str], streams: Sequence[Any]) -> None:
    _become(folder, environment, [file.detach() for file in streams])
    _attribution(arguments)
