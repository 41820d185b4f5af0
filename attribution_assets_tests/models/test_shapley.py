"""Shapley values: by hand, by the definition in exact fractions, and from random orders of many channels."""

from __future__ import annotations

import random
import string
from collections import Counter
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given

from attribution_assets.models import shapley as module
from attribution_assets.models.shapley import EXACT_CHANNELS, sets_of, shapley_values
from attribution_assets_tests.models.paths import PATHS, Paths, learnt_from, tallied


def values(paths: Paths, *, seed: int = 0, labels: str | None = None) -> dict[str, float]:
    return shapley_values(tallied(sets_of, *learnt_from(paths, labels)), seed=seed)


def worth(paths: Paths, channels: set[str]) -> Fraction:
    """The conversion rate of the journeys whose channels all lie among these."""
    within = [converted for path, converted in paths if set(path) <= channels]
    return Fraction(sum(within), len(within)) if within else Fraction(0)


def many(channels: int, journeys: int = 400) -> Paths:
    """Random journeys of all of so many channels, each with an effect of its own."""
    chance = random.Random(0)
    names = string.ascii_letters[:channels]
    lift = {name: chance.uniform(-0.3, 0.5) for name in names}
    paths = [*names, *("".join(chance.choices(names, k=chance.randint(1, 5))) for _ in range(journeys))]
    return [(path, chance.random() < 0.3 + sum(lift[name] for name in set(path))) for path in paths]


# By hand --------------------------------------------------------------------------------------------------------------


def test_a_channel_alone_is_worth_its_conversion_rate() -> None:
    assert values([("A", True), ("AA", False), ("A", False), ("A", False)]) == {"A": 0.25}


def test_channels_that_convert_only_together_share_equally() -> None:
    # v(A) = v(B) = 0, v(AB) = 1.
    assert values([("AAB", True)]) == {"A": 0.5, "B": 0.5}


def test_a_value_is_the_mean_of_what_a_channel_adds_first_and_last() -> None:
    # v(A) = 1, v(B) = 0, v(AB) = 2/3. A: (1 + 2/3) / 2. B: (0 + 2/3 - 1) / 2.
    paths = [("A", True), ("B", False), ("AB", True)]

    assert values(paths) == pytest.approx({"A": 5 / 6, "B": -1 / 6}, abs=1e-12)


def test_a_channel_that_does_harm_has_a_negative_value() -> None:
    assert values([("A", True), ("AB", False)])["B"] == pytest.approx(-1 / 4)  # (0 + 1/2 - 1) / 2


def test_a_frequent_channel_has_no_advantage_as_such() -> None:
    # v(A) = v(B) = v(AB) = 1/2, though A has three times the journeys.
    assert values([("A", True), ("A", False)] * 3 + [("B", True), ("B", False)]) == {"A": 0.25, "B": 0.25}


def test_neither_the_order_nor_the_number_of_sessions_of_a_journey_matters() -> None:
    assert values([("AB", True), ("B", False)]) == values([("BBA", True), ("BB", False)])


def test_a_channel_that_does_not_occur_has_no_value() -> None:
    assert values([("B", True)], labels="ABC") == {"B": 1}


def test_where_nothing_converted_no_channel_has_a_value() -> None:
    assert values([("AB", False), ("A", False)]) == {"A": 0, "B": 0}


def test_without_journeys_no_channel_has_a_value() -> None:
    assert values([], labels="AB") == {}


# By the definition ----------------------------------------------------------------------------------------------------


def by_definition(paths: Paths) -> dict[str, Fraction]:
    """The mean over all orders of what each channel adds to those before it."""
    channels = sorted({channel for path, _ in paths for channel in path})
    orders = list(permutations(channels))
    total = dict.fromkeys(channels, Fraction(0))
    for order in orders:
        for place, channel in enumerate(order):
            total[channel] += worth(paths, set(order[: place + 1])) - worth(paths, set(order[:place]))
    return {channel: added / len(orders) for channel, added in total.items()}


@given(paths=PATHS)
def test_the_values_are_the_means_over_all_orders_in_fractions(paths: Paths) -> None:
    exact = {channel: float(value) for channel, value in by_definition(paths).items()}

    assert values(paths) == pytest.approx(exact, abs=1e-12, rel=0)


@pytest.mark.parametrize("channels", [8, EXACT_CHANNELS, EXACT_CHANNELS + 1, 26])
def test_the_values_sum_to_the_conversion_rate_of_all(channels: int) -> None:
    paths = many(channels)

    assert sum(values(paths).values()) == pytest.approx(float(worth(paths, set(string.ascii_letters))), abs=1e-9)


# Many channels --------------------------------------------------------------------------------------------------------


def test_up_to_sixteen_channels_nothing_is_drawn() -> None:
    assert values(many(16), seed=1) == values(many(16), seed=2)


def test_with_more_channels_the_values_depend_on_the_seed_alone() -> None:
    assert values(many(17), seed=1) == values(many(17), seed=1)
    assert values(many(17), seed=1) != values(many(17), seed=2)


def test_channels_that_do_not_occur_are_not_counted() -> None:
    labels = string.ascii_letters

    assert values(many(8), seed=1, labels=labels) == values(many(8), seed=2, labels=labels)


def test_with_more_channels_the_order_in_which_they_are_numbered_changes_nothing() -> None:
    labels = string.ascii_letters[:17]

    assert values(many(17), labels=labels[::-1]) == values(many(17), labels=labels)


@pytest.mark.parametrize("seed", range(5))
def test_values_from_random_orders_are_within_two_hundredths_of_the_exact_ones(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a channel adds lies in -1..1 and mostly within 0.3: the standard error of 2,000 orders is below 0.007.
    exact = values(many(8))
    monkeypatch.setattr(module, "EXACT_CHANNELS", 7)
    drawn = values(many(8), seed=seed)

    assert drawn != exact
    assert drawn == pytest.approx(exact, abs=0.02, rel=0)


@pytest.mark.parametrize("paths", [[("A", True), ("AB", True)], [("AB", True), ("B", False)]])
def test_two_channels_joining_in_either_order_half_the_time_are_exact(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    # Every other order is the reverse of the one before: of two channels each comes first exactly 1,000 times.
    exact = values(paths)
    monkeypatch.setattr(module, "EXACT_CHANNELS", 1)

    assert list(values(paths).values()) == pytest.approx(list(exact.values()), abs=1e-12)


def test_a_set_of_channels_without_journeys_is_worth_nothing_in_random_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    # Only all three together have a journey, so all are worth the same: how often each comes last is drawn.
    monkeypatch.setattr(module, "EXACT_CHANNELS", 2)

    assert np.ptp(list(values([("ABC", True)]).values())) < 0.05
    assert list(values([("ABC", True)]).values()) == pytest.approx([1 / 3] * 3, abs=0.04)


def test_random_orders_give_to_the_last_bit_what_one_order_after_another_gives() -> None:
    paths = many(20)
    names = sorted({name for path, _ in paths for name in path})
    rng = np.random.default_rng(3)
    total = dict.fromkeys(names, 0.0)
    for _ in range(module.ORDERS // 2):
        drawn = [names[place] for place in rng.permutation(len(names))]
        for order in (drawn, drawn[::-1]):
            place_of = {name: place for place, name in enumerate(order)}
            complete = Counter(max(place_of[name] for name in path) for path, _ in paths)
            converted = Counter(max(place_of[name] for name in path) for path, converts in paths if converts)
            before = within = conversions = 0.0
            for place, name in enumerate(order):
                within, conversions = within + complete[place], conversions + converted[place]
                now = conversions / within if within else 0.0
                total[name] += now - before
                before = now

    assert values(paths, seed=3) == {name: value / module.ORDERS for name, value in total.items()}
