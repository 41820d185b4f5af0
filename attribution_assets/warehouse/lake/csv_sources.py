"""CSV files as sources of a lake: UTF-8, cells between commas. Nothing about their form is guessed, and no line is left out."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.duckdb.scanners import listed, literal
from attribution_assets.warehouse.lake.objects import Place

FORM = (
    "auto_detect = false, header = true, skip = 0, delim = ',', quote = '\"', escape = '\"', comment = '', "
    "null_padding = false, strict_mode = true"
)
"""How DuckDB reads a file. What is not said here, it would guess from the first rows."""

OTHER_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}

AS_UTF_8 = "Save it as UTF-8"


def rows_of_csv(files: Sequence[Place]) -> str:
    """The SELECT of the rows of CSV files, every value as text, and an empty cell as NULL; columns go by their names.

    Raises AttributionError for a file whose first line has no names of columns.
    """
    by_header: dict[tuple[str, ...], list[Place]] = {}
    for file in files:
        by_header.setdefault(_header(file), []).append(file)
    return " UNION ALL BY NAME ".join(_rows(columns, of_them) for columns, of_them in by_header.items())


def error_in_csv(error: Exception) -> str | None:
    """What DuckDB's error says about a line of a CSV file, in one line without a point at its end; None if it is another."""
    text = str(error)
    if not (files := re.findall(r"^  file = (.+)$", text, re.MULTILINE)):
        return None
    file = files[-1]
    if "CSV Parser state machine reached an invalid state" in text:
        return f"{file} has line ends of several kinds, or a quote inside a cell that is not doubled. Save it as CSV again"
    line = re.search(r"CSV Error on Line: (\d+)", text)
    place = f"{file}, line {line[1]}" if line else file
    if cells := re.findall(r"^Expected Number of Columns: (\d+) Found: (\d+)", text, re.MULTILINE):
        expected, found = map(int, cells[-1])
        if found < expected:
            return f"{place}: it has fewer cells than the header, which has {expected}. Leave a cell empty, not out"
        return f"{place}: it has more cells than the header, which has {expected}. Put a cell with a comma between quotes"
    if "Invalid unicode" in text:
        return f"{place}: it is not UTF-8. {AS_UTF_8}"
    if "unterminated quote" in text:
        return f"{place}: a quote is not closed, or not doubled inside a cell"
    if "Maximum line size" in text:
        return f"{place}: it is too long. Is a quote not closed?"
    return f"{place}: it cannot be read as CSV"


def _rows(columns: Sequence[str], files: Sequence[Place]) -> str:
    types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns)
    return f"SELECT * FROM read_csv({listed(map(str, files))}, {FORM}, columns = {{{types}}})"


def _header(file: Place) -> tuple[str, ...]:
    """The names of the columns; one without a name is called by its number."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            cells = [cell.strip() for cell in next(csv.reader(text), [])]
    except UnicodeDecodeError as error:
        raise AttributionError(f"{file} is not UTF-8. {AS_UTF_8}.") from error
    except csv.Error as error:
        raise AttributionError(f"{file} has no names of columns in its first line: {error}.") from error
    except OSError as error:
        raise AttributionError(f"{file} cannot be read: {error.strerror}.") from error
    if "\0" in "".join(cells):  # half of a character of UTF-16
        raise AttributionError(f"{file} is not UTF-8. {AS_UTF_8}.")
    if not any(cells):
        raise AttributionError(f"{file} is empty: its first line has to name the columns. Write them, or remove the file.")
    if len(cells) == 1 and (found := [name for mark, name in OTHER_DELIMITERS.items() if mark in cells[0]]):
        raise AttributionError(f"{file} has {found[0]} between its cells. The delimiter has to be a comma: save it so.")
    names = [name or f"column {number}" for number, name in enumerate(cells, 1)]
    lower = [name.lower() for name in names]
    if twice := [name for name in names if lower.count(name.lower()) > 1]:
        raise AttributionError(f"{file} has the column {twice[0]} more than once. Give each column a name of its own.")
    return tuple(names)
