"""A deterministic sample database: a shop's sessions, costs and conversions, including awkward cases."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import SOURCES, schema

CHANNELS = {  # channel: share of the sessions, mean cost of a session in Euro (0: never paid for)
    "Direct Traffic": (0.18, 0.0),
    "Organic Traffic": (0.14, 0.0),
    "Paid Search Brand": (0.12, 0.35),
    "Paid Search Non Brand": (0.12, 0.90),
    "FB & IG Ads": (0.11, 0.60),
    "Newsletter & Email": (0.08, 0.05),
    "Performance Max": (0.07, 0.70),
    "Affiliate & Partnerships": (0.05, 0.45),
    "Social Organic": (0.04, 0.0),
    "TikTok Ads": (0.04, 0.40),
    "Microsoft Ads": (0.03, 0.80),
    "Referral": (0.02, 0.0),
}
SESSIONS_PER_USER = 3.3
CONVERTING_USERS = 0.03
DAY = 86_400
ROWS_PER_INSERT = 100_000


Ints = np.ndarray[Any, np.dtype[np.int64]]


def write_sample(path: Path, *, days: int, end: date, sessions: int, seed: int) -> None:
    """Creates the database at `path` with `sessions` sessions over `days` days, the last being `end`; deterministic.

    3 % of the users convert. There are users with two conversions close together, sessions after the conversion, sessions in
    the same second as it, conversions of users without a session, sessions with NULL or no cost, and channels without cost.
    Raises AttributionError if the file already exists or cannot be written.
    """
    if path.exists():
        raise AttributionError(f"{path} already exists and is never overwritten. Remove it, or choose another --database.")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as connection, connection:
            _fill(connection, days=days, end=end, sessions=sessions, rng=np.random.default_rng(seed))
        path.hardlink_to(unfinished)  # unlike a rename, refuses to replace what has come to be there meanwhile
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AttributionError(f"{path} cannot be written: {reason}. Choose another --database.") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _fill(connection: sqlite3.Connection, *, days: int, end: date, sessions: int, rng: np.random.Generator) -> None:
    for name in SOURCES:
        connection.execute(schema()[name].create)
    first_second = int(np.datetime64(end.isoformat(), "D").astype("datetime64[s]").astype(np.int64)) - (days - 1) * DAY
    drawn = _Sessions.draw(days, sessions, rng)
    for start in range(0, sessions, ROWS_PER_INSERT):
        drawn.insert(connection, first_second, start)
    _insert_conversions(connection, drawn, first_second, days, rng)
    for name in SOURCES:
        for index in schema()[name].indexes.values():
            connection.execute(index)


@dataclass(frozen=True)
class _Sessions:
    """What was drawn of every session: in the order of time, arrays of shape (sessions,), `flags` of shape (3, sessions).

    `time` in seconds since the first day began; `user` and `channel` by number; ids are 16 bytes each.
    """

    time: Ints
    user: Ints
    channel: Ints
    cost: np.ndarray[Any, np.dtype[np.float64]]
    has_unknown_cost: np.ndarray[Any, np.dtype[np.bool_]]
    flags: Ints
    session_ids: bytes
    user_ids: bytes

    @classmethod
    def draw(cls, days: int, sessions: int, rng: np.random.Generator) -> Self:
        """Sessions over `days` days; a few users come back very often."""
        users = max(1, round(sessions / SESSIONS_PER_USER))
        time = np.sort(rng.integers(0, days * DAY, sessions))
        user = (users * rng.random(sessions) ** 1.5).astype(np.int64)
        shares, mean_costs = np.array(list(CHANNELS.values())).T
        channel = rng.choice(len(CHANNELS), sessions, p=shares)
        cost = np.round(rng.exponential(1.0, sessions) * mean_costs[channel], 3)
        has_unknown_cost = rng.random(sessions) < 0.01
        flags = (rng.random((3, sessions)) < [[0.6], [0.3], [0.1]]).astype(np.int64)
        return cls(time, user, channel, cost, has_unknown_cost, flags, rng.bytes(16 * sessions), rng.bytes(16 * users))

    def insert(self, connection: sqlite3.Connection, first_second: int, start: int) -> None:
        """Inserts ROWS_PER_INSERT of the sessions, from number `start` on, and their costs."""
        names, mean_costs = list(CHANNELS), [mean for _, mean in CHANNELS.values()]
        chunk = slice(start, start + ROWS_PER_INSERT)
        ids = list(_ids(self.session_ids[16 * start : 16 * (start + ROWS_PER_INSERT)]))
        dates, times = _dates_and_times(first_second + self.time[chunk])
        channels = self.channel[chunk].tolist()
        _insert(
            connection,
            "session_sources",
            ids,
            [_id(self.user_ids, user) for user in self.user[chunk].tolist()],
            dates,
            times,
            [names[channel] for channel in channels],
            *self.flags[:, chunk].tolist(),
        )
        costs = zip(ids, self.cost[chunk].tolist(), self.has_unknown_cost[chunk].tolist(), channels, strict=True)
        paid = [(id_, None if unknown else cost) for id_, cost, unknown, channel in costs if mean_costs[channel] > 0]
        connection.executemany("INSERT INTO session_costs VALUES (?, ?)", paid)


def _insert_conversions(
    connection: sqlite3.Connection, sessions: _Sessions, first_second: int, days: int, rng: np.random.Generator
) -> None:
    """Conversions soon after a session of some users, of every twentieth of them again within days, and of strangers."""
    shuffled = rng.permutation(len(sessions.time))
    visitors, at = np.unique(sessions.user[shuffled], return_index=True)
    users = len(sessions.user_ids) // 16
    chosen = rng.permutation(len(visitors))[: max(1, round(CONVERTING_USERS * users))]
    gap = rng.integers(1, 3600, len(chosen))
    gap[::200] = 0  # a session at the conversion's very second
    buyer, bought = visitors[chosen], sessions.time[shuffled[at[chosen]]] + gap
    again = slice(0, None, 20)
    later = bought[again] + rng.integers(DAY, 5 * DAY, len(bought[again]))
    strangers = [f"{i:032x}" for i in range(1 + len(chosen) // 100)]  # they buy without any session
    conversion_user = [_id(sessions.user_ids, user) for user in [*buyer.tolist(), *buyer[again].tolist()]] + strangers
    second = np.concatenate([bought, later, rng.integers(0, days * DAY, len(strangers))])
    within = second < days * DAY
    conversions = int(within.sum())
    dates, times = _dates_and_times(first_second + second[within])
    _insert(
        connection,
        "conversions",
        list(_ids(rng.bytes(16 * conversions))),
        [id_ for id_, inside in zip(conversion_user, within.tolist(), strict=True) if inside],
        dates,
        times,
        np.round(rng.lognormal(3.9, 0.6, conversions), 2).tolist(),
    )


def _insert(connection: sqlite3.Connection, table: str, *columns: list[Any]) -> None:
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", zip(*columns, strict=True))


def _ids(raw: bytes) -> Iterator[str]:
    """Identifiers of 32 hex digits, one for every 16 bytes."""
    return (_id(raw, i) for i in range(len(raw) // 16))


def _id(raw: bytes, i: int) -> str:
    return raw[16 * i : 16 * (i + 1)].hex()


def _dates_and_times(seconds: Ints) -> tuple[list[str], list[str]]:
    """The UTC dates and times of seconds since 1970, as text."""
    texts = np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()
    return [text[:10] for text in texts], [text[11:] for text in texts]
