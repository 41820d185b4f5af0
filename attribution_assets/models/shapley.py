"""The Shapley value of channels: each one's mean contribution to the conversion rate over all orders in which they can join."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import factorial

import numpy as np
import pandas as pd

from attribution_assets.models.journeys import Floats, Ints, Journeys
from attribution_assets.models.tally import pieces_of, tally

WORD = 63
"""How many channels one whole number has a bit for."""

EXACT_CHANNELS = 16
"""Up to this many channels, every set of them is evaluated: 65,536 at most."""

ORDERS = 2_000
"""With more channels, how many random orders are drawn. Every second one is the reverse of the one before."""

AT_ONCE = 50
"""How many random orders, with their reverses, are computed at once."""


def sets_of(journeys: Journeys, group: Ints) -> pd.DataFrame:
    """How many journeys of each group have exactly the channels of a set, as a tally: a piece is a set, by name."""
    channel, labels = journeys.channel, journeys.labels
    words = {
        word: np.bitwise_or.reduceat(np.where(channel // WORD == word, 1 << channel % WORD, 0), journeys.offsets)
        for word in range(-(-len(labels) // WORD))
        if len(journeys)
    }
    members = pd.DataFrame(words, index=range(len(journeys)), dtype=np.int64)
    number = members.groupby([*words], sort=False).ngroup() if words else group
    examples = np.flatnonzero(~members.duplicated())

    def pieces(number: Ints) -> Iterator[list[int]]:
        for journey in examples[number]:
            yield sorted({*channel[journeys.offsets[journey] : journeys.last[journey] + 1].tolist()}, key=labels.__getitem__)

    return tally(labels, pieces, group, np.asarray(number, np.int64), below=len(examples))


def shapley_values(sets: pd.DataFrame, *, seed: int = 0) -> dict[str, float]:
    """The Shapley value of every channel, in conversions per journey; negative where a channel does harm.

    The worth v(S) of a set of channels is the conversion rate of the journeys whose channels all lie in S, 0 if there are
    none. A channel's value is the mean, over all orders in which the channels can join, of v with it and those before it less
    v of those before it; the values sum to v(all).

    Exact up to 16 channels. Above, the mean is over 2,000 orders drawn with `seed`: its standard error falls with the root of
    their number, and the limit is the exact value; the values still sum to v(all).

    `sets`: a tally as of `sets_of`, with the column `converted`: 1 where the journeys end in a conversion, else 0.
    Source: Shapley, "A value for n-person games" (1953); v as in Zhao, Mahboobi, Bagheri, "Shapley value methods for
    attribution modeling in online advertising" (2018), with rates, so that a frequent channel has no advantage as such.
    """
    both = sets.assign(conversions=sets["journeys"] * sets["converted"]).groupby("channels")[["journeys", "conversions"]].sum()
    pieces = pieces_of(both.index)
    journeys, conversions = (both[column].to_numpy(np.float64) for column in both.columns)
    if len(pieces.labels) <= EXACT_CHANNELS:
        values = _exact(pieces, journeys, conversions)
    else:
        values = _sampled(pieces, journeys, conversions, seed)
    return dict(zip(pieces.labels, values.tolist(), strict=True))


def _exact(sets: Journeys, journeys: Floats, conversions: Floats) -> Floats:
    channels = len(sets.labels)
    members = np.bitwise_or.reduceat(1 << sets.channel, sets.offsets) if len(sets) else sets.offsets
    within, converted_within = np.zeros(1 << channels), np.zeros(1 << channels)
    within[members], converted_within[members] = journeys, conversions
    for counts in (within, converted_within):  # from the journeys of exactly a set to those within it
        for bit in range(channels):
            without, with_ = _halves(counts, bit)
            with_ += without
    worth = _rate(converted_within, within)
    weights = np.array([factorial(size) * factorial(channels - 1 - size) / factorial(channels) for size in range(channels)])
    weight_of_set = np.append(weights, 0)[np.bitwise_count(np.arange(1 << channels))]
    values = np.empty(channels)
    for bit in range(channels):
        without, with_ = _halves(worth, bit)
        values[bit] = np.sum(_halves(weight_of_set, bit)[0] * (with_ - without))
    return values


def _halves(per_set: Floats, bit: int) -> tuple[Floats, Floats]:
    """The entries of the sets without and with this member, as views, each beside the other's."""
    halves = per_set.reshape(-1, 2, 1 << bit)
    return halves[:, 0], halves[:, 1]


def _sampled(sets: Journeys, journeys: Floats, conversions: Floats, seed: int) -> Floats:
    channels, members = len(sets.labels), sets.channel
    largest_first = np.argsort(-sets.sizes, kind="stable")
    sizes, first_member = sets.sizes[largest_first], sets.offsets[largest_first]
    journeys, conversions = journeys[largest_first], conversions[largest_first]
    total = np.zeros(channels)
    for joined_at in np.split(_drawn(channels, seed), ORDERS // (2 * AT_ONCE)):
        joined: Ints = joined_at.T.copy()
        last = joined[members[first_member]]
        first = last.copy()
        for place in range(1, sizes[0]):
            larger = np.count_nonzero(sizes > place)
            others = joined[members[first_member[:larger] + place]]
            np.maximum(last[:larger], others, out=last[:larger])
            np.minimum(first[:larger], others, out=first[:larger])
        complete_at: Ints = np.stack([last.T, channels - 1 - first.T], axis=1).reshape(2 * AT_ONCE, len(sets))
        worth = _rate(_within(complete_at, conversions, channels), _within(complete_at, journeys, channels))
        gains = np.diff(worth, prepend=0, axis=1)
        for gain, reversed_gain, at in zip(gains[::2], gains[1::2], joined_at, strict=True):
            total += gain[at]
            total += reversed_gain[channels - 1 - at]
    return total / ORDERS


@lru_cache(maxsize=1)
def _drawn(channels: int, seed: int) -> Ints:
    """The place of each channel in each drawn order, shape (ORDERS // 2, channels). Neighbouring days need the same."""
    rng = np.random.default_rng(seed)
    return np.argsort([rng.permutation(channels) for _ in range(ORDERS // 2)], axis=1)


def _within(complete_at: Ints, per_set: Floats, channels: int) -> Floats:
    """For each order and place, the sum over the sets that are complete when the channel at this place has joined."""
    orders = len(complete_at)
    counted = np.flatnonzero(per_set)
    at = complete_at[:, counted] + channels * np.arange(orders)[:, None]
    joining = np.bincount(at.ravel(), weights=np.tile(per_set[counted], orders), minlength=orders * channels)
    return np.cumsum(joining.reshape(orders, channels), axis=1)


def _rate(conversions: Floats, journeys: Floats) -> Floats:
    rate: Floats = np.divide(conversions, journeys, out=np.zeros_like(journeys), where=journeys > 0)
    return rate
