"""CSV files of a table: one file per day and one with all days, replaced atomically."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.days import Days

DECIMALS = 6

Rows = tuple[Sequence[str], Sequence[Sequence[Any]]]
"""Column names, and the rows."""


@dataclass(frozen=True)
class CSVFiles:
    """`<folder>/<name>.csv` with all days, and `<folder>/<name>/<day>.csv` for each day."""

    folder: Path
    name: str

    @property
    def whole(self) -> Path:
        """The file with all days."""
        return self.folder / f"{self.name}.csv"

    def of_day(self, day: str) -> Path:
        """The file of one day."""
        return self.folder / self.name / f"{day}.csv"

    def prepare(self) -> None:
        """Makes the folders. Raises AttributionError where they cannot be written."""
        try:
            self.of_day("day").parent.mkdir(parents=True, exist_ok=True)
            self._lock_file.touch()
        except OSError as error:
            raise AttributionError(
                f"The exports folder {self.folder} cannot be written: {error.strerror}. "
                "Point --exports or ATTRIBUTION_EXPORTS to another one."
            ) from error

    def replace(self, days: Days, day_column: str, all_days: Callable[[], Rows]) -> dict[str, int]:
        """Writes the files of these days and the whole one, and returns the number of rows of each day.

        `all_days` is called under a lock that all writers share, so that of two runs the later one has seen both.
        UTF-8, `\\n`, floats as plain decimals with 6 places, None as an empty field; a day without rows is a header.
        """
        self.prepare()
        with FileLock(self._lock_file):
            columns, rows = all_days()
            day_at = columns.index(day_column)
            of_days: dict[str, list[Sequence[Any]]] = {day: [] for day in days}
            for row in rows:
                if row[day_at] in of_days:
                    of_days[row[day_at]].append(row)
            for day, rows_of_day in of_days.items():
                _replace_file(self.of_day(day), render(columns, rows_of_day))
            _replace_file(self.whole, render(columns, rows))
        return {day: len(rows_of_day) for day, rows_of_day in of_days.items()}

    @property
    def _lock_file(self) -> Path:
        return self.folder / f".{self.name}.lock"


def render(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The rows as CSV text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"  # + 0.0: no -0.000000
    return value


def _replace_file(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise AttributionError(f"{path} cannot be written: {error.strerror}. Mend that, then run again.") from error
    finally:
        temporary.unlink(missing_ok=True)
