"""The models that need nothing but the journey itself: credit by position and by time. Each gives 1 in all per journey."""

from __future__ import annotations

import numpy as np

from attribution_assets.models.journeys import HOUR, Bools, Floats, Journeys
from attribution_assets.models.rules import U_SHAPED, PositionShares


def first_touch(journeys: Journeys) -> Floats:
    """All credit to the first session, shape (sessions,).

    Source: Google Analytics, "About attribution" (first click). Of equal times, the smallest session_id is first.
    """
    credit = np.zeros(len(journeys.time))
    credit[journeys.offsets] = 1
    return credit


def last_touch(journeys: Journeys) -> Floats:
    """All credit to the last session, shape (sessions,).

    Source: Google Analytics, "About attribution" (last click). Of equal times, the greatest session_id is last.
    """
    credit = np.zeros(len(journeys.time))
    credit[journeys.last] = 1
    return credit


def last_non_direct_touch(journeys: Journeys, is_direct: Bools) -> Floats:
    """All credit to the last session whose channel is not direct, shape (sessions,); to the last, where all are direct.

    `is_direct`, shape (labels,): which channels are direct traffic.
    Source: Google Analytics, "About attribution" (last non-direct click).
    """
    credit = np.zeros(len(journeys.time))
    if len(journeys):
        candidates = np.where(is_direct[journeys.channel], -1, np.arange(len(journeys.time)))
        latest = np.maximum.reduceat(candidates, journeys.offsets)
        credit[np.where(latest >= 0, latest, journeys.last)] = 1
    return credit


def linear(journeys: Journeys) -> Floats:
    """The same credit to every session, 1/n of n, shape (sessions,).

    Source: Google Analytics, "About attribution" (linear).
    """
    return 1 / journeys.sizes[journeys.journey]


def position_based(journeys: Journeys, shares: PositionShares = U_SHAPED) -> Floats:
    """Fixed shares by position, shape (sessions,): U with shares of first, last and others, W with one of the middle as well.

    The share of the others is divided equally among them. The middle is session (n + 1) / 2 of n, rounded down; the first and
    the last are not also middle. What a journey has nobody for (others, a middle) is left out, and the rest normed to 1; so of
    two sessions each gets its share of first + last, and one session gets all. Where all that is left is 0, all get the same.
    With middle = 0 the middle session is one of the others.
    Source: Google Analytics, "About attribution" (position-based, 40/20/40); Bizible, "W-shaped attribution" (30/30/30/10).
    """
    size = journeys.sizes[journeys.journey]
    is_first, is_last = journeys.position == 0, journeys.position == size - 1
    is_middle = (journeys.position == (size - 1) // 2) & ~is_first & ~is_last & (shares.middle > 0)
    others = size - 2 - (size > 2) * (shares.middle > 0)
    weights = np.where(is_middle, shares.middle, shares.others / np.maximum(others, 1))
    weights = np.where(is_first | is_last, shares.first * is_first + shares.last * is_last, weights)
    return journeys.normed(weights)


def time_decay(journeys: Journeys, half_life_hours: float = 168) -> Floats:
    """Credit that halves with every half-life before the last session: 2^(-hours / half-life), normed; shape (sessions,).

    Counting from the conversion instead would give the same, since only the ratios matter.
    Source: Google Analytics, "About attribution" (time decay, half-life of 7 days).
    """
    hours = (journeys.time[journeys.last][journeys.journey] - journeys.time) / HOUR
    return journeys.normed(np.exp2(-hours / half_life_hours))
