"""The files that come with the package: sql/, inside the installed package or beside it in a checkout, and dagster.yaml."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def read_sql(name: str) -> str:
    """The text of `sql/<name>.sql`. Raises FileNotFoundError where there is no such file."""
    if not name.isidentifier():
        raise FileNotFoundError(f"{name!r} is not the name of a file in sql/")
    return (sql_folder() / f"{name}.sql").read_text(encoding="utf-8")


def sql_folder() -> Path:
    """The folder with the SQL files."""
    return shipped("sql")


def shipped(name: str) -> Path:
    """A file or folder inside the package or, in a checkout, beside it."""
    package = Path(__file__).parent
    installed = package / name
    return installed if installed.exists() else package.parent / name
