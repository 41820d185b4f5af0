"""Where a database is: an SQLite file, or the folder of a lake."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from attribution_assets.errors import AttributionError

MARKER = "attribution_lake.json"
"""The file that makes a folder a lake of ours."""

URL = re.compile(r"([a-zA-Z][\w+.-]+)://")
"""How a URL begins. What follows may hold a password, so it is never shown."""


@dataclass(frozen=True)
class Location:
    """An SQLite file, or the folder of a lake: one that has our marker, or whose name is given with a slash at its end."""

    path: Path
    is_lake: bool = False

    @classmethod
    def of(cls, given: str | Path | Location) -> Self:
        """The place that a setting or an option names, absolute. Raises AttributionError for a URL."""
        text = str(given)
        if url := URL.match(text):
            raise AttributionError(
                f"The database cannot be a URL ({url[1]}://...). Name an SQLite file, or the folder of a lake. "
                "`attribution import` reads tables from PostgreSQL and MySQL"
            )
        try:
            path = Path(text).expanduser().absolute()
        except RuntimeError as error:
            raise AttributionError(f"{text} starts with the home folder of an unknown user.") from error
        return cls(path, text.endswith("/") or (path / MARKER).is_file())

    def __str__(self) -> str:
        """The path; that of a lake with a slash at its end, so that it is read as one again."""
        return f"{self.path}/" if self.is_lake else str(self.path)

    @property
    def name(self) -> str:
        """The name of the file or folder."""
        return self.path.name
