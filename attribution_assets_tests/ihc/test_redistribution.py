"""Redistribution: shares moved by hand, properties of all journeys, JSON files, and what is refused."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import PRESETS, IHCParameters, Redistribution, attribute
from attribution_assets.ihc.model import move
from attribution_assets.ihc.redistribution import PhaseRedistribution
from attribution_assets.models.journeys import Journeys
from attribution_assets_tests.ihc import reference
from attribution_assets_tests.ihc.sessions import (
    ALL_CHANNELS,
    PHASES,
    Row,
    exactly,
    journey,
    made_up,
    session,
    several_journeys,
)

DIRECTIONS = ["earlier_sessions_only", "any_session", "later_sessions_only"]
MOVABLE = ["initializer", "holder", "closer"]

Content = dict[str, Any]


# What the tests are made of -------------------------------------------------------------------------------------------


def rule(direction: str = "any_session", threshold: float = 0, labels: tuple[str, ...] = ("Direct",)) -> Content:
    return {"direction": direction, "receive_threshold": threshold, "redistribution_channel_labels": list(labels)}


def moved(*journeys: list[tuple[str, float]], direction: str = "any_session", threshold: float = 0) -> tuple[float, ...]:
    """The shares of one phase after Direct gave its own away; a journey is its sessions' channels and shares."""
    sessions = [session for sessions in journeys for session in sessions]
    labels = sorted({channel for channel, _ in sessions})
    shares = move(
        Journeys(
            offsets=np.cumsum([0, *map(len, journeys)])[:-1],
            time=np.zeros(len(sessions), dtype=np.int64),
            channel=np.array([labels.index(channel) for channel, _ in sessions]),
            labels=tuple(labels),
        ),
        np.array([share for _, share in sessions]),
        PhaseRedistribution.model_validate(rule(direction, threshold)),
    )
    return tuple(shares.tolist())


def credit(*rows: Row, **phases: Content) -> dict[str, tuple[float, ...]]:
    """Initializer, holder, closer and ihc by session, after these phases were redistributed."""
    result = attribute(pd.DataFrame(rows), made_up(), redistribution=Redistribution.model_validate(phases) if phases else None)
    return dict(zip(result["session_id"], result[PHASES].itertuples(index=False, name=None), strict=True))


# By hand --------------------------------------------------------------------------------------------------------------


def test_a_share_moves_to_earlier_sessions_in_proportion_to_theirs() -> None:
    shares = moved([("SEO", 0.1), ("Email", 0.3), ("Direct", 0.4), ("SEO", 0.2)], direction="earlier_sessions_only")

    assert shares == exactly(0.2, 0.6, 0, 0.2)


def test_a_share_moves_to_later_sessions_in_proportion_to_theirs() -> None:
    shares = moved([("SEO", 0.2), ("Direct", 0.4), ("SEO", 0.1), ("Email", 0.3)], direction="later_sessions_only")

    assert shares == exactly(0.2, 0, 0.2, 0.6)


def test_a_share_moves_to_both_sides_in_proportion_to_theirs() -> None:
    shares = moved([("SEO", 0.1), ("Direct", 0.6), ("Email", 0.3)], direction="any_session")

    assert shares == exactly(0.25, 0, 0.75)


def test_each_giver_has_its_own_receivers_and_all_give_at_once() -> None:
    # The first Direct gives .1 to SEO. The second divides .5 over SEO and Email by their .2 and .2, not by .3 and .2.
    shares = moved([("SEO", 0.2), ("Direct", 0.1), ("Email", 0.2), ("Direct", 0.5)], direction="earlier_sessions_only")

    assert shares == exactly(0.2 + 0.1 + 0.25, 0, 0.2 + 0.25, 0)


@pytest.mark.parametrize(
    ("direction", "sessions"),
    [
        ("earlier_sessions_only", [("Direct", 0.4), ("SEO", 0.6)]),
        ("later_sessions_only", [("SEO", 0.6), ("Direct", 0.4)]),
        ("any_session", [("Direct", 0.4), ("Direct", 0.6)]),
        ("any_session", [("Direct", 1.0)]),
    ],
)
def test_a_giver_without_receivers_keeps_its_share(direction: str, sessions: list[tuple[str, float]]) -> None:
    assert moved(sessions, direction=direction) == tuple(share for _, share in sessions)


@pytest.mark.parametrize("direction", ["earlier_sessions_only", "any_session"])
def test_a_session_receives_from_the_threshold_on(direction: str) -> None:
    shares = moved([("SEO", 0.25), ("Email", 0.125), ("Direct", 0.625)], direction=direction, threshold=0.25)

    assert shares == (0.875, 0.125, 0)


def test_what_a_session_receives_does_not_lift_it_over_the_threshold() -> None:
    shares = moved([("SEO", 0.25), ("Direct", 0.25), ("Email", 0.5)], direction="any_session", threshold=0.375)

    assert shares == (0.25, 0, 0.75)


def test_a_session_without_a_share_receives_nothing() -> None:
    assert moved([("SEO", 0.0), ("Email", 0.5), ("Direct", 0.5)]) == (0, 1, 0)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_smallest_share_there_is_receives_nothing(direction: str) -> None:
    # In proportion to 5e-324 the giver's share would be divided by it, beyond the largest float.
    sessions = [("SEO", 5e-324), ("Direct", 1.0), ("SEO", 5e-324)]

    assert moved(sessions, direction=direction) == (5e-324, 1, 5e-324)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_share_stays_in_its_journey(direction: str) -> None:
    shares = moved([("SEO", 1.0)], [("Direct", 1.0)], [("SEO", 1.0)], direction=direction)

    assert shares == (1, 1, 1)


def test_ihc_is_computed_from_the_phases_as_moved() -> None:
    # Unmoved: I = 2/3, 1/3; H = 7/9, 2/9; C = 0, 1, weighed .2, .5, .3. Direct gives its 2/3 of I to Email.
    rows = [session("a", 0, "Direct", closer=0), session("b", 5, "Email")]
    result = credit(*rows, initializer=rule("later_sessions_only"))

    assert result["a"] == exactly(0, 7 / 9, 0, 0.5 * 7 / 9)
    assert result["b"] == exactly(1, 2 / 9, 1, 0.2 + 0.5 * 2 / 9 + 0.3)


def test_each_phase_moves_by_its_own_rule() -> None:
    # Unmoved: H = 7/9, 2/9; C = 0, 1.
    rows = [session("a", 0, "Direct", closer=0), session("b", 5, "Email")]
    result = credit(*rows, holder=rule("later_sessions_only"), closer=rule("any_session", labels=("Email",)))

    assert result["a"] == exactly(2 / 3, 0, 0, 0.2 * 2 / 3)
    assert result["b"] == exactly(1 / 3, 1, 1, 0.2 * 1 / 3 + 0.5 + 0.3)


def test_sessions_at_one_time_are_earlier_and_later_by_their_session_id() -> None:
    # C = 1/2, 1/2, both sessions being at the end.
    rows = [session("b", 0, "Email"), session("a", 0, "Direct")]

    assert [credit(*order, closer=rule("later_sessions_only"))["b"][2] for order in (rows, rows[::-1])] == [1, 1]
    assert [credit(*order, closer=rule("earlier_sessions_only"))["b"][2] for order in (rows, rows[::-1])] == [0.5, 0.5]


def test_a_session_before_the_cut_receives_nothing() -> None:
    # 15 h saturate f_I: b starts the journey anew, alone.
    result = credit(session("a", 0, "Email"), session("b", 15, "Direct"), initializer=rule(), holder=rule(), closer=rule())

    assert result == {"a": (0, 0, 0, 0), "b": exactly(1, 1, 1, 1)}


# Properties -----------------------------------------------------------------------------------------------------------

RULES = st.builds(
    rule,
    st.sampled_from(DIRECTIONS),
    st.sampled_from([0, 0.0137, 0.1234567, 0.31, 1]),
    st.lists(st.sampled_from(ALL_CHANNELS), min_size=1, max_size=12).map(tuple),
)
CONTENTS = st.dictionaries(st.sampled_from(MOVABLE), RULES, min_size=1)


def before_and_after(journeys: pd.DataFrame, content: Content) -> tuple[pd.DataFrame, pd.DataFrame]:
    return attribute(journeys), attribute(journeys, redistribution=Redistribution.model_validate(content))


@pytest.mark.parametrize("preset", PRESETS)
@given(rows=journey(), content=CONTENTS)
def test_a_journey_is_redistributed_as_the_rule_says(preset: str, rows: list[Row], content: Content) -> None:
    parameters = IHCParameters.load(preset)
    first = datetime.fromisoformat(rows[0]["timestamp"])
    sessions = [
        reference.Session(
            (datetime.fromisoformat(row["timestamp"]) - first) // timedelta(seconds=1),
            row["channel_label"],
            row["holder_engagement"],
            row["closer_engagement"],
        )
        for row in rows
    ]

    result = attribute(pd.DataFrame(rows), parameters, redistribution=Redistribution.model_validate(content))
    expected = reference.answer(sessions, parameters.model_dump(), content)

    assert np.abs(result[PHASES].to_numpy() - expected).max() <= 1e-12


@given(journeys=several_journeys(), content=CONTENTS)
def test_the_sum_of_each_phase_of_a_journey_stays(journeys: pd.DataFrame, content: Content) -> None:
    before, after = (result.groupby("conv_id")[PHASES].sum() for result in before_and_after(journeys, content))

    assert np.abs(before - after).max(axis=None) <= 1e-12
    assert np.abs(after["ihc"] - 1).max() <= 1e-12


@given(journeys=several_journeys(), content=CONTENTS)
@settings(max_examples=50)
def test_a_phase_that_is_not_named_stays_as_it_is(journeys: pd.DataFrame, content: Content) -> None:
    others = [phase for phase in MOVABLE if phase not in content]
    before, after = before_and_after(journeys, content)

    pd.testing.assert_frame_equal(after[others], before[others], check_exact=True)


@given(rows=journey(), content=CONTENTS)
def test_only_who_can_receive_gains_and_a_giver_loses_all_or_nothing(rows: list[Row], content: Content) -> None:
    before, after = before_and_after(pd.DataFrame(rows), content)
    for phase, moving in content.items():
        shares = before[phase].to_numpy()
        named = np.array([row["channel_label"] in moving["redistribution_channel_labels"] for row in rows])
        gives, receives = named & (shares > 0), ~named & (shares > 0) & (shares >= moving["receive_threshold"])
        earlier, later = moving["direction"] != "later_sessions_only", moving["direction"] != "earlier_sessions_only"
        for k, (old, new) in enumerate(zip(shares, after[phase], strict=True)):
            reached = (earlier and receives[:k].any()) or (later and receives[k:].any())
            given_to = (earlier and gives[k:].any()) or (later and gives[:k].any())
            if gives[k]:
                assert new == (0 if reached else old)
            elif receives[k] and given_to:
                assert new >= old
            else:
                assert new == old


@given(journeys=several_journeys(), moving=RULES)
@settings(max_examples=50)
def test_without_a_session_of_the_named_channels_nothing_changes(journeys: pd.DataFrame, moving: Content) -> None:
    absent = {**moving, "redistribution_channel_labels": ["Nowhere"]}
    before, after = before_and_after(journeys, dict.fromkeys(MOVABLE, absent))

    pd.testing.assert_frame_equal(after, before, check_exact=True)


@given(journeys=several_journeys(), content=CONTENTS)
def test_a_journey_is_redistributed_the_same_alone_and_among_others(journeys: pd.DataFrame, content: Content) -> None:
    redistribution = Redistribution.model_validate(content)
    together = attribute(journeys, redistribution=redistribution)

    alone = [attribute(rows, redistribution=redistribution) for _, rows in journeys.groupby("conv_id")]

    pd.testing.assert_frame_equal(pd.concat(alone), together, check_exact=True)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_long_journeys_are_redistributed_the_same_alone_and_among_others(direction: str) -> None:
    chance = random.Random(0)
    sizes = [*range(1, 40), 127, 128, 129, 1000]
    journeys = pd.DataFrame(
        session(f"{k:04}", k * 0.9, chance.choice(ALL_CHANNELS), conv_id=f"{n:04}", holder=k % 2, closer=chance.randint(0, 1))
        for n in sizes
        for k in range(n)
    )
    giving = tuple(ALL_CHANNELS[::2])
    redistribution = Redistribution.model_validate(dict.fromkeys(MOVABLE, rule(direction, 0.0001, giving)))
    together = attribute(journeys, redistribution=redistribution)

    alone = [attribute(rows, redistribution=redistribution) for _, rows in journeys.groupby("conv_id")]

    pd.testing.assert_frame_equal(pd.concat(alone), together, check_exact=True)


# Files ----------------------------------------------------------------------------------------------------------------


def content() -> Content:
    """The service's own example."""
    return {
        "initializer": rule("earlier_sessions_only", 0, ("Direct", "Email_Newsletter")),
        "holder": rule("any_session", 0, ("Direct", "Email_Newsletter")),
        "closer": rule("later_sessions_only", 0.1, ("SEO - Brand",)),
    }


def written(folder: Path, content: Content) -> Path:
    path = folder / "ours.json"
    path.write_text(json.dumps(content))
    return path


def test_a_file_holds_what_the_service_is_sent(tmp_path: Path) -> None:
    assert Redistribution.load(written(tmp_path, content())).as_sent() == content()


@pytest.mark.parametrize("phase", MOVABLE)
def test_a_phase_that_is_absent_is_not_sent(tmp_path: Path, phase: str) -> None:
    one = {phase: content()[phase]}

    assert Redistribution.load(written(tmp_path, one)).as_sent() == one


@pytest.mark.parametrize("as_given", [str, Path, Redistribution.load])
def test_attribute_takes_a_path_or_what_is_loaded(tmp_path: Path, as_given: Callable[[Path], Any]) -> None:
    path = written(tmp_path, {"initializer": rule()})
    journeys = pd.DataFrame([session("a", 0, "Direct"), session("b", 5, "Email")])

    assert attribute(journeys, redistribution=as_given(path))["initializer"].tolist() == [0, 1]


def test_a_file_is_named_in_results_by_its_name_and_a_hash_of_its_content(tmp_path: Path) -> None:
    path = written(tmp_path, content())

    assert Redistribution.load(path).name == f"ours.json@{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


# Refused --------------------------------------------------------------------------------------------------------------


def refusal(redistribution: str | Path) -> str:
    """The message of the AttributionError, which is one line."""
    with pytest.raises(AttributionError) as raised:
        Redistribution.load(redistribution)

    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("unknown", ["nowhere.json", ".", "", "~nobody-of-that-name/ours.json", "x" * 300])
def test_a_file_that_is_not_there_is_refused_by_its_name(unknown: str) -> None:
    assert repr(unknown) in refusal(unknown)


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"holder: 1", b"\xff\xfe"])
def test_a_file_that_is_no_json_object_is_refused_by_its_path(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "ours.json"
    path.write_bytes(text)

    assert str(path) in refusal(path)


@pytest.mark.parametrize("empty", [{}, {"holder": None}])
def test_a_file_that_names_no_phase_is_refused(tmp_path: Path, empty: Content) -> None:
    path = written(tmp_path, empty)

    assert str(path) in refusal(path)
    assert "initializer, holder, closer" in refusal(path)


@pytest.mark.parametrize("phase", MOVABLE)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("direction", "earlier"),
        ("direction", None),
        ("receive_threshold", -0.1),
        ("receive_threshold", 1.1),
        ("receive_threshold", float("nan")),
        ("receive_threshold", "much"),
        ("redistribution_channel_labels", []),
        ("redistribution_channel_labels", "Direct"),
        ("redistribution_channel_labels", [1]),
        ("unknown", 1),
    ],
)
def test_a_wrong_value_is_refused_by_its_phase_and_key(tmp_path: Path, phase: str, key: str, value: Any) -> None:
    wrong = content()
    wrong[phase][key] = value
    path = written(tmp_path, wrong)

    assert f"{path} contains no valid redistribution: {phase}.{key}" in refusal(path)


@pytest.mark.parametrize("key", list(rule()))
def test_a_missing_key_is_refused(tmp_path: Path, key: str) -> None:
    wrong = content()
    del wrong["holder"][key]
    path = written(tmp_path, wrong)

    assert f"{path} contains no valid redistribution: holder.{key}" in refusal(path)


def test_an_unknown_phase_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {**content(), "opener": rule()})

    assert f"{path} contains no valid redistribution: opener" in refusal(path)
