"""Journeys: which sessions of a conversion are sent, in which order, and how whole journeys fill requests."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.ihc.packing import SENT_COLUMNS, Journey, journeys_of, pack

LIMITS = [(100, 3000), (100, 200)]
"""Journeys and sessions of a request: of a paid account, and of a free one."""

# What the tests are made of -------------------------------------------------------------------------------------------


def row(session_id: str, time: str, conv_id: str = "c", **columns: Any) -> dict[str, Any]:
    """A row of customer_journeys at a time of 2023-09-01."""
    return {
        "conv_id": conv_id,
        "session_id": session_id,
        "conv_date": "2023-09-02",
        "timestamp": f"2023-09-01 {time}",
        "channel_label": "Email",
        "holder_engagement": 1,
        "closer_engagement": 0,
        "conversion": 0,
        "impression_interaction": 0,
        **columns,
    }


def journeys(*rows: dict[str, Any], max_sessions: int = 3000) -> list[Journey]:
    return list(journeys_of(pd.DataFrame(rows), max_sessions))


def sent(journey: Journey, column: str = "session_id") -> list[Any]:
    return [session[column] for session in journey.sessions]


def of_lengths(lengths: Sequence[int]) -> list[Journey]:
    return [Journey(f"c{i}", "2023-09-02", [{"conversion_id": f"c{i}"}] * n, []) for i, n in enumerate(lengths)]


def uniform(seed: int, count: int = 5000) -> list[int]:
    """Lengths from 1 to 40."""
    return random.Random(seed).choices(range(1, 41), k=count)


def geometric(seed: int, count: int = 5000) -> list[int]:
    """Most journeys short, a few long; five sessions in the mean."""
    lengths: list[int] = np.random.default_rng(seed).geometric(0.2, count).tolist()
    return lengths


# Which sessions are sent ----------------------------------------------------------------------------------------------


def test_a_session_is_sent_with_the_columns_of_the_service_and_nothing_else() -> None:
    (journey,) = journeys(row("s", "10:00:00", channel_label="Paid Search", impression_interaction=1))

    assert journey.sessions == [
        {
            "conversion_id": "c",
            "session_id": "s",
            "timestamp": "2023-09-01 10:00:00",
            "channel_label": "Paid Search",
            "holder_engagement": 1,
            "closer_engagement": 0,
            "conversion": 1,
            "impression_interaction": 1,
        }
    ]
    assert tuple(journey.sessions[0]) == SENT_COLUMNS
    assert (journey.conv_id, journey.conv_date, journey.left_out) == ("c", "2023-09-02", [])


def test_sessions_stand_in_order_of_time_whatever_the_order_of_the_rows() -> None:
    (journey,) = journeys(row("b", "12:00:00"), row("c", "08:00:00"), row("a", "10:00:00"))

    assert sent(journey) == ["c", "a", "b"]


def test_sessions_at_one_second_follow_each_other_by_session_id() -> None:
    (journey,) = journeys(row("b", "10:00:00"), row("c", "10:00:00"), row("a", "10:00:00"))

    assert sent(journey) == ["a", "b", "c"]


def test_conversion_is_1_on_the_last_session_only_whatever_the_column_said() -> None:
    first, second = journeys(
        row("a", "08:00:00", "c1", conversion=1),
        row("b", "09:00:00", "c1", conversion=1),
        row("c", "10:00:00", "c1", conversion=0),
        row("d", "08:00:00", "c2", conversion=0),
    )

    assert sent(first, "conversion") == [0, 0, 1]
    assert sent(second, "conversion") == [1]


def test_fractions_of_seconds_are_cut_off_and_not_rounded() -> None:
    (journey,) = journeys(row("a", "09:59:59.999999"), row("b", "10:00:00.5"), row("c", "10:00:01"))

    assert sent(journey, "timestamp") == ["2023-09-01 09:59:59", "2023-09-01 10:00:00", "2023-09-01 10:00:01"]


def test_fractions_of_one_second_still_say_which_session_came_first() -> None:
    (journey,) = journeys(row("a", "10:00:00.75"), row("b", "10:00:00.25"), row("c", "10:00:00"))

    assert sent(journey) == ["c", "b", "a"]


def test_of_a_longer_journey_the_latest_sessions_are_sent_and_the_earlier_ones_left_out() -> None:
    (journey,) = journeys(*(row(f"s{hour:02}", f"{hour:02}:00:00") for hour in range(5)), max_sessions=2)

    assert sent(journey) == ["s03", "s04"]
    assert sent(journey, "conversion") == [0, 1]
    assert [session["session_id"] for session in journey.left_out] == ["s00", "s01", "s02"]


def test_a_journey_of_exactly_as_many_sessions_as_allowed_is_sent_whole() -> None:
    (journey,) = journeys(row("a", "08:00:00"), row("b", "09:00:00"), max_sessions=2)

    assert sent(journey) == ["a", "b"]
    assert journey.left_out == []


def test_a_conversion_is_one_journey_even_if_its_rows_lie_apart() -> None:
    first, second = journeys(row("a", "08:00:00", "c1"), row("b", "08:30:00", "c2"), row("c", "09:00:00", "c1"))

    assert (first.conv_id, sent(first)) == ("c1", ["a", "c"])
    assert (second.conv_id, sent(second)) == ("c2", ["b"])


def test_ids_that_look_like_numbers_stay_the_text_they_are() -> None:
    first, second = journeys(row("01", "08:00:00", "007"), row("1", "08:00:00", "7"))

    assert (first.conv_id, sent(first, "conversion_id"), sent(first)) == ("007", ["007"], ["01"])
    assert (second.conv_id, sent(second, "conversion_id"), sent(second)) == ("7", ["7"], ["1"])


def test_no_rows_are_no_journeys() -> None:
    assert list(journeys_of(pd.DataFrame([row("s", "10:00:00")]).head(0), 3000)) == []


def test_the_rows_given_stay_as_they_are() -> None:
    rows = pd.DataFrame([row("b", "12:00:00.5", conversion=1), row("a", "08:00:00")])
    before = rows.copy()

    list(journeys_of(rows, 1))

    pd.testing.assert_frame_equal(rows, before)


# How journeys fill requests -------------------------------------------------------------------------------------------


def test_no_journeys_need_no_request() -> None:
    assert pack([], 100, 3000) == []


def test_journeys_that_fit_together_share_a_request() -> None:
    requests = pack(of_lengths([6, 4, 7, 3]), max_journeys=2, max_sessions=10)

    assert sorted(sorted(len(journey.sessions) for journey in request) for request in requests) == [[3, 7], [4, 6]]


@given(
    lengths=st.lists(st.integers(1, 12), max_size=60),
    max_journeys=st.integers(1, 8),
    max_sessions=st.integers(12, 40),
    shuffled=st.randoms(use_true_random=False),
)
def test_each_journey_stands_whole_in_one_request_within_both_limits(
    lengths: list[int], max_journeys: int, max_sessions: int, shuffled: random.Random
) -> None:
    journeys = of_lengths(lengths)

    requests = pack(journeys, max_journeys, max_sessions)

    packed = [journey for request in requests for journey in request]
    assert sorted(map(id, packed)) == sorted(map(id, journeys))
    assert all(0 < len(request) <= max_journeys for request in requests)
    assert all(sum(len(journey.sessions) for journey in request) <= max_sessions for request in requests)

    shuffled.shuffle(journeys)
    assert pack(journeys, max_journeys, max_sessions) == requests


@pytest.mark.parametrize("arranged", [list, sorted])
@pytest.mark.parametrize("lengths", [uniform, geometric])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("max_journeys", "max_sessions"), LIMITS)
def test_5000_journeys_take_at_most_3_percent_more_requests_than_any_packing_must(
    max_journeys: int,
    max_sessions: int,
    seed: int,
    lengths: Callable[[int], list[int]],
    arranged: Callable[[list[int]], list[int]],
) -> None:
    journeys = of_lengths(arranged(lengths(seed)))
    at_least = max(math.ceil(len(journeys) / max_journeys), math.ceil(sum(lengths(seed)) / max_sessions))

    assert len(pack(journeys, max_journeys, max_sessions)) <= 1.03 * at_least
