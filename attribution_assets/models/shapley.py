"""The Shapley value of channels: each one's mean contribution to the conversion rate over all orders in which they can join."""

from __future__ import annotations

from math import factorial

import numpy as np

from attribution_assets.models.journeys import Bools, Floats, Ints, Journeys

EXACT_CHANNELS = 16
"""Up to this many channels, every set of them is evaluated: 65,536 at most."""

ORDERS = 2_000
"""With more channels, how many random orders are drawn. Every second one is the reverse of the one before."""


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
    members = np.unpackbits(sets, axis=1, count=channels).astype(bool)
    count = np.bincount(set_of_journey, minlength=len(sets)).astype(np.float64)
    conversions = np.bincount(set_of_journey, weights=converted, minlength=len(sets))
    rng = np.random.default_rng(seed)
    total = np.zeros(channels)
    for _ in range(ORDERS // 2):
        drawn = rng.permutation(channels)
        for order in (drawn, drawn[::-1]):
            joined_at = np.argsort(order)
            complete_at = np.where(members, joined_at, 0).max(axis=1)
            worth = _rate(
                np.cumsum(np.bincount(complete_at, weights=conversions, minlength=channels)),
                np.cumsum(np.bincount(complete_at, weights=count, minlength=channels)),
            )
            total[order] += np.diff(worth, prepend=0)
    return total / ORDERS


def _rate(conversions: Floats, journeys: Floats) -> Floats:
    rate: Floats = np.divide(conversions, journeys, out=np.zeros_like(journeys), where=journeys > 0)
    return rate
