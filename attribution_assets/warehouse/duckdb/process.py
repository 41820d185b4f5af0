"""The process in which DuckDB computes one SELECT. Only DuckDB opens the database here, and nothing of the package is imported.

It reads its task as one line of JSON from standard input, which stays open as long as its parent lives. It writes its answer as
a table in a separate SQLite file. If it fails, DuckDB's message is on standard error.
"""

import json
import os
import signal
import sys
import threading
from importlib.resources import files
from typing import Any

import duckdb

NOT_NEEDED = ("numpy", "pandas")
"""What DuckDB would import, in 0.2 s and 60 MB, only to see whether a parameter is one of its values."""

UNSIGNED = {"allow_unsigned_extensions": "true", "autoload_known_extensions": "false"}
"""Verifying the signature of the one extension takes half of the time to start. It was installed in the same way as DuckDB."""


def main() -> None:
    """Computes the task's `select` over the SQLite file `source`, as the table `answer` of the new SQLite file `answer`."""
    task: dict[str, Any] = json.loads(sys.stdin.readline())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for the answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for module in NOT_NEEDED:
        sys.modules[module] = None  # type: ignore[assignment]  # importing it fails
    with duckdb.connect(config={**UNSIGNED, **task["config"]}) as connection:
        extension = files("duckdb_extension_sqlite_scanner").joinpath("extensions", f"v{duckdb.__version__}")
        connection.execute(f"LOAD {_quoted(str(extension / 'sqlite_scanner.duckdb_extension'))}")
        connection.execute(f"ATTACH {_quoted(task['source'])} AS source (TYPE sqlite, READ_ONLY)")
        for statement in task["functions_and_views"]:
            connection.execute(statement)
        connection.execute(f"ATTACH {_quoted(task['answer'])} AS answer (TYPE sqlite)")
        connection.execute("SET search_path = 'memory.main,source.main'")
        connection.execute(f"CREATE TABLE answer.answer AS {task['select']}", task["parameters"])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    try:
        main()
    except duckdb.Error as error:
        sys.exit(str(error))
