"""What several tests begin with is made once in a run of the suite, and each test gets a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from filelock import FileLock


class Templates:
    """Folders by name, made by whichever process of a parallel run first needs them; nothing writes into one afterwards.

    A copied history still names the template's database, which a command on the copy then looks at. SQLite keeps files beside
    it meanwhile, which hold nothing and are gone the next moment, so they are not copied.
    """

    def __init__(self, factory: pytest.TempPathFactory, filling: Callable[[], AbstractContextManager[None]]) -> None:
        own = factory.getbasetemp()
        of_all_workers = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
        self.folder = of_all_workers / "templates"
        self.folder.mkdir(exist_ok=True)
        self._filling = filling

    def copy(self, name: str, fill: Callable[[Path], object], to: Path) -> Path:
        """A copy of the template in the folder `to`, which may be there; `fill` fills the template where it does not exist."""
        template, made = self.folder / name, self.folder / f"{name}.made"
        with FileLock(self.folder / f"{name}.lock"):
            if not made.exists():
                shutil.rmtree(template, ignore_errors=True)  # what a `fill` that failed has left
                template.mkdir()
                with self._filling():
                    fill(template)
                made.touch()
        return Path(shutil.copytree(template, to, ignore=shutil.ignore_patterns("*-wal", "*-shm"), dirs_exist_ok=True))
