"""Journeys simplified by the path rules: each rule alone, in their order, and never down to nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.models import ModelRules, PathRules
from attribution_assets.models.journeys import Journeys
from attribution_assets.models.paths import simplify
from attribution_assets_tests.models.paths import journeys


def left_of(*paths: str, rules: PathRules, minutes: list[float] | None = None) -> list[str]:
    """The channels of the sessions that are left of each journey; channel D is direct."""
    simplified, _ = simplify(journeys(paths, minutes=minutes), ModelRules(direct_channels=frozenset("D"), path=rules))
    sessions = [simplified.labels[channel] for channel in simplified.channel]
    return ["".join(part) for part in np.split(np.array(sessions, dtype=object), simplified.offsets[1:])]


def collapsed(path: str, *minutes: float, within: float = 30) -> list[bool]:
    """Which sessions are left, with repeats within so many minutes collapsed."""
    of = journeys([path], minutes=minutes)
    _, left = simplify(of, ModelRules(path=PathRules(collapse_minutes=within)))
    return list(map(bool, left))


# Each rule alone ------------------------------------------------------------------------------------------------------


def test_without_rules_a_journey_stays_whole() -> None:
    whole = journeys(["ABA", "D"])
    simplified, left = simplify(whole, ModelRules())

    assert left.tolist() == [True] * 4
    assert simplified.offsets.tolist() == whole.offsets.tolist()
    assert simplified.time.tolist() == whole.time.tolist()
    assert simplified.channel.tolist() == whole.channel.tolist()
    assert simplified.labels == whole.labels


def test_a_group_stands_for_its_channels() -> None:
    assert left_of("ABCA", rules=PathRules(channel_groups={"A": "G", "B": "G"})) == ["GGCG"]


def test_channels_of_a_group_become_one_channel() -> None:
    grouped, _ = simplify(journeys(["ABC"]), ModelRules(path=PathRules(channel_groups={"A": "G", "C": "G"})))

    assert grouped.labels == ("B", "G")
    assert grouped.channel.tolist() == [1, 0, 1]


def test_a_group_may_be_named_like_a_channel() -> None:
    assert left_of("ABC", rules=PathRules(channel_groups={"A": "B"})) == ["BBC"]


def test_a_group_is_not_grouped_again() -> None:
    assert left_of("AB", rules=PathRules(channel_groups={"A": "B", "B": "C"})) == ["BC"]


def test_excluded_channels_are_left_out() -> None:
    assert left_of("ABCA", "CA", rules=PathRules(exclude_channels=frozenset("AB"))) == ["C", "C"]


def test_direct_channels_are_left_out() -> None:
    assert left_of("DADB", "AD", rules=PathRules(drop_direct=True)) == ["AB", "A"]


def test_direct_channels_stay_unless_they_are_to_be_left_out() -> None:
    assert left_of("DA", rules=PathRules()) == ["DA"]


def test_only_the_latest_sessions_stay() -> None:
    assert left_of("ABCE", "A", "BC", rules=PathRules(last_sessions=2)) == ["CE", "A", "BC"]


def test_a_journey_of_fewer_sessions_than_may_stay_stays_whole() -> None:
    assert left_of("ABC", rules=PathRules(last_sessions=10)) == ["ABC"]


def test_the_sessions_that_are_left_are_said_in_the_order_of_those_given() -> None:
    rules = ModelRules(path=PathRules(exclude_channels=frozenset("B")))
    simplified, left = simplify(journeys(["AB", "BBC"], minutes=[0, 1, 2, 3, 4]), rules)

    assert left.tolist() == [True, False, False, False, True]
    assert simplified.offsets.tolist() == [0, 1]


@pytest.mark.parametrize(
    "rules",
    [
        PathRules(),
        PathRules({"A": "G"}, frozenset("B"), drop_direct=True, collapse_minutes=30, last_sessions=1),
    ],
)
def test_no_journeys_stay_no_journeys(rules: PathRules) -> None:
    simplified, left = simplify(journeys([]), ModelRules(path=rules))

    assert (len(simplified), left.tolist()) == (0, [])


# Repeats --------------------------------------------------------------------------------------------------------------


def test_a_repeat_after_exactly_so_many_minutes_is_collapsed_into_the_first() -> None:
    assert collapsed("AA", 0, 30) == [True, False]


def test_a_repeat_a_second_later_stays() -> None:
    assert collapsed("AA", 0, 30 + 1 / 60) == [True, True]


def test_a_chain_of_repeats_is_collapsed_however_long_it_lasts() -> None:
    assert collapsed("AAAA", 0, 30, 60, 90) == [True, False, False, False]


def test_a_pause_begins_a_new_chain_of_repeats() -> None:
    assert collapsed("AAAA", 0, 20, 60, 80) == [True, False, True, False]


def test_a_channel_that_returns_after_another_is_no_repeat() -> None:
    assert collapsed("ABA", 0, 1, 2) == [True, True, True]


def test_repeats_at_the_same_time_are_collapsed_within_no_minutes() -> None:
    assert collapsed("AAA", 5, 5, 6, within=0) == [True, False, True]


def test_a_fraction_of_a_minute_counts() -> None:
    assert collapsed("AAA", 0, 0.5, 1.25, within=0.5) == [True, False, True]


def test_the_first_session_of_a_journey_repeats_none_of_another_journey() -> None:
    assert left_of("A", "AA", minutes=[0, 1, 2], rules=PathRules(collapse_minutes=30)) == ["A", "A"]


# Together -------------------------------------------------------------------------------------------------------------

WHOLE = ("DABXAACCBE", [0.0, 1, 2, 3, 4, 5, 6, 60, 61, 62])


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (PathRules(), "DABXAACCBE"),
        (PathRules({"B": "A"}), "DAAXAACCAE"),
        (PathRules({"B": "A"}, frozenset("X")), "DAAAACCAE"),
        (PathRules({"B": "A"}, frozenset("X"), drop_direct=True), "AAAACCAE"),
        (PathRules({"B": "A"}, frozenset("X"), drop_direct=True, collapse_minutes=30), "ACCAE"),
        (PathRules({"B": "A"}, frozenset("X"), drop_direct=True, collapse_minutes=30, last_sessions=4), "CCAE"),
    ],
)
def test_each_rule_sees_what_the_one_before_left(rules: PathRules, left: str) -> None:
    path, minutes = WHOLE

    assert left_of(path, minutes=minutes, rules=rules) == [left]


def test_what_all_rules_left_is_said_of_the_sessions_given() -> None:
    path, minutes = WHOLE
    rules = PathRules({"B": "A"}, frozenset("X"), drop_direct=True, collapse_minutes=30, last_sessions=4)
    _, left = simplify(journeys([path], minutes=minutes), ModelRules(direct_channels=frozenset("D"), path=rules))

    assert np.flatnonzero(left).tolist() == [6, 7, 8, 9]


def test_a_group_is_excluded_by_its_name() -> None:
    rules = PathRules({"A": "G"}, exclude_channels=frozenset("G"))

    assert left_of("ABA", rules=rules) == ["B"]


def test_a_channel_is_not_excluded_by_the_name_it_had_before_grouping() -> None:
    rules = PathRules({"A": "G"}, exclude_channels=frozenset("A"))

    assert left_of("ABA", rules=rules) == ["GBG"]


def test_a_channel_is_direct_by_the_name_of_its_group() -> None:
    assert left_of("ABD", rules=PathRules({"A": "D", "D": "C"}, drop_direct=True)) == ["BC"]


def test_a_repeat_is_collapsed_across_a_session_that_is_left_out() -> None:
    rules = PathRules(exclude_channels=frozenset("B"), collapse_minutes=30)

    assert left_of("ABA", minutes=[0, 10, 20], rules=rules) == ["A"]


def test_the_minutes_of_a_repeat_count_from_the_session_before_that_is_left() -> None:
    rules = PathRules(exclude_channels=frozenset("B"), collapse_minutes=30)

    assert left_of("ABA", minutes=[0, 20, 40], rules=rules) == ["AA"]


# No journey is emptied ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rules",
    [PathRules(exclude_channels=frozenset("DE")), PathRules(drop_direct=True), PathRules(last_sessions=0)],
)
def test_a_rule_that_would_leave_nothing_of_a_journey_leaves_all_that_it_found(rules: PathRules) -> None:
    assert left_of("DD", rules=rules) == ["DD"]


def test_a_rule_that_left_all_that_it_found_does_not_hinder_the_next() -> None:
    rules = PathRules(exclude_channels=frozenset("DE"), drop_direct=True)

    assert left_of("DED", "AED", rules=rules) == ["E", "A"]


def test_a_rule_that_would_empty_one_journey_works_on_the_others() -> None:
    assert left_of("DA", "D", "AD", rules=PathRules(drop_direct=True)) == ["A", "D", "A"]


CHANNELS = st.frozensets(st.sampled_from("ABDG"))
PATH_RULES = st.builds(
    PathRules,
    channel_groups=st.dictionaries(st.sampled_from("ABCD"), st.sampled_from("ABDG")),
    exclude_channels=CHANNELS,
    drop_direct=st.booleans(),
    collapse_minutes=st.none() | st.sampled_from([0, 60, 600]),
    last_sessions=st.none() | st.integers(1, 4),
)


@given(paths=st.lists(st.text("ABCD", min_size=1, max_size=6), max_size=5), path=PATH_RULES, direct=CHANNELS)
def test_whatever_the_rules_every_journey_keeps_some_of_its_sessions(
    paths: list[str], path: PathRules, direct: frozenset[str]
) -> None:
    whole = journeys(paths)
    simplified, left = simplify(whole, ModelRules(direct_channels=direct, path=path))

    assert len(simplified) == len(whole)
    assert simplified.journey.tolist() == whole.journey[left].tolist()
    assert simplified.time.tolist() == whole.time[left].tolist()
    assert [simplified.labels[channel] for channel in simplified.channel] == [
        path.channel_groups.get(whole.labels[channel], whole.labels[channel]) for channel in whole.channel[left]
    ]


def test_direct_channels_are_known_by_their_whole_names() -> None:
    labels = ("Email", "Direct", "Direct Traffic", "direct", "Direct Mail")
    five = Journeys(np.array([0]), np.arange(5), np.arange(5), labels)

    simplified, _ = simplify(five, ModelRules(path=PathRules(drop_direct=True)))

    assert simplified.labels == tuple(sorted(labels))
    assert [simplified.labels[channel] for channel in simplified.channel] == ["Email", "Direct Mail"]
