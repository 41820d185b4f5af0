"""Training the IHC parameters on an account's own journeys, without answers of the service, and how sure the result is.

The recipe and its constants were found on one account, that of the preset `challenge`, by comparing its parameters with its
journeys. They are not the service's rule, which is unknown. On the journeys of the only other account with known answers, the
recipe is worse than a linear model. docs/models.md gives the errors on both accounts.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.model import EngagedJourneys, ihc
from attribution_assets.ihc.parameters import BELOW_ONE, IHCParameters, Knot, Phases
from attribution_assets.ihc.redistribution import Redistribution
from attribution_assets.models.bootstrap import INTERVAL
from attribution_assets.models.journeys import Bools, Floats, Ints

PHASE_WEIGHTS = Phases(initializer=0.323, holder=0.374, closer=0.303)
"""Those of one account; they are not the service's rule."""

MOST_SESSIONS = 36
"""Longer journeys are left out. Found on one account; it is not the service's rule."""

CLOSER_LEVELS = np.linspace(0.10, 0.70, 81)
"""The quantiles of the hours to the last session at which f_C falls from 1 to 0, by 1/80 each.

Found on one account; they are not the service's rule.
"""

CLOSER_SESSIONS = 2
"""f_C is learned from so many of a journey's first sessions. Found on one account; it is not the service's rule."""

CLOSER_DECIMALS = 1
"""The decimals of the hours of f_C: tenths. Found on one account; it is not the service's rule."""

INITIALIZER_LEVELS = np.linspace(0.50, 0.89, 40)
"""The quantiles of the gaps between sessions between which f_I rises from 0 to 1, and those where it has a knot.

The ends were found on one account; they are not the service's rule. A knot per hundredth was chosen: more move no error.
"""

LOWERED_BY = 0.27
"""How much f_I is lowered where gaps are dense, see `train`. Found on one account; it is not the service's rule."""

DEGREE_DECIMALS = 7
"""The decimals of all degrees, as in calibrated parameters."""

LEAST_JOURNEYS = 100
"""With fewer journeys to learn from, nothing is learned."""

FEW_JOURNEYS = 400
"""With fewer journeys to learn from, a note says that there are few."""

LEAST_CLOSERS = 30
"""With fewer sessions to learn f_C from, nothing is learned. Chosen so that no draw of the bootstrap is without one."""

DRAWS = 200
"""How often the training is repeated on drawn journeys."""

DRAWS_AT_ONCE = 2
"""So many threads draw."""

CREDITED_AT_ONCE = 4_000
"""So many journeys are credited at once, which is faster than all together: what is computed of them stays near a core."""

CREDITED_JOURNEYS = 200_000
"""On so many journeys it is computed what a draw does to the channels."""

EXACT = 2.0**30
"""Credits are rounded to whole parts of this many, whose sum is exact in any order, up to 8 million orders."""

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Training:
    """Parameters that were learned from journeys alone, and from how many journeys."""

    parameters: IHCParameters
    journeys: int

    @property
    def saturation(self) -> float:
        """The gap, in hours, at which the initializer membership reaches 1, so that it cuts the journey."""
        return self.parameters.initializer_membership[-1][0]

    @property
    def notes(self) -> list[str]:
        """What to know about the parameters, a line each."""
        few = (
            f"Only {self.journeys:,} journeys of 2 to {MOST_SESSIONS} sessions were there to learn from. Below {FEW_JOURNEYS}, "
            "the parameters depend much on chance."
        )
        return [few] if self.journeys < FEW_JOURNEYS else []


@dataclass(frozen=True)
class Spread:
    """How much the training depends on chance: what it gives for journeys drawn with replacement, `draws` times.

    `saturation`: the 90 % interval of the hours at which the initializer membership reaches 1. `channels`: one row per channel,
    in the order of the names, with channel_label, orders (with the trained parameters), orders_low and orders_high, the 90 %
    interval that the draws leave. The interval was computed on `credited` of the `journeys` of two or more sessions, and scaled
    to all; in a journey of one session no parameter matters.
    """

    draws: int
    saturation: tuple[float, float]
    credited: int
    journeys: int
    channels: pd.DataFrame


def train(journeys: EngagedJourneys) -> Training:
    """Learns the parameters from the journeys of 2 to MOST_SESSIONS sessions.

    f_C falls from 1 to 0 in equal steps at the quantiles CLOSER_LEVELS of the hours to the last session of the journey. These
    quantiles are rounded to tenths of an hour. The hours are those of holder-engaged sessions among the first CLOSER_SESSIONS
    of a journey that are not its last.

    f_I rises from 0 to 1 between the outer quantiles of INITIALIZER_LEVELS of all gaps between sessions. Let l be the line
    between these two points, and E the share of the gaps between them that are shorter. Then f_I = l - LOWERED_BY * (E - l),
    except that it never falls, and reaches 1 at the last quantile only. These two exceptions were chosen: a membership rises,
    and the cut is to lie at that quantile.

    Channel weights are 1, phase weights PHASE_WEIGHTS. The result depends on times and holder engagements alone, and not on the
    order of the journeys. If all times are k times as long, so are the hours of the tables, apart from the rounding.

    Raises AttributionError where there are fewer than LEAST_JOURNEYS journeys or LEAST_CLOSERS sessions to learn from.

    Source: see the module's docstring.
    """
    learned = _learned(journeys)
    return _training(journeys, _Samples.of(journeys, learned), learned)


def spread(
    journeys: EngagedJourneys,
    training: Training,
    redistribution: Redistribution | None = None,
    *,
    seed: int,
    draws: int = DRAWS,
) -> Spread:
    """How much of what `train` gives for these journeys is chance.

    Each draw takes as many journeys as were learned from, with replacement, and trains on them. Its parameters credit the same
    journeys every time: those of two or more sessions. Of more than CREDITED_JOURNEYS, that many are chosen by `seed`; of those
    with the same times and engagements, all or none. What the parameters move between channels, compared with the trained ones,
    is scaled to all journeys. For the same seed, neither the order of the journeys nor the names of the channels matter.

    Raises AttributionError as `train` does.

    Source: Efron, "Bootstrap methods", Annals of Statistics 7 (1979).
    """
    trained_again = redrawn(journeys, seed=seed)
    keys, shared = _keys(journeys, seed), journeys.sizes > 1
    chosen = shared & (keys <= _threshold(keys[shared]))
    parts = _parts(journeys.only(chosen[journeys.journey]))

    def credited(parameters: IHCParameters) -> Floats:
        total: Floats = np.sum([orders(part, parameters, redistribution) for part in parts], axis=0)
        return total

    def draw(number: int) -> tuple[float, Floats]:
        """The saturation of a draw, and the orders by channel."""
        parameters = trained_again(number)
        return parameters.initializer_membership[-1][0], credited(parameters)

    with ThreadPoolExecutor(DRAWS_AT_ONCE) as threads:
        saturations, drawn_orders = zip(*threads.map(draw, range(draws)), strict=True)
    low, high = np.quantile(saturations, INTERVAL)
    moved = np.quantile(drawn_orders, INTERVAL, axis=0) - credited(training.parameters)
    of_all = orders(journeys, training.parameters, redistribution)
    orders_low, orders_high = of_all + moved * (shared.sum() / chosen.sum())
    channels = pd.DataFrame(
        {"channel_label": journeys.labels, "orders": of_all, "orders_low": orders_low, "orders_high": orders_high}
    ).sort_values("channel_label", ignore_index=True)
    return Spread(draws, (float(low), float(high)), int(chosen.sum()), int(shared.sum()), channels)


def redrawn(journeys: EngagedJourneys, *, seed: int) -> Callable[[int], IHCParameters]:
    """What `train` gives for as many journeys as it learns from, drawn with replacement: by the number of the draw.

    For the same seed and number, neither the order of the journeys nor the names of the channels matter. Raises
    AttributionError as `train` does.
    """
    learned = _learned(journeys)
    samples = _Samples.of(journeys, learned)
    numbers = np.flatnonzero(learned)
    numbers = numbers[np.argsort(_keys(journeys, seed)[numbers], kind="stable")]

    def parameters(number: int) -> IHCParameters:
        drawn = np.random.default_rng([seed, number]).integers(len(numbers), size=len(numbers))
        return samples.parameters(np.bincount(numbers[drawn], minlength=len(journeys)))

    return parameters


def orders(journeys: EngagedJourneys, parameters: IHCParameters, redistribution: Redistribution | None = None) -> Floats:
    """The orders that IHC credits to each channel, shape (labels,); the same in any order of the journeys."""
    credit = np.rint(ihc(journeys, parameters, redistribution).ihc * EXACT)
    return np.bincount(journeys.channel, credit, minlength=len(journeys.labels)) / EXACT


def weighted_quantiles(values: Floats, weights: Ints, levels: Floats) -> Floats:
    """The quantiles of values in rising order, each repeated as often as its weight says, shape (levels,).

    `weights`: 0 or more, shape (values,), not all 0. Between two values a quantile is linear, as with `numpy.quantile`, which
    gives the same where all weights are 1: Hyndman and Fan, "Sample quantiles in statistical packages", The American
    Statistician 50 (1996), definition 7.
    """
    up_to = np.cumsum(weights)
    place = (up_to[-1] - 1) * levels
    before = np.floor(place).astype(np.int64)
    share = place - before
    low, high = (
        values[np.searchsorted(up_to, number, side="right")] for number in (before, np.minimum(before + 1, up_to[-1] - 1))
    )
    quantiles: Floats = np.where(share < 0.5, low + (high - low) * share, high - (high - low) * (1 - share))
    return quantiles


class _Hours(NamedTuple):
    """Hours in rising order, and the number of each one's journey, shape (values,) each."""

    hours: Floats
    journey: Ints

    @classmethod
    def of(cls, hours: Floats, journeys: EngagedJourneys, sessions: Bools) -> Self:
        """The hours of these sessions."""
        order = np.argsort(hours[sessions])
        return cls(hours[sessions][order], journeys.journey[sessions][order])

    def quantiles(self, levels: Floats, times: Ints) -> Floats:
        return weighted_quantiles(self.hours, times[self.journey], levels)


class _Samples(NamedTuple):
    """What the memberships are quantiles of: all gaps between sessions, and the hours from early sessions to the last one."""

    gaps: _Hours
    closers: _Hours

    @classmethod
    def of(cls, journeys: EngagedJourneys, learned: Bools) -> Self:
        used = learned[journeys.journey]
        early = journeys.position < np.minimum(CLOSER_SESSIONS, journeys.sizes - 1)[journeys.journey]
        closing = used & early & (journeys.holder_engagement > 0)
        if closing.sum() < LEAST_CLOSERS:
            raise AttributionError(
                f"The closer membership is learned from the first {CLOSER_SESSIONS} sessions of each journey that are not its "
                f"last and have holder_engagement 1. There are {closing.sum()} of them, and at least {LEAST_CLOSERS} are "
                "needed. Train on more days, or fill holder_engagement."
            )
        return cls(
            _Hours.of(journeys.hours_since_previous, journeys, used & (journeys.position > 0)),
            _Hours.of(journeys.hours_to_last, journeys, closing),
        )

    def parameters(self, times: Ints) -> IHCParameters:
        """What is learned where each journey, shape (journeys,), is there so many times."""
        return IHCParameters(
            name="self-trained",
            self_trained=True,
            phase_weights=PHASE_WEIGHTS,
            channel_weights={},
            initializer_membership=_rising(self.gaps.quantiles(INITIALIZER_LEVELS, times)),
            closer_membership=_falling(self.closers.quantiles(CLOSER_LEVELS, times)),
        )


def _learned(journeys: EngagedJourneys) -> Bools:
    """Which journeys the parameters are learned from, shape (journeys,). Raises AttributionError where these are too few."""
    learned: Bools = (journeys.sizes > 1) & (journeys.sizes <= MOST_SESSIONS)
    if learned.sum() < LEAST_JOURNEYS:
        raise AttributionError(
            f"There are {learned.sum()} journeys of 2 to {MOST_SESSIONS} sessions to learn the parameters from, and at least "
            f"{LEAST_JOURNEYS} are needed. Train on more days, or use a preset."
        )
    return learned


def _training(journeys: EngagedJourneys, samples: _Samples, learned: Bools) -> Training:
    """The parameters with a description that says from what they were learned."""
    count = int(learned.sum())
    first = str(journeys.time[journeys.offsets[learned]].min().astype("datetime64[ns]").astype("datetime64[D]"))
    last = str(journeys.time[journeys.last[learned]].max().astype("datetime64[ns]").astype("datetime64[D]"))
    days = (np.datetime64(last) - np.datetime64(first)).astype(int) + 1
    description = (
        f"self-trained from {count:,} journeys of 2 to {MOST_SESSIONS} sessions of {days:,} days ({first} to {last}), without "
        "answers of the service. The rule and the phase weights were found on one account and are not the service's."
    )
    parameters = samples.parameters(learned.astype(np.int64)).model_copy(update={"description": description})
    return Training(parameters, count)


def _rising(at: Floats) -> tuple[Knot, ...]:
    """f_I from the gaps at INITIALIZER_LEVELS. If they are all equal, it jumps from 0 to 1 there."""
    low, high = float(at[0]), float(at[-1])
    if low == high:
        return (low, 0.0), (high, 1.0)
    line = (at - low) / (high - low)
    shorter = np.linspace(0, 1, len(at))
    degree = np.maximum.accumulate((line - LOWERED_BY * (shorter - line)).clip(0, BELOW_ONE)).round(DEGREE_DECIMALS)
    hours, first = np.unique(at, return_index=True)
    return _knots(hours, np.append(degree[first[:-1]], 1.0))


def _falling(at: Floats) -> tuple[Knot, ...]:
    """f_C from the hours at CLOSER_LEVELS. Where several are the same, it jumps from the first to the last of their degrees."""
    hours = at.round(CLOSER_DECIMALS)
    degree = np.linspace(1, 0, len(at)).round(DEGREE_DECIMALS)
    begins = np.diff(hours, prepend=-1) > 0
    kept = begins | np.append(begins[1:], True)
    return _knots(hours[kept], degree[kept])


def _knots(hours: Floats, degrees: Floats) -> tuple[Knot, ...]:
    return tuple(zip(hours.tolist(), degrees.tolist(), strict=True))


def _keys(journeys: EngagedJourneys, seed: int) -> Keys:
    """A random number for each journey, shape (journeys,), drawn by `seed` and its sessions' times and engagements alone."""
    salt = np.random.default_rng(seed).integers(np.iinfo(np.uint64).max, dtype=np.uint64)
    flags = (2 * journeys.holder_engagement + journeys.closer_engagement).astype(np.uint64)
    session = _scattered(_scattered(journeys.time.astype(np.uint64) ^ salt) + 4 * journeys.position.astype(np.uint64) + flags)
    return np.add.reduceat(session, journeys.offsets)


def _scattered(numbers: Keys) -> Keys:
    return pd.util.hash_array(numbers)


def _parts(journeys: EngagedJourneys) -> list[EngagedJourneys]:
    """The journeys, CREDITED_AT_ONCE in each part."""
    part = journeys.journey // CREDITED_AT_ONCE
    return [journeys.only(part == number) for number in range(part[-1] + 1)]


def _threshold(keys: Keys) -> np.uint64:
    """The highest of the CREDITED_JOURNEYS lowest keys."""
    place = min(CREDITED_JOURNEYS, len(keys)) - 1
    return np.uint64(np.partition(keys, place)[place])
