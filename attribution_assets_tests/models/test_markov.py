"""The Markov model: removal effects by hand, and by the definition in exact fractions."""

from __future__ import annotations

import random
import string
from collections import Counter, defaultdict
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given

from attribution_assets.errors import AttributionError
from attribution_assets.models.journeys import Bools
from attribution_assets.models.markov import removal_effects, steps_of
from attribution_assets_tests.models.paths import PATHS, Paths, learnt_from, tallied

State = tuple[str, ...]
"""The last channels of a walk, the latest last."""


def effects(paths: Paths, *, order: int = 1, non_converting: bool = True, labels: str | None = None) -> dict[str, float]:
    steps = tallied(partial(steps_of, order=order), *learnt_from(paths, labels))
    return removal_effects(steps, non_converting=non_converting)


# By hand --------------------------------------------------------------------------------------------------------------


def test_without_a_channel_that_every_conversion_needs_all_are_lost() -> None:
    # START -> A; A -> B or none, 1/2 each; B converts. P = 1/2, and 0 without A as without B.
    assert effects([("AB", True), ("A", False)]) == {"A": 1, "B": 1}


def test_without_a_channel_the_walks_of_others_go_on() -> None:
    # START -> A 2/3, B 1/3; A converts or -> B, 1/2 each; B converts 1/2. P = 2/3 (1/2 + 1/4) + 1/3 1/2 = 2/3.
    # Without A 1/3 1/2 = 1/6, without B 2/3 1/2 = 1/3.
    assert effects([("A", True), ("B", False), ("AB", True)]) == pytest.approx({"A": 3 / 4, "B": 1 / 2}, abs=1e-12)


def test_without_those_that_did_not_convert_only_conversions_are_walked() -> None:
    # START -> A; A converts or -> B, 1/2 each; B converts. P = 1, and 1/2 without B.
    paths = [("A", True), ("B", False), ("AB", True)]

    assert effects(paths, non_converting=False) == pytest.approx({"A": 1, "B": 1 / 2}, abs=1e-12)


def test_a_channel_that_follows_itself_may_be_walked_for_ever() -> None:
    # START -> A 1/2, B 1/2; A -> A 1/2, converts 1/2: P from A = 1/2 + 1/4 + ... = 1; B -> none. P = 1/2.
    assert effects([("AA", True), ("B", False)]) == pytest.approx({"A": 1, "B": 0}, abs=1e-12)


def test_a_chain_of_order_one_forgets_where_a_walk_came_from() -> None:
    # START -> A, C, 1/2 each; A -> B; C -> B; B converts 1/2. P = 1/2, 1/4 without A as without C.
    assert effects([("AB", True), ("CB", False)]) == pytest.approx({"A": 1 / 2, "B": 1, "C": 1 / 2}, abs=1e-12)


def test_a_chain_of_order_two_remembers_the_channel_before() -> None:
    # (A, B) converts, (C, B) does not: without C nothing is lost.
    assert effects([("AB", True), ("CB", False)], order=2) == pytest.approx({"A": 1, "B": 1, "C": 0}, abs=1e-12)


def test_a_chain_of_order_two_forgets_the_channel_before_that() -> None:
    paths = [("ABD", True), ("CBD", False)]

    assert effects(paths, order=2)["C"] == pytest.approx(1 / 2, abs=1e-12)
    assert effects(paths, order=3)["C"] == pytest.approx(0, abs=1e-12)


def test_a_first_session_is_not_a_later_one_after_nothing() -> None:
    # Of order 2: (A) converts, (B, A) does not. Without B nothing is lost.
    assert effects([("A", True), ("BA", False)], order=2) == pytest.approx({"A": 1, "B": 0}, abs=1e-12)


def test_a_channel_that_only_failed_journeys_have_has_no_effect() -> None:
    assert effects([("A", True), ("B", False)])["B"] == 0


def test_a_channel_that_does_not_occur_is_not_valued() -> None:
    assert effects([("B", True)], labels="ABC") == {"B": 1}


@pytest.mark.parametrize("non_converting", [True, False])
def test_where_nothing_converted_no_channel_has_an_effect(non_converting: bool) -> None:
    assert effects([("AB", False), ("A", False)], non_converting=non_converting) == {"A": 0, "B": 0}


@pytest.mark.parametrize("non_converting", [True, False])
def test_without_journeys_no_channel_has_an_effect(non_converting: bool) -> None:
    assert effects([], labels="AB", non_converting=non_converting) == {}


def test_a_chain_with_more_states_than_can_be_numbered_is_refused() -> None:
    # 4 ** 31 states and 5 followers of each are more than 2 ** 63.
    with pytest.raises(AttributionError, match=r"^A Markov chain of order 31 over 3 channels .*ATTRIBUTION_MARKOV_ORDER"):
        effects([("ABC", True)], order=31)


def test_a_chain_of_the_highest_order_that_can_be_numbered_is_exact() -> None:
    # 4 ** 30 states and 5 followers of each are less than 2 ** 63.
    assert effects([("AB" * 20, True), ("C", True)], order=30) == pytest.approx({"A": 1 / 2, "B": 1 / 2, "C": 1 / 2})


# By the definition ----------------------------------------------------------------------------------------------------


def by_definition(paths: Paths, order: int, non_converting: bool) -> dict[str, Fraction]:
    """The removal effect of each channel, exactly."""
    channels = sorted({channel for path, _ in paths for channel in path})
    walks = [(path, converted) for path, converted in paths if converted or non_converting]
    whole = conversion_probability(walks, order)
    if whole == 0:
        return dict.fromkeys(channels, Fraction(0))
    return {channel: 1 - conversion_probability(walks, order, without=channel) / whole for channel in channels}


def conversion_probability(paths: Paths, order: int, without: str | None = None) -> Fraction:
    """Of a walk from the empty state; one that comes to the channel `without` goes to none instead."""
    steps: defaultdict[State, Counter[State | str]] = defaultdict(Counter)
    for path, converted in paths:
        state: State = ()
        for channel in path:
            came_from, state = state, (*state, channel)[-order:]
            steps[came_from]["none" if channel == without else state] += 1
        steps[state]["converted" if converted else "none"] += 1
    states = list(steps)
    rows = []
    for state in states:
        total = steps[state].total()
        row = [Fraction(int(state == other)) - Fraction(steps[state][other], total) for other in states]
        rows.append([*row, Fraction(steps[state]["converted"], total)])
    return dict(zip(states, solved(rows), strict=True)).get((), Fraction(0))


def solved(rows: list[list[Fraction]]) -> list[Fraction]:
    """The solution of linear equations, the right-hand side last in each row, by Gauss-Jordan elimination."""
    for column in range(len(rows)):
        pivot = next(number for number in range(column, len(rows)) if rows[number][column])
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for number, row in enumerate(rows):
            if number != column and row[column]:
                rows[number] = [value - row[column] * by for value, by in zip(row, rows[column], strict=True)]
    return [row[-1] for row in rows]


@example([("AB", True), ("BA", False), ("ABA", True)])
@pytest.mark.parametrize("non_converting", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3])
@given(paths=PATHS)
def test_the_effects_are_those_of_the_absorbing_chain_in_fractions(order: int, non_converting: bool, paths: Paths) -> None:
    exact = by_definition(paths, order, non_converting)

    assert effects(paths, order=order, non_converting=non_converting) == pytest.approx(
        {channel: float(effect) for channel, effect in exact.items()}, abs=1e-12, rel=0
    )


@given(paths=PATHS)
def test_a_chain_that_remembers_whole_journeys_loses_the_conversions_that_had_the_channel(paths: Paths) -> None:
    conversions = [path for path, converted in paths if converted]

    for channel, effect in effects(paths, order=6).items():
        lost = sum(channel in path for path in conversions)
        assert effect == pytest.approx(lost / max(len(conversions), 1), abs=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3])
@given(paths=PATHS)
def test_an_effect_is_between_none_and_all_of_the_conversions(order: int, paths: Paths) -> None:
    assert all(0 <= effect <= 1 for effect in effects(paths, order=order).values())


@pytest.mark.parametrize("channels", [20, 52])
@pytest.mark.parametrize("order", [1, 2])
def test_with_many_channels_an_effect_is_what_the_chain_loses_without_the_channel(order: int, channels: int) -> None:
    chance = random.Random(0)
    names = string.ascii_letters[:channels]
    paths = [("".join(chance.choices(names, k=chance.randint(1, 6))), chance.random() < 0.3) for _ in range(200)]

    assert effects(paths, order=order) == pytest.approx(lost_without_each(names, paths, order), abs=1e-12, rel=0)


def lost_without_each(channels: str, paths: Paths, order: int) -> dict[str, float]:
    """By channel, the share of conversions that is lost where every walk that comes to it ends, each solved on its own."""
    states = sorted({path[:end][-order:] for path, _ in paths for end in range(len(path) + 1)})
    moves, converts = np.zeros((len(states), len(states))), np.zeros(len(states))
    for path, converted in paths:
        at = [states.index(path[:end][-order:]) for end in range(len(path) + 1)]
        np.add.at(moves, (at[:-1], at[1:]), 1)
        converts[at[-1]] += converted
    ends = Counter(path[-order:] for path, _ in paths)
    steps = moves.sum(axis=1) + [ends[state] for state in states]
    moves, converts = moves / steps[:, None], converts / steps

    def share_of_walks(kept: Bools) -> float:
        return float(np.linalg.solve(np.eye(kept.sum()) - moves[np.ix_(kept, kept)], converts[kept])[0])

    whole = share_of_walks(np.ones(len(states), dtype=bool))
    left = {channel: np.array([not state.endswith(channel) for state in states]) for channel in channels}
    return {channel: 1 - share_of_walks(kept) / whole for channel, kept in left.items()}
