"""The Shapley value of channels: each one's mean contribution to the conversion rate over all orders in which they can join."""

from __future__ import annotations

from functools import lru_cache
from math import factorial

import numpy as np

from attribution_assets.models.journeys import Bools, Floats, Ints, Journeys

EXACT_CHANNELS = 16
"""Up to this many channels, every set of them is evaluated: 65,536 at most."""

ORDERS = 2_000
"""With more channels, how many random orders are drawn. Every second one is the reverse of the one before."""

AT_ONCE = 50
"""How many random orders, with their reverses, are computed at once."""


def shapley(journeys: Journeys, converted: Bools, *, seed: int = 0) -> Floats:
    """The Shapley value of every channel, shape (labels,), in conversions per journey; negative where a channel does harm.

    The worth v(S) of a set of channels is the conversion rate of the journeys whose channels all lie in S, 0 if there are
    none. A channel's value is the mean, over all orders in which the channels can join, of v with it and those before it less
    v of those before it; the values sum to v(all). A channel that does not occur has 0.

    Exact up to 16 channels that occur. Above, the mean is over 2,000 orders drawn with `seed`: its standard error falls with
    the root of their number, and the limit is the exact value; the values still sum to v(all).

    `converted`, shape (journeys,): whether the journey ends in a conversion.
    Source: Shapley, "A value for n-person games" (1953); v as in Zhao, Mahboobi, Bagheri, "Shapley value methods for
    attribution modeling in online advertising" (2018), with rates, so that a frequent channel has no advantage as such.
    """
    values = np.zeros(len(journeys.labels))
    occurring = np.array(sorted(np.flatnonzero(np.bincount(journeys.channel)), key=journeys.labels.__getitem__), dtype=np.int64)
    if len(occurring):
        number = np.zeros(len(journeys.labels), dtype=np.int64)
        number[occurring] = np.arange(len(occurring))
        channel = number[journeys.channel]
        value = _exact if len(occurring) <= EXACT_CHANNELS else _sampled
        values[occurring] = value(journeys, channel, converted, len(occurring), seed)
    return values


def _exact(journeys: Journeys, channel: Ints, converted: Bools, channels: int, _seed: int) -> Floats:
    members = np.bitwise_or.reduceat(1 << channel, journeys.offsets)
    within = np.bincount(members, minlength=1 << channels).astype(np.float64)
    converted_within = np.bincount(members, weights=converted, minlength=1 << channels).astype(np.float64)
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


def _sampled(journeys: Journeys, channel: Ints, converted: Bools, channels: int, seed: int) -> Floats:
    is_in = np.zeros((len(journeys), channels), dtype=bool)
    is_in[journeys.journey, channel] = True
    sets, set_of_journey = np.unique(np.packbits(is_in, axis=1), axis=0, return_inverse=True)
    is_member = np.unpackbits(sets, axis=1, count=channels)
    sizes = is_member.sum(axis=1, dtype=np.int64)
    largest_first = np.argsort(-sizes, kind="stable")
    sizes = sizes[largest_first]
    members = np.nonzero(is_member[largest_first])[1]
    first_member = np.cumsum(sizes) - sizes
    number_of_journeys = np.bincount(set_of_journey, minlength=len(sets))[largest_first].astype(np.float64)
    conversions = np.bincount(set_of_journey, weights=converted, minlength=len(sets))[largest_first].astype(np.float64)
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
        worth = _rate(_within(complete_at, conversions, channels), _within(complete_at, number_of_journeys, channels))
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
