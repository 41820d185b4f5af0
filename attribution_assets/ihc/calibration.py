"""Learning an account's IHC parameters from recorded answers of the service.

By the formula, in what the cut leaves of a journey, a session's initializer divided by that of the first session is
f_I(hours since the session before) * w(channel) / w(channel of the first), give or take the rounding to four digits; likewise
its closer divided by that of the last session shows f_C. Each such ratio is called a look at the membership. A membership is
the rising or falling function next to the looks (isotonic regression), the channel weights are those with which the looks are
most nearly rising or falling. The holder's and the phase weights are then least squares. See docs/models.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import isotonic_regression, least_squares

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.answers import compare_answers, engaged_journeys
from attribution_assets.ihc.model import EngagedJourneys, ihc
from attribution_assets.ihc.parameters import BELOW_ONE, OUTPUTS, IHCParameters, Knot, Phases
from attribution_assets.models.journeys import Bools, Floats, Ints, Journeys

ROUNDING = 5e-5
"""Half a unit of the fourth digit, to which the service rounds."""

THINNED_WITHIN = 2e-5
"""A knot is left out if the line between its neighbours gives its degree within this."""

END = 9
"""Beyond its last look, a membership continues with the slope of this many of its last knots."""

WRITTEN_WITHIN = 0.001
"""How far off the ihc of 95 % of the checked sessions may be for the parameters to be written."""


@dataclass(frozen=True)
class Calibration:
    """Learned parameters, and how far the embedded model with them is from recorded answers.

    `errors`: as of `compare_answers`, on `checked` conversions: if `left_out`, conversions that nothing was learned from, else
    the very ones that were learned from.
    """

    parameters: IHCParameters
    errors: pd.DataFrame
    checked: int
    left_out: bool

    def write(self, path: Path) -> None:
        """Writes the parameters as JSON, for IHC_PARAMETERS.

        Raises AttributionError, and writes nothing, where the p95 of the error of ihc is above WRITTEN_WITHIN, or `path` cannot
        be written.
        """
        p95 = float(self.errors["p95"]["ihc"])
        if not p95 <= WRITTEN_WITHIN:
            raise AttributionError(
                f"{path} was not written: with the learned parameters, ihc is off by {p95:.5f} (p95), more than "
                f"{WRITTEN_WITHIN:g}. There may be too few answers, or they may be redistributed or come from several "
                "trainings of the account."
            )
        self.parameters.write(path)


def calibrate_and_check(answers: pd.DataFrame, *, holdout: float = 0.2, seed: int = 0) -> Calibration:
    """Learns the parameters from some conversions of `answers`, a frame as of `read_answers`, and checks them on the others.

    `holdout`, from 0 to below 1: the share of the conversions to check on, drawn by `seed`, each with all its requests; with
    0 the check is on the answers that were learned from. Raises AttributionError as `calibrate` does.
    """
    if not 0 <= holdout < 1:
        raise AttributionError(f"The holdout is {holdout}, but it must be a share of the conversions: 0 or more, and below 1.")
    conversions = np.unique(answers["conversion_id"].to_numpy(dtype=object).astype(str))
    drawn = np.random.default_rng(seed).permutation(conversions)[: round(holdout * len(conversions))]
    left_out = answers["conversion_id"].astype("str").isin(drawn).to_numpy()
    parameters = calibrate(answers[~left_out])
    checked = answers[left_out] if left_out.any() else answers
    errors = compare_answers(checked, parameters).errors
    count = checked["conversion_id"].nunique()
    where = f"{count:,} other conversions" if left_out.any() else "these conversions themselves"
    p95, worst = errors.loc["ihc", ["p95", "max"]]
    description = f"{parameters.description} On {where} its ihc was off by {p95:.5f} (p95) and {worst:.5f} (max)."
    return Calibration(parameters.model_copy(update={"description": description}), errors, count, bool(left_out.any()))


def calibrate(answers: pd.DataFrame) -> IHCParameters:
    """Learns all parameters from recorded answers, a frame as of `read_answers`; the order of the journeys changes nothing.

    The answers tell the channel weights of a phase up to a factor. It is chosen such that the middle one of all looks has
    weight 1, and so has a channel that was never seen. Between two looks a membership is linear, beyond the outer ones it
    goes on straight until it reaches 0 or 1. The description says how much was learned from, and which weights were not seen.

    Raises AttributionError where the answers do not determine the parameters, or contradict each other.
    """
    if answers.empty:
        raise AttributionError("There are no recorded answers to learn the parameters from.")
    journeys, order = engaged_journeys(answers)
    recorded = {output: answers[output].to_numpy(np.float64)[order] for output in OUTPUTS}
    looks_i, looks_c, cutting = _looks(journeys, recorded)
    for looks, membership, needed in (
        (looks_i, "initializer", "a journey of two sessions that is not cut between them"),
        (looks_c, "closer", "a session with closer_engagement 1 before the last of its journey"),
    ):
        if not len(looks.hours):
            raise AttributionError(f"The answers do not determine the {membership} membership. They lack {needed}.")
    phase_weights = _phase_weights(journeys, recorded)

    log_i, seen_i, hours, degrees = _fit(looks_i, len(journeys.labels), increasing=True)
    initializer_membership = _rising(hours, degrees, cutting)
    log_c, seen_c, hours, degrees = _fit(looks_c, len(journeys.labels), increasing=False)
    closer_membership = _falling(hours, degrees)

    def parameters(log_h: Floats) -> IHCParameters:
        weights = np.exp([log_i, log_h, log_c]).clip(1e-6).round(6).T.tolist()
        return IHCParameters(
            phase_weights=phase_weights,
            channel_weights={
                label: Phases(initializer=i, holder=h, closer=c)
                for label, (i, h, c) in zip(journeys.labels, weights, strict=True)
            },
            initializer_membership=initializer_membership,
            closer_membership=closer_membership,
        )

    unweighted = ihc(journeys, parameters(np.zeros(len(log_i)))).holder
    log_h, seen_h = _fit_holder(journeys, recorded["holder"], unweighted)

    description = f"Learned from {answers['conversion_id'].nunique():,} conversions ({len(answers):,} answers)."
    unseen = [
        f"{label} ({phase})"
        for c, label in enumerate(journeys.labels)
        for phase, seen in (("initializer", seen_i), ("holder", seen_h), ("closer", seen_c))
        if not seen[c]
    ]
    if unseen:
        description += f" Weights that no answer told, left at 1: {', '.join(unseen)}."
    return parameters(log_h).model_copy(update={"description": description})


class _Looks(NamedTuple):
    """ratio = membership(hours) * w[channel] / w[reference], give or take `noise`; shape (looks,) each."""

    hours: Floats
    ratio: Floats
    noise: Floats
    channel: Ints
    reference: Ints

    @property
    def clear(self) -> Bools:
        """The looks that are clearly not zero, and so tell something of the weights."""
        return self.ratio > 10 * self.noise


def _looks(journeys: EngagedJourneys, recorded: dict[str, Floats]) -> tuple[_Looks, _Looks, Floats]:
    """What the answers show of f_I and of f_C, and the hours of the pauses that cut a journey."""
    session = np.arange(len(journeys.time))
    first, last = journeys.offsets[journeys.journey], journeys.last[journeys.journey]
    credited = np.where(recorded["initializer"] > 0, session, len(session) - 1)
    start = np.minimum.reduceat(credited, journeys.offsets)[journeys.journey]
    since_previous = journeys.hours_since_previous

    def looks(output: Floats, hours: Floats, reference: Ints, shown: Bools) -> _Looks:
        shown = shown & (output[reference] > 0)
        whole = output[reference[shown]]
        ratio = output[shown] / whole
        noise = ROUNDING * np.sqrt(1 + ratio**2) / whole
        return _Looks(hours[shown], ratio, noise, journeys.channel[shown], journeys.channel[reference[shown]])

    looks_i = looks(recorded["initializer"], since_previous, start, session > start)
    closing = (session >= start) & (session < last) & (journeys.closer_engagement > 0)
    looks_c = looks(recorded["closer"], journeys.hours_to_last, last, closing)
    return looks_i, looks_c, since_previous[(session == start) & (start > first)]


def _fit(looks: _Looks, channels: int, *, increasing: bool) -> tuple[Floats, Bools, Floats, Floats]:
    """The logs of the channel weights, whether each was seen, and the hours and degrees of the membership.

    For given weights the best degrees are known, so that only the weights have to be searched for.
    """
    order = np.lexsort((looks.reference, looks.channel, looks.ratio, looks.hours))
    hours, ratio, noise = looks.hours[order], looks.ratio[order], looks.noise[order]
    channel, reference = looks.channel[order], looks.reference[order]
    looks = _Looks(hours, ratio, noise, channel, reference)
    knots, knot = np.unique(hours, return_inverse=True)
    design = np.zeros((len(hours), channels))
    np.add.at(design, (np.arange(len(hours)), channel), 1)
    np.add.at(design, (np.arange(len(hours)), reference), -1)

    def profile(log_weights: Floats) -> tuple[Floats, Floats, Ints]:
        """Per look the factor of its weights, per knot the best degree, and per look which level piece of these it is on."""
        factor: Floats = np.exp(design @ log_weights)
        information: Floats = (factor / noise) ** 2
        per_knot = np.bincount(knot, information)
        degree = np.bincount(knot, information * ratio / factor) / per_knot
        level = isotonic_regression(degree, weights=per_knot, increasing=increasing)
        piece = np.repeat(np.arange(len(level.blocks) - 1), np.diff(level.blocks))[knot]
        return factor, level.x, piece

    def residuals(log_weights: Floats) -> Floats:
        factor, degree, _ = profile(log_weights)
        return np.concatenate([(ratio - factor * degree[knot]) / noise, log_weights - guess])

    def jacobian(log_weights: Floats) -> Floats:
        factor, degree, piece = profile(log_weights)
        per_look = design * degree[knot, None]
        pull = (ratio - 2 * factor * degree[knot]) * factor / noise**2
        pulls = np.column_stack([np.bincount(piece, pull * column) for column in design.T])
        per_piece = pulls / np.bincount(piece, (factor / noise) ** 2)[:, None]
        return np.vstack([-(per_look + per_piece[piece]) * (factor / noise)[:, None], np.eye(channels)])

    guess = _straight(looks, design)
    log_weights = least_squares(residuals, guess, jacobian).x
    degrees = profile(log_weights)[1]
    return *_centred(log_weights, np.abs(design[looks.clear]).sum(axis=0)), knots, degrees


def _straight(looks: _Looks, design: Floats) -> Floats:
    """The logs of weights with which the looks are nearest, by absolute values, to the lines between their neighbours."""
    clear = looks.clear
    if clear.sum() < 3:
        return np.zeros(design.shape[1])
    hours, level, noise = looks.hours[clear], np.log(looks.ratio[clear]), looks.noise[clear] / looks.ratio[clear]
    span = hours[2:] - hours[:-2]
    share = np.divide(hours[1:-1] - hours[:-2], span, out=np.full(len(span), 0.5), where=span > 0)
    bends = (design[clear][1:-1] - (1 - share)[:, None] * design[clear][:-2]) - share[:, None] * design[clear][2:]
    bend = level[1:-1] - (1 - share) * level[:-2] - share * level[2:]
    smallest = np.sqrt(noise[1:-1] ** 2 + ((1 - share) * noise[:-2]) ** 2 + (share * noise[2:]) ** 2)
    log_weights = np.zeros(design.shape[1])
    for _ in range(50):
        weighted = bends.T / np.maximum(np.abs(bend - bends @ log_weights), smallest)
        log_weights = np.linalg.solve(weighted @ bends + np.eye(len(log_weights)), weighted @ bend)
    return log_weights


def _fit_holder(journeys: Journeys, recorded: Floats, unweighted: Floats) -> tuple[Floats, Bools]:
    """The logs of the weights that turn the unweighted shares into the recorded ones, and whether each was seen."""
    held = np.minimum(np.add.reduceat(recorded, journeys.offsets), np.add.reduceat(unweighted, journeys.offsets)) > 0.5
    shown = held[journeys.journey] & (unweighted > 0)
    recorded, unweighted, channel = recorded[shown], unweighted[shown], journeys.channel[shown]
    journey = np.unique(journeys.journey[shown], return_inverse=True)[1]
    is_channel = np.eye(len(journeys.labels))[channel]

    def shares(log_weights: Floats) -> Floats:
        weighted = unweighted * np.exp(log_weights)[channel]
        return weighted / np.bincount(journey, weighted)[journey]

    def residuals(log_weights: Floats) -> Floats:
        return np.concatenate([(shares(log_weights) - recorded) / ROUNDING, log_weights])

    def jacobian(log_weights: Floats) -> Floats:
        share = shares(log_weights)[:, None]
        per_journey = np.column_stack([np.bincount(journey, column) for column in (share * is_channel).T])
        return np.vstack([share * (is_channel - per_journey[journey]) / ROUNDING, np.eye(is_channel.shape[1])])

    near = least_squares(residuals, np.zeros(is_channel.shape[1]), jacobian).x
    # The shares are off by more than rounding where f_C is, at hours few looks fall on: those journeys must not count so much.
    log_weights = least_squares(residuals, near, jacobian, loss="soft_l1").x
    is_look = np.abs(jacobian(log_weights)[: len(recorded)]) > 10
    return _centred(log_weights, is_look.sum(axis=0))


def _centred(log_weights: Floats, looks: Floats | Ints) -> tuple[Floats, Bools]:
    """The logs such that the middle one of all looks has 0, as has a channel without looks; and which channels have looks."""
    seen = looks > 0
    if not seen.any():
        return np.zeros_like(log_weights), seen
    order = np.argsort(log_weights, kind="stable")
    up_to = np.cumsum(looks[order])
    middle = log_weights[order][np.searchsorted(up_to, up_to[-1] / 2)]
    return np.where(seen, log_weights - middle, 0.0), seen


def _phase_weights(journeys: Journeys, recorded: dict[str, Floats]) -> Phases:
    """Least squares of the weighted mean of the three phases, in journeys with holder credit."""
    initializer, holder, closer, weighted = (recorded[output] for output in OUTPUTS)
    held = (np.add.reduceat(holder, journeys.offsets) > 0.5)[journeys.journey]
    beside_closer = np.column_stack([initializer - closer, holder - closer])[held]
    (i, h), _, rank, _ = np.linalg.lstsq(beside_closer, (weighted - closer)[held])
    weights = (float(round(i, 6)), float(round(h, 6)), float(round(1 - i - h, 6)))
    if rank < 2 or min(weights) <= 0:
        raise AttributionError(
            "The answers do not determine the phase weights. They lack journeys of two or more sessions with holder credit "
            "that differ in which sessions start, hold and close."
        )
    return Phases(initializer=weights[0], holder=weights[1], closer=weights[2])


def _rising(hours: Floats, degrees: Floats, cutting: Floats) -> tuple[Knot, ...]:
    """f_I from its looks, which do not cut, and from the pauses that do: somewhere between it reaches 1."""
    degrees = np.clip(degrees, 0, BELOW_ONE)
    low, high = hours[-1], cutting.min(initial=np.inf)
    if high <= low:
        raise AttributionError(
            f"The answers contradict each other: a pause of {high:.4f} hours cuts a journey, but one of {low:.4f} hours does "
            "not. If the account's parameters were trained again in between, use only the answers since then."
        )
    knots = [*zip(hours, degrees, strict=True)]
    positive = degrees > 0
    if positive.any():
        begin = -_reaches(-hours[positive][::-1], degrees[positive][::-1], 0)
        if begin > hours[~positive].max(initial=0):
            knots.append((begin, 0.0))
    reached = _reaches(hours, degrees, 1)
    if reached <= high:
        top = [(reached, 1.0)] if reached < np.inf else []
    else:  # it jumps, at an unknown hour
        middle = (low + high) / 2
        slope = 0 if reached == np.inf else (1 - degrees[-1]) / (reached - low)
        top = [(middle, degrees[-1] + slope * (middle - low)), (middle, 1.0)]
    return _thinned(sorted(knots) + top)


def _falling(hours: Floats, degrees: Floats) -> tuple[Knot, ...]:
    """f_C from its looks."""
    degrees = np.clip(degrees, 0, 1)
    positive = degrees > 0
    knots = [*zip(hours, degrees, strict=True)]
    if positive.any():
        end = _reaches(hours[positive], degrees[positive], 0)
        if end < hours[~positive].min(initial=np.inf):
            knots.append((end, 0.0))
    return _thinned(sorted(knots))


def _reaches(hours: Floats, degrees: Floats, level: float) -> float:
    """The hour at which the function, going on with the slope of its last knots, reaches the level; infinite if it does not."""
    back, down = hours[-END:] - hours[-1], degrees[-END:] - degrees[-1]
    rise = float(back @ down)
    missing = level - degrees[-1]
    return float(hours[-1] + missing * (back @ back) / rise) if rise * missing > 0 else np.inf


def _thinned(knots: list[tuple[float, float]]) -> tuple[Knot, ...]:
    """Some of the knots, such that the lines between them give the others within THINNED_WITHIN."""
    kept = [knots[0]]
    lowest, highest = -np.inf, np.inf  # of the slopes from the last kept knot that give all knots since
    for last, (hour, degree) in pairwise(knots):
        since = hour - kept[-1][0]
        if not (since > 0 and lowest <= (degree - kept[-1][1]) / since <= highest):
            if last != kept[-1]:
                kept.append(last)
            lowest, highest = -np.inf, np.inf
            since = hour - last[0]
        if since > 0:
            lowest = max(lowest, (degree - THINNED_WITHIN - kept[-1][1]) / since)
            highest = min(highest, (degree + THINNED_WITHIN - kept[-1][1]) / since)
    kept.append(knots[-1])
    return tuple((float(hour), round(float(degree), 7)) for hour, degree in kept)
