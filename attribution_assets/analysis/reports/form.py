"""The form of a report: its name and columns with their definitions, what can be asked of it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from attribution_assets.analysis.report import provisional_days
from attribution_assets.catalog.reporting import CHANNEL_REPORT
from attribution_assets.catalog.span import days_of
from attribution_assets.catalog.table import DailyTable
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.days import shift

Kind = Literal["text", "day", "count", "amount", "number", "credit", "share", "rate", "flag"]
"""What a column holds: `amount` is money, `number` has two decimals, `credit` is a part of one order, `share` a part of 1.

`rate` is so many of something for one of another, with six decimals."""

Row = Mapping[str, Any]
"""A row by the names of the columns; None where a value is undefined."""

DEFAULT_DAYS = 30
"""How many days are shown where nobody says which: the last ones with results."""


@dataclass(frozen=True)
class Link:
    """Where a cell leads: to the page, with these parameters, each of them the value of a column of the row."""

    page: str
    parameters: Mapping[str, str]


@dataclass(frozen=True)
class Column:
    """A column: what it is called in files and by programs, what it holds and what that means.

    `may_be_undefined`: a value can be None.
    """

    name: str
    kind: Kind
    definition: str
    may_be_undefined: bool = False
    link: Link | None = None
    heading: str = ""

    @property
    def title(self) -> str:
        """What stands over it."""
        return self.heading or self.name.replace("_", " ")


def stored(table: str, name: str, kind: Kind, *, link: Link | None = None, heading: str = "") -> Column:
    """A column of a stored table, with the definition that the schema gives it; its name in small letters."""
    [declared] = [column for column in schema()[table].columns if column.name == name]
    return Column(name.lower(), kind, declared.description, not declared.required, link, heading)


@dataclass(frozen=True)
class Asked:
    """What somebody asks: from which day to which (both included), by which model, and for which values of columns."""

    start: str | None = None
    end: str | None = None
    model: str = "ihc"
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """A report's rows, and what is to be known about them.

    `days` that they are about; `basis`: by which model and parameters, and in which currency, as of `analysis.report.basis`;
    `provisional_from`: the first of the days that can still change, None if none can, or if nothing is credited; `total`: the
    row of all together; `notes`: what else is to be said.
    """

    rows: Sequence[Row]
    days: Days | None = None
    basis: Mapping[str, str | None] = field(default_factory=dict)
    provisional_from: str | None = None
    total: Row | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """A table that people read: on a page, in a file, through the API.

    `name`: its name in addresses, files and sheets. `answer` raises NotFoundError, NotReadyError and AttributionError for what
    cannot be had. `filters`: the columns whose value can be asked for. `requires`: values without which there is nothing to
    show. `by_model`: whether there is one for each model. `has_days`: whether it is of a range of days.
    `of_history`: whether it follows from Dagster's history as well.
    `on_request`: whether it takes so long that it is computed beforehand, when somebody asks for it.
    """

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    answer: Callable[[Settings, Asked], Answer]
    filters: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    by_model: bool = False
    has_days: bool = True
    of_history: bool = False
    on_request: bool = False

    def asked(self, settings: Settings, asked: Asked) -> Answer:
        """The answer, with the rows that have the values that the filters ask for.

        Raises AttributionError where a value is missing without which there is nothing to show.
        """
        if missing := [name for name in self.requires if name not in asked.values]:
            raise AttributionError(f"{self.title}: give {' and '.join(missing)}.")
        answer = self.answer(settings, asked)
        wanted = {name: value for name, value in asked.values.items() if name in self.filters}
        if not wanted:
            return answer
        kept = [row for row in answer.rows if all(str(row[name]) == value for name, value in wanted.items())]
        return Answer(kept, answer.days, answer.basis, answer.provisional_from, None, answer.notes)


def days_asked(settings: Settings, asked: Asked, tables: Iterable[DailyTable] = (CHANNEL_REPORT,)) -> Days:
    """The days from `start` to `end` as far as they have results; where one is unset, up to the last day, or the last 30.

    Of a range without results, one day. Raises NotReadyError where there are no results at all, and AttributionError for a
    reversed range.
    """
    computed = days_of(settings.warehouse, tables)
    if computed is None:
        raise NotReadyError(f"{settings.database} has no results for this report yet. Run `attribution run` first.")
    end = asked.end or max(computed.last, asked.start or computed.last)
    days = Days(asked.start or shift(min(end, computed.last), 1 - DEFAULT_DAYS), end)
    first, last = max(days.first, computed.first), min(days.last, computed.last)
    return Days(first, last) if first <= last else Days(days.first, days.first)


def credited(settings: Settings, days: Days, basis: Mapping[str, str | None]) -> dict[str, Any]:
    """What is to be known about credit on these days of sessions: the arguments `days`, `basis` and `provisional_from`."""
    provisional = provisional_days(settings, days)
    return {"days": days, "basis": basis, "provisional_from": provisional.first if provisional else None}


@dataclass(frozen=True)
class Chart:
    """A line for each of these columns of a report, by day."""

    report: str
    series: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """A page: the question that it answers, and the reports that answer it.

    `chosen`: which of the reports are shown for what is asked; all, unless a page says otherwise. `figures`: the report whose
    first row stands at the top, in large.
    """

    name: str
    title: str
    question: str
    reports: tuple[Report, ...]
    chosen: Callable[[Asked], tuple[Report, ...]] | None = None
    figures: str | None = None
    charts: tuple[Chart, ...] = ()

    def shown(self, asked: Asked) -> tuple[Report, ...]:
        """The reports that are shown for this."""
        return self.chosen(asked) if self.chosen else self.reports
