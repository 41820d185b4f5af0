"""What Markov and Shapley learn: for a day, the value of every channel, from the journeys of the window that ends with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.models import CHANNEL_VALUES
from attribution_assets.catalog.tables import query_of
from attribution_assets.models import ModelRules
from attribution_assets.models.credit import learn
from attribution_assets.models.journeys import Ints, Journeys, nanoseconds
from attribution_assets.models.paths import simplify
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse, schema
from attribution_assets.warehouse.days import shift, unbroken_ranges
from attribution_assets.warehouse.frames import DTYPES

Small = npt.NDArray[np.int32]

Whole = TypeVar("Whole", np.int32, np.int64)

NEVER = np.iinfo(np.int32).max
"""The number of the day of a conversion that does not come."""

COLUMNS = ("date", "model", "channel_name", "value", "rules", "settings")


Tell = Callable[[str], None]
"""Is told in a few words what is being computed."""


def silent(_: str) -> None:
    """Tells nobody."""


def channel_values(
    settings: Settings, days: Days, *, relearn: bool = False, rules: ModelRules | None = None, tell: Tell = silent
) -> pd.DataFrame:
    """The rows of `channel_values` for these days: the stored ones with the same settings, and newly learned ones for the rest.

    A value is learned once and then kept: a session that arrives late does not change it. With `relearn`, all values are
    learned again. `rules`: the `model_rules` of the settings, if they were already read. `tell` is told which day is being
    learned. Writes nothing. Raises AttributionError for broken sources.
    """
    rules = rules or settings.model_rules
    fingerprint = settings.learning_fingerprint(rules)
    kept = _kept(settings.warehouse, days)
    kept = kept[(kept["settings"] == fingerprint) & kept["model"].isin(rules.learned) & (not relearn)]
    found = set(zip(kept["date"], kept["model"], strict=True))
    lacking = [day for day in days if any((day, model) not in found for model in rules.learned)]
    learned = [
        row
        for unbroken in unbroken_ranges(lacking)
        for row in _learned(settings, rules, unbroken, tell)
        if row[:2] not in found
    ]
    new = pd.DataFrame(learned, columns=["date", "model", "channel_name", "value"])
    new = new.assign(rules=str(rules.path), settings=fingerprint)
    both = pd.concat([kept, new[list(COLUMNS)].astype(kept.dtypes)])
    return both.sort_values(["date", "model", "channel_name"], ignore_index=True)


def _kept(warehouse: Warehouse, days: Days) -> pd.DataFrame:
    """The stored rows; none in a file from before the table existed."""
    table = schema()["channel_values"]
    if warehouse.has(table.name):
        return warehouse.read(table, "date", days)
    return pd.DataFrame({column.name: pd.Series(dtype=DTYPES[column.type]) for column in table.columns})


def _learned(settings: Settings, rules: ModelRules, days: Days, tell: Tell) -> Iterator[tuple[str, str, str, float]]:
    """For each day, each model that learns and each channel of the day's window: what the channel is worth."""
    window = Days(shift(days.first, 1 - rules.training_days), days.last)
    channels = Channels()
    sessions = Sessions.read(settings, window, channels)
    found = settings.warehouse.stream_query(query_of(settings, CUSTOMER_JOURNEYS, window), schema()["customer_journeys"])
    converting, conversions = pooled(found, channels)
    converted_on = _numbers(conversions["conv_date"])
    for day in days:
        tell(f"learning what channels are worth, {day} of {days}")
        since, until = shift(day, 1 - rules.training_days), day
        in_window = (_number(since) <= converted_on) & (converted_on <= _number(until))
        journeys = converting.only(in_window[converting.journey])
        together = sessions.after(journeys, Days(since, until), channels.labels)
        for model, labels, values in _values(together, len(journeys), rules):
            yield from ((day, model, label, value) for label, value in zip(labels, values, strict=True))


def _values(journeys: Journeys, converting: int, rules: ModelRules) -> Iterator[tuple[str, list[str], list[float]]]:
    """By model, the channels that occur and their values; the first `converting` of the journeys end in a conversion."""
    simplified, _ = simplify(journeys, rules)
    converted = np.arange(len(simplified)) < converting
    occurring = np.flatnonzero(np.bincount(simplified.channel))
    for model in rules.learned:
        values = learn(simplified, converted, model, rules)
        yield model, [simplified.labels[channel] for channel in occurring], values[occurring].tolist()


@dataclass
class Channels:
    """The channels that were met, each with its number."""

    numbers: dict[str, int] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[str, ...]:
        """The channels in the order of their numbers."""
        return tuple(self.numbers)

    def number(self, names: pd.Series) -> Ints:
        """The number of each row's channel."""
        codes, met = pd.factorize(names)
        return np.array([self.numbers.setdefault(str(name), len(self.numbers)) for name in met], dtype=np.int64)[codes]


def pooled(frames: Iterable[pd.DataFrame], channels: Channels) -> tuple[Journeys, pd.DataFrame]:
    """The journeys of all frames of `customer_journeys`, and conv_id and conv_date of each, one row per journey."""
    offsets, times, numbers, conversions = [], [], [], [pd.DataFrame(columns=["conv_id", "conv_date"])]
    sessions = 0
    for rows in frames:
        journeys, order = Journeys.from_frame(rows)
        offsets.append(journeys.offsets + sessions)
        times.append(journeys.time)
        numbers.append(channels.number(rows["channel_label"])[order])
        conversions.append(rows[["conv_id", "conv_date"]].iloc[order[journeys.offsets]])
        sessions += len(rows)
    journeys = Journeys(_joined(offsets, np.int64), _joined(times, np.int64), _joined(numbers, np.int64), channels.labels)
    return journeys, pd.concat(conversions, ignore_index=True)


@dataclass(frozen=True)
class Sessions:
    """Sessions, users one after another: user, day and day of the user's next conversion by number, time, channel.

    There can be many more than sessions of journeys, so all but the times have half of their bytes.
    """

    user: Small
    day: Small
    next_conversion: Small
    time: Ints
    channel: Small

    @classmethod
    def read(cls, settings: Settings, days: Days, channels: Channels) -> Self:
        """All sessions of these days."""
        users, numbers, conversions, times, of_channels = [], [], [], [], []
        last_user, met = "", 0
        for rows in settings.warehouse.frames(query_of(settings, CHANNEL_VALUES, days)):
            user = rows["user_id"]
            begins = np.asarray(user != user.shift(fill_value=last_user))
            users.append(met + np.cumsum(begins, dtype=np.int32))
            last_user, met = user.iloc[-1], int(users[-1][-1])
            numbers.append(_numbers(rows["event_date"]).astype(np.int32))
            conversions.append(_numbers(rows["next_conv_date"]).astype(np.int32))
            times.append(nanoseconds(rows["timestamp"]))
            of_channels.append(channels.number(rows["channel_name"]).astype(np.int32))
        return cls(
            _joined(users, np.int32),
            _joined(numbers, np.int32),
            _joined(conversions, np.int32),
            _joined(times, np.int64),
            _joined(of_channels, np.int32),
        )

    def after(self, converting: Journeys, days: Days, labels: tuple[str, ...]) -> Journeys:
        """These journeys, then those that did not convert: a user's sessions of the days after the last conversion."""
        first, last = _number(days.first), _number(days.last)
        left = np.flatnonzero((first <= self.day) & (self.day <= last) & (self.next_conversion > last))
        offsets = np.flatnonzero(np.diff(self.user[left], prepend=np.int32(-1)))
        return Journeys(
            np.concatenate([converting.offsets, offsets + len(converting.time)]),
            np.concatenate([converting.time, self.time[left]]),
            np.concatenate([converting.channel, self.channel[left]]),  # as int64
            labels,
        )


def _joined(parts: Iterable[npt.NDArray[Whole]], dtype: type[Whole]) -> npt.NDArray[Whole]:
    return np.concatenate([np.empty(0, dtype), *parts])


def _numbers(days: pd.Series) -> Ints:
    """The number of each row's day; NEVER where there is none."""
    codes, met = pd.factorize(days)
    return np.array([*(_number(str(day)) for day in met), NEVER], dtype=np.int64)[codes]


def _number(day: str) -> int:
    return date.fromisoformat(day).toordinal()
