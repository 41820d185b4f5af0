"""The settings of the models: the path rules in words, what identifies them all, and the file of channel groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.models import MODELS, ModelRules, PathRules, PositionShares, read_channel_groups
from attribution_assets.models.model import Model
from attribution_assets.models.registry import REGISTRY

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


# What identifies the rules ---------------------------------------------------------------------------------------------

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
OF_FIXED_RULES = ("position_shares", "half_life_hours")


@dataclass(frozen=True)
class LaterPathRules(PathRules):
    """Those of a later version, which has one more rule."""

    first_sessions: int | None = None


@dataclass(frozen=True)
class LaterRules(ModelRules):
    """Those of a later version, in which one more model has a setting."""

    steepness: float = 3


def identified(rules: ModelRules) -> str:
    return json.dumps(rules.identity())


def identified_to_learn(rules: ModelRules) -> str:
    return json.dumps(rules.learning_identity(), sort_keys=True)


def changed(name: str, value: object) -> ModelRules:
    """The rules with one field of them, or of their path rules, otherwise."""
    if name in PATH_OTHERWISE:
        return ModelRules(path=replace(PathRules(), **{name: value}))  # type: ignore[arg-type]
    return replace(ModelRules(), **{name: value})  # type: ignore[arg-type]


def test_the_tests_know_every_field() -> None:
    assert [*OTHERWISE] == [field.name for field in fields(ModelRules) if field.name != "models"]
    assert [*PATH_OTHERWISE] == [field.name for field in fields(PathRules)]


@pytest.mark.parametrize(("name", "value"), [*OTHERWISE.items(), *PATH_OTHERWISE.items()])
def test_every_field_identifies_the_rules(name: str, value: object) -> None:
    assert identified(changed(name, value)) != identified(ModelRules())


@pytest.mark.parametrize(("name", "value"), [*OTHERWISE.items(), *PATH_OTHERWISE.items()])
def test_every_field_but_those_of_fixed_rules_identifies_what_is_learned(name: str, value: object) -> None:
    is_same = identified_to_learn(changed(name, value)) == identified_to_learn(ModelRules())

    assert is_same == (name in OF_FIXED_RULES)


def test_the_identity_is_the_same_whatever_models_are_chosen() -> None:
    assert identified(ModelRules(models=("linear",))) == identified(ModelRules())
    assert identified_to_learn(ModelRules(models=("linear",))) == identified_to_learn(ModelRules())


def test_the_identity_is_the_same_in_whatever_order_channels_are_named() -> None:
    names = [f"channel {number}" for number in range(20)]
    some, same = frozenset(names), frozenset(names[::-1])

    assert identified(ModelRules(direct_channels=some, path=PathRules(exclude_channels=some))) == identified(
        ModelRules(direct_channels=same, path=PathRules(exclude_channels=same))
    )


def test_the_identity_comes_back_from_json_unchanged() -> None:
    rules = ModelRules(path=PathRules({"A": "G"}, frozenset("B"), collapse_minutes=30))
    read = json.loads(identified(rules))

    assert read == read | {"seed": 0, "direct_channels": ["Direct", "Direct Traffic"]}
    assert read["path"] == {
        "channel_groups": {"A": "G"},
        "exclude_channels": ["B"],
        "drop_direct": False,
        "collapse_minutes": 30,
        "last_sessions": None,
    }


def test_a_field_of_a_later_version_identifies_the_rules_only_where_it_is_not_its_default() -> None:
    assert LaterRules(path=LaterPathRules()).identity() == ModelRules().identity()
    assert LaterRules(path=LaterPathRules()).learning_identity() == ModelRules().learning_identity()

    assert LaterRules(steepness=4).identity() == ModelRules().identity() | {"steepness": 4}
    assert LaterRules(steepness=4).learning_identity() == ModelRules().learning_identity()  # no model that learns uses it
    for identity in (LaterRules.identity, LaterRules.learning_identity):
        path, earlier = (identity(rules)["path"] for rules in (LaterRules(path=LaterPathRules(first_sessions=2)), LaterRules()))
        assert isinstance(earlier, dict)
        assert path == earlier | {"first_sessions": 2}


def test_a_model_that_learns_may_come_to_use_a_setting_without_learning_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = ModelRules().learning_identity()
    later = (*REGISTRY, Model("later", learn=dict, uses=("half_life_hours",)))
    monkeypatch.setattr("attribution_assets.models.rules.REGISTRY", later)

    assert ModelRules().learning_identity() == before
    assert ModelRules(half_life_hours=24).learning_identity() == before | {"half_life_hours": 24}


# Which models --------------------------------------------------------------------------------------------------------


def test_the_models_that_learn_are_known_in_the_order_of_the_choice() -> None:
    assert ModelRules().learned == ("markov", "shapley")
    assert ModelRules(models=("shapley", "linear")).learned == ("shapley",)
    assert ModelRules(models=("linear", "ihc")).learned == ()


def test_all_models_are_wanted_unless_some_are_named() -> None:
    assert ModelRules().models == MODELS


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
        f"{tmp_path / 'groups.csv'}, line 4: SEO already has a group. List it only once."
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


# Direct traffic -------------------------------------------------------------------------------------------------------

AS_TOOLS_NAME_IT = [
    "Direct",
    "Direct Traffic",
    "direct",
    "DIRECT TRAFFIC",
    "direct_traffic",
    "(direct) / (none)",
    "(direct)",
    "(none)",
]
OTHERS = ["Direct Mail", "Direct 2", "Directä", "Indirect", "none", "(not set)", "", "Traffic"]


def test_unnamed_direct_channels_are_known_in_any_letters_and_as_google_analytics_has_them() -> None:
    assert ModelRules().direct_among([*AS_TOOLS_NAME_IT, *OTHERS]) == {*AS_TOOLS_NAME_IT}


def test_named_direct_channels_are_known_by_their_exact_names() -> None:
    rules = ModelRules(direct_channels=frozenset({"Direct", "Typed in"}))

    assert rules.direct_among(["direct", "typed in", "(direct) / (none)", "Typed in"]) == {"Typed in"}


def test_direct_channels_are_asked_for_by_one_model_and_one_path_rule() -> None:
    assert ModelRules().asks_for_direct
    assert ModelRules(models=("last_non_direct_touch",)).asks_for_direct
    assert ModelRules(models=("linear",), path=PathRules(drop_direct=True)).asks_for_direct
    assert not ModelRules(models=tuple(model for model in MODELS if model != "last_non_direct_touch")).asks_for_direct
