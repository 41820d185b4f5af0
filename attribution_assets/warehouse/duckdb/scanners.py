"""DuckDB's extensions, such as scanners of other databases, which come as packages; text in its SQL; its errors in one line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def load(connection: duckdb.DuckDBPyConnection, scanner: str) -> None:
    """Loads the scanner of another database: sqlite, postgres or mysql. Raises ModuleNotFoundError without its package."""
    load_extension(connection, f"{scanner}_scanner")


def load_extension(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Loads an extension. Raises ModuleNotFoundError without its package."""
    from importlib.resources import files

    import duckdb

    folder = files(f"duckdb_extension_{name}").joinpath("extensions", f"v{duckdb.__version__}")
    connection.execute(f"LOAD {literal(str(folder / f'{name}.duckdb_extension'))}")


def quoted(name: str, quote: str = '"') -> str:
    """The name as an identifier of SQL."""
    return quote + name.replace(quote, quote * 2) + quote


def literal(text: str) -> str:
    """The text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def listed(files: Iterable[str]) -> str:
    """The files as a list for DuckDB's functions that read some: a name with [, * or ? is no pattern."""
    exact = (re.sub(r"[\[*?]", r"[\g<0>]", file) for file in files)
    return f"[{', '.join(map(literal, exact))}]"


def first_line(error: object) -> str:
    """What DuckDB says, in one line, without its word for the kind of error."""
    line = str(error).strip().splitlines()[0].rstrip(".")
    return re.sub(r"^[A-Z][\w ]* Error: ", "", line) + "."
