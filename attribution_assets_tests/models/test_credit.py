"""The credit of every model: what a channel's worth becomes in a journey, and what holds of any journeys."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.models import LEARNED, MODELS, ModelRules, PathRules, PositionShares
from attribution_assets.models.credit import attribute, by_worth, count, credit, learn
from attribution_assets.models.journeys import Bools, Floats, Journeys
from attribution_assets.models.paths import simplify
from attribution_assets_tests.models.paths import Paths, exactly, journeys, learnt_from, tallied

COMPUTED = [model for model in MODELS if model != "ihc"]
RENAMED = {"Email": "Z", "SEO": "Y", "Paid": "X", "Direct": "Direct Traffic", "Direct Traffic": "Direct"}
"""The direct channels stay direct."""


def shared(path: str, **worth: float) -> list[float]:
    """The credit of one journey's sessions, its channels being worth so much."""
    return list(map(float, by_worth(journeys([path]), np.array([worth[channel] for channel in path]))))


def learned(model: str, paths: Paths, rules: ModelRules | None = None) -> dict[str, float]:
    return values(*learnt_from(paths), model, rules or ModelRules())


def values(of: Journeys, converted: Bools, model: str, rules: ModelRules) -> dict[str, float]:
    """What the journeys teach a model."""
    return learn(tallied(partial(count, model=model, rules=rules), of, converted), model, rules)


def modelled(of: Journeys, converted: Bools, model: str, rules: ModelRules) -> Floats:
    """The credit of each session, by what the same journeys teach."""
    if model not in LEARNED:
        return credit(of, model, rules)
    worth = values(of, converted, model, rules)
    return credit(of, model, rules, np.array([worth.get(label, np.nan) for label in of.labels])[of.channel])


# By worth -------------------------------------------------------------------------------------------------------------


def test_a_journey_is_shared_among_its_channels_by_their_worth() -> None:
    assert shared("AB", A=0.3, B=0.1) == exactly(3 / 4, 1 / 4)


def test_a_channels_share_is_divided_equally_among_its_sessions() -> None:
    assert shared("ABA", A=3, B=1) == exactly(3 / 8, 1 / 4, 3 / 8)


def test_a_negative_worth_counts_as_none() -> None:
    assert shared("ABC", A=-5, B=1, C=3) == exactly(0, 1 / 4, 3 / 4)


@pytest.mark.parametrize("worth", [0, -1])
def test_a_journey_whose_channels_are_worth_nothing_is_shared_equally_among_its_sessions(worth: float) -> None:
    assert shared("AAB", A=worth, B=worth) == exactly(1 / 3, 1 / 3, 1 / 3)


def test_channels_are_repeated_within_a_journey_alone() -> None:
    both = by_worth(journeys(["AB", "AAB"]), np.array([1.0, 1, 1, 1, 1]))

    assert both.tolist() == exactly(1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 2)


@given(
    path=st.text("ABCD", min_size=1, max_size=8),
    worth=st.fixed_dictionaries(dict.fromkeys("ABCD", st.floats(-1, 1, allow_subnormal=False))),
)
def test_a_channel_that_comes_more_than_once_has_what_it_has_when_it_comes_once(path: str, worth: dict[str, float]) -> None:
    once = "".join(dict.fromkeys(path))
    if max(worth[channel] for channel in once) <= 0:
        return
    repeated = pd.Series(shared(path, **worth)).groupby([*path]).sum()

    assert repeated[[*once]].tolist() == exactly(*shared(once, **worth))


# What is learned ------------------------------------------------------------------------------------------------------


def test_markov_uses_its_order_and_whether_failed_journeys_count() -> None:
    # As in test_markov: of order two nothing is lost without C; of conversions alone C is in none.
    paths = [("AB", True), ("CB", False)]

    assert learned("markov", paths)["C"] == pytest.approx(1 / 2)
    assert learned("markov", paths, ModelRules(markov_order=2))["C"] == pytest.approx(0)
    assert learned("markov", paths, ModelRules(markov_non_converting=False))["C"] == 0


def test_shapley_uses_the_seed() -> None:
    chance = random.Random(0)
    letters = "ABCDEFGHIJKLMNOPQ"
    paths = [("".join(chance.choices(letters, k=3)), chance.random() < 0.5) for _ in range(100)]

    assert learned("shapley", paths, ModelRules(seed=1)) == learned("shapley", paths, ModelRules(seed=1))
    assert learned("shapley", paths, ModelRules(seed=1)) != learned("shapley", paths, ModelRules(seed=2))


def test_a_channel_without_effect_is_worth_nothing_rather_than_what_rounding_left() -> None:
    # No conversion has D, and no walk comes from it to another channel.
    paths = [("CAAD", False), ("BD", False), ("ACA", True), ("BCBB", False), ("CAAA", True), ("BB", False)]

    assert learned("markov", paths)["D"] == 0


def test_a_channel_that_adds_as_much_as_it_takes_is_worth_nothing_rather_than_what_rounding_left() -> None:
    # v(A) = v(AC) = 1, v(C) = v(D) = 0, v(AD) = v(CD) = 2/3, v(ACD) = 5/6. D adds 0 alone and -1/6 as the last, in 1/3 of
    # the orders each, and -1/3 after A and 2/3 after C, in 1/6 each: -1/18 - 1/18 + 1/9 = 0.
    paths = [("A", True), ("A", True), ("D", False), ("CD", True), ("CD", True), ("ACD", True)]

    assert learned("shapley", paths)["D"] == 0


@pytest.mark.parametrize("model", LEARNED)
def test_without_journeys_nothing_is_learned(model: str) -> None:
    assert learned(model, []) == {}


# Which models ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["ihc", "none"])
def test_a_model_that_is_not_computed_here_is_refused_in_one_line(model: str) -> None:
    with pytest.raises(AttributionError, match=rf"^{model} is not computed from journeys alone\.$"):
        credit(journeys(["A"]), model, ModelRules(), np.ones(1))


@pytest.mark.parametrize("model", LEARNED)
def test_a_model_that_learns_is_refused_without_what_it_learned(model: str) -> None:
    with pytest.raises(AttributionError, match=rf"^{model} is not computed from journeys alone\.$"):
        credit(journeys(["A"]), model, ModelRules())


@pytest.mark.parametrize("model", ["linear", "ihc", "none"])
def test_a_model_that_learns_nothing_is_refused_as_one_that_does(model: str) -> None:
    with pytest.raises(AttributionError, match=rf"^{model} is not a model that learns\.$"):
        learned(model, [("A", True)])


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("first_touch", [1, 0, 0, 0]),
        ("last_touch", [0, 0, 0, 1]),
        ("last_non_direct_touch", [0, 0, 1, 0]),
        ("linear", [1 / 4, 1 / 4, 1 / 4, 1 / 4]),
        ("position_based", [0.3, 0.3, 0.1, 0.3]),
        ("time_decay", [1 / 15, 2 / 15, 4 / 15, 8 / 15]),
        ("markov", [0.1, 0.2, 0.3, 0.4]),
        ("shapley", [0.1, 0.2, 0.3, 0.4]),
    ],
)
def test_each_model_credits_by_its_settings(model: str, expected: list[float]) -> None:
    rules = ModelRules(position_shares=PositionShares(0.3, 0.3, 0.3, 0.1), half_life_hours=1, direct_channels=frozenset("D"))

    assert credit(journeys(["ABCD"]), model, rules, np.array([1.0, 2, 3, 4])).tolist() == exactly(*expected)


@pytest.mark.parametrize("model", COMPUTED)
def test_no_journeys_get_no_credit(model: str) -> None:
    none = credit(journeys([]), model, ModelRules(), np.zeros(0))

    assert none.shape == (0,)
    assert none.dtype == np.float64


# Properties -----------------------------------------------------------------------------------------------------------

RULES = st.builds(
    ModelRules,
    position_shares=st.builds(PositionShares, *[st.sampled_from([0, 0.1, 0.3, 0.4, 1])] * 4),
    half_life_hours=st.sampled_from([0.5, 24, 168, 10_000]),
    markov_order=st.integers(1, 3),
    markov_non_converting=st.booleans(),
)


SESSIONS = st.tuples(
    st.sampled_from([pd.Timestamp(2023, 9, 1) + pd.Timedelta(hours=hours) for hours in (0, 1, 2, 24, 168, 9_000)]),
    st.sampled_from([*RENAMED]),
)
"""When one is, and of which channel."""

CHANCE = st.integers(0, 2**32 - 1).map(random.Random)


def tables(longest: int = 6) -> st.SearchStrategy[tuple[pd.DataFrame, list[str]]]:
    """The rows of one to six journeys, some sessions at equal times, and the conversions that were made.

    Strategies are made here, and none while one is drawn, which takes Hypothesis longer than the draw.
    """
    sessions = st.lists(SESSIONS, min_size=1, max_size=longest)
    return st.builds(table, st.lists(st.tuples(sessions, st.booleans()), min_size=1, max_size=6), CHANCE)


def table(drawn: list[tuple[list[tuple[pd.Timestamp, str]], bool]], chance: random.Random) -> tuple[pd.DataFrame, list[str]]:
    """Of journeys, each with its sessions and whether it converted; which session_id comes first is left to chance."""
    rows = [(f"c{number}", *session) for number, (sessions, _) in enumerate(drawn) for session in sessions]
    rows_of_all = pd.DataFrame(rows, columns=["conv_id", "timestamp", "channel_label"])
    rows_of_all["session_id"] = [f"s{number:02}" for number in chance.sample(range(len(rows)), len(rows))]
    return rows_of_all, [f"c{number}" for number, (_, converts) in enumerate(drawn) if converts]


def built(rows: pd.DataFrame, made: list[str]) -> tuple[Journeys, Bools, pd.DataFrame]:
    """The journeys, which of them converted, and their rows in the order of their sessions."""
    of, order = Journeys.from_frame(rows)
    ordered = rows.iloc[order]
    return of, ordered["conv_id"].isin(made).to_numpy()[of.offsets], ordered


def credited(rows: pd.DataFrame, made: list[str], model: str, rules: ModelRules) -> dict[str, float]:
    """The credit of each session_id."""
    of, converted, ordered = built(rows, made)
    return dict(zip(ordered["session_id"], modelled(of, converted, model, rules).tolist(), strict=True))


@pytest.mark.parametrize("model", COMPUTED)
@given(table=tables(), rules=RULES)
def test_credits_are_shares_that_sum_to_one_in_every_journey(
    model: str, table: tuple[pd.DataFrame, list[str]], rules: ModelRules
) -> None:
    of, converted, _ = built(*table)
    shares = modelled(of, converted, model, rules)

    assert shares.shape == of.time.shape
    assert np.all((shares >= 0) & (shares <= 1))
    assert np.abs(np.add.reduceat(shares, of.offsets) - 1).max() <= 1e-12


@pytest.mark.parametrize("model", COMPUTED)
@given(table=tables(), rules=RULES, chance=CHANCE)
def test_the_order_of_the_rows_changes_no_credit(
    model: str, table: tuple[pd.DataFrame, list[str]], rules: ModelRules, chance: random.Random
) -> None:
    rows, made = table
    shuffled = rows.iloc[chance.sample(range(len(rows)), len(rows))]

    assert credited(shuffled, made, model, rules) == pytest.approx(credited(rows, made, model, rules), abs=1e-12)


@pytest.mark.parametrize("model", COMPUTED)
@given(table=tables(), rules=RULES, chance=CHANCE)
def test_the_names_of_channels_and_their_numbering_change_no_credit(
    model: str, table: tuple[pd.DataFrame, list[str]], rules: ModelRules, chance: random.Random
) -> None:
    of, converted, _ = built(*table)
    numbers = np.array(chance.sample(range(len(of.labels)), len(of.labels)))
    labels = tuple(RENAMED[of.labels[number]] for number in np.argsort(numbers))
    renamed = replace(of, channel=numbers[of.channel], labels=labels)

    assert modelled(renamed, converted, model, rules).tolist() == exactly(*modelled(of, converted, model, rules))


@pytest.mark.parametrize("model", COMPUTED)
@given(table=tables(), rules=RULES)
def test_a_second_journey_like_every_journey_changes_no_credit(
    model: str, table: tuple[pd.DataFrame, list[str]], rules: ModelRules
) -> None:
    rows, made = table
    twins = rows.assign(conv_id="twin " + rows["conv_id"], session_id="twin " + rows["session_id"])
    once = credited(rows, made, model, rules)
    twice = credited(pd.concat([rows, twins]), [*made, *(f"twin {conversion}" for conversion in made)], model, rules)

    assert twice == pytest.approx(once | {f"twin {session}": share for session, share in once.items()}, abs=1e-12)


@pytest.mark.parametrize("model", COMPUTED)
@given(table=tables(longest=1), rules=RULES)
def test_a_journey_of_one_session_gives_it_all_by_every_model(
    model: str, table: tuple[pd.DataFrame, list[str]], rules: ModelRules
) -> None:
    assert set(credited(*table, model, rules).values()) == {1}


@pytest.mark.parametrize("model", [model for model in COMPUTED if model not in LEARNED])
@given(table=tables(), rules=RULES)
def test_a_model_that_does_not_learn_credits_a_journey_the_same_alone_and_among_others(
    model: str, table: tuple[pd.DataFrame, list[str]], rules: ModelRules
) -> None:
    rows, made = table
    alone = [credited(journey, made, model, rules) for _, journey in rows.groupby("conv_id")]

    assert {session: share for journey in alone for session, share in journey.items()} == credited(rows, made, model, rules)


@pytest.mark.parametrize("model", COMPUTED)
@given(table=tables())
def test_sessions_that_path_rules_leave_share_all_the_credit(model: str, table: tuple[pd.DataFrame, list[str]]) -> None:
    rules = ModelRules(path=PathRules({"Paid": "SEO"}, drop_direct=True, collapse_minutes=60, last_sessions=3))
    of, converted, _ = built(*table)
    simplified, left = simplify(of, rules)
    shares = np.zeros(len(of.time))
    shares[left] = modelled(simplified, converted, model, rules)

    assert np.abs(np.add.reduceat(shares, of.offsets) - 1).max() <= 1e-12


def test_direct_traffic_in_other_letters_is_passed_over_and_dropped() -> None:
    journey = pd.DataFrame(
        {
            "conv_id": "c",
            "session_id": ["s1", "s2"],
            "timestamp": ["2023-09-01 10:00:00", "2023-09-02 10:00:00"],
            "channel_label": ["Email", "(direct) / (none)"],
            "conv_date": "2023-09-03",
            "ihc": 0.5,
        }
    )
    values = pd.DataFrame(columns=["date", "model", "channel_name", "value"])

    def shares(rules: ModelRules) -> list[float]:
        return [*attribute(journey, rules, values)["credit"]]

    assert shares(ModelRules(models=("last_non_direct_touch",))) == [1, 0]
    assert shares(ModelRules(models=("last_touch",))) == [0, 1]
    assert shares(ModelRules(models=("last_touch",), path=PathRules(drop_direct=True))) == [1, 0]
