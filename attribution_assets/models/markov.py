"""The Markov model: what share of the conversions would be lost without a channel, exactly, as a linear solve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.models.journeys import Bools, Floats, Ints, Journeys
from attribution_assets.models.tally import END, pieces_of, tally

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


def steps_of(journeys: Journeys, group: Ints, *, order: int = 1) -> pd.DataFrame:
    """How often the journeys of each group take each step from a state, their last `order` channels, as a tally.

    A piece is the channels of the state, none at the start, and then the channel that follows, or END.

    Raises AttributionError for more states than can be numbered.
    """
    labels = journeys.labels
    base = len(labels) + 1
    _check_states(base, order, len(labels))
    state = journeys.channel + 1
    for back in range(1, order):
        earlier = np.zeros_like(state)
        earlier[back:] = journeys.channel[:-back] + 1
        state = state + np.where(journeys.position >= back, earlier, 0) * base**back
    taken = np.empty_like(state)  # from the state before, to a channel
    taken[1:] = state[:-1]
    taken[journeys.offsets] = START
    taken *= base
    taken += journeys.channel + 1
    ends = state[journeys.last] * base
    of_group = np.concatenate([group[journeys.journey], group])

    def pieces(number: Ints) -> Iterator[list[int]]:
        for *before, follower in np.stack([number // base**back % base for back in range(order, -1, -1)], axis=1).tolist():
            yield [channel - 1 for channel in before if channel] + [follower - 1]

    return tally(labels, pieces, of_group, np.concatenate([taken, ends]), below=base ** (order + 1))


def removal_effects(steps: pd.DataFrame, *, non_converting: bool = True) -> dict[str, float]:
    """The removal effect of every channel: 1 - P(conversion without it) / P(conversion), 0 to 1.

    A journey is a walk from START over states, its last channels, to a conversion or to none; the probability of each step is
    its share of the steps from its state, and P the probability to end in a conversion. Without a channel, a walk that comes
    to it ends without a conversion. P solves (1 - moves) P = converts, so the result is exact. Every channel has 0 where
    nothing converted.

    `steps`: a tally as of `steps_of`, with the column `converted`: 1 for steps of journeys that end in a conversion, else 0.
    The others count unless `non_converting` is false. Raises AttributionError for more states than can be numbered.
    Source: Anderl, Becker, von Wangenheim, Schumann, "Mapping the customer journey", IJRM 33 (2016).
    """
    pieces, converted, times = pieces_of(steps["channels"]), steps["converted"].to_numpy() == 1, steps["journeys"].to_numpy()
    labels = pieces.labels
    effects = np.zeros(len(labels))
    if converted.any():
        walked = converted | non_converting
        chain = _chain(pieces.only(walked[pieces.journey]), converted[walked], times[walked])
        latest = chain.states % (len(labels) + 1)
        occurring = np.unique(latest[latest > 0]) - 1
        removed = [np.flatnonzero(latest == channel + 1) for channel in occurring]
        effects[occurring] = (
            _effects_one_by_one(chain, removed) if len(removed) <= FEW_CHANNELS else _effects_at_once(chain, removed)
        )
    return dict(zip(labels, effects.clip(0, 1).tolist(), strict=True))


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


def _chain(pieces: Journeys, converted: Bools, times: Ints) -> Chain:
    """The chain of steps, each with whether its journeys convert and how often these take it."""
    base = len(pieces.labels) + 1
    order = int(pieces.sizes.max()) - 1
    followers = base + 1  # every channel, a conversion, none
    _check_states(base, order, len(pieces.labels))
    place = pieces.last[pieces.journey] - np.arange(len(pieces.channel))  # from the end, which is what follows
    digits = np.where(place > 0, pieces.channel + 1, 0) * base ** (place - 1).clip(0)
    follows = pieces.channel[pieces.last]
    follower = np.where(follows == END, np.where(converted, base - 1, base), follows)
    step = np.add.reduceat(digits, pieces.offsets) * followers + follower
    step, at = np.unique_inverse(step)
    count = np.bincount(at, weights=times)
    source, follower = np.divmod(step, followers)
    states, at = np.unique_inverse(source)
    probability = count / np.bincount(at, weights=count)[at]
    goes_on = follower < base - 1
    target = source % base ** max(order - 1, 0) * base + follower + 1
    converts = np.bincount(at, weights=probability * (follower == base - 1), minlength=len(states)).astype(np.float64)
    return Chain(states, at[goes_on], np.searchsorted(states, target[goes_on]), probability[goes_on], converts)


def _check_states(base: int, order: int, channels: int) -> None:
    if base**order * (base + 1) >= 2**63:
        raise AttributionError(
            f"A Markov chain of order {order} over {channels} channels has too many states. "
            "Lower ATTRIBUTION_MARKOV_ORDER, or group channels with ATTRIBUTION_CHANNEL_GROUPS."
        )
