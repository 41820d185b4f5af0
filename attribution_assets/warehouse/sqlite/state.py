"""What tells one state of a database file from another without opening it."""

from __future__ import annotations

from pathlib import Path

CHANGE_COUNTER = slice(24, 28)
"""Where the header of a file counts the changes that are in the file itself."""

INDEX_HEADER = slice(0, 48)
"""Where the index of the write-ahead log counts the transactions and has the checksum of the last one."""


def file_state(database: Path) -> str:
    """A text that changes with every change of the file or its write-ahead log.

    Times of files count in steps of some milliseconds; of two changes within one, the counters tell.
    """
    log, index = (database.with_name(f"{database.name}{suffix}") for suffix in ("-wal", "-shm"))
    in_file = f"{_changed(database)} {_bytes(database, CHANGE_COUNTER)}"
    return f"{in_file} {_changed(log)} {_bytes(index, INDEX_HEADER)}" if _size(log) else in_file


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _changed(file: Path) -> str:
    try:
        state = file.stat()
    except OSError:
        return "none"
    return f"{state.st_mtime_ns} {state.st_size}"


def _bytes(file: Path, part: slice) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(part.stop)[part].hex()
    except OSError:
        return ""
