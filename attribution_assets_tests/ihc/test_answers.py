"""Recorded answers: what a file may hold, and how the embedded model is compared with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.answers import COLUMNS, compare_answers, predict, read_answers
from attribution_assets_tests.support import SHARED

RECORDED = SHARED / "real" / "ihc" / "recorded_answers.csv"

SHARES = ["initializer", "holder", "closer", "ihc"]

Row = dict[str, Any]


def answer(
    session_id: str, time: str, channel: str = "Email", *, conversion: str = "c", request: str = "0", **other: Any
) -> Row:
    """A session of 2023-09-01, engaged, and its answer: all of the ihc unless said otherwise."""
    row = {
        "request": request,
        "conversion_id": conversion,
        "session_id": session_id,
        "timestamp": f"2023-09-01 {time}",
        "channel_label": channel,
        "holder_engagement": 1,
        "closer_engagement": 1,
        "initializer": 1.0,
        "holder": 0.0,
        "closer": 1.0,
        "ihc": 1.0,
    }
    return {**row, **other}


def written(folder: Path, *rows: Row) -> Path:
    path = folder / "answers.csv"
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def by_the_hour() -> IHCParameters:
    """An hour adds a tenth to f_I and takes one from f_C, up to ten hours; phase weights .2, .5, .3; all channels weigh 1."""
    return IHCParameters.model_validate(
        {
            "phase_weights": {"initializer": 0.2, "holder": 0.5, "closer": 0.3},
            "channel_weights": {},
            "initializer_membership": [(0, 0), (10, 1)],
            "closer_membership": [(0, 1), (10, 0)],
        }
    )


# Reading --------------------------------------------------------------------------------------------------------------


def test_ids_that_look_like_numbers_or_nothing_stay_as_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, answer("007", "10:00:00", "None", conversion="NA", request="1e5"))

    row = read_answers(path).iloc[0]

    assert row[["request", "conversion_id", "session_id", "channel_label"]].tolist() == ["1e5", "NA", "007", "None"]


def test_times_are_read_as_utc_flags_as_whole_numbers_and_outputs_as_decimals(tmp_path: Path) -> None:
    read = read_answers(written(tmp_path, answer("a", "10:00:00")))

    assert read["timestamp"].iloc[0] == pd.Timestamp("2023-09-01 10:00:00", tz="UTC")
    assert read.dtypes[["holder_engagement", "closer_engagement"]].astype(str).tolist() == ["int64"] * 2
    assert read.dtypes[SHARES].astype(str).tolist() == ["float64"] * 4


def test_other_columns_may_stand_in_the_file_and_may_not(tmp_path: Path) -> None:
    plain = written(tmp_path, answer("a", "10:00:00"))
    assert list(read_answers(plain).columns) == list(COLUMNS)

    more = written(tmp_path, answer("a", "10:00:00") | {"conversion": 1, "impression_interaction": 0})
    assert len(read_answers(more)) == 1


def test_the_shares_of_a_journey_may_miss_one_by_the_rounding(tmp_path: Path) -> None:
    rounded = [answer("a", "10:00:00", ihc=0.499), answer("b", "11:00:00", ihc=0.499)]

    assert read_answers(written(tmp_path, *rounded))["ihc"].sum() == 0.998


def refusal(path: Path) -> str:
    """The message of the AttributionError, which is one line and names the file."""
    with pytest.raises(AttributionError) as raised:
        read_answers(path)

    message = str(raised.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "There is no file" in refusal(tmp_path / "nowhere.csv")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.touch()

    assert "is empty" in refusal(path)


def test_a_file_with_a_header_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(",".join(COLUMNS) + "\n")

    assert "has no rows" in refusal(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_bytes(b"\xff\xfe\x00\x01")

    assert "cannot be read" in refusal(path)


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    row = answer("a", "10:00:00")
    del row[column]

    assert f"no column {column}." in refusal(written(tmp_path, row))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("conversion_id", ""),
        ("session_id", ""),
        ("channel_label", ""),
        ("timestamp", "yesterday"),
        ("timestamp", ""),
        ("timestamp", "2023-13-01 00:00:00"),
        ("holder_engagement", "yes"),
        ("holder_engagement", 2),
        ("closer_engagement", 0.5),
        ("closer_engagement", ""),
        ("initializer", "1,0"),
        ("holder", -0.1),
        ("closer", 1.1),
        ("ihc", "nan"),
        ("ihc", "inf"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_with_its_row(tmp_path: Path, column: str, value: Any) -> None:
    wrong = answer("b", "10:00:00", conversion="d") | {column: value}

    message = refusal(written(tmp_path, answer("a", "10:00:00"), wrong))

    assert f"row 2: {column} {str(value)!r}" in message


def test_a_row_that_ends_early_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, answer("a", "10:00:00"))
    path.write_text(path.read_text() + "0,c,b\n")

    assert "row 2: channel_label ''" in refusal(path)


def test_a_journey_that_lacks_a_row_is_named(tmp_path: Path) -> None:
    whole = [answer("a", "10:00:00", request="7", ihc=0.4), answer("b", "11:00:00", request="7", ihc=0.6)]
    half = answer("a", "10:00:00", request="8", ihc=0.4)

    message = refusal(written(tmp_path, *whole, half))

    assert "conversion 'c' in request '8'" in message
    assert "0.4000" in message


# The embedded model ---------------------------------------------------------------------------------------------------


def test_equal_times_stay_in_the_order_of_the_rows() -> None:
    # A gap of 0 h: I = 1, 0, for the row that stands first, though its id comes last.
    rows = pd.DataFrame([answer("b", "10:00:00"), answer("a", "10:00:00")])

    assert predict(rows, by_the_hour())["initializer"].tolist() == [1, 0]


def test_a_conversion_in_two_requests_is_two_journeys() -> None:
    rows = pd.DataFrame([answer("a", "10:00:00", request="1"), answer("b", "15:00:00", request="2")])

    assert predict(rows, by_the_hour())["ihc"].tolist() == [1, 1]


def test_a_prediction_has_the_order_and_the_index_of_its_rows() -> None:
    # Journey c by time: 0 h, 5 h: I = 2/3, 1/3.
    rows = [answer("b", "15:00:00"), answer("x", "10:00:00", conversion="b"), answer("a", "10:00:00")]

    result = predict(pd.DataFrame(rows, index=[7, 3, 7]), by_the_hour())

    assert result.index.tolist() == [7, 3, 7]
    assert list(result.columns) == SHARES
    assert result["initializer"].tolist() == pytest.approx([1 / 3, 1, 2 / 3])


def test_a_prediction_needs_no_answers() -> None:
    rows = pd.DataFrame([answer("b", "15:00:00"), answer("a", "10:00:00")])

    bare = predict(rows.drop(columns=SHARES), by_the_hour())

    pd.testing.assert_frame_equal(bare, predict(rows, by_the_hour()))


# Comparing ------------------------------------------------------------------------------------------------------------


def four_answers() -> pd.DataFrame:
    """Four journeys of one session, for which the model says 1, 0, 1, 1; two recorded otherwise, one by a thousandth."""
    return pd.DataFrame(
        [
            answer("a", "10:00:00", "Email", conversion="1"),
            answer("a", "10:00:00", "Email", conversion="2"),
            answer("a", "10:00:00", "Search", conversion="3", ihc=0.999),
            answer("a", "10:00:00", "Radio", conversion="4", ihc=0.0),
        ]
    )


def test_errors_are_given_per_output_over_all_sessions() -> None:
    # |embedded - recorded| of ihc: 0, 0, .001, 1: median .0005; p95 lies .85 of the way from .001 to 1.
    errors = compare_answers(four_answers(), by_the_hour()).errors

    assert errors.index.tolist() == SHARES
    assert errors.loc["ihc"].to_dict() == pytest.approx(
        {"median": 0.0005, "p95": 0.001 + 0.85 * 0.999, "max": 1, "within_0.001": 0.75}
    )
    assert errors.loc["closer"].to_dict() == {"median": 0, "p95": 0, "max": 0, "within_0.001": 1}


def test_channels_are_compared_by_their_orders() -> None:
    channels = compare_answers(four_answers(), by_the_hour()).channels

    assert channels.index.tolist() == ["Email", "Radio", "Search"]
    assert channels["recorded"].tolist() == [2, 0, 0.999]
    assert channels["embedded"].tolist() == [2, 1, 1]
    assert channels["shift"].tolist() == pytest.approx([0, 1, 0.001])


def test_a_relative_shift_is_undefined_where_nothing_was_recorded() -> None:
    relative = compare_answers(four_answers(), by_the_hour()).channels["relative_shift"]

    assert relative[["Email", "Search"]].tolist() == pytest.approx([0, 0.001 / 0.999])
    assert pd.isna(relative["Radio"])


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"the recorded answers of the IHC service are not there: {RECORDED}")
def test_the_recorded_answers_are_those_of_the_alternative_preset() -> None:
    answers = read_answers(RECORDED)

    right = compare_answers(answers, IHCParameters.load("alternative"))
    wrong = compare_answers(answers, IHCParameters.load("challenge"))

    assert right.errors["within_0.001"].eq(1).all()
    assert right.channels["shift"].abs().max() < 0.01
    assert wrong.errors["within_0.001"]["ihc"] < 0.9
