"""Days: the unbroken range of dates that one run replaces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Self

from attribution_assets.errors import AttributionError


@dataclass(frozen=True)
class Days:
    """An unbroken range of UTC dates, `first` and `last` included, as ISO text (`2023-09-01`).

    Raises AttributionError where an end is no date or the range is reversed.
    """

    first: str
    last: str

    def __post_init__(self) -> None:
        for day in (self.first, self.last):
            if not is_date(day):
                raise AttributionError(f"{day!r} is not a date. Write days as YYYY-MM-DD.")
        if self.first > self.last:
            raise AttributionError(f"The range {self.first} to {self.last} is reversed: give the earlier day first.")

    @classmethod
    def of(cls, partition_keys: Sequence[str]) -> Self:
        """The days of a run. Raises AttributionError for no keys (a reversed range, in Dagster) and for keys with gaps."""
        if not partition_keys:
            raise AttributionError("The run has no days: its range is reversed or empty. Give the earlier day first.")
        days = cls(min(partition_keys), max(partition_keys))
        if len(days) != len(partition_keys):
            raise AttributionError(
                f"The run's days between {days.first} and {days.last} have gaps. Run each unbroken range separately."
            )
        return days

    def __len__(self) -> int:
        return (date.fromisoformat(self.last) - date.fromisoformat(self.first)).days + 1

    def __iter__(self) -> Iterator[str]:
        return (shift(self.first, offset) for offset in range(len(self)))

    def __str__(self) -> str:
        return self.first if self.first == self.last else f"{self.first} to {self.last}"


def is_date(text: str) -> bool:
    """Whether the text is a date in the one form the tables use, YYYY-MM-DD."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def shift(day: str, days: int) -> str:
    """The date `days` days later (earlier if negative), as ISO text; no earlier than year 1 and no later than year 9999."""
    ordinal = date.fromisoformat(day).toordinal() + days
    return date.fromordinal(min(max(ordinal, 1), date.max.toordinal())).isoformat()


def gaps(days: Days, among: Iterable[str], longer_than: int) -> list[Days]:
    """The stretches of the days with none of the dates `among` them, if they are longer than so many days; in order."""
    edges = [shift(days.first, -1), *sorted(day for day in set(among) if days.first <= day <= days.last), shift(days.last, 1)]
    between = ((shift(earlier, 1), shift(later, -1)) for earlier, later in pairwise(edges))
    return [gap for first, last in between if first <= last and len(gap := Days(first, last)) > longer_than]


def without(days: Days, left_out: Iterable[Days]) -> list[Days]:
    """What remains of the days without these ranges, as unbroken ranges, in order."""
    remaining, first = [], days.first
    for gap in sorted(left_out, key=lambda gap: gap.first):
        if first < gap.first <= days.last:
            remaining.append(Days(first, shift(gap.first, -1)))
        first = max(first, shift(gap.last, 1))
    return [*remaining, *([Days(first, days.last)] if first <= days.last else [])]


def unbroken_ranges(days: Iterable[str]) -> list[Days]:
    """The days as unbroken ranges, in order."""
    ranges: list[Days] = []
    for day in sorted(days):
        if ranges and shift(ranges[-1].last, 1) == day:
            ranges[-1] = Days(ranges[-1].first, day)
        else:
            ranges.append(Days(day, day))
    return ranges
