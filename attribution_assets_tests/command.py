"""`attribution` in a process of its own, which begins with everything imported."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Mapping
from pathlib import Path

from attribution_assets.command.cli import main

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["attribution_assets.command.run", __name__])


class Command:
    """`attribution` with these arguments, in the folder and environment of now but for what is given.

    It is forked from a process that has imported what a run needs, which takes longer than a small run. What it prints goes
    into the file `says`.
    """

    def __init__(self, *arguments: str | Path, says: Path, **environment: str) -> None:
        says.touch()
        self.says = says
        self._process = PROCESSES.Process(
            target=_run, args=([str(argument) for argument in arguments], Path.cwd(), {**os.environ, **environment}, says)
        )
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


def _run(arguments: list[str], folder: Path, environment: Mapping[str, str], says: Path) -> None:
    gc.freeze()  # what is imported stays
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    file = os.open(says, os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(file, stream)
    main(arguments)
