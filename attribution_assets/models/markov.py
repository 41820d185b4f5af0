"""The Markov model: what share of the conversions would be lost without a channel, exactly, as a linear solve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from attribution_assets.errors import AttributionError
from attribution_assets.models.journeys import Bools, Floats, Ints, Journeys

START = 0
"""The state of a journey that has no session yet: first in the order of states."""


FEW_CHANNELS = 50
"""Up to so many channels, each is solved alone, as every stored value was: the same journeys give the same bits."""


class Chain(NamedTuple):
    """An absorbing Markov chain over the states that occur, START the first.

    `states`, shape (states,): the last channels of a journey as digits, the latest the lowest, 0 for none, else index + 1;
    `probability`, shape (moves,): that of each move that occurs, between the states numbered `source` and `target`;
    `converts`, shape (states,): the probability of a conversion. What is missing to 1 ends without one.
    """

    states: Ints
    source: Ints
    target: Ints
    probability: Floats
    converts: Floats


def markov(journeys: Journeys, converted: Bools, *, order: int = 1, non_converting: bool = True) -> Floats:
    """The removal effect of every channel, shape (labels,): 1 - P(conversion without it) / P(conversion), 0 to 1.

    A journey is a walk from START over states, the last `order` channels, to a conversion or to none; the probability of each
    step is its share of the steps from its state, and P the probability to end in a conversion. Without a channel, a walk
    that comes to it ends without a conversion. P solves (1 - moves) P = converts, so the result is exact. A channel that does
    not occur, and every channel where nothing converted, has 0.

    `converted`, shape (journeys,): whether the journey ends in a conversion; the others count unless `non_converting` is false.
    Raises AttributionError for more states than can be numbered.
    Source: Anderl, Becker, von Wangenheim, Schumann, "Mapping the customer journey", IJRM 33 (2016).
    """
    effects = np.zeros(len(journeys.labels))
    if not non_converting:
        journeys, converted = journeys.only(converted[journeys.journey]), converted[converted]
    if not converted.any():
        return effects
    chain = _chain(journeys, converted, order)
    latest = chain.states % (len(journeys.labels) + 1)
    occurring = np.flatnonzero(np.bincount(journeys.channel))
    removed = [np.flatnonzero(latest == channel + 1) for channel in occurring]
    effects[occurring] = (
        _effects_one_by_one(chain, removed) if len(removed) <= FEW_CHANNELS else _effects_at_once(chain, removed)
    )
    return effects.clip(0, 1)


def _effects_one_by_one(chain: Chain, removed: Sequence[Ints]) -> list[float]:
    """As `_effects_at_once`, to within rounding, from a system for each group: what conversions are left without it."""
    whole = _conversion_probability(chain, np.ones(len(chain.states), dtype=bool))
    effects = []
    for group in removed:
        left = np.ones(len(chain.states), dtype=bool)
        left[group] = False
        effects.append(1 - _conversion_probability(chain, left) / whole)
    return effects


def _conversion_probability(chain: Chain, left: Bools) -> float:
    """The probability from START if only the states in `left` are left: a walk that reaches another state does not convert."""
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import spsolve

    stays = left[chain.source] & left[chain.target]
    number = np.cumsum(left) - 1
    at = number[chain.source[stays]], number[chain.target[stays]]
    size = int(np.count_nonzero(left))
    moves = csc_array((chain.probability[stays], at), shape=(size, size))
    return float(np.atleast_1d(spsolve(eye_array(size, format="csc") - moves, chain.converts[left]))[START])


def _effects_at_once(chain: Chain, removed: Sequence[Ints]) -> list[float]:
    """For each group of states, the share of the conversions from START whose walk comes to one of them.

    A state that has a channel at an earlier place is reached only through a state in which that channel is the latest, so the
    states in which it is the latest are enough. All follow from one factorisation of 1 - moves, whose inverse holds how often a
    walk from one state visits another: the visits from START, divided by those within the group, are the chances that a walk
    comes to each of its states first.
    """
    from scipy.sparse import csc_array, eye_array
    from scipy.sparse.linalg import splu

    size = len(chain.states)
    moves = csc_array((chain.probability, (chain.source, chain.target)), shape=(size, size))
    solver = splu(eye_array(size, format="csc") - moves)
    converts = solver.solve(chain.converts)
    effects = []
    for group in removed:
        ends = np.zeros((size, len(group)))
        ends[group, np.arange(len(group))] = 1
        visits = solver.solve(ends)
        effects.append(float(visits[START] @ np.linalg.solve(visits[group], converts[group]) / converts[START]))
    return effects


def _chain(journeys: Journeys, converted: Bools, order: int) -> Chain:
    base = len(journeys.labels) + 1
    followers = base + 1  # every channel, a conversion, none
    if base**order * followers >= 2**63:
        raise AttributionError(
            f"A Markov chain of order {order} over {len(journeys.labels)} channels has too many states. "
            "Lower ATTRIBUTION_MARKOV_ORDER, or group channels with ATTRIBUTION_CHANNEL_GROUPS."
        )
    state = journeys.channel + 1
    for back in range(1, order):
        earlier = np.zeros_like(state)
        earlier[back:] = journeys.channel[:-back] + 1
        state = state + np.where(journeys.position >= back, earlier, 0) * base**back
    steps = np.empty_like(state)  # from the state before, to a channel
    steps[1:] = state[:-1]
    steps[journeys.offsets] = START
    steps *= followers
    steps += journeys.channel
    ends = state[journeys.last] * followers + np.where(converted, base - 1, base)
    step, count = _counted(np.concatenate([steps, ends]), below=base**order * followers)
    source, follower = np.divmod(step, followers)
    states, at = np.unique_inverse(source)
    probability = count / np.bincount(at, weights=count)[at]
    goes_on = follower < base - 1
    target = source % base ** (order - 1) * base + follower + 1
    converts = np.bincount(at, weights=probability * (follower == base - 1), minlength=len(states)).astype(np.float64)
    return Chain(states, at[goes_on], np.searchsorted(states, target[goes_on]), probability[goes_on], converts)


def _counted(numbers: Ints, below: int) -> tuple[Ints, Ints]:
    """The numbers that occur, in order, and how often. Uses a table of all numbers if that is not too long."""
    if below > 2 * len(numbers):
        return np.unique_counts(numbers)
    counts = np.bincount(numbers)
    occurring = np.flatnonzero(counts)
    return occurring, counts[occurring]
