"""Journeys as flat arrays, one after another, each starting at an offset: what every model computes on."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.errors import AttributionError

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

HOUR = 3_600_000_000_000
"""In nanoseconds."""

MINUTE = HOUR // 60
"""In nanoseconds."""


@dataclass(frozen=True)
class Journeys:
    """The sessions of all journeys, those of a journey in order of time, equal times in the order of their session_id.

    `offsets`, shape (journeys,): where each journey starts, the first at 0; none is empty. `time`, shape (sessions,), in
    nanoseconds. `channel`, shape (sessions,): index into `labels`.
    """

    offsets: Ints
    time: Ints
    channel: Ints
    labels: tuple[str, ...]

    @classmethod
    def from_frame(cls, rows: pd.DataFrame) -> tuple[Self, Ints]:
        """The journeys of rows in any order, and which row each session is, shape (sessions,).

        `rows`: conv_id, session_id, timestamp (text `YYYY-MM-DD HH:MM:SS` or datetime64, UTC) and channel_label. The rows of
        one conv_id are one journey. Raises AttributionError for an unreadable timestamp and a missing value.
        """
        if rows["session_id"].isna().any():
            raise AttributionError("The journeys have a row without session_id.")
        time = nanoseconds(rows["timestamp"])
        conversion, _ = _numbered(rows["conv_id"])
        channel, labels = _numbered(rows["channel_label"])
        order = _journey_order(conversion, time, rows["session_id"])
        offsets = np.flatnonzero(np.diff(conversion[order], prepend=-1))
        return cls(offsets, time[order], channel[order], labels), order

    def __len__(self) -> int:
        return len(self.offsets)

    @cached_property
    def sizes(self) -> Ints:
        """How many sessions each journey has, shape (journeys,)."""
        return np.diff(self.offsets, append=len(self.time))

    @cached_property
    def last(self) -> Ints:
        """The index of the last session of each journey, shape (journeys,)."""
        return self.offsets + self.sizes - 1

    @cached_property
    def journey(self) -> Ints:
        """The number of each session's journey, shape (sessions,)."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @cached_property
    def position(self) -> Ints:
        """Each session's place in its journey, from 0, shape (sessions,)."""
        return np.arange(len(self.time)) - self.offsets[self.journey]

    @property
    def hours_since_previous(self) -> Floats:
        """The hours since the session before it in the journey, 0 for the first, shape (sessions,)."""
        hours = np.diff(self.time, prepend=0) / HOUR
        hours[self.offsets] = 0
        return hours

    @property
    def hours_to_last(self) -> Floats:
        """The hours from each session to the last one of its journey, shape (sessions,)."""
        return (self.time[self.last][self.journey] - self.time) / HOUR

    def from_channels(self, names: Container[str]) -> Bools:
        """Which sessions come from channels of these names, shape (sessions,)."""
        return np.array([label in names for label in self.labels], dtype=bool)[self.channel]

    def last_of(self, sessions: Bools) -> Ints:
        """The index of the last of these sessions in each journey, or of its last session if it has none, shape (journeys,)."""
        if not len(self):
            return self.offsets
        latest = np.maximum.reduceat(np.where(sessions, np.arange(len(sessions)), -1), self.offsets)
        return np.where(latest >= 0, latest, self.last)

    def all_to(self, sessions: Ints) -> Floats:
        """Credit 1 for the sessions at these indexes, one per journey, and 0 for all others, shape (sessions,)."""
        credit = np.zeros(len(self.time))
        credit[sessions] = 1
        return credit

    def has(self, sessions: Bools) -> Bools:
        """Which journeys have one of these sessions, shape (journeys,)."""
        return np.logical_or.reduceat(sessions, self.offsets) if len(self) else np.zeros(0, dtype=bool)

    def normed(self, weights: Floats) -> Floats:
        """The weights, 0 or more each, as shares of their journey's sum; equal shares where that is 0."""
        if not len(self):
            return weights
        total = np.add.reduceat(weights, self.offsets)
        weights = np.where((total > 0)[self.journey], weights, 1.0)
        return weights / np.where(total > 0, total, self.sizes)[self.journey]

    def only(self, sessions: Bools) -> Journeys:
        """The journeys with only these sessions. A journey that has none of them is dropped."""
        journey = self.journey[sessions]
        return Journeys(np.flatnonzero(np.diff(journey, prepend=-1)), self.time[sessions], self.channel[sessions], self.labels)


def joined(parts: Sequence[Journeys]) -> Journeys:
    """The journeys of all parts, one after another; channels of one name are one."""
    number: dict[str, int] = {}
    none = np.empty(0, np.int64)
    channels = [
        np.array([number.setdefault(label, len(number)) for label in part.labels], np.int64)[part.channel] for part in parts
    ]
    sizes = np.concatenate([none, *(part.sizes for part in parts)])
    times = np.concatenate([none, *(part.time for part in parts)])
    return Journeys(np.cumsum(sizes) - sizes, times, np.concatenate([none, *channels]), tuple(number))


def nanoseconds(timestamp: pd.Series) -> Ints:
    """The times as whole nanoseconds, whose differences are exact: a jump of a membership lies at an exact hour."""
    wanted = "Write YYYY-MM-DD HH:MM:SS, in UTC."
    try:
        parsed = pd.to_datetime(timestamp.to_numpy(), format="ISO8601", utc=True).as_unit("ns")
    except (TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise AttributionError(f"A timestamp of the journeys cannot be read: {reason} {wanted}") from error
    if parsed.isna().any():
        raise AttributionError(f"The timestamp {timestamp[parsed.isna()].iloc[0]!r} of the journeys is not a time. {wanted}")
    return parsed.asi8


def _numbered(column: pd.Series) -> tuple[Ints, tuple[str, ...]]:
    """The number of each row's value, in order of appearance, and the values."""
    numbers, values = pd.factorize(column.to_numpy())
    if (numbers < 0).any():
        raise AttributionError(f"The journeys have a row without {column.name}.")
    return numbers, tuple(str(value) for value in values)


def _journey_order(conversion: Ints, time: Ints, session_id: pd.Series) -> Ints:
    """The positions that sort the rows by journey, time and, where times are equal, session_id."""
    n = len(time)
    rank = np.empty(n, dtype=np.int64)
    rank[np.argsort(time)] = np.arange(n)
    order = np.argsort(conversion * n + rank)
    same = (np.diff(conversion[order]) == 0) & (np.diff(time[order]) == 0)
    tied = np.append(same, False) | np.append(False, same)
    if tied.any():
        rows = np.sort(order[tied])
        ids = session_id.to_numpy(dtype=object)[rows].astype(str)
        order[tied] = rows[np.lexsort((ids, time[rows], conversion[rows]))]
    return order
