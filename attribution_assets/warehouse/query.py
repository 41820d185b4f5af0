"""Query: a file of sql/ with its parameters, the form in which an asset asks the database to compute its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Query:
    """The SELECT in `sql/<name>.sql` and the values of its named parameters.

    `guards` name further files of sql/ with the same parameters, whose rows (one column: `problem`) are reasons not to run it.
    `looks_up_for`: the rows, as "table WHERE condition", for each of which SQLite looks up about `lookups` others; of few rows,
    nothing.
    """

    name: str
    parameters: Mapping[str, str | int | float] = field(default_factory=dict)
    guards: tuple[str, ...] = ()
    looks_up_for: str = ""
    lookups: int = 1

    @property
    def text(self) -> str:
        """The statement. Raises FileNotFoundError where sql/ has no such file."""
        return read_sql(self.name)


@cache
def read_sql(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    if not name.isidentifier():
        raise FileNotFoundError(f"{name!r} is not the name of a file in sql/")
    return (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")


def sql_folder() -> Path:
    """Where the SQL files are."""
    return shipped("sql")


def shipped(name: str) -> Path:
    """A file or folder of the project's top level: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / name
    return installed if installed.exists() else package.parent / name
