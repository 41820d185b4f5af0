"""What models that learn count in rows of conversions and of sessions, some at a time: executors of a cluster can do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import islice

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.models.credit import count
from attribution_assets.models.journeys import Ints, Journeys, joined
from attribution_assets.models.paths import simplify
from attribution_assets.models.relearning import paths_of
from attribution_assets.models.rules import ModelRules
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.frames import stacked

NEVER = date.max.toordinal() + 1
"""The number of the day of a conversion that does not come."""

WHOLE = "whole journeys"
"""Stands for a model where journeys are counted as they are."""

WINDOWS_AT_ONCE = 8
"""Of how many windows the journeys of some users are in memory at once."""


def of_conversions(rows: pd.DataFrame, rules: ModelRules, *, whole: bool = False) -> pd.DataFrame:
    """What is counted in converting journeys: the columns date (of the conversion), model, channels and journeys (`tally`).

    `rows`: those of some conversions, with the columns of `customer_journeys`. `whole`: journeys are counted as they are, under
    the model WHOLE, and not what models learn from.
    """
    journeys, order = Journeys.from_frame(rows)
    group, dates = pd.factorize(rows["conv_date"].to_numpy()[order][journeys.offsets])
    return _counted(journeys, group, dates, rules, whole)


def of_others(rows: pd.DataFrame, rules: ModelRules, windows: Sequence[Days], *, whole: bool = False) -> pd.DataFrame:
    """As `of_conversions`, what is counted in journeys that did not convert. `date` is the last day of the window.

    `rows`: all rows of some users, with the columns of sql/channel_values.sql, in any order.
    """
    found, tallies = unconverted(rows, windows), []
    dates = np.array([window.last for window in windows], dtype=object)
    for first in range(0, len(windows), WINDOWS_AT_ONCE):
        parts = [*islice(found, WINDOWS_AT_ONCE)]
        group = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        tallies.append(_counted(joined(parts), group, dates[first:], rules, whole))
    return stacked(tallies)


def unconverted(rows: pd.DataFrame, windows: Sequence[Days]) -> Iterator[Journeys]:
    """For each window, the journeys that did not convert: a user's sessions of its days after the last conversion by its end.

    `rows`: as of `of_others`.
    """
    users, order = Journeys.from_frame(rows.rename(columns={"user_id": "conv_id"}))
    day, next_conversion = (_numbers(rows[column])[order] for column in ("event_date", "next_conv_date"))
    for window in windows:
        first, last = _number(window.first), _number(window.last)
        yield users.only((first <= day) & (day <= last) & (next_conversion > last))


def _counted(journeys: Journeys, group: Ints, dates: npt.NDArray[np.object_], rules: ModelRules, whole: bool) -> pd.DataFrame:
    """What all models count in these journeys, by the rules; or `whole` journeys. `dates`: that of each group."""
    simplified, _ = simplify(journeys, rules)
    names = pd.Index([WHOLE] if whole else rules.learned, dtype="str")
    tallies = [paths_of(simplified, group) if whole else count(simplified, group, model, rules) for model in names]
    number = np.repeat(np.arange(len(tallies)), [len(tally) for tally in tallies])
    rows = stacked(tallies).assign(model=pd.Categorical.from_codes(number, names))
    return rows.assign(date=pd.Categorical.from_codes(rows["group"], pd.Index(dates, dtype="str")))[
        ["date", "model", "channels", "journeys"]
    ]


def _numbers(days: pd.Series) -> Ints:
    """The number of each row's day; NEVER where there is none."""
    codes, met = pd.factorize(days)
    return np.array([_number(str(day)) if day else NEVER for day in met], dtype=np.int64)[codes]


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal()
