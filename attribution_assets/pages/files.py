"""Files to send: every page in one HTML file that needs no server, and every report in one workbook."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from attribution_assets.analysis.reports.form import Asked
from attribution_assets.analysis.reports.overview import TOTALS
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.pages.html import html_file
from attribution_assets.pages.registry import PAGES, REPORTS
from attribution_assets.pages.shown import Shown, answered, show
from attribution_assets.pages.workbook import workbook
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days


def write_files(settings: Settings, asked: Asked, html: Path | None, xlsx: Path | None) -> list[str]:
    """Writes the pages and the reports for the range and the model, and returns a line for each report that is left out.

    Both files are of one state of the database. Reports that ask for more than a range and a model are left out silently: they
    are behind a click. Raises NotReadyError where no report has rows on these days, or none under this model, AttributionError
    for a reversed range and where a file cannot be written.
    """
    if asked.start and asked.end:
        Days(asked.start, asked.end)
    with settings.at_one_state(settings.warehouse.busy_timeout) as state:
        pages = [show(state, page, asked) for page in PAGES.values()]
        on_pages = {table.report.name: table for page in pages for table in page.tables}
        others = (report for report in REPORTS.values() if report.name not in on_pages and not report.requires)
        tables = {**on_pages, **{report.name: answered(state, report, asked) for report in others}}
    if asked.model != Asked().model and (problem := tables[TOTALS.name].problem):
        raise problem
    of_days = [table for table in tables.values() if table.report.has_days and not table.report.of_history]
    if not any(table.answer.rows for table in of_days):
        problems = [table.problem for table in of_days if table.problem]
        raise problems[0] if len(problems) == len(of_days) else _nothing(settings)
    if html:
        _write(html, html_file(_with_answers(pages), _title(pages)).encode())
    if xlsx:
        _write(xlsx, workbook(table for table in tables.values() if table.answer.rows))
    return [f"{table.report.title}: {table.problem}" for table in tables.values() if table.problem]


def _nothing(settings: Settings) -> NotReadyError:
    return NotReadyError(f"{settings.database} has no results on these days.")


def _title(pages: Sequence[Shown]) -> str:
    return f"Marketing report, {next((page.days for page in pages if page.days), 'all days')}"


def _with_answers(pages: Iterable[Shown]) -> list[Shown]:
    kept = (Shown(page.page, page.asked, [table for table in page.tables if not table.problem]) for page in pages)
    return [page for page in kept if page.tables]


def _write(file: Path, content: bytes) -> None:
    """Writes the file at once or not at all."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(content)
        unfinished.replace(file)
    except OSError as error:
        raise AttributionError(f"{file} cannot be written: {error.strerror}. Choose another file.") from error
    finally:
        unfinished.unlink(missing_ok=True)
