"""Experiments: the effect of a switch, how sure it is, and how small a one would show."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.models.experiment import (
    Effect,
    difference_in_differences,
    interrupted_series,
    power,
)
from attribution_assets.models.journeys import Floats

BEFORE, AFTER = 56, 28
SHOPS = 200
LEVEL = 40
"""Orders per day in the treated markets; the control ones have twice as many."""

WEEKDAYS = np.array([1.3, 1.2, 1.0, 0.9, 0.8, 0.7, 1.1])


def days(*counts: tuple[float, int]) -> Floats:
    """Orders per day: so many on each of so many days, one after another."""
    return np.concatenate([np.full(number, orders) for orders, number in counts])


def alike(rng: np.random.Generator, autocorrelation: float) -> Floats:
    """Noise with variance 1 of SHOPS shops, in which a day is like the one before."""
    noise = rng.standard_normal((SHOPS, BEFORE + AFTER))
    for day in range(1, BEFORE + AFTER):
        noise[:, day] = autocorrelation * noise[:, day - 1] + np.sqrt(1 - autocorrelation**2) * noise[:, day]
    return noise


@cache
def shops(seed: int, autocorrelation: float, effect: float) -> tuple[Floats, Floats, Floats]:
    """Orders per day of the treated and the control markets of SHOPS shops, and the true effect per day of each.

    All grow by a tenth in 60 days, follow the days of the week and what moves both, and have ups and downs of their own. In
    the treated ones, a switch changes orders by the share `effect`.
    """
    rng = np.random.default_rng(seed)
    day = np.arange(BEFORE + AFTER)
    common = 1.1 ** (day / 60) * WEEKDAYS[day % 7] * np.exp(0.1 * alike(rng, autocorrelation))
    usual, control = (common * level * np.exp(0.15 * alike(rng, autocorrelation)) for level in (LEVEL, 2 * LEVEL))
    treated = usual * np.where(day < BEFORE, 1, 1 + effect)
    orders = [rng.poisson(expected).astype(np.float64) for expected in (treated, control)]
    return orders[0], orders[1], (treated - usual)[:, BEFORE:].mean(axis=1)


def by_markets(treated: Floats, control: Floats) -> Effect:
    return difference_in_differences(treated, control, BEFORE)


def by_days_alone(treated: Floats, _: Floats) -> Effect:
    return interrupted_series(treated, BEFORE)


METHODS = pytest.mark.parametrize("method", [by_markets, by_days_alone])


# -- what is estimated ------------------------------------------------------------------------------------------------


def test_the_effect_is_what_is_missing_beside_the_control_markets() -> None:
    found = difference_in_differences(days((10, 28), (6, 14)), days((20, 42)), 28)

    assert found.per_day == pytest.approx((-4, -4, -4))
    assert found.total == pytest.approx((-56, -56, -56))
    assert found.relative == pytest.approx((-0.4, -0.4, -0.4))
    assert (found.before, found.days) == (28, 14)


def test_what_all_markets_grow_by_is_no_effect() -> None:
    found = difference_in_differences(days((10, 28), (15, 14)), days((20, 28), (30, 14)), 28)

    assert found.per_day == pytest.approx((0, 0, 0), abs=1e-9)


def test_a_channel_that_was_switched_on_brings_more_than_the_control_markets_grow_by() -> None:
    found = difference_in_differences(days((10, 28), (18, 14)), days((20, 28), (30, 14)), 28)

    assert found.per_day.value == pytest.approx(3)
    assert found.relative.value == pytest.approx(3 / 15)


def test_days_of_the_week_cancel_out_in_whole_weeks() -> None:
    week = np.tile(WEEKDAYS, 6)

    found = difference_in_differences(10 * week - days((0, 28), (4, 14)), days((20, 42)), 28)

    assert found.per_day == pytest.approx((-4, -4, -4))


def test_days_that_make_no_whole_week_are_left_out_and_the_notes_say_so() -> None:
    found = difference_in_differences(days((900, 2), (10, 28), (6, 14), (900, 3)), days((20, 47)), 30)

    assert found.per_day == pytest.approx((-4, -4, -4))
    assert (found.before, found.days) == (28, 14)
    assert found.notes == (
        "Only whole weeks count: the first 2 of the days before the switch and the last 3 of those from it on are left out.",
    )


def test_an_interrupted_series_tells_the_step_from_the_trend() -> None:
    day = np.arange(56)

    found = interrupted_series(50 + 0.5 * day - days((0, 28), (4, 28)), 28)

    assert found.per_day == pytest.approx((-4, -4, -4))


def test_days_alone_are_named_as_weaker() -> None:
    assert "weaker" in " ".join(interrupted_series(days((10, 56)), 28).notes)


def test_where_all_orders_might_be_due_to_the_switch_the_share_has_no_end() -> None:
    found = difference_in_differences(days((0, 27), (14, 1), (0, 14)), days((10, 42)), 28)

    assert found.per_day.high > 0
    assert found.relative.value == pytest.approx(-1)
    assert np.isnan(found.relative.high)


def test_markets_that_did_not_move_together_before_are_told() -> None:
    usual = np.random.default_rng(0).poisson(50, (2, 70))
    apart = usual[0] + days((0, 28), (30, 42))

    assert difference_in_differences(usual[0], usual[1], 56).notes == ()
    assert "may not have moved together" in difference_in_differences(apart, usual[1], 56).notes[0]


# -- how sure it is ---------------------------------------------------------------------------------------------------


@METHODS
@pytest.mark.parametrize("autocorrelation", [0, 0.3, 0.5])
@pytest.mark.parametrize("effect", [-0.2, 0.2])
def test_the_interval_covers_the_true_effect_as_often_as_it_claims(
    method: Callable[[Floats, Floats], Effect], autocorrelation: float, effect: float
) -> None:
    treated, control, truth = shops(1, autocorrelation, effect)

    found = [method(*orders).per_day for orders in zip(treated, control, strict=True)]

    assert 0.85 <= np.mean([each.low <= true <= each.high for each, true in zip(found, truth, strict=True)]) <= 0.95


@METHODS
@pytest.mark.parametrize("autocorrelation", [0, 0.3, 0.5])
def test_without_an_effect_the_interval_seldom_excludes_0(
    method: Callable[[Floats, Floats], Effect], autocorrelation: float
) -> None:
    treated, control, _ = shops(2, autocorrelation, 0)

    found = [method(*orders).per_day for orders in zip(treated, control, strict=True)]

    assert 0.05 <= np.mean([each.low > 0 or each.high < 0 for each in found]) <= 0.15


def test_control_markets_make_the_interval_narrower_than_days_alone() -> None:
    treated, control, _ = shops(3, 0.3, -0.2)

    widths = [
        [method(*orders).per_day.high - method(*orders).per_day.low for orders in zip(treated[:40], control[:40], strict=True)]
        for method in (by_markets, by_days_alone)
    ]

    assert np.median(widths[0]) < np.median(widths[1])


def test_more_days_make_the_interval_narrower() -> None:
    treated, control, _ = shops(3, 0, -0.2)

    def width(days_after: int) -> float:
        ends = BEFORE + days_after
        found = [difference_in_differences(a[:ends], b[:ends], BEFORE).per_day for a, b in zip(treated, control, strict=True)]
        return float(np.median([each.high - each.low for each in found]))

    assert width(28) < width(14) < width(7)


# -- what must not matter ---------------------------------------------------------------------------------------------


def test_the_size_of_the_control_markets_does_not_matter() -> None:
    [treated, *_], [control, *_], _ = shops(4, 0.3, -0.2)

    assert by_markets(treated, 3 * control).per_day == pytest.approx(by_markets(treated, control).per_day)


@METHODS
def test_ten_times_the_orders_have_ten_times_the_effect_and_the_same_share(method: Callable[[Floats, Floats], Effect]) -> None:
    [treated, *_], [control, *_], _ = shops(4, 0.3, -0.2)

    one, ten = method(treated, control), method(10 * treated, 10 * control)

    assert ten.per_day == pytest.approx([10 * end for end in one.per_day])
    assert ten.relative == pytest.approx(one.relative)


def test_the_same_seed_draws_the_same_interval_and_another_one_nearly_the_same() -> None:
    orders = days((10, BEFORE + AFTER)) + np.where(np.arange(BEFORE + AFTER) % 28 < 3, 9, 0)

    one, again, other = (interrupted_series(orders, BEFORE, seed).per_day for seed in (1, 1, 2))

    assert one == again != other
    assert other == pytest.approx(one, abs=0.2 * (one.high - one.low))


# -- what is refused --------------------------------------------------------------------------------------------------


@METHODS
@pytest.mark.parametrize(
    ("before", "after", "why"),
    [(27, 14, "There are 27 days before the switch. At least 28"), (28, 6, "There are 6 days from the switch on. Wait")],
)
def test_too_few_days_are_refused(method: Callable[[Floats, Floats], Effect], before: int, after: int, why: str) -> None:
    orders = days((10, before + after))

    with pytest.raises(AttributionError, match=why):
        difference_in_differences(orders, orders, before) if method is by_markets else interrupted_series(orders, before)


def test_markets_without_orders_before_the_switch_are_refused() -> None:
    none, some = days((0, 28), (10, 14)), days((10, 42))

    with pytest.raises(AttributionError, match="no orders before the switch to compare with"):
        difference_in_differences(none, some, 28)
    with pytest.raises(AttributionError, match="control markets have no orders"):
        difference_in_differences(some, none, 28)
    with pytest.raises(AttributionError, match="control markets have no orders"):
        power(some, 14, none[:28].repeat(2)[:42])


# -- before one starts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("autocorrelation", [0, 0.5])
def test_most_experiments_show_an_effect_of_the_size_that_they_are_said_to_show(autocorrelation: float) -> None:
    treated, control, _ = shops(5, autocorrelation, 0)
    smallest = np.median(
        [power(before, AFTER, others).per_day for before, others in zip(treated[:, :BEFORE], control[:, :BEFORE], strict=True)]
    )
    brought = np.where(np.arange(BEFORE + AFTER) < BEFORE, 0, smallest)

    shown = [by_markets(orders + brought, others).per_day.low > 0 for orders, others in zip(treated, control, strict=True)]

    assert 0.7 <= np.mean(shown) <= 0.9


def test_longer_experiments_show_smaller_effects_and_days_alone_show_larger_ones_only() -> None:
    [treated, *_], [control, *_], _ = shops(6, 0.3, 0)

    short, long = (power(treated[:BEFORE], length, control[:BEFORE]) for length in (14, 56))
    alone = power(treated[:BEFORE], 56)

    assert long.per_day < short.per_day
    assert long.per_day < alone.per_day
    assert long.relative == pytest.approx(long.per_day / treated[:BEFORE].mean())


def test_days_without_ups_and_downs_would_show_any_effect() -> None:
    assert power(days((10, 28)), 14, days((20, 28))) == pytest.approx((14, 0, 0), abs=1e-9)
