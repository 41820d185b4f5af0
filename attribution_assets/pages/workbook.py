"""Reports as files: a workbook with a sheet for each, and CSV; numbers stay numbers, text never becomes a formula."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

import xlsxwriter

from attribution_assets.analysis.reports.form import Column
from attribution_assets.pages.shown import Table
from attribution_assets.warehouse.csv_files import for_spreadsheets, line

FORMATS = {
    "amount": "#,##0.00",
    "number": "#,##0.00",
    "credit": "0.0000",
    "share": "0.0%",
    "rate": "#,##0.000000",
    "count": "#,##0",
    "day": "yyyy-mm-dd",
}

MADE = datetime(2000, 1, 1)
"""When each workbook says it was made: the same tables give the same bytes."""

LONGEST_NAME = 31


def csv_of(table: Table, *, is_for_spreadsheets: bool) -> str:
    """The rows as CSV, with the columns' names; for spreadsheets, text that one would take for a formula is guarded."""
    names = [column.name for column in table.report.columns]
    rows = ([row[name] for name in names] for row in table.answer.rows)
    return "".join(map(line, [names, *(for_spreadsheets(rows) if is_for_spreadsheets else rows)]))


def workbook(tables: Iterable[Table]) -> bytes:
    """An XLSX file with a sheet for each table that has an answer: typed cells, a frozen header, what is to be known on top."""
    written = io.BytesIO()
    book = xlsxwriter.Workbook(written, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": MADE})
    bold = book.add_format({"bold": True})
    formats = {kind: book.add_format({"num_format": text}) for kind, text in FORMATS.items()}
    for table in tables:
        if table.problem is None:
            _write(book.add_worksheet(_sheet_name(table.report.title)), table, bold, formats)
    book.close()
    return written.getvalue()


def _write(sheet: Any, table: Table, bold: Any, formats: dict[str, Any]) -> None:
    columns = table.report.columns
    sheet.write_row(0, 0, [column.title for column in columns], bold)
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.write_comment(0, place, column.definition)
        sheet.set_column(place, place, max(len(column.title), *_widths(column, table.answer.rows)) + 2)
        for number, row in enumerate(table.answer.rows, start=1):
            _write_cell(sheet, number, place, column, row[column.name], formats)
        if table.answer.total:
            _write_cell(sheet, len(table.answer.rows) + 1, place, column, table.answer.total.get(column.name), formats)
    for number, text in enumerate(_about(table), start=len(table.answer.rows) + 3):
        sheet.write_string(number, 0, text)


def _write_cell(sheet: Any, row: int, place: int, column: Column, value: Any, formats: dict[str, Any]) -> None:
    if value is None:
        return
    form = formats.get(column.kind)
    if column.kind == "flag":
        sheet.write_boolean(row, place, value)
    elif column.kind == "day" and _is_day(value):
        sheet.write_datetime(row, place, date.fromisoformat(value), form)
    elif isinstance(value, str):
        sheet.write_string(row, place, value)
    else:
        sheet.write_number(row, place, value, form)


def _is_day(value: Any) -> bool:
    return isinstance(value, str) and "1900-01-01" < value <= "9999-12-31"


def _widths(column: Column, rows: Sequence[Any]) -> list[int]:
    return [10, *(min(len(str(row[column.name])), 40) for row in rows[:100] if column.kind == "text")]


def _about(table: Table) -> list[str]:
    """What is to be known about the rows: their days, the model, the currency, what is provisional."""
    answer, basis = table.answer, table.answer.basis
    return [
        text
        for text in (
            table.report.description,
            f"Days: {answer.days}." if answer.days else "",
            *(f"{name.capitalize()}: {basis[name] or 'none'}." for name in ("model", "parameters") if name in basis),
            f"Amounts in {basis['currency']}." if basis.get("currency") else "",
            f"Provisional from {answer.provisional_from} on."
            if answer.provisional_from
            else "Final."
            if answer.is_final
            else "",
            *answer.notes,
        )
        if text
    ]


def _sheet_name(title: str) -> str:
    return re.sub(r"[\[\]:*?/\\]", " ", title)[:LONGEST_NAME]
