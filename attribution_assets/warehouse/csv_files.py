"""CSV files of a table: one file per day and one with all days, replaced atomically."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.schema import schema

if TYPE_CHECKING:
    import pandas as pd

DECIMALS = 6

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What begins a formula in a spreadsheet, or is skipped before one."""

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
        """Creates the folders. Raises AttributionError if they cannot be written."""
        try:
            self.of_day("day").parent.mkdir(parents=True, exist_ok=True)
            self._lock_file.touch()
        except OSError as error:
            raise AttributionError(
                f"The exports folder {self.folder} cannot be written: {error.strerror}. "
                "Point --exports or ATTRIBUTION_EXPORTS to another one."
            ) from error

    def read(self, days: Iterable[str] | None = None) -> pd.DataFrame:
        """The rows of the days' files, or of the whole file: text where the table's columns are, else float64.

        Raises NotReadyError where a file is not there yet.
        """
        import pandas as pd

        text_columns = {column.name for column in schema()[self.name].columns if column.type == "text"}
        frames = []
        for path in [self.whole] if days is None else map(self.of_day, days):
            if not path.is_file():
                raise NotReadyError(f"There is no file {path} yet. Materialize {self.name}_csv first.")
            frames.append(pd.read_csv(path, dtype="str", keep_default_na=False))
        frame = pd.concat(frames, ignore_index=True)
        numbers = [column for column in frame.columns if column not in text_columns]
        return frame.assign(**{column: pd.to_numeric(frame[column].replace("", None)).astype("float64") for column in numbers})

    def replace(self, days: Days, day_column: str, all_days: Callable[[], Rows]) -> dict[str, int]:
        """Writes the files of these days and the whole one, and returns the number of rows of each day.

        `all_days` is called under a lock that all writers share, so that the later of two runs sees the rows of both.
        Files are UTF-8 with `\\n`, floats are plain decimals with 6 places, None is an empty field. A day without rows has only
        the header.
        """
        self.prepare()
        with FileLock(self._lock_file):
            columns, rows = all_days()
            if day_column not in columns:
                raise AttributionError(f"The rows for {self.name}_csv have no column {day_column}, which holds their day.")
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


def for_spreadsheet(value: Any) -> Any:
    """The value as a cell of a file for people: text that a spreadsheet would take for a formula begins with an apostrophe.

    Names of channels come from links that strangers write. Numbers stay as they are.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def for_spreadsheets(rows: Iterable[Sequence[Any]]) -> list[list[Any]]:
    """The rows with each value as `for_spreadsheet` gives it."""
    return [[for_spreadsheet(value) for value in row] for row in rows]


def render(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """The rows as CSV text."""
    return line(columns) + "".join(line([_cell(value) for value in row]) for row in rows)


def line(cells: Sequence[Any]) -> str:
    """The cells as a line of CSV; floats with all their digits, None as an empty field."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)  # with \r in the end of a line, a \r in a cell is quoted
    return written.getvalue().removesuffix("\r\n") + "\n"


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{round(value, DECIMALS) + 0.0:.{DECIMALS}f}"  # + 0.0: no -0.000000
    return value


def _replace_file(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")  # one writer at a time: it holds the lock
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise AttributionError(f"{path} cannot be written: {error.strerror}. Fix that, then run again.") from error
    finally:
        temporary.unlink(missing_ok=True)
