"""The IHC formula, on all journeys at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import pandas as pd

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.parameters import IHCParameters, Knot
from attribution_assets.ihc.redistribution import PhaseRedistribution, Redistribution
from attribution_assets.models.journeys import Bools, Floats, Ints, Journeys

FLAGS = ("holder_engagement", "closer_engagement")
"""Whether a session can hold a journey, and whether it can close it: 1 or 0."""

JOURNEY_COLUMNS = ("conv_id", "session_id", "timestamp", "channel_label", *FLAGS)


@dataclass(frozen=True)
class EngagedJourneys(Journeys):
    """Journeys with the two flags that IHC reads, shape (sessions,) each, 1 or 0."""

    holder_engagement: Floats
    closer_engagement: Floats

    @classmethod
    def from_frame(cls, rows: pd.DataFrame) -> tuple[Self, Ints]:
        """As `Journeys.from_frame`, from rows that have the columns holder_engagement and closer_engagement as well."""
        journeys, order = Journeys.from_frame(rows)
        flags = (rows[flag].to_numpy(np.float64)[order] for flag in FLAGS)
        return cls(journeys.offsets, journeys.time, journeys.channel, journeys.labels, *flags), order

    def only(self, sessions: Bools) -> EngagedJourneys:
        """The journeys with only these sessions. A journey that has none of them is dropped."""
        left = super().only(sessions)
        flags = (flag[sessions] for flag in (self.holder_engagement, self.closer_engagement))
        return EngagedJourneys(left.offsets, left.time, left.channel, left.labels, *flags)


class Credit(NamedTuple):
    """Per session, shape (sessions,): each sums to 1 in a journey, `holder` to 0 where no session holds."""

    initializer: Floats
    holder: Floats
    closer: Floats
    ihc: Floats


def attribute(
    journeys: pd.DataFrame,
    parameters: str | Path | IHCParameters = "challenge",
    *,
    redistribution: str | Path | Redistribution | None = None,
) -> pd.DataFrame:
    """Credits the sessions of each conversion by the IHC model.

    `journeys`: one row per conversion and session, in any order, with the columns conv_id, session_id, timestamp (text
    `YYYY-MM-DD HH:MM:SS` or datetime64, UTC), channel_label, holder_engagement and closer_engagement (0 or 1). The rows of
    one conv_id are one journey, in order of time, equal times by session_id.
    `parameters`: a preset's name (`challenge`, `alternative`), a JSON file's path, or an IHCParameters.
    `redistribution`: which channels give their credit to other sessions of the journey, a JSON file's path or a Redistribution.

    Returns conv_id and session_id as given, and initializer, holder, closer, ihc (float64, 0 to 1): one row per row given,
    with its order and index. Raises AttributionError for a missing column, an unreadable timestamp, another flag than 0 or 1,
    a missing value.
    """
    parameters = IHCParameters.load(parameters)
    redistribution = Redistribution.load(redistribution) if redistribution is not None else None
    _check(journeys)
    engaged, order = EngagedJourneys.from_frame(journeys)
    result = journeys[["conv_id", "session_id"]]
    for phase, values in zip(Credit._fields, ihc(engaged, parameters, redistribution), strict=True):
        as_given = np.empty(len(order))
        as_given[order] = values
        result[phase] = as_given
    return result


def ihc(journeys: EngagedJourneys, parameters: IHCParameters, redistribution: Redistribution | None = None) -> Credit:
    """The formula: the credit of each session, shape (sessions,) each.

    Each journey is computed on its own, regardless of the others.

    Source: recovered from recorded answers of the IHC API, which publishes none; see docs/models.md.
    """
    if not len(journeys):
        return Credit(*(np.empty(0) for _ in Credit._fields))

    def norm(values: Floats) -> Floats:
        """The values as shares of the journey's sum; all 0 where the sum is 0."""
        return _divide(values, np.add.reduceat(values, journeys.offsets)[journeys.journey])

    initializer_membership = _interpolate(journeys.hours_since_previous, parameters.initializer_membership)
    initializer_membership[journeys.offsets] = 1
    closer_membership = journeys.closer_engagement * _interpolate(journeys.hours_to_last, parameters.closer_membership)
    closer_membership[journeys.last] = 1
    initializer = norm(initializer_membership)
    closer = norm(closer_membership)

    a, b = 1 - initializer, 1 - closer
    holder = journeys.holder_engagement * ((a + b) / 2 + 2 * _divide(a * b, a + b)) / 2

    returns = np.where(initializer_membership >= 1, journeys.position, 0)
    kept = journeys.position >= np.maximum.reduceat(returns, journeys.offsets)[journeys.journey]

    def shares(phase: str, values: Floats) -> Floats:
        weights = parameters.channel_weights
        by_label = np.array([getattr(weights[label], phase) if label in weights else 1.0 for label in journeys.labels])
        normed = norm(values * by_label[journeys.channel] * kept)
        rule: PhaseRedistribution | None = getattr(redistribution, phase, None)
        return move(journeys, normed, rule) if rule else normed

    initializer = shares("initializer", initializer)
    holder = shares("holder", holder)
    closer = shares("closer", closer)
    p = parameters.phase_weights
    return Credit(initializer, holder, closer, norm(p.initializer * initializer + p.holder * holder + p.closer * closer))


def move(journeys: Journeys, shares: Floats, rule: PhaseRedistribution) -> Floats:
    """The shares of one phase after the named channels gave theirs away, shape (sessions,). A journey's sum does not change.

    `shares`, shape (sessions,): 0 to 1. A share below 2.2e-308, where floats lose their precision, receives nothing. Each
    journey is computed on its own, regardless of the others.

    Source: our reading of the service's description, which gives no formula; see docs/models.md.
    """
    journey = journeys.journey

    # No session both gives and receives, so it does not matter that a running total includes its own session.
    def up_to(values: Floats) -> Floats:
        return np.asarray(pd.Series(values).groupby(journey).cumsum(), dtype=np.float64)

    def from_on(values: Floats) -> Floats:
        return np.asarray(pd.Series(values[::-1]).groupby(journey[::-1]).cumsum(), dtype=np.float64)[::-1]

    def whole(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values, journeys.offsets)[journey], dtype=np.float64)

    receivers_of, givers_of = {
        "earlier_sessions_only": (up_to, from_on),
        "any_session": (whole, whole),
        "later_sessions_only": (from_on, up_to),
    }[rule.direction]
    named = journeys.from_channels(rule.redistribution_channel_labels)
    receives = ~named & (shares >= max(rule.receive_threshold, np.finfo(np.float64).tiny))
    receiving = np.where(receives, shares, 0)
    received = receivers_of(receiving)
    gives = named & (received > 0)
    rate = np.divide(shares, received, out=np.zeros_like(shares), where=gives)
    moved: Floats = np.where(gives, 0, shares) + receiving * givers_of(rate)
    return moved


def _interpolate(hours: Floats, membership: tuple[Knot, ...]) -> Floats:
    """The degree at each hour. At a jump (two knots at one hour) the point belongs to the left piece; ends hold outside."""
    x, y = np.array(membership[::-1], dtype=np.float64).T
    degree: Floats = np.interp(-hours, -x, y)  # the other way round, because interp gives the point to the right piece
    return degree


def _divide(numerator: Floats, denominator: Floats) -> Floats:
    """The quotient, 0 where the denominator is 0."""
    quotient: Floats = np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator != 0)
    return quotient


def _check(journeys: pd.DataFrame) -> None:
    missing = [column for column in JOURNEY_COLUMNS if column not in journeys.columns]
    if missing:
        raise AttributionError(f"The journeys lack the column {missing[0]}. attribute() needs {', '.join(JOURNEY_COLUMNS)}.")
    for column in FLAGS:
        other = journeys.loc[~journeys[column].isin([0, 1]), column]
        if len(other):
            raise AttributionError(f"The journeys have {column} {other.iloc[0]}, but it must be 0 or 1.")
