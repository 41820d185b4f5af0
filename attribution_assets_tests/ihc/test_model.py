"""The IHC model: journeys worked out by hand, properties of all journeys, and the service's recorded answers."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import PRESETS, IHCParameters, attribute
from attribution_assets_tests.ihc import reference
from attribution_assets_tests.ihc.sessions import (
    ALL_CHANNELS,
    PHASES,
    STARTS,
    Row,
    exactly,
    journey,
    made_up,
    session,
    several_journeys,
    text,
)
from attribution_assets_tests.support import PROJECT, SHARED

RECORDED = SHARED / "real" / "ihc" / "recorded_answers.csv"

COLUMNS = ["conv_id", "session_id", "timestamp", "channel_label", "holder_engagement", "closer_engagement"]


# What the tests are made of -------------------------------------------------------------------------------------------


def credit(*rows: Row, parameters: IHCParameters | None = None) -> dict[str, tuple[float, ...]]:
    """Initializer, holder, closer and ihc by session."""
    result = attribute(pd.DataFrame(rows), parameters or made_up())
    return dict(zip(result["session_id"], result[PHASES].itertuples(index=False, name=None), strict=True))


def phase(result: dict[str, tuple[float, ...]], name: str) -> tuple[float, ...]:
    """One phase of every session, in the order given."""
    return tuple(shares[PHASES.index(name)] for shares in result.values())


# By hand --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holder", [0, 1])
@pytest.mark.parametrize("closer", [0, 1])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_single_session_starts_and_closes_its_journey_whatever_its_flags(preset: str, holder: int, closer: int) -> None:
    row = session("a", 0, "Direct Traffic", holder=holder, closer=closer)

    assert credit(row, parameters=IHCParameters.load(preset)) == {"a": (1.0, 0.0, 1.0, 1.0)}


def test_two_sessions_share_by_gap_distance_and_both_means() -> None:
    # f_I(5 h) = 1/2: m_I = 1, 1/2, so I = 2/3, 1/3; without a closer engagement before the end C = 0, 1.
    # a: a = 1/3, b = 1: arithmetic mean 2/3, harmonic 2 * (1/3) / (4/3) = 1/2, half their sum 7/12.
    # b: a = 2/3, b = 0: arithmetic mean 1/3, harmonic 0, half their sum 2/12. So H = 7/9, 2/9.
    result = credit(session("a", 0, closer=0), session("b", 5))

    assert result["a"] == exactly(2 / 3, 7 / 9, 0, 0.2 * 2 / 3 + 0.5 * 7 / 9)
    assert result["b"] == exactly(1 / 3, 2 / 9, 1, 0.2 * 1 / 3 + 0.5 * 2 / 9 + 0.3)


def test_an_earlier_session_closes_by_its_distance_to_the_last_one() -> None:
    # To the last session: 8 h, 4 h (not engaged), 0 h: m_C = 1/5, 0, 1, so C = 1/6, 0, 5/6.
    result = credit(session("a", 0), session("b", 4, closer=0), session("c", 8))

    assert phase(result, "closer") == exactly(1 / 6, 0, 5 / 6)


def test_an_initializer_counts_from_the_session_before_it() -> None:
    # Since the session before: 2 h, 6 h: m_I = 1, 1/5, 3/5, so I = 5/9, 1/9, 3/9.
    result = credit(session("a", 0), session("b", 2), session("c", 8))

    assert phase(result, "initializer") == exactly(5 / 9, 1 / 9, 3 / 9)


def test_a_return_after_a_saturating_gap_cuts_what_came_before() -> None:
    # m_I = 1, 1/2, 1 (15 h), 1/2: the journey starts anew with c. Over all four sessions nI = 1/3, 1/6, 1/3, 1/6, over
    # the last two I = 2/3, 1/3. Closers: 0, 0, 0, 1.
    # The holder's a is 1 - nI of the whole journey: c: a = 2/3, b = 1: (5/6 + 4/5) / 2 = 49/60; d: a = 5/6, b = 0:
    # 5/12 / 2 = 5/24. So H = 98/123, 25/123.
    result = credit(session("a", 0), session("b", 5), session("c", 20, closer=0), session("d", 25))

    assert result["a"] == result["b"] == (0, 0, 0, 0)
    assert result["c"] == exactly(2 / 3, 98 / 123, 0, 0.2 * 2 / 3 + 0.5 * 98 / 123)
    assert result["d"] == exactly(1 / 3, 25 / 123, 1, 0.2 * 1 / 3 + 0.5 * 25 / 123 + 0.3)


def test_a_gap_that_saturates_exactly_cuts_and_a_second_less_does_not() -> None:
    cut = credit(session("a", 0), session("b", 10))
    whole = credit(session("a", 0), session("b", 10 - 1 / 3600))

    assert cut["a"] == (0, 0, 0, 0)
    assert whole["a"][0] > 0.5


def test_the_last_session_closes_without_a_closer_engagement() -> None:
    # m_C = 1/2, 1 although the last session's flag is 0.
    result = credit(session("a", 0, closer=1), session("b", 5, closer=0))

    assert phase(result, "closer") == exactly(1 / 3, 2 / 3)


def test_without_a_holder_engagement_the_two_other_phases_weigh_alone() -> None:
    # I = 2/3, 1/3 and C = 0, 1, weighed .2 : .3, that is 2/5 : 3/5.
    result = credit(session("a", 0, holder=0, closer=0), session("b", 5, holder=0))

    assert result["a"] == exactly(2 / 3, 0, 0, 4 / 15)
    assert result["b"] == exactly(1 / 3, 0, 1, 11 / 15)


def test_a_holder_engagement_before_the_cut_counts_as_none() -> None:
    # b stands alone after the cut: I = C = 1, H = 0, and ihc is 1 all the same.
    result = credit(session("a", 0, holder=1), session("b", 15, holder=0))

    assert result == {"a": (0, 0, 0, 0), "b": exactly(1, 0, 1, 1)}


def test_channel_weights_favour_a_channel_in_each_phase() -> None:
    # Unweighted I = 2/3, 1/3; C = 1/3, 2/3; H = 1/2, 1/2 (a and b are each other's mirror image).
    # Email counts double, threefold, fourfold: I = 4 : 1, H = 3 : 1, C = 4 : 2.
    weights = {"Email": {"initializer": 2.0, "holder": 3.0, "closer": 4.0}}
    result = credit(session("a", 0, "Email"), session("b", 5, "Other"), parameters=made_up(channels=weights))

    assert result["a"] == exactly(4 / 5, 3 / 4, 2 / 3, 0.2 * 4 / 5 + 0.5 * 3 / 4 + 0.3 * 2 / 3)
    assert result["b"] == exactly(1 / 5, 1 / 4, 1 / 3, 0.2 * 1 / 5 + 0.5 * 1 / 4 + 0.3 * 1 / 3)


def test_a_channel_without_weights_has_weight_one() -> None:
    email = {"initializer": 2.0, "holder": 3.0, "closer": 4.0}
    one = {"initializer": 1.0, "holder": 1.0, "closer": 1.0}
    rows = [session("a", 0, "Email"), session("b", 5, "Other")]

    unknown = credit(*rows, parameters=made_up(channels={"Email": email}))
    known = credit(*rows, parameters=made_up(channels={"Email": email, "Other": one}))

    assert unknown == known


def test_beyond_the_table_the_value_of_its_end_holds() -> None:
    # f_I is 1/4 up to 1 h and 1/2 from 2 h on, f_C 1/2 up to 1 h and 1/5 from 2 h on. Gaps: 0 h, 100 h.
    # m_I = 1, 1/4, 1/2: I = 4/7, 1/7, 2/7. m_C = 1/5, 1/5, 1: C = 1/7, 1/7, 5/7.
    ends = made_up(initializer=[(1, 0.25), (2, 0.5)], closer=[(1, 0.5), (2, 0.2)])
    result = credit(session("a", 0), session("b", 0), session("c", 100), parameters=ends)

    assert phase(result, "initializer") == exactly(4 / 7, 1 / 7, 2 / 7)
    assert phase(result, "closer") == exactly(1 / 7, 1 / 7, 5 / 7)


def test_before_the_table_the_value_of_its_start_holds() -> None:
    # Half an hour: f_I = 1/4, f_C = 1/2.
    ends = made_up(initializer=[(1, 0.25), (2, 0.5)], closer=[(1, 0.5), (2, 0.2)])
    result = credit(session("a", 0), session("b", 0.5), parameters=ends)

    assert phase(result, "initializer") == exactly(4 / 5, 1 / 5)
    assert phase(result, "closer") == exactly(1 / 3, 2 / 3)


# Jumps ----------------------------------------------------------------------------------------------------------------


TENTHS = st.integers(1, 400)
"""Of an hour: 360 seconds each."""


def shares_after(start: datetime, gap: timedelta, parameters: IHCParameters) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What two sessions with this gap get, the first at `start`."""
    first = {**session("a", 0), "timestamp": text(start)}
    second = {**session("b", 0), "timestamp": text(start + gap)}
    result = credit(first, second, parameters=parameters)
    return result["a"], result["b"]


@example(datetime(2023, 9, 1, 7, 13, 20), 1)
@given(STARTS, TENTHS)
def test_a_closer_at_a_jump_belongs_to_the_left_piece_anywhere_in_time(start: datetime, tenths: int) -> None:
    # f_C falls from 1 to 0 at the gap: at the gap itself C = 1/2, 1/2, a second later 0, 1.
    jump = made_up(initializer=[(0, 0.5)], closer=[(0, 1), (tenths / 10, 1), (tenths / 10, 0)])
    gap = timedelta(seconds=360 * tenths)

    at, _ = shares_after(start, gap, jump)
    after, _ = shares_after(start, gap + timedelta(seconds=1), jump)

    assert (at[2], after[2]) == (0.5, 0)


@example(datetime(2023, 9, 1, 7, 13, 20), 1)
@given(STARTS, TENTHS)
def test_an_initializer_at_a_jump_belongs_to_the_left_piece_anywhere_in_time(start: datetime, tenths: int) -> None:
    # f_I rises from 0 to 1/2 at the gap: at the gap itself I = 1, 0, a second later 2/3, 1/3.
    jump = made_up(initializer=[(0, 0), (tenths / 10, 0), (tenths / 10, 0.5)])
    gap = timedelta(seconds=360 * tenths)

    _, at = shares_after(start, gap, jump)
    _, after = shares_after(start, gap + timedelta(seconds=1), jump)

    assert at[0] == 0
    assert after[0] == pytest.approx(1 / 3)


# Properties -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
@given(rows=journey())
@settings(max_examples=200)
def test_a_journey_is_credited_as_the_formula_says(preset: str, rows: list[Row]) -> None:
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

    result = attribute(pd.DataFrame(rows), parameters)[PHASES].to_numpy()

    assert np.abs(result - reference.answer(sessions, parameters.model_dump())).max() <= 1e-12


@pytest.mark.parametrize("preset", PRESETS)
@given(journeys=several_journeys())
def test_each_phase_of_a_journey_sums_to_one_and_the_holder_to_one_or_nothing(preset: str, journeys: pd.DataFrame) -> None:
    result = attribute(journeys, preset)
    sums = result.groupby("conv_id")[PHASES].sum()

    assert result[PHASES].ge(0).all(axis=None)
    assert result[PHASES].le(1).all(axis=None)
    for column in ("initializer", "closer", "ihc"):
        assert np.abs(sums[column] - 1).max() <= 1e-9
    assert np.minimum(np.abs(sums["holder"] - 1), sums["holder"]).max() <= 1e-9


@pytest.mark.parametrize("preset", PRESETS)
@given(journeys=several_journeys())
def test_a_journey_is_credited_the_same_alone_and_among_others(preset: str, journeys: pd.DataFrame) -> None:
    together = attribute(journeys, preset)

    alone = [attribute(rows, preset) for _, rows in journeys.groupby("conv_id")]

    pd.testing.assert_frame_equal(pd.concat(alone), together, check_exact=True)


def test_long_journeys_are_credited_the_same_alone_and_among_others() -> None:
    chance = random.Random(0)
    sizes = [*range(1, 40), 127, 128, 129, 1000]
    journeys = pd.DataFrame(
        session(f"{k:04}", k * 0.9, chance.choice(ALL_CHANNELS), conv_id=f"{n:04}", holder=k % 2, closer=chance.randint(0, 1))
        for n in sizes
        for k in range(n)
    )
    together = attribute(journeys)

    alone = [attribute(rows) for _, rows in journeys.groupby("conv_id")]

    pd.testing.assert_frame_equal(pd.concat(alone), together, check_exact=True)


@given(journeys=several_journeys(), chance=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_changes_nothing_but_the_order_of_the_result(
    journeys: pd.DataFrame, chance: random.Random
) -> None:
    order = chance.sample(range(len(journeys)), len(journeys))

    shuffled = attribute(journeys.iloc[order])

    pd.testing.assert_frame_equal(shuffled, attribute(journeys).iloc[order], check_exact=True)


@given(rows=journey(), days=st.integers(-30_000, 30_000), seconds=st.integers(0, 86_399))
def test_a_journey_at_another_time_is_credited_the_same(rows: list[Row], days: int, seconds: int) -> None:
    here = pd.DataFrame(rows)
    there = here.assign(timestamp=pd.to_datetime(here["timestamp"]) + pd.Timedelta(days=days, seconds=seconds))

    pd.testing.assert_frame_equal(attribute(there), attribute(here), check_exact=True)


# Rows, order and times ------------------------------------------------------------------------------------------------


def test_the_result_keeps_the_order_and_the_index_of_the_rows_given() -> None:
    rows = [session("b", 5, conv_id="2"), session("a", 0, conv_id="1"), session("a", 0, conv_id="2")]
    journeys = pd.DataFrame(rows, index=[7, 3, 7])

    result = attribute(journeys)

    assert result.index.tolist() == [7, 3, 7]
    assert result[["conv_id", "session_id"]].to_numpy().tolist() == [["2", "b"], ["1", "a"], ["2", "a"]]
    assert list(result.columns) == ["conv_id", "session_id", *PHASES]


def test_the_rows_given_are_not_changed() -> None:
    journeys = pd.DataFrame([session("b", 5), session("a", 0)])
    before = journeys.copy()

    attribute(journeys)

    pd.testing.assert_frame_equal(journeys, before)


def test_equal_times_are_ordered_by_session_id() -> None:
    # A gap of 0 h: I = 1, 0. The first is a, wherever it stands.
    rows = [session("b", 0), session("a", 0)]

    assert [credit(*order)["a"][0] for order in (rows, rows[::-1])] == [1, 1]


def test_rows_of_equal_time_and_session_id_stay_in_the_order_given() -> None:
    # A gap of 0 h: I = 1, 0. Enough journeys at one time for a sort that is not stable to mix their rows.
    rows = [session("a", 0, conv_id=str(number), channel=channel) for channel in ("SEO", "Email") for number in range(100)]

    result = attribute(pd.DataFrame(rows), made_up())

    assert result["initializer"].tolist() == [1] * 100 + [0] * 100


def test_equal_conv_ids_are_one_journey_wherever_their_rows_stand() -> None:
    apart = credit(session("a", 0, conv_id="1"), session("x", 1, conv_id="2"), session("b", 5, conv_id="1"))

    assert apart["a"][0] + apart["b"][0] == pytest.approx(1)
    assert apart["x"] == (1, 0, 1, 1)


def test_no_rows_give_no_rows_with_the_same_columns() -> None:
    result = attribute(pd.DataFrame(columns=COLUMNS))

    assert len(result) == 0
    assert list(result.columns) == ["conv_id", "session_id", *PHASES]
    assert {str(dtype) for dtype in result[PHASES].dtypes} == {"float64"}


@pytest.mark.parametrize("dtype", ["datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]"])
def test_datetime_timestamps_mean_the_same_as_text(dtype: str) -> None:
    journeys = pd.DataFrame([session("a", 0), session("b", 0.1), session("c", 7)])

    result = attribute(journeys.assign(timestamp=np.array(journeys["timestamp"], dtype=dtype)))

    pd.testing.assert_frame_equal(result, attribute(journeys), check_exact=True)


# Errors ---------------------------------------------------------------------------------------------------------------


def refusal(journeys: pd.DataFrame) -> str:
    """The message of the AttributionError, which is one line."""
    with pytest.raises(AttributionError) as raised:
        attribute(journeys)

    message = str(raised.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(column: str) -> None:
    journeys = pd.DataFrame([session("a", 0), session("b", 5)])

    assert f"lack the column {column}." in refusal(journeys.drop(columns=column))


@pytest.mark.parametrize("nothing", [None, float("nan")])
@pytest.mark.parametrize("column", COLUMNS)
def test_the_column_of_a_missing_value_is_named(column: str, nothing: Any) -> None:
    journeys = pd.DataFrame([session("a", 0), {**session("b", 5), column: nothing}])

    assert column in refusal(journeys)


@pytest.mark.parametrize("flag", [2, -1, 0.5, "1", "yes"])
@pytest.mark.parametrize("column", ["holder_engagement", "closer_engagement"])
def test_the_column_of_a_flag_that_is_neither_0_nor_1_is_named(column: str, flag: Any) -> None:
    journeys = pd.DataFrame([session("a", 0), {**session("b", 5), column: flag}])

    assert column in refusal(journeys)


@pytest.mark.parametrize(
    "timestamp",
    [
        "yesterday",
        "2023-13-01 00:00:00",
        "01/09/2023 00:00:00",
        "",  # read as no time, which would stand before all others
        "NaT",
        "0023-09-01 00:00:00",  # a date, but none that nanoseconds reach
    ],
)
def test_an_unreadable_timestamp_is_refused(timestamp: str) -> None:
    journeys = pd.DataFrame([session("a", 0), {**session("b", 5), "timestamp": timestamp}])

    assert "timestamp" in refusal(journeys)


# The service's answers ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"the recorded answers of the IHC service are not there: {RECORDED}")
def test_every_recorded_answer_is_given_back_within_a_thousandth() -> None:
    recorded = pd.read_csv(RECORDED, dtype={"request": "str"})
    journeys = recorded.assign(conv_id=recorded["request"] + " " + recorded["conversion_id"])

    result = attribute(journeys, "alternative")
    error = (result[PHASES] - recorded[PHASES]).abs().max(axis="columns")

    assert len(recorded) == 1944
    assert recorded[error > 0.001].empty


# Imports --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "module", ["attribution_assets.ihc", "attribution_assets.warehouse", "attribution_assets.warehouse.sqlite.sample_data"]
)
def test_what_needs_no_dagster_does_not_import_it(module: str, tmp_path: Path) -> None:
    code = f"import {module}, sys; print(*sorted(name for name in sys.modules if name.startswith('dagster')))"

    imported = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert imported.stdout.strip() == ""
