"""Credit by position and by time: every model on journeys whose answer is worked out by head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from attribution_assets.models import PositionShares
from attribution_assets.models.heuristics import (
    first_touch,
    last_non_direct_touch,
    last_touch,
    linear,
    position_based,
    time_decay,
)
from attribution_assets.models.journeys import Floats, Journeys
from attribution_assets_tests.models.paths import exactly, journeys

W_SHAPED = PositionShares(first=0.3, middle=0.3, last=0.3, others=0.1)


def non_direct(*paths: str) -> list[float]:
    """By the last session that is not of channel D."""
    return list(map(float, last_non_direct_touch(journeys(paths), {"D"})))


def decayed(*minutes: float, half_life_hours: float = 168) -> list[float]:
    """One journey's credit, with a session at each of these minutes."""
    return list(map(float, time_decay(journeys(["A" * len(minutes)], minutes=minutes), half_life_hours)))


def last_non_direct(of: Journeys) -> Floats:
    return last_non_direct_touch(of, frozenset())


# First, last and every session ----------------------------------------------------------------------------------------


def test_first_touch_gives_all_to_the_first_session_of_each_journey() -> None:
    assert first_touch(journeys(["ABC", "A", "BA"])).tolist() == [1, 0, 0, 1, 1, 0]


def test_last_touch_gives_all_to_the_last_session_of_each_journey() -> None:
    assert last_touch(journeys(["ABC", "A", "BA"])).tolist() == [0, 0, 1, 1, 0, 1]


def test_linear_gives_the_same_to_every_session() -> None:
    assert linear(journeys(["ABCA", "A", "BA"])).tolist() == [0.25, 0.25, 0.25, 0.25, 1, 0.5, 0.5]


@pytest.mark.parametrize(("model", "credited"), [(first_touch, "a"), (last_touch, "c"), (last_non_direct, "c")])
def test_of_equal_times_the_smallest_session_id_is_first_and_the_greatest_is_last(
    model: Callable[[Journeys], Floats], credited: str
) -> None:
    rows = pd.DataFrame({"conv_id": "1", "session_id": [*"bca"], "timestamp": "2023-09-01 10:00:00", "channel_label": "A"})
    of, order = Journeys.from_frame(rows)

    assert rows["session_id"].iloc[order[model(of) == 1]].tolist() == [credited]


# The last session that is not direct ----------------------------------------------------------------------------------


def test_last_non_direct_touch_passes_over_direct_sessions_at_the_end() -> None:
    assert non_direct("ABDD") == [0, 1, 0, 0]


def test_last_non_direct_touch_gives_to_the_last_session_where_it_is_not_direct() -> None:
    assert non_direct("ADB") == [0, 0, 1]


def test_last_non_direct_touch_gives_to_the_last_session_where_all_are_direct() -> None:
    assert non_direct("DDD") == [0, 0, 1]


def test_last_non_direct_touch_never_looks_into_the_journey_before() -> None:
    assert non_direct("A", "DD", "BD") == [1, 0, 1, 1, 0]


# By position ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "shares"),
    [(1, [1]), (2, [0.5, 0.5]), (3, [0.4, 0.2, 0.4]), (4, [0.4, 0.1, 0.1, 0.4]), (6, [0.4, 0.05, 0.05, 0.05, 0.05, 0.4])],
)
def test_u_gives_two_fifths_to_either_end_and_shares_the_rest_among_the_others(size: int, shares: list[float]) -> None:
    assert position_based(journeys(["A" * size])).tolist() == exactly(*shares)


@pytest.mark.parametrize(
    ("size", "shares"),
    [
        (1, [1]),
        (2, [1 / 2, 1 / 2]),  # .3 and .3
        (3, [1 / 3, 1 / 3, 1 / 3]),  # .3, .3 and .3, nobody for the others
        (4, [0.3, 0.3, 0.1, 0.3]),  # the middle is session 5/2, rounded down: the second
        (5, [0.3, 0.05, 0.3, 0.05, 0.3]),
        (6, [0.3, 0.1 / 3, 0.3, 0.1 / 3, 0.1 / 3, 0.3]),  # 7/2, rounded down: the third
    ],
)
def test_w_gives_three_tenths_to_first_middle_and_last_and_shares_the_rest_among_the_others(
    size: int, shares: list[float]
) -> None:
    assert position_based(journeys(["A" * size]), W_SHAPED).tolist() == exactly(*shares)


def test_two_sessions_get_their_shares_of_first_and_last() -> None:
    # .6 : .2, whatever the middle and the others would have had.
    assert position_based(journeys(["AB"]), PositionShares(0.6, 0.1, 0.2, 0.1)).tolist() == exactly(3 / 4, 1 / 4)


def test_ends_without_a_share_leave_all_to_the_others() -> None:
    assert position_based(journeys(["ABCD"]), PositionShares(0, 0, 0, 1)).tolist() == [0, 0.5, 0.5, 0]


@pytest.mark.parametrize("size", [1, 2])
def test_ends_without_a_share_get_the_same_where_there_are_no_others(size: int) -> None:
    assert position_based(journeys(["A" * size]), PositionShares(0, 0, 0, 1)).tolist() == [1 / size] * size


def test_others_without_a_share_get_nothing() -> None:
    assert position_based(journeys(["ABC"]), PositionShares(0.5, 0, 0.5, 0)).tolist() == [0.5, 0, 0.5]


def test_each_journey_has_positions_of_its_own() -> None:
    assert position_based(journeys(["A", "ABC", "BA"])).tolist() == exactly(1, 0.4, 0.2, 0.4, 0.5, 0.5)


# By time --------------------------------------------------------------------------------------------------------------


def test_time_decay_halves_with_every_half_life_before_the_last_session() -> None:
    # 2, 1, 0 half-lives before the last: 1/4 : 1/2 : 1.
    assert decayed(0, 60, 120, half_life_hours=1) == exactly(1 / 7, 2 / 7, 4 / 7)


def test_the_half_life_is_a_week_of_exactly_168_hours() -> None:
    assert decayed(0, 168 * 60) == exactly(1 / 3, 2 / 3)


def test_half_a_half_life_is_worth_the_root_of_a_half() -> None:
    root = 0.5**0.5

    assert decayed(0, 30, half_life_hours=1) == exactly(root / (1 + root), 1 / (1 + root))


def test_time_decay_gives_the_same_to_sessions_of_equal_time() -> None:
    assert decayed(7, 7, 7, 7) == [0.25, 0.25, 0.25, 0.25]


def test_time_decay_counts_from_the_last_session_of_the_same_journey() -> None:
    both = time_decay(journeys(["AA", "AA"], minutes=[0, 60, 600, 600]), 1)

    assert both.tolist() == exactly(1 / 3, 2 / 3, 1 / 2, 1 / 2)


def test_a_session_many_half_lives_ago_gets_nothing_and_breaks_nothing() -> None:
    assert decayed(0, 60 * 24 * 365 * 50, half_life_hours=1) == [0, 1]


# Few or none ----------------------------------------------------------------------------------------------------------

MODELS = [first_touch, last_touch, last_non_direct, linear, position_based, time_decay]


@pytest.mark.parametrize("model", MODELS)
def test_a_single_session_gets_all(model: Callable[[Journeys], Floats]) -> None:
    assert model(journeys(["A"])).tolist() == [1]


@pytest.mark.parametrize("model", MODELS)
def test_no_journeys_get_no_credit(model: Callable[[Journeys], Floats]) -> None:
    credit = model(journeys([]))

    assert credit.shape == (0,)
    assert credit.dtype == np.float64
