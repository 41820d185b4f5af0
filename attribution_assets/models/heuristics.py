"""The fixed rules: credit by position and by time, from nothing but the journey itself. Each sums to 1 in a journey.

Settings read FIXED_RULES, so this module loads without numpy.
"""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING, NamedTuple

from attribution_assets.models.model import Model

if TYPE_CHECKING:
    from attribution_assets.models.journeys import Floats, Journeys


class PositionShares(NamedTuple):
    """What `position_based` gives to a journey's first session, its middle one, its last, and all others together."""

    first: float = 0.4
    middle: float = 0.0
    last: float = 0.4
    others: float = 0.2


U_SHAPED = PositionShares()


def first_touch(journeys: Journeys) -> Floats:
    """All credit to the first session, shape (sessions,).

    Source: Google Analytics, "About attribution" (first click). Of equal times, the smallest session_id is first.
    """
    return journeys.all_to(journeys.offsets)


def last_touch(journeys: Journeys) -> Floats:
    """All credit to the last session, shape (sessions,).

    Source: Google Analytics, "About attribution" (last click). Of equal times, the greatest session_id is last.
    """
    return journeys.all_to(journeys.last)


def last_non_direct_touch(journeys: Journeys, direct_channels: Set[str]) -> Floats:
    """All credit to the last session whose channel is not direct, shape (sessions,); to the last, where all are direct.

    Source: Google Analytics, "About attribution" (last non-direct click).
    """
    return journeys.all_to(journeys.last_of(~journeys.from_channels(direct_channels)))


def linear(journeys: Journeys) -> Floats:
    """The same credit to every session, 1/n of n, shape (sessions,).

    Source: Google Analytics, "About attribution" (linear).
    """
    return 1 / journeys.sizes[journeys.journey]


def position_based(journeys: Journeys, position_shares: PositionShares = U_SHAPED) -> Floats:
    """Fixed shares by position, shape (sessions,): U with shares of first, last and others, W with one of the middle as well.

    The share of the others is divided equally among them. The middle is session (n + 1) / 2 of n, rounded down; the first and
    the last are not also middle. If a journey has no others or no middle, their share is left out and the rest is normed to 1:
    of two sessions, each gets its share of first + last, and a single session gets all. If all remaining shares are 0, all
    sessions get the same. With middle = 0, the middle session is one of the others.
    Source: Google Analytics, "About attribution" (position-based, 40/20/40); Bizible, "W-shaped attribution" (30/30/30/10).
    """
    import numpy as np

    shares = position_shares
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
    import numpy as np

    return journeys.normed(np.exp2(-journeys.hours_to_last / half_life_hours))


FIXED_RULES = (
    Model("first_touch", first_touch),
    Model("last_touch", last_touch),
    Model("last_non_direct_touch", last_non_direct_touch, uses=("direct_channels",)),
    Model("linear", linear),
    Model("position_based", position_based, uses=("position_shares",)),
    Model("time_decay", time_decay, uses=("half_life_hours",)),
)
"""In the order in which they are shown, before the other models."""
