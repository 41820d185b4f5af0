"""The oracle: the formula and the redistribution of docs/models.md for one journey, in plain and slow Python of its own."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

SECONDS_PER_HOUR = 3600

Answer = tuple[float, float, float, float]
"""Initializer, holder, closer, ihc."""


@dataclass(frozen=True)
class Session:
    """One session of a journey; `second` counts from any origin that the journey's sessions share."""

    second: int
    channel: str
    holder_engagement: int
    closer_engagement: int


def answer(
    journey: Sequence[Session], parameters: Mapping[str, Any], redistribution: Mapping[str, Any] | None = None
) -> list[Answer]:
    """The answer per session of a journey in order of time; `parameters` and `redistribution` as their JSON says them."""
    n = len(journey)
    if n == 1:
        return [(1.0, 0.0, 1.0, 1.0)]

    # 1. and 2. The memberships.
    m_initializer = [1.0]
    for previous, session in pairwise(journey):
        m_initializer.append(degree(parameters["initializer_membership"], hours_between(previous, session)))
    m_closer = [1.0]
    for session in reversed(journey[:-1]):
        before_last = hours_between(session, journey[-1])
        m_closer.insert(0, session.closer_engagement * degree(parameters["closer_membership"], before_last))

    # 3. Shares of the whole journey, before channel weights and before the cut.
    n_initializer, n_closer = norm(m_initializer), norm(m_closer)

    # 4. The holder's raw value: half the arithmetic, half the harmonic mean.
    raw_holder = []
    for session, i, c in zip(journey, n_initializer, n_closer, strict=True):
        a, b = 1 - i, 1 - c
        means = (a + b) / 2 + 2 * a * b / (a + b) if a + b else 0.0
        raw_holder.append(session.holder_engagement * means / 2)

    # 5. The cut: nothing before the last session whose initializer membership is full.
    s = max(k for k in range(n) if m_initializer[k] >= 1)

    # 6. Channel weights, over the sessions that are left.
    phases: dict[str, list[float]] = {}
    for phase, values in (("initializer", n_initializer), ("holder", raw_holder), ("closer", n_closer)):
        weighted = []
        for session, value in zip(journey[s:], values[s:], strict=True):
            weights = parameters["channel_weights"].get(session.channel)
            weighted.append(value * (weights[phase] if weights else 1))
        phases[phase] = [0.0] * s + norm(weighted)

    for phase, rule in (redistribution or {}).items():
        phases[phase] = redistributed(journey, phases[phase], rule)

    # 7. The three phases weighed together.
    p = parameters["phase_weights"]
    answers = []
    for i, h, c in zip(phases["initializer"], phases["holder"], phases["closer"], strict=True):
        if any(phases["holder"]):
            ihc = p["initializer"] * i + p["holder"] * h + p["closer"] * c
        else:
            ihc = (p["initializer"] * i + p["closer"] * c) / (p["initializer"] + p["closer"])
        answers.append((i, h, c, ihc))
    return answers


def redistributed(journey: Sequence[Session], shares: Sequence[float], rule: Mapping[str, Any]) -> list[float]:
    """The shares of one phase after each session of a named channel gave its own away."""
    after = list(shares)
    for giver, giving in enumerate(journey):
        if giving.channel not in rule["redistribution_channel_labels"] or shares[giver] == 0:
            continue
        receivers = []
        for receiver, receiving in enumerate(journey):
            on_the_side = {
                "earlier_sessions_only": receiver < giver,
                "any_session": True,
                "later_sessions_only": receiver > giver,
            }[rule["direction"]]
            named = receiving.channel in rule["redistribution_channel_labels"]
            enough = shares[receiver] > 0 and shares[receiver] >= rule["receive_threshold"]
            if on_the_side and enough and not named:
                receivers.append(receiver)
        if receivers:
            total = sum(shares[receiver] for receiver in receivers)
            after[giver] = 0.0
            for receiver in receivers:
                after[receiver] += shares[giver] * shares[receiver] / total
    return after


def hours_between(earlier: Session, later: Session) -> float:
    return (later.second - earlier.second) / SECONDS_PER_HOUR


def degree(knots: Sequence[Sequence[float]], hours: float) -> float:
    """The table's value; at a jump that of the left piece, outside the table that of its end."""
    right = bisect_left([hour for hour, _ in knots], hours)
    if right == len(knots):
        return knots[-1][1]
    x1, y1 = knots[right]
    if right == 0 or hours == x1:
        return y1
    x0, y0 = knots[right - 1]
    return y0 + (y1 - y0) * (hours - x0) / (x1 - x0)


def norm(values: Sequence[float]) -> list[float]:
    """The values as shares of their sum; all 0 where the sum is 0."""
    total = sum(values)
    return [value / total if total else 0.0 for value in values]
