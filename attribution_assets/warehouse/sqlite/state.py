"""What tells one state of a database file from another without asking SQLite."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

CHANGE_COUNTER = slice(24, 28)
"""Where the header of a file counts the changes that are in the file itself, unless these came through a log."""

INDEX_HEADER = slice(0, 48)
"""Where the index of the write-ahead log counts the transactions and has the checksum of the last one."""


def file_state(database: Path) -> str:
    """A text that changes with every change of the file or its write-ahead log.

    Times of files count in steps of some milliseconds on older systems; of two changes within one, the counters tell, unless
    each of them was followed by the removal of the log.
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
    with _reading:
        try:
            return os.pread(_descriptor(file), part.stop, 0)[part].hex()
        except OSError:
            return ""


_opened: dict[tuple[int, int], int] = {}
_reading = Lock()


def _descriptor(file: Path) -> int:
    """The file, opened to read once and for all.

    Whoever closes a file ends every lock that the process has on it, those of SQLite's connections too: a reader would then see
    half of what others write. So a file is closed only after it has been removed.
    """
    known = file.stat()
    if (known.st_dev, known.st_ino) in _opened:
        return _opened[known.st_dev, known.st_ino]
    for removed in [place for place, opened in _opened.items() if not os.fstat(opened).st_nlink]:
        os.close(_opened.pop(removed))
    opened = os.open(file, os.O_RDONLY)
    new = os.fstat(opened)
    return _opened.setdefault((new.st_dev, new.st_ino), opened)
