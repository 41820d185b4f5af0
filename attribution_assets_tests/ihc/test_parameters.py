"""The parameters of the IHC model: presets, JSON files, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.ihc import PRESETS, IHCParameters
from attribution_assets_tests.support import SHARED

SOURCE = SHARED / "real" / "ihc"

Content = dict[str, Any]


def content() -> Content:
    """Valid parameters, as small as they get."""
    return {
        "phase_weights": {"initializer": 0.2, "holder": 0.5, "closer": 0.3},
        "channel_weights": {"Email": {"initializer": 1.0, "holder": 2.0, "closer": 3.0}},
        "initializer_membership": [[0.0, 0.0], [10.0, 1.0]],
        "closer_membership": [[0.0, 1.0], [0.1, 1.0], [0.1, 0.5], [10.0, 0.0]],
    }


def refusal(parameters: str | Path) -> str:
    """The message of the AttributionError, which is one line."""
    with pytest.raises(AttributionError) as raised:
        IHCParameters.load(parameters)

    message = str(raised.value)
    assert "\n" not in message
    return message


# Presets --------------------------------------------------------------------------------------------------------------


def test_the_package_brings_two_presets() -> None:
    assert PRESETS == ("alternative", "challenge")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_named_in_results_by_its_name(preset: str) -> None:
    assert IHCParameters.load(preset).name == preset


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_what_was_recovered_from_the_service(preset: str) -> None:
    source = SOURCE / f"parameters_{preset}.json"
    if not source.is_file():
        pytest.skip(f"the parameters recovered from the IHC service are not there: {source}")

    loaded = IHCParameters.load(preset)

    assert loaded.model_dump(mode="json", exclude={"name", "self_trained"}) == json.loads(source.read_text())


def test_a_preset_comes_before_a_file_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "challenge").write_text(json.dumps(content()))

    assert IHCParameters.load("challenge").name == "challenge"


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_given", [str, Path])
def test_a_json_file_is_loaded_by_its_path(tmp_path: Path, as_given: Callable[[Path], str | Path]) -> None:
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(content()))

    loaded = IHCParameters.load(as_given(path))

    assert loaded.model_dump(mode="json", exclude={"name", "description", "self_trained"}) == content()


def test_a_relative_path_starts_at_the_current_folder() -> None:
    Path("ours.json").write_text(json.dumps(content()))

    assert IHCParameters.load("ours.json").phase_weights.holder == 0.5


def test_a_file_is_named_in_results_by_its_name_and_a_hash_of_its_content(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(content()))

    assert IHCParameters.load(path).name == f"ours.json@{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def test_another_content_has_another_name_in_results(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(content()))
    before = IHCParameters.load(path).name

    path.write_text(json.dumps({**content(), "channel_weights": {}}))

    assert IHCParameters.load(path).name != before


def test_a_name_in_the_file_does_not_pass_it_off_as_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text(json.dumps({**content(), "name": "challenge"}))

    assert IHCParameters.load(path).name.startswith("ours.json@")


def test_parameters_that_are_loaded_already_stay_as_they_are() -> None:
    loaded = IHCParameters.load("challenge")

    assert IHCParameters.load(loaded) is loaded


# Refused --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("unknown", ["chalenge", "nowhere.json", ".", "~nobody-of-that-name/ours.json", "x" * 300])
def test_an_unknown_preset_is_refused_with_the_presets_there_are(unknown: str) -> None:
    message = refusal(unknown)

    assert repr(unknown) in message
    assert "alternative, challenge, or the path of a JSON file" in message


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"phase_weights: 1", b"\xff\xfe"])
def test_a_file_that_is_no_json_object_is_refused_by_its_path(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "ours.json"
    path.write_bytes(text)

    assert str(path) in refusal(path)


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), None, "much"])
@pytest.mark.parametrize("phase", ["initializer", "holder", "closer"])
def test_a_phase_weight_that_is_no_positive_number_is_refused(tmp_path: Path, phase: str, weight: Any) -> None:
    wrong = content()
    wrong["phase_weights"][phase] = weight

    assert_refused(tmp_path, wrong, f"phase_weights.{phase}")


@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf"), None, "much"])
@pytest.mark.parametrize("phase", ["initializer", "holder", "closer"])
def test_a_channel_weight_that_is_no_positive_number_is_refused(tmp_path: Path, phase: str, weight: Any) -> None:
    wrong = content()
    wrong["channel_weights"]["Email"][phase] = weight

    assert_refused(tmp_path, wrong, f"channel_weights.Email.{phase}")


@pytest.mark.parametrize("field", list(content()))
def test_a_missing_field_is_refused(tmp_path: Path, field: str) -> None:
    wrong = content()
    del wrong[field]

    assert_refused(tmp_path, wrong, field)


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path, {**content(), "redistribution_parameter": {}}, "redistribution_parameter")


def test_an_unknown_phase_is_refused(tmp_path: Path) -> None:
    wrong = content()
    wrong["phase_weights"]["opener"] = 1.0

    assert_refused(tmp_path, wrong, "phase_weights.opener")


@pytest.mark.parametrize("membership", ["initializer_membership", "closer_membership"])
@pytest.mark.parametrize(
    "knots",
    [
        pytest.param([], id="none"),
        pytest.param([[1.0, 0.0], [0.5, 1.0]], id="unordered"),
        pytest.param([[0.0, 0.0], [1.0, 1.1]], id="degree above 1"),
        pytest.param([[0.0, -0.1], [1.0, 1.0]], id="degree below 0"),
        pytest.param([[-1.0, 0.0], [1.0, 1.0]], id="negative hours"),
        pytest.param([[0.0, 0.0], [float("nan"), 1.0]], id="hours NaN"),
        pytest.param([[0.0, float("nan")], [1.0, 1.0]], id="degree NaN"),
        pytest.param([[0.0, 0.0], [float("inf"), 1.0]], id="hours infinite"),
        pytest.param([[0.0], [1.0, 1.0]], id="no degree"),
    ],
)
def test_a_membership_that_is_no_table_of_ordered_hours_and_degrees_is_refused(
    tmp_path: Path, membership: str, knots: list[list[float]]
) -> None:
    assert_refused(tmp_path, {**content(), membership: knots}, membership)


def test_two_knots_at_one_hour_are_a_jump_and_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "ours.json"
    path.write_text(json.dumps(content()))

    assert IHCParameters.load(path).closer_membership[1:3] == ((0.1, 1.0), (0.1, 0.5))


def assert_refused(folder: Path, wrong: Content, field: str) -> None:
    """As a file, in one line that names the file and the field."""
    path = folder / "ours.json"
    path.write_text(json.dumps(wrong))

    message = refusal(path)

    assert str(path) in message
    assert field in message
