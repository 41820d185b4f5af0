"""`attribution experiment` without its terminal: what switching a channel changed, beside what the models had credited."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.span import computed_days
from attribution_assets.errors import AttributionError, NotFoundError, NotReadyError
from attribution_assets.models.experiment import (
    DIFFERENCES,
    FEWEST_BEFORE,
    SERIES,
    WEAKER,
    Effect,
    Estimate,
    difference_in_differences,
    interrupted_series,
    power,
)
from attribution_assets.models.journeys import Floats
from attribution_assets.settings import Settings, breakdown_columns
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.days import shift
from attribution_assets.warehouse.query import bounds_of
from attribution_assets.warehouse.views import OF_CONVERSIONS

Switched = Literal["off", "on"]

COLUMN = "conversions.market"
"""The column of the markets, unless another is named."""

USUAL_BEFORE = 84
"""How many days before the switch count, unless the user says since when: twelve weeks, if there are results of so many."""

LENGTHS = (14, 28, 42, 56)
"""In days: the experiments whose power is estimated."""

NO_VALUE = "(none)"
"""The value of a conversion that has none: it is in no market."""

SHOWN = 10
"""How many values an error names."""

TOLERANCE = 1e-9
"""In orders per day: how far two sums of the same numbers may differ."""


@dataclass(frozen=True)
class Markets:
    """Where a channel is switched: `column`, its `treated` values, and as `control` all others. Without any, everywhere."""

    column: str
    treated: tuple[str, ...]
    control: tuple[str, ...]

    @property
    def method(self) -> str:
        """What their orders can be looked at by."""
        return DIFFERENCES if self.treated else SERIES

    def shown(self) -> dict[str, Any]:
        """Ready for JSON."""
        column = self.column if self.treated else None
        return {"method": self.method, "column": column, "treated": [*self.treated], "control": [*self.control]}


def experiment(
    settings: Settings,
    channel: str,
    switched: Switched,
    day: str,
    *,
    end: str | None = None,
    since: str | None = None,
    column: str = COLUMN,
    treated: Sequence[str] = (),
) -> dict[str, Any]:
    """What switching the channel on `day` changed in orders per day, until `end`, ready for JSON. Writes nothing.

    `since`: the first day that is compared with; unset, 84 days before the switch. `treated`: the values of the column in which
    the channel was switched; without any, it was everywhere. Values that are empty count nowhere.

    `effect`: orders `per_day`, in `total`, and `relative` to what was `expected_per_day`, each with its 90 % interval (None
    where it is undefined). `brought`: the orders per day that the channel brings, which is the effect, or its opposite where
    the channel was switched off. `credited`: what each model credited to it per day in the same markets, on the
    `credited_days`, when it was on; `verdict` says whether that is `within`, `above` or `below` the interval of `brought`.

    Raises NotReadyError for days without results; NotFoundError for a channel, column or value that is not there; and
    AttributionError where all values are treated, for fewer than 28 days before the switch or 7 from it on, and for no orders.
    """
    days = _reaching(settings, since, day, end)
    _demand_channel(settings, channel, days)
    markets, orders = _orders(settings, days, column, treated)
    switch = len(days) - len(Days(day, days.last))
    found = (
        difference_in_differences(orders[0], orders[1], switch)
        if markets.treated
        else interrupted_series(orders[0], switch, settings.seed)
    )
    before, after = Days(shift(day, -found.before), shift(day, -1)), Days(day, shift(day, found.days - 1))
    observed = float(orders[0, switch : switch + found.days].mean())
    brought = _opposite(found.per_day) if switched == "off" else found.per_day
    credited_days = before if switched == "off" else after
    credited, missing = _credited(settings, credited_days, channel, markets)
    return {
        "channel": channel,
        "switched": switched,
        **markets.shown(),
        "before": _range(before),
        "after": _range(after),
        "orders_per_day_before": float(orders[0, switch - found.before : switch].mean()),
        "orders_per_day": observed,
        "expected_per_day": observed - found.per_day.value,
        "effect": _effect(found),
        "brought": _interval(brought),
        "freedom": found.freedom,
        "credited_days": _range(credited_days),
        "credited": [{**each, "verdict": _verdict(each["orders_per_day"], brought)} for each in credited],
        "notes": [*found.notes, *missing],
    }


def power_of(
    settings: Settings,
    channel: str,
    *,
    day: str | None = None,
    since: str | None = None,
    column: str = COLUMN,
    treated: Sequence[str] = (),
) -> dict[str, Any]:
    """How small an effect experiments of two to eight weeks from `day` on would show, ready for JSON. Writes nothing.

    `day`: unset, the one after the last with results. The others are as of `experiment`.

    `experiments`: of each length in `days`, the smallest effect in orders `per_day`, and `relative` to `orders_per_day_before`.
    `credited`: what each model credited to the channel per day on the days `before`. Raises what `experiment` raises.
    """
    last = _computed(settings).last if day is None else shift(day, -1)
    days = _reaching(settings, since, shift(last, 1), last)
    _demand_channel(settings, channel, days)
    markets, orders = _orders(settings, days, column, treated)
    control = orders[1] if markets.treated else None
    smallest = [power(orders[0], length, control) for length in LENGTHS]
    before = Days(shift(last, 1 - len(days) // 7 * 7), last)
    credited, missing = _credited(settings, before, channel, markets)
    return {
        "channel": channel,
        **markets.shown(),
        "before": _range(before),
        "orders_per_day_before": float(orders[0, -len(before) :].mean()),
        "experiments": [each._asdict() for each in smallest],
        "credited": credited,
        "notes": [*([] if markets.treated else [WEAKER]), *missing],
    }


def _computed(settings: Settings) -> Days:
    computed = computed_days(settings.warehouse, settings, CUSTOMER_JOURNEYS)
    if not computed:
        raise NotReadyError(f"{settings.database} has no attributed conversions yet. Run `attribution run` first.")
    return computed


def _reaching(settings: Settings, since: str | None, day: str, end: str | None) -> Days:
    """The days of an experiment that begins on `day`, as far as there are results."""
    computed = _computed(settings)
    first = since or max(computed.first, shift(day, -USUAL_BEFORE))
    last = end or computed.last
    if first >= day:
        raise AttributionError(
            f"There are no days before the switch on {day} to compare with: the first is {first}. "
            f"At least {FEWEST_BEFORE} are needed."
        )
    if last < shift(day, -1):
        raise AttributionError(f"The switch on {day} is later than {last}, the last day to look at.")
    if first < computed.first or last > computed.last:
        raise NotReadyError(
            f"{settings.database} has results of {computed} alone, and not of all days from {first} to {last}. "
            "Run `attribution run` for them first."
        )
    return Days(first, last)


def _demand_channel(settings: Settings, channel: str, days: Days) -> None:
    known = [row["channel_name"] for row in settings.warehouse.rows(Query("costs_of_channels", bounds_of(days)))]
    if channel not in known:
        raise NotFoundError(f"There is no channel {channel!r} from {days}. There are: {', '.join(map(repr, known))}.")


def _orders(settings: Settings, days: Days, column: str, treated: Sequence[str]) -> tuple[Markets, Floats]:
    """The markets, and per day their orders, shape (2, days): those of the treated ones, or of all, and of the control ones."""
    if treated:
        _demand_column(settings, column)
    rows = _by_value(settings, column).warehouse.rows(Query("orders_by_value", {**bounds_of(days), "dimension": column}))
    values = sorted({row["value"] for row in rows} - {NO_VALUE})
    for value in treated:
        if value not in values:
            some = ", ".join(map(repr, values[:SHOWN])) + (", ..." if len(values) > SHOWN else "")
            has = f"It has {some}" if values else "It is empty"
            raise NotFoundError(f"No conversion from {days} has {value!r} in {column}. {has}.")
    control = [value for value in values if value not in treated] if treated else []
    if treated and not control:
        raise AttributionError(
            f"All conversions from {days} are in treated markets, so there are none to compare with. "
            "Without --treated, you see the days alone, which is weaker."
        )
    markets = Markets(column, tuple(dict.fromkeys(treated)), tuple(control))
    position = {day: number for number, day in enumerate(days)}
    orders = np.zeros((2, len(days)))
    for row in rows:
        if not treated or row["value"] != NO_VALUE:
            orders[int(row["value"] in control), position[row["date"]]] += row["orders"]
    return markets, orders


def _demand_column(settings: Settings, column: str) -> None:
    """Raises NotFoundError for what is not the name of a column, or of none that is there."""
    try:
        breakdown_columns((column,))
    except ValueError as error:
        raise NotFoundError(f"{error}.") from error
    of_conversions = "conversions_backend" if settings.conversions == "backend" else "conversions"
    table = of_conversions if column.startswith(OF_CONVERSIONS) else "session_sources"
    name = column.removeprefix(OF_CONVERSIONS)
    if f"{table}.{name.lower()}" not in settings.present:
        raise NotFoundError(f"{table} has no column {name}. Name the one that holds your markets with --column.")


def _by_value(settings: Settings, column: str) -> Settings:
    """Settings whose database has views of the values of this column."""
    return settings.model_copy(update={"breakdowns": (column,)})


def _credited(settings: Settings, days: Days, channel: str, markets: Markets) -> tuple[list[dict[str, Any]], list[str]]:
    """Per model, the orders per day that it credited to the channel in the treated markets, most first; and notes on others."""
    asked = {**bounds_of(days), "dimension": markets.column, "channel": channel}
    rows = _by_value(settings, markets.column).warehouse.rows(Query("credit_by_value", asked))
    computed: dict[str, set[str]] = {}
    orders: dict[str, list[float]] = {}
    for row in rows:
        computed.setdefault(row["model"], set()).add(row["date"])
        orders.setdefault(row["model"], [])
        if not markets.treated or row["value"] in markets.treated:
            orders[row["model"]].append(row["orders"])
    everywhere = set[str]().union(*computed.values())
    whole = [model for model in computed if computed[model] == everywhere]
    parts = [model for model in computed if computed[model] != everywhere]
    credited = [{"model": model, "orders_per_day": math.fsum(orders[model]) / len(days)} for model in whole]
    return sorted(credited, key=lambda each: (-float(each["orders_per_day"]), each["model"])), [*_lacking(parts, whole, days)]


def _lacking(parts: Sequence[str], whole: Sequence[str], days: Days) -> Iterable[str]:
    if parts:
        again = f"Run `attribution run --start {days.first} --end {days.last}`."
        yield f"{', '.join(parts)}: not computed for all days from {days}. {again}"
    elif whole == ["ihc"]:
        yield "Of the models, ihc alone was computed. Set ATTRIBUTION_MODELS and run the days again to see others."


def _verdict(credited: float, brought: Estimate) -> str:
    if credited > brought.high + TOLERANCE:
        return "above"
    return "below" if credited < brought.low - TOLERANCE else "within"


def _opposite(estimate: Estimate) -> Estimate:
    return Estimate(-estimate.value, -estimate.high, -estimate.low)


def _effect(found: Effect) -> dict[str, Any]:
    figures = {"per_day": found.per_day, "total": found.total, "relative": found.relative}
    return {name: _interval(estimate) for name, estimate in figures.items()}


def _interval(estimate: Estimate) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in estimate._asdict().items()}


def _range(days: Days) -> dict[str, str]:
    return {"start": days.first, "end": days.last}
