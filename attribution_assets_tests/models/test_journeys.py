"""Journeys as flat arrays: what stands where, which of equal times is first, and what rows are refused."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.models.journeys import HOUR, MINUTE, Journeys
from attribution_assets_tests.models.paths import exactly, journeys

COLUMNS = ["conv_id", "session_id", "timestamp", "channel_label"]


def rows(*of: tuple[Any, Any, Any, Any]) -> pd.DataFrame:
    return pd.DataFrame(of, columns=COLUMNS)


def ids(of: pd.DataFrame) -> list[list[Any]]:
    """The session_id of each journey's sessions, in order."""
    built, order = Journeys.from_frame(of)
    return [part.tolist() for part in np.split(of["session_id"].to_numpy(dtype=object)[order], built.offsets[1:])]


# From rows ------------------------------------------------------------------------------------------------------------


def test_the_sessions_of_a_journey_are_in_the_order_of_their_times() -> None:
    built, order = Journeys.from_frame(
        rows(("1", "a", "2023-09-01 12:00:00", "SEO"), ("1", "b", "2023-09-01 10:00:00", "Email")),
    )

    assert order.tolist() == [1, 0]
    assert np.diff(built.time).tolist() == [2 * HOUR]
    assert [built.labels[channel] for channel in built.channel] == ["Email", "SEO"]


def test_equal_times_are_in_the_order_of_the_session_id() -> None:
    time = "2023-09-01 10:00:00"

    assert ids(rows(("1", "c", time, "A"), ("1", "a", time, "B"), ("1", "b", time, "A"))) == [["a", "b", "c"]]


def test_a_session_id_matters_only_where_times_are_equal() -> None:
    later, sooner = "2023-09-01 10:00:01", "2023-09-01 10:00:00"

    assert ids(rows(("1", "a", later, "A"), ("1", "c", sooner, "A"), ("1", "b", sooner, "A"))) == [["b", "c", "a"]]


def test_the_rows_of_a_conversion_are_one_journey_wherever_they_stand() -> None:
    first, second = "2023-09-01 10:00:00", "2023-09-01 11:00:00"

    assert ids(rows(("1", "a", second, "A"), ("2", "b", first, "A"), ("1", "c", first, "A"))) == [["c", "a"], ["b"]]


def test_one_session_of_two_journeys_stands_in_both() -> None:
    time = "2023-09-01 10:00:00"

    assert ids(rows(("1", "a", time, "A"), ("2", "a", time, "A"))) == [["a"], ["a"]]


def test_no_rows_are_no_journeys() -> None:
    built, order = Journeys.from_frame(rows())

    assert (len(built), built.labels, order.tolist()) == (0, (), [])


@pytest.mark.parametrize("dtype", ["datetime64[s]", "datetime64[us]", "datetime64[ns]"])
def test_times_may_be_text_or_datetimes_of_any_unit(dtype: str) -> None:
    text = rows(("1", "a", "2023-09-01 10:00:00", "A"))

    assert Journeys.from_frame(text.astype({"timestamp": dtype}))[0].time.tolist() == Journeys.from_frame(text)[0].time.tolist()


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_value_is_refused(column: str) -> None:
    whole = rows(("1", "a", "2023-09-01 10:00:00", "A"), ("1", "b", "2023-09-01 10:00:00", "A"))
    holed = whole.assign(**{column: [whole[column][0], None]})

    with pytest.raises(AttributionError, match=column):
        Journeys.from_frame(holed)


@pytest.mark.parametrize("time", ["yesterday", "2023-09-31 10:00:00", "", "1500-01-01 00:00:00"])
def test_a_time_that_cannot_be_read_is_refused_in_one_line(time: str) -> None:
    with pytest.raises(AttributionError, match=r"^[^\n]*timestamp[^\n]*UTC\.$"):
        Journeys.from_frame(rows(("1", "a", time, "A")))


@given(
    times=st.lists(st.integers(0, 3), min_size=1, max_size=12),
    conversions=st.lists(st.integers(0, 2), min_size=12, max_size=12),
    chance=st.randoms(use_true_random=False),
)
def test_every_journey_is_ordered_by_time_and_then_by_session_id(
    times: list[int], conversions: list[int], chance: random.Random
) -> None:
    shuffled = chance.sample(range(12), len(times))
    table = [
        (f"c{conversion}", f"s{number:02}", f"2023-09-01 10:00:0{time}", "A")
        for number, time, conversion in zip(shuffled, times, conversions, strict=False)
    ]

    expected = [
        [session for conversion, session, _, _ in sorted(table, key=lambda row: (row[2], row[1])) if conversion == wanted]
        for wanted in dict.fromkeys(row[0] for row in table)
    ]

    assert ids(rows(*table)) == expected


# What stands where ----------------------------------------------------------------------------------------------------


def test_sizes_ends_and_positions_follow_from_the_offsets() -> None:
    three = journeys(["ABC", "A", "BB"])

    assert len(three) == 3
    assert three.offsets.tolist() == [0, 3, 4]
    assert three.sizes.tolist() == [3, 1, 2]
    assert three.last.tolist() == [2, 3, 5]
    assert three.journey.tolist() == [0, 0, 0, 1, 2, 2]
    assert three.position.tolist() == [0, 1, 2, 0, 0, 1]


def test_no_journeys_have_no_sizes_ends_and_positions() -> None:
    none = journeys([])

    assert len(none) == 0
    assert [len(array) for array in (none.sizes, none.last, none.journey, none.position)] == [0, 0, 0, 0]
    assert [len(hours) for hours in (none.hours_since_previous, none.hours_to_last)] == [0, 0]
    assert none.from_channels({"A"}).tolist() == []
    assert none.last_of(np.zeros(0, dtype=bool)).tolist() == []
    assert none.all_to(np.zeros(0, dtype=np.int64)).tolist() == []
    assert none.has(np.zeros(0, dtype=bool)).tolist() == []
    assert none.normed(np.zeros(0)).tolist() == []
    assert len(none.only(np.zeros(0, dtype=bool))) == 0


def test_hours_are_counted_within_a_journey() -> None:
    two = journeys(["ABC", "AB"], minutes=[0, 30, 120, 600, 690])

    assert two.hours_since_previous.tolist() == [0, 0.5, 1.5, 0, 1.5]
    assert two.hours_to_last.tolist() == [2, 1.5, 0, 1.5, 0]


def test_sessions_are_found_by_the_names_of_their_channels() -> None:
    assert journeys(["ABC", "CA"]).from_channels({"C", "B", "X"}).tolist() == [False, True, True, True, False]
    assert journeys(["AB"]).from_channels(()).tolist() == [False, False]


def test_the_last_of_some_sessions_is_found_in_each_journey_or_its_very_last() -> None:
    some = np.array([True, True, False, False, False, True, False])

    assert journeys(["ABC", "AB", "CA"]).last_of(some).tolist() == [1, 4, 5]


def test_all_credit_goes_to_one_session_of_each_journey() -> None:
    assert journeys(["ABC", "AB"]).all_to(np.array([1, 3])).tolist() == [0, 1, 0, 1, 0]


def test_a_journey_has_a_session_if_any_of_its_sessions_is_one() -> None:
    assert journeys(["AB", "A", "BB"]).has(np.array([False, True, False, True, True])).tolist() == [True, False, True]


def test_only_some_sessions_keep_their_channels_and_times() -> None:
    left = journeys(["ABC", "CA"]).only(np.array([False, True, True, False, True]))

    assert left.offsets.tolist() == [0, 2]
    assert (left.time // MINUTE).tolist() == [60, 120, 60]
    assert [left.labels[channel] for channel in left.channel] == ["B", "C", "A"]


def test_a_journey_that_keeps_no_session_is_gone() -> None:
    left = journeys(["A", "BC", "A"]).only(np.array([True, False, False, True]))

    assert left.offsets.tolist() == [0, 1]
    assert left.journey.tolist() == [0, 1]


def test_weights_become_shares_of_their_journey() -> None:
    assert journeys(["AB", "ABC"]).normed(np.array([1.0, 3, 0, 2, 2])).tolist() == [0.25, 0.75, 0, 0.5, 0.5]


def test_a_journey_without_any_weight_is_shared_equally() -> None:
    assert journeys(["AB", "ABC"]).normed(np.array([1.0, 3, 0, 0, 0])).tolist() == exactly(1 / 4, 3 / 4, 1 / 3, 1 / 3, 1 / 3)
