"""The form of a report: its name and columns with their definitions, what can be asked of it, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Literal

from attribution_assets.analysis.report import provisional_days
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
    `is_final`: whether no later order can be credited to the days, None where that is not known or where there is no credit;
    `provisional_from`: the first of the days to which one can, None unless `is_final` is False; `total`: the row of all
    together; `notes`: what else is to be said.
    """

    rows: Sequence[Row]
    days: Days | None = None
    basis: Mapping[str, str | None] = field(default_factory=dict)
    is_final: bool | None = None
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

    @property
    def values(self) -> tuple[str, ...]:
        """The columns and other things whose value can, or must, be asked for."""
        return (*self.requires, *self.filters)

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
        return replace(answer, rows=kept, total=None)


def of_days(
    *tables: DailyTable,
) -> Callable[[Callable[[Settings, Asked, Days], Answer]], Callable[[Settings, Asked], Answer]]:
    """Makes what answers for days with results in the tables answer for the days asked for, be there results or not.

    Without rows there is no total, and nothing is final or provisional. Where only some of the days have results, a note says
    which. Raises as `days_asked`.
    """

    def for_all(answer: Callable[[Settings, Asked, Days], Answer]) -> Callable[[Settings, Asked], Answer]:
        @wraps(answer)
        def answer_for_all(settings: Settings, asked: Asked) -> Answer:
            days, found = days_asked(settings, asked, tables)
            if found is None:
                return Answer((), days)
            answered = answer(settings, asked, found)
            notes = (*answered.notes, *([f"There are results of {found} only."] if found != days else []))
            if not answered.rows:
                return Answer((), days, answered.basis, notes=notes)
            return replace(answered, days=days, notes=notes)

        return answer_for_all

    return for_all


def days_asked(settings: Settings, asked: Asked, tables: Iterable[DailyTable]) -> tuple[Days, Days | None]:
    """The days from `start` to `end`, and from the first to the last of them with results, None if there is none.

    Where `end` is unset, it is the last day with results; where `start` is, there are 30 days, or as many as have results.
    Raises NotReadyError where there are no results at all, and AttributionError for a reversed range.
    """
    computed = days_of(settings.warehouse, tables)
    if computed is None:
        raise NotReadyError(f"{settings.database} has no results for this report yet. Run `attribution run` first.")
    end = asked.end or max(computed.last, asked.start or computed.last)
    last_ones = min(max(shift(min(end, computed.last), 1 - DEFAULT_DAYS), computed.first), end)
    days = Days(asked.start or last_ones, end)
    first, last = max(days.first, computed.first), min(days.last, computed.last)
    return days, Days(first, last) if first <= last else None


def credited(settings: Settings, days: Days, basis: Mapping[str, str | None]) -> dict[str, Any]:
    """What is to be known about credit on these days of sessions, as arguments of Answer."""
    provisional = provisional_days(settings, days)
    return {"days": days, "basis": basis, **finality(provisional.first if provisional else None)}


def finality(provisional_from: str | None) -> dict[str, Any]:
    """What can still change, as arguments of Answer; None: nothing."""
    return {"is_final": provisional_from is None, "provisional_from": provisional_from}


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
