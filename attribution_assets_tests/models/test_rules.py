"""What the models are told: the rules that simplify journeys, the file of channel groups, and what identifies it all."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.models import MODELS, ModelRules, PathRules, PositionShares, read_channel_groups
from attribution_assets.models.paths import is_direct, simplify
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
@settings(deadline=None, database=None)
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


# Path rules in words --------------------------------------------------------------------------------------------------


def test_no_rules_are_whole_journeys() -> None:
    assert str(PathRules()) == "whole journeys"


def test_all_rules_are_said_in_their_order() -> None:
    rules = PathRules({"A": "G"}, frozenset({"SEO", "Email"}), drop_direct=True, collapse_minutes=30, last_sessions=5)

    assert str(rules) == (
        "grouped channels; without Email, SEO; without direct; repeats within 30 minutes collapsed; last 5 sessions"
    )


def test_repeats_collapsed_within_no_minutes_are_said() -> None:
    assert str(PathRules(collapse_minutes=0)) == "repeats within 0 minutes collapsed"


# What models are told -------------------------------------------------------------------------------------------------

OTHERWISE: dict[str, object] = {
    "position_shares": PositionShares(0.3, 0.3, 0.3, 0.1),
    "half_life_hours": 24,
    "direct_channels": frozenset({"Direct"}),
    "markov_order": 2,
    "markov_non_converting": False,
    "training_days": 30,
    "seed": 1,
    "path": PathRules(last_sessions=5),
}
PATH_OTHERWISE: dict[str, object] = {
    "channel_groups": {"SEO": "Search"},
    "exclude_channels": frozenset({"SEO", "Email"}),
    "drop_direct": True,
    "collapse_minutes": 30,
    "last_sessions": 5,
}


def told(rules: ModelRules) -> str:
    return json.dumps(rules.told())


def changed(name: str, value: object) -> ModelRules:
    """The rules with one field of them, or of their path rules, otherwise."""
    if name in PATH_OTHERWISE:
        return ModelRules(path=replace(PathRules(), **{name: value}))  # type: ignore[arg-type]
    return replace(ModelRules(), **{name: value})  # type: ignore[arg-type]


def test_the_tests_know_every_field() -> None:
    assert [*OTHERWISE] == [field.name for field in fields(ModelRules) if field.name != "models"]
    assert [*PATH_OTHERWISE] == [field.name for field in fields(PathRules)]


@pytest.mark.parametrize(("name", "value"), [*OTHERWISE.items(), *PATH_OTHERWISE.items()])
def test_what_is_told_differs_with_every_field(name: str, value: object) -> None:
    assert told(changed(name, value)) != told(ModelRules())


def test_what_is_told_is_the_same_whatever_models_are_wanted() -> None:
    assert told(ModelRules(models=("linear",))) == told(ModelRules())


def test_what_is_told_is_the_same_in_whatever_order_channels_are_named() -> None:
    names = [f"channel {number}" for number in range(20)]
    some, same = frozenset(names), frozenset(names[::-1])

    assert told(ModelRules(direct_channels=some, path=PathRules(exclude_channels=some))) == told(
        ModelRules(direct_channels=same, path=PathRules(exclude_channels=same))
    )


def test_what_is_told_comes_back_from_json_unchanged() -> None:
    rules = ModelRules(path=PathRules({"A": "G"}, frozenset("B"), collapse_minutes=30))

    assert json.loads(told(rules)) == json.loads(told(rules)) | {"seed": 0, "direct_channels": ["Direct", "Direct Traffic"]}
    assert json.loads(told(rules))["path"] == {
        "channel_groups": {"A": "G"},
        "exclude_channels": ["B"],
        "drop_direct": False,
        "collapse_minutes": 30,
        "last_sessions": None,
    }


def test_the_models_that_learn_are_told_apart_in_their_order() -> None:
    assert ModelRules().learned == ("markov", "shapley")
    assert ModelRules(models=("shapley", "linear")).learned == ("shapley",)
    assert ModelRules(models=("linear", "ihc")).learned == ()


def test_all_models_are_wanted_unless_some_are_named() -> None:
    assert ModelRules().models == MODELS


def test_direct_channels_are_known_by_their_whole_names() -> None:
    assert is_direct(("Email", "Direct", "Direct Traffic", "direct", "Direct Mail"), ModelRules()).tolist() == [
        False,
        True,
        True,
        False,
        False,
    ]


# The file of channel groups -------------------------------------------------------------------------------------------

HEADER = "channel_name,channel_group\n"


def read(tmp_path: Path, content: str | bytes) -> dict[str, str]:
    file = tmp_path / "groups.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_channel_groups(file)


def refusal(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(AttributionError) as refused:
        read(tmp_path, content)
    return str(refused.value)


def test_a_channel_stands_beside_its_group(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER + "SEO,Search\nSEA,Search\nNewsletter,Email\n") == {
        "SEO": "Search",
        "SEA": "Search",
        "Newsletter": "Email",
    }


def test_a_file_without_channels_has_no_groups(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER) == {}


def test_commas_and_quotes_stand_between_quotes(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER + '"Paid, other","The ""rest"", all"\n') == {"Paid, other": 'The "rest", all'}


def test_a_file_may_begin_with_a_byte_order_mark_and_have_lines_of_windows(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffchannel_name,channel_group\r\nÖffis,Café\r\n") == {"Öffis": "Café"}


def test_empty_lines_mean_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, HEADER + "\nSEO,Search\n\n") == {"SEO": "Search"}


@pytest.mark.parametrize("header", ["", "SEO,Search\n", "channel_group,channel_name\n", "channel_name\n", HEADER[:-1] + ",x\n"])
def test_another_header_is_refused(tmp_path: Path, header: str) -> None:
    assert refusal(tmp_path, header) == f"{tmp_path / 'groups.csv'} must begin with the line channel_name,channel_group."


@pytest.mark.parametrize("line", ["SEA", "SEA,", ",Search", "SEA,Search,more", "SEA,Search,", ","])
def test_a_line_that_is_not_a_channel_and_its_group_is_refused(tmp_path: Path, line: str) -> None:
    assert refusal(tmp_path, f"{HEADER}SEO,Search\n{line}\nEmail,Email\n") == (
        f"{tmp_path / 'groups.csv'}, line 3: write a channel, a comma and its group."
    )


@pytest.mark.parametrize("group", ["Search", "Other"])
def test_a_channel_that_is_named_twice_is_refused(tmp_path: Path, group: str) -> None:
    assert refusal(tmp_path, f"{HEADER}SEO,Search\nSEA,Search\nSEO,{group}\n") == (
        f"{tmp_path / 'groups.csv'}, line 4: SEO has a group already. Name it once."
    )


@pytest.mark.parametrize("line", ['SEA,"Search', '"SEA,Search', 'SEA,"Search"es'])
def test_a_quote_that_is_not_closed_or_not_at_the_end_is_refused(tmp_path: Path, line: str) -> None:
    message = refusal(tmp_path, f"{HEADER}{line}\nEmail,Email\n")

    assert message.startswith(f"The channel groups in {tmp_path / 'groups.csv'} cannot be read: ")
    assert "\n" not in message


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AttributionError, match=r"^The channel groups in [^\n]*none\.csv cannot be read: [^\n]+\.$"):
        read_channel_groups(tmp_path / "none.csv")


def test_a_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AttributionError, match=r"^The channel groups in [^\n]+ cannot be read: [^\n]+\.$"):
        read_channel_groups(tmp_path)


def test_a_file_that_is_not_utf_8_is_refused_in_one_line(tmp_path: Path) -> None:
    message = refusal(tmp_path, HEADER.encode() + "Café,Café\n".encode("latin-1"))

    assert message.startswith(f"The channel groups in {tmp_path / 'groups.csv'} cannot be read: ")
    assert "\n" not in message
