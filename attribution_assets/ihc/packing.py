"""Journeys as they are sent to the IHC API: whole conversions, packed into as few requests as its limits allow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby
from typing import Any

import pandas as pd

Session = dict[str, Any]
"""One session as sent: conversion_id, session_id, timestamp, channel_label, and the flags as 0 or 1."""

SENT_COLUMNS = (
    "conversion_id",
    "session_id",
    "timestamp",
    "channel_label",
    "holder_engagement",
    "closer_engagement",
    "conversion",
    "impression_interaction",
)


@dataclass(frozen=True)
class Journey:
    """The sessions of one conversion in order of time: the latest, which are sent, and the earlier ones that do not fit."""

    conv_id: str
    conv_date: str
    sessions: list[Session]
    left_out: list[Session]

    @property
    def whole(self) -> Journey:
        """The same journey with nothing left out, as it was sent under a higher limit."""
        return Journey(self.conv_id, self.conv_date, self.left_out + self.sessions, [])


def journeys_of(rows: pd.DataFrame, max_sessions: int) -> Iterator[Journey]:
    """The journeys of rows with the columns of `customer_journeys`; of each, the last `max_sessions` sessions are sent.

    Sessions at one second follow each other by session_id. `conversion` is 1 on the last session and 0 elsewhere. The service
    knows whole seconds: fractions are cut off.
    """
    rows = rows.astype({"conv_id": "str", "session_id": "str"})
    rows = rows.rename(columns={"conv_id": "conversion_id"}).sort_values(["conversion_id", "timestamp", "session_id"])
    rows = rows.assign(
        conversion=(~rows["conversion_id"].duplicated(keep="last")).astype(int), timestamp=rows["timestamp"].str.slice(0, 19)
    )
    dated = zip(rows[list(SENT_COLUMNS)].to_dict("records"), rows["conv_date"], strict=True)
    for conv_id, group in groupby(dated, key=lambda row: row[0]["conversion_id"]):
        sessions, days = zip(*group, strict=True)
        cut = max(0, len(sessions) - max_sessions)
        yield Journey(str(conv_id), str(days[0]), list(sessions[cut:]), list(sessions[:cut]))


def pack(journeys: Sequence[Journey], max_journeys: int, max_sessions: int) -> list[list[Journey]]:
    """Packs whole journeys into requests within both limits, by whichever of two simple methods needs fewer requests.

    First fit, longest first, wastes few sessions. Putting the longest into the emptiest request balances both limits. The
    order of the journeys does not matter.
    """
    longest_first = sorted(journeys, key=lambda journey: (-len(journey.sessions), journey.conv_id))
    fitted = _first_fit(longest_first, max_journeys, max_sessions)
    total = sum(len(journey.sessions) for journey in journeys)
    at_least = max(math.ceil(len(journeys) / max_journeys), math.ceil(total / max_sessions))
    tried = (_evenly(longest_first, count, max_journeys, max_sessions) for count in range(at_least, len(fitted)))
    return next(filter(None, tried), fitted)


def _evenly(journeys: Sequence[Journey], count: int, max_journeys: int, max_sessions: int) -> list[list[Journey]]:
    """`count` requests; each journey in turn goes into the one with the fewest sessions. Empty if a journey does not fit."""
    requests: list[list[Journey]] = [[] for _ in range(count)]
    open_ = [(0, at) for at in range(count)]  # sessions and number of each request that is not full: a heap
    for journey in journeys:
        if not open_ or open_[0][0] + len(journey.sessions) > max_sessions:
            return []
        sessions, at = heappop(open_)
        requests[at].append(journey)
        if len(requests[at]) < max_journeys:
            heappush(open_, (sessions + len(journey.sessions), at))
    return requests


def _first_fit(journeys: Sequence[Journey], max_journeys: int, max_sessions: int) -> list[list[Journey]]:
    requests: list[list[Journey]] = []
    room: dict[int, int] = {}  # request that is not full -> how many sessions it has room for
    for journey in journeys:
        size = len(journey.sessions)
        at = next((request for request, sessions in room.items() if size <= sessions), len(requests))
        if at == len(requests):
            requests.append([])
            room[at] = max_sessions
        requests[at].append(journey)
        room[at] -= size
        if not room[at] or len(requests[at]) == max_journeys:
            del room[at]
    return requests
