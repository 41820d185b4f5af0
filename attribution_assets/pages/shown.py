"""A page as it is shown: the answers of its reports, or why there is none, and what stands at its top."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from attribution_assets.analysis.reports.form import Answer, Asked, Column, Page, Report, Row
from attribution_assets.errors import AttributionError
from attribution_assets.formats import number
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days


@dataclass(frozen=True)
class Figure:
    """A number in large: its column, its value, and how much it changed against the range before (a share, None if unknown)."""

    column: Column
    value: Any
    change: float | None


@dataclass(frozen=True)
class Table:
    """A report with its answer; without one, `problem` says why, and what to do."""

    report: Report
    answer: Answer
    problem: AttributionError | None = None


@dataclass(frozen=True)
class Shown:
    """A page for what was asked."""

    page: Page
    asked: Asked
    tables: Sequence[Table]

    @property
    def figures(self) -> Iterator[Figure]:
        """The numbers at the top: the first row of the page's report of figures."""
        for table in self.tables:
            if table.report.name == self.page.figures and table.answer.rows:
                yield from _figures(table.report, table.answer.rows[0])

    @property
    def has_days(self) -> bool:
        """Whether a report of the page is of a range of days."""
        return any(table.report.has_days for table in self.tables)

    @property
    def by_model(self) -> bool:
        """Whether there is a report of the page for each model."""
        return any(table.report.by_model for table in self.tables)

    @property
    def basis(self) -> Answer | None:
        """The first answer that says by which model and parameters it is."""
        return next((table.answer for table in self.tables if table.answer.basis), None)

    def only_of(self, report: Report) -> dict[str, str]:
        """The values that were asked for, by which the report's rows are chosen."""
        return {name: value for name, value in self.asked.values.items() if name in report.values}

    def has_basis_of(self, answer: Answer) -> bool:
        """Whether what the page says of its basis is all that is to be said of the answer's."""
        first = self.basis
        said = (answer.basis, answer.is_final, answer.provisional_from)
        return not answer.basis or (first is not None and said == (first.basis, first.is_final, first.provisional_from))

    @property
    def days(self) -> Days | None:
        """The days that the page is about; None where no report has any."""
        return next((table.answer.days for table in self.tables if table.answer.days), None)

    @property
    def charts(self) -> Iterator[dict[str, Any]]:
        """What a chart draws: `title`, `days`, `series` (name and values), and the first provisional day."""
        answers = {table.report.name: table for table in self.tables}
        for chart in self.page.charts:
            if (table := answers.get(chart.report)) and len(rows := table.answer.rows) > 1:
                titles = {column.name: column.title for column in table.report.columns}
                yield {
                    "title": f"{' and '.join(titles[name] for name in chart.series).capitalize()} by day",
                    "days": [row["date"] for row in rows],
                    "series": [{"name": titles[name], "values": [row[name] for row in rows]} for name in chart.series],
                    "provisional_from": table.answer.provisional_from,
                }


def show(settings: Settings, page: Page, asked: Asked) -> Shown:
    """The page with the answers of its reports; a report that has none says why. Give settings at one state of the database."""
    return Shown(page, asked, [answered(settings, report, asked) for report in page.shown(asked)])


def without_folders(text: str) -> str:
    """The text with the names of files alone: where they lie is nobody's business who reads it elsewhere."""
    return re.sub(r"(?<![\w:/.])/(?:[^/\s]+/)++(?=\w)", "", text)


def as_text(column: Column, value: Any) -> str:
    """A value as people read it; empty if it is undefined."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    match column.kind:
        case "flag":
            return "yes" if value else "no"
        case "count":
            return f"{value:,}"
        case "share":
            return f"{value:.1%}"
        case "credit":
            return f"{value:.4f}"
        case "rate":
            return f"{value:,.6f}"
        case _:
            return number(value)


def answered(settings: Settings, report: Report, asked: Asked) -> Table:
    """The report with its answer, or with what says why there is none."""
    try:
        return Table(report, report.asked(settings, asked))
    except AttributionError as error:
        return Table(report, Answer(()), type(error)(without_folders(str(error))))


def _figures(report: Report, row: Row) -> Iterator[Figure]:
    for column in report.columns[1:]:
        if not column.name.endswith("_before"):
            value, before = row[column.name], row.get(f"{column.name}_before")
            yield Figure(column, value, (value - before) / before if value is not None and before else None)
