"""What alerts say, of plain values, and since when days have been stale; sends nothing and remembers nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

from attribution_assets.warehouse.days import Days, unbroken_ranges

LONGEST_LINE = 1_000
"""How many characters of a problem an alert has."""

MOST_REASONS = 10
"""How many reasons why days are stale an alert has; of the others it has the number."""


@dataclass(frozen=True)
class Alert:
    """What is told once: a title and further lines, each one line of plain text.

    `key`: what it is about; of two alerts with the same key, one is sent.
    """

    key: str
    title: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """The alert that was stored by `stored`."""
        return cls(stored["key"], stored["title"], tuple(stored["lines"]))

    def stored(self) -> dict[str, Any]:
        """The alert, ready for JSON."""
        return asdict(self)

    def as_text(self) -> str:
        """Plain text, as an e-mail has it below its subject."""
        return "\n".join((self.title, *self.lines))

    def as_slack(self) -> str:
        """The text as Slack wants it: what its markup would take for links and mentions is escaped."""
        return self.as_text().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class FailedCheck(NamedTuple):
    """A blocking check that failed, and its asset."""

    asset: str
    check: str


@dataclass(frozen=True)
class FailedRun:
    """A run that failed. `what`: its job, or its assets. `days`: empty where it has none. `because`: why it was launched."""

    id: str
    what: str
    days: str
    because: str
    problem: str
    failed_checks: tuple[FailedCheck, ...]
    retries: int


class Stale(NamedTuple):
    """Of a stale day: the number of the event that materialized it, and why it is stale."""

    event: int
    because: str


def alert_of_run(run: FailedRun, database: str, web_url: str | None) -> Alert:
    """Of a failed run. One that failed by a check is named for the check."""
    what = ", ".join(f"check {check} of {asset}" for asset, check in run.failed_checks) or run.what
    of_days = f" for {run.days}" if run.days else ""
    because = f", launched because: {run.because}" if run.because else ""
    tries = f", after {run.retries} {'retry' if run.retries == 1 else 'retries'}" if run.retries else ""
    return Alert(
        f"run {run.id}",
        one_line(f"{database}: {what} failed{of_days}"),
        (
            one_line(run.problem),
            one_line(f"Run {run.id} of {run.what}{because}{tries}."),
            _where(web_url, "`attribution status` says which days are missing or stale."),
        ),
    )


def alert_of_command(problem: str, date: str, database: str, web_url: str | None) -> Alert:
    """Of an `attribution run` that ended on this date with a problem for which no failed run stands."""
    return Alert(
        one_line(f"command {date} {problem}"),
        one_line(f"{database}: `attribution run` failed"),
        (one_line(problem), _where(web_url, "`attribution status` says which days are missing or stale.")),
    )


def alert_of_stale_days(
    stale: Mapping[str, Sequence[str]], reasons: Sequence[str], since: float, hours: float, database: str, web_url: str | None
) -> Alert:
    """Of days that have been stale for more than so many hours, by asset.

    `since`: when the first of them was seen stale, in seconds since 1970. `reasons`: lines that say why.
    """
    days = unbroken_ranges({day for of_asset in stale.values() for day in of_asset})
    count = sum(map(len, days))
    more = [f"And {len(reasons) - MOST_REASONS} more reasons."] if len(reasons) > MOST_REASONS else []
    return Alert(
        f"stale {since:.0f} {days[0].first} {days[-1].last} {' '.join(sorted(stale))}",
        one_line(f"{database}: {count:,} {'day has' if count == 1 else 'days have'} been stale for more than {hours:g} hours"),
        (
            *map(one_line, reasons[:MOST_REASONS]),
            *more,
            f"First seen stale at {datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC.",
            _where(web_url, "`attribution status` shows them; an `attribution run` of these days restates them."),
        ),
    )


def _where(web_url: str | None, otherwise: str) -> str:
    return f"{web_url}/health/" if web_url else otherwise


def one_line(text: str) -> str:
    """The text in one line of at most a thousand characters, without control characters."""
    line = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]", " ", text).split())
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


@dataclass(frozen=True)
class Sighting:
    """The days that were first seen stale at one time, by asset.

    `at`: that time, in seconds since 1970. `event`: the newest event of the history then: a day that was materialized later
    was right in between. `is_told`: whether an alert has said so.
    """

    at: float
    event: int
    is_told: bool
    days: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """The sighting that was stored by `stored`."""
        days = {asset: tuple(day for ends in ranges for day in Days(*ends)) for asset, ranges in stored["days"].items()}
        return cls(stored["at"], stored["event"], stored["is_told"], days)

    def stored(self) -> dict[str, Any]:
        """The sighting, ready for JSON, its days as ranges."""
        days = {asset: [[span.first, span.last] for span in unbroken_ranges(days)] for asset, days in self.days.items()}
        return {**asdict(self), "days": days}


def seen_again(
    sightings: Sequence[Sighting], stale: Mapping[str, Mapping[str, Stale]], at: float, event: int
) -> list[Sighting]:
    """The sightings, of which the days remain that are still stale, and one more of those that are newly so.

    `stale`: the stale days, by asset. `at`, `event`: now, and the newest event of the history.
    """
    left = {asset: dict(days) for asset, days in stale.items()}
    remaining = []
    for sighting in sightings:
        days = {
            asset: tuple(day for day in of_asset if day in left.get(asset, {}) and left[asset][day].event <= sighting.event)
            for asset, of_asset in sighting.days.items()
        }
        for asset, of_asset in days.items():
            for day in of_asset:
                del left[asset][day]
        remaining.append(Sighting(sighting.at, sighting.event, sighting.is_told, {a: d for a, d in days.items() if d}))
    new = Sighting(at, event, False, {asset: tuple(sorted(days)) for asset, days in left.items() if days})
    return [sighting for sighting in (*remaining, new) if sighting.days]
