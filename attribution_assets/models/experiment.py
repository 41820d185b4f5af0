"""Experiments: what switching a channel changed, from orders per day before and after, and how small a change would show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from attribution_assets.errors import AttributionError
from attribution_assets.models.journeys import Floats

WEEK = 7
FEWEST_BEFORE = 28
"""In days. With fewer before the switch, nobody can tell its effect from the usual ups and downs."""

CONFIDENCE = 0.9
"""Of how many experiments in a hundred the interval covers the true effect."""

POWER = 0.8
"""Of how many experiments with an effect of this size the interval excludes 0."""

DRAWS = 1_000
"""How often the weeks are resampled."""

DIFFERENCES = "difference in differences"
SERIES = "interrupted series"

WEAKER = "This is weaker than an experiment with control markets: whatever else changed with the switch counts as its effect."
NO_CONTROL = "The control markets have no orders before the switch. Choose markets that have some."

Orders = npt.ArrayLike
"""Orders per day, shape (days,), one day after another: a day without orders is 0."""


class Estimate(NamedTuple):
    """A figure with its 90 % interval; NaN where it is undefined."""

    value: float
    low: float
    high: float

    def each(self, of: Callable[[float], float]) -> Estimate:
        """The estimate of another figure, which rises with this one."""
        return Estimate(*map(of, self))


@dataclass(frozen=True)
class Effect:
    """What a switch changed.

    `per_day`: in orders per day, less than 0 where there were fewer. `total`: in orders of all `days`. `relative`: as a share
    of the orders that there would have been without the switch, -0.1 for a tenth fewer. `before` and `days`: how many days
    before the switch and from it on count. `freedom`: degrees of freedom of the interval. `notes`: what to know of the figures.
    """

    method: str
    per_day: Estimate
    total: Estimate
    relative: Estimate
    before: int
    days: int
    freedom: int
    notes: tuple[str, ...]


class Smallest(NamedTuple):
    """The smallest effect that an experiment of `days` would tell from none: in orders per day, and as a share of them."""

    days: int
    per_day: float
    relative: float


def difference_in_differences(treated: Orders, control: Orders, switch: int) -> Effect:
    """What a switch in some markets changed in their orders, held against markets that went on as before.

    `treated` and `control`: the orders of all these markets on the same days. `switch`: the position of the first day after the
    switch. Without it, the treated markets are assumed to have as many orders as before for each order of the control markets.
    So the effect is mean(treated after) - mean(control after) · sum(treated before) / sum(control before).

    Only whole weeks count, so that the days of the week cancel out. The interval allows for days that are alike because they
    follow each other: it rests on the slow waves of the difference alone, and there are few of them, so it is that of Student's
    t. Source: Lazarus, Lewis, Stock and Watson, "HAR Inference: Recommendations for Practice", Journal of Business & Economic
    Statistics 36 (2018); here without the waves that the switch itself is taken for.

    Raises AttributionError with fewer than 28 days before the switch, or 7 after, or without orders in either before it.
    """
    orders = _whole_weeks(np.array([treated, control], dtype=np.float64), switch)
    before = orders.before
    (ours, others), first = orders.values, slice(0, before)
    if not others[first].sum():
        raise AttributionError(NO_CONTROL)
    per_day, freedom = _against(ours, others, before)
    halfway, _ = _against(ours[first], others[first], before // WEEK // 2 * WEEK)
    apart = (
        "The markets may not have moved together before the switch: halfway through those days, when nothing was switched, "
        f"the same computation finds {halfway.value:+,.1f} orders a day ({halfway.low:+,.1f} to {halfway.high:+,.1f}). "
        "One experiment in ten shows this by chance."
    )
    notes = orders.notes if halfway.low <= 0 <= halfway.high else (*orders.notes, apart)
    return _effect(DIFFERENCES, per_day, orders, freedom, notes)


def interrupted_series(orders: Orders, switch: int, seed: int = 0) -> Effect:
    """What a switch everywhere changed: the step that the orders take on its day, beside their trend and days of the week.

    `switch`: the position of the first day after it. This is weaker than `difference_in_differences`, and says so in its notes.

    The interval is a bootstrap's: whole weeks of what neither trend nor step explains are drawn at random, 1,000 times with
    `seed`, and the step is divided by its standard error, which rests on slow waves as of `difference_in_differences`. As few
    weeks cannot show how far they may go, the interval is never narrower than Student's t makes it. Sources:
    Künsch, "The Jackknife and the Bootstrap for General Stationary Observations", Annals of Statistics 17 (1989); Götze and
    Künsch, "Second-order correctness of the blockwise bootstrap for stationary observations", Annals of Statistics 24 (1996).

    Raises AttributionError with fewer than 28 days before the switch, or 7 after, or without orders before it.
    """
    series = _whole_weeks(np.array([orders], dtype=np.float64), switch)
    design = _design(series.before, series.days, has_trend=True)
    step = _step(series.values[0], design)
    freedom = step.slow.shape[1]
    per_day = _around(step, step.error * max(_drawn(step, seed), _of_student(freedom)))
    return _effect(SERIES, per_day, series, freedom, (*series.notes, WEAKER))


def power(treated: Orders, days: int, control: Orders | None = None) -> Smallest:
    """The smallest effect for which the 90 % interval of an experiment of `days` excludes 0 in 80 of 100 cases.

    `treated` and `control`: orders on the days before the experiment; without `control`, it is an interrupted series. `days`
    count in whole weeks. It is (t of 0.95 + t of 0.8) · standard error. The days before tell that error: it is as likely to be
    larger as to be smaller. Source: Bloom, "Minimum Detectable Effects", Evaluation Review 19 (1995).

    Raises AttributionError as the experiment itself would.
    """
    series = [treated] if control is None else [treated, control]
    before = np.array(series, dtype=np.float64)
    count = before.shape[1]
    orders = _whole_weeks(np.pad(before, ((0, 0), (0, max(days, 0)))), count)
    values = orders.values[:, : orders.before]
    if not values[-1].sum():
        raise AttributionError(NO_CONTROL)
    watched = values[0] if control is None else values[0] - values[1] * (values[0].sum() / values[1].sum())
    usual = _design(orders.before, 0, has_trend=control is None)
    design = _design(orders.before, orders.days, has_trend=control is None)
    rest = watched - usual @ (np.linalg.pinv(usual) @ watched)
    weights = np.linalg.pinv(design)[0]
    waves = _slow_waves(usual).T @ rest
    error = np.sqrt(waves @ waves / stats.chi2.ppf(0.5, len(waves)) * (weights @ weights))
    freedom = _slow_waves(design).shape[1]
    per_day = float(error * (_of_student(freedom) + stats.t.ppf(POWER, freedom)))
    return Smallest(orders.days, per_day, per_day / float(values[0].mean()))


class _Weeks(NamedTuple):
    """Orders of whole weeks, shape (series, before + days): the last ones before the switch, and the first ones from it on."""

    values: Floats
    before: int
    days: int
    notes: tuple[str, ...]


def _whole_weeks(orders: Floats, switch: int) -> _Weeks:
    days = orders.shape[1] - switch
    if switch < FEWEST_BEFORE:
        raise AttributionError(
            f"There are {max(switch, 0)} days before the switch. At least {FEWEST_BEFORE} are needed to tell its effect from "
            "the usual ups and downs."
        )
    if days < WEEK:
        raise AttributionError(f"There are {max(days, 0)} days from the switch on. Wait until there are at least {WEEK}.")
    if not orders[0, :switch].sum():
        raise AttributionError("There are no orders before the switch to compare with.")
    early, late = switch % WEEK, days % WEEK
    parts = [f"the first {early} of the days before the switch"] if early else []
    parts += [f"the last {late} of those from it on"] if late else []
    notes = (f"Only whole weeks count: {' and '.join(parts)} are left out.",) if parts else ()
    return _Weeks(orders[:, early : orders.shape[1] - late], switch - early, days - late, notes)


def _against(treated: Floats, control: Floats, before: int) -> tuple[Estimate, int]:
    """The effect per day on the treated markets of a switch after these days, and its degrees of freedom."""
    per_order = treated[:before].sum() / control[:before].sum()
    growth = control[before:].mean() / control[:before].mean()
    step = _step(treated - per_order * control, _design(before, len(treated) - before, growth))
    freedom = step.slow.shape[1]
    return _around(step, step.error * _of_student(freedom)), freedom


class _Step(NamedTuple):
    """The step of a series at the switch, its standard error, and what both follow from.

    `weights`, shape (days,): the step is their product with the series. `rest`, shape (days,): what the design does not
    explain. `slow`, shape (days, degrees of freedom): the waves that the error follows from.
    """

    size: float
    error: float
    weights: Floats
    rest: Floats
    slow: Floats


def _step(series: Floats, design: Floats) -> _Step:
    solution = np.linalg.pinv(design)
    rest, weights, slow = series - design @ (solution @ series), solution[0], _slow_waves(design)
    return _Step(float(weights @ series), float(_errors(rest, weights, slow)), weights, rest, slow)


def _errors(rest: Floats, weights: Floats, slow: Floats) -> Floats:
    """The standard errors of the step, shape (...), of rests of the shape (..., days)."""
    errors: Floats = np.sqrt(np.mean((rest @ slow) ** 2, axis=-1) * (weights @ weights))
    return errors


def _design(before: int, days: int, growth: float = 1.0, *, has_trend: bool = False) -> Floats:
    """The columns that explain a series, shape (before + days, columns).

    They are the step, if there are days after it, the level, the trend if asked for, and the days of the week. `growth`: how
    many times as large an error of the level is after the switch.
    """
    day = np.arange(before + days)
    after = day >= before
    level = np.where(after, growth, 1.0)
    columns = [after.astype(np.float64)] * bool(days) + [level] + [(day - day.mean()) / len(day)] * has_trend
    weekdays = (day[:, None] % WEEK == np.arange(1, WEEK)) - 1 / WEEK
    return np.column_stack([*columns, weekdays])


def _slow_waves(design: Floats) -> Floats:
    """The slowest orthonormal waves that the design leaves, shape (days, waves): 0.4 · days^(2/3), less what it takes of them.

    Every column takes one but the level, which is no wave, and the six of the days of the week, which are faster.
    """
    days, columns = design.shape
    count = int(0.4 * days ** (2 / 3))
    waves = np.cos(np.pi * np.outer(np.arange(days) + 0.5, np.arange(1, count + 1)) / days)
    basis, _ = np.linalg.qr(design)
    left, _, _ = np.linalg.svd(waves - basis @ (basis.T @ waves), full_matrices=False)
    return np.asarray(left[:, : count - (columns - WEEK)], dtype=np.float64)


def _of_student(freedom: int) -> float:
    """How many standard errors an estimate is from the truth in 90 of 100 cases."""
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))


def _drawn(step: _Step, seed: int) -> float:
    """How many standard errors the step is from the truth in 90 % of the draws of whole weeks."""
    days = len(step.rest)
    first = np.random.default_rng(seed).integers(days, size=(DRAWS, days // WEEK, 1))
    rests = step.rest[(first + np.arange(WEEK)) % days].reshape(DRAWS, days)
    errors = _errors(rests, step.weights, step.slow)
    apart = np.divide(np.abs(rests @ step.weights), errors, out=np.zeros(DRAWS), where=errors > 0)
    return float(np.quantile(apart, CONFIDENCE))


def _around(step: _Step, margin: float) -> Estimate:
    return Estimate(step.size, step.size - margin, step.size + margin)


def _effect(method: str, per_day: Estimate, orders: _Weeks, freedom: int, notes: tuple[str, ...]) -> Effect:
    observed = float(orders.values[0, orders.before :].mean())

    def share(effect: float) -> float:
        return effect / (observed - effect) if observed > effect else np.nan

    total = per_day.each(lambda effect: effect * orders.days)
    return Effect(method, per_day, total, per_day.each(share), orders.before, orders.days, freedom, notes)
