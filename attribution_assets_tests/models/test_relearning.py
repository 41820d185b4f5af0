"""What a bootstrap makes of models that learn: the values that drawn journeys teach, and the credit that follows from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from attribution_assets.models import LEARNED, ModelRules
from attribution_assets.models.bootstrap import compare_credit
from attribution_assets.models.credit import by_worth
from attribution_assets.models.relearning import DRAWS, Relearned, cells_of, paths_of, value_shifts
from attribution_assets_tests.models.paths import PATHS, Paths, learnt_from, tallied

RULES = ModelRules()


def shifts(paths: Paths, model: str, seed: int = 0) -> pd.DataFrame:
    return value_shifts(tallied(paths_of, *learnt_from(paths)), model, RULES, seed)


def rows(*paths: str) -> pd.DataFrame:
    """The journeys of conversions c0, c1, ... of one day, their sessions an hour apart."""
    return pd.DataFrame(
        [
            (f"c{number}", f"s{number} {place}", "2023-09-02", f"2023-09-01 {place:02}:00:00", channel)
            for number, path in enumerate(paths)
            for place, channel in enumerate(path)
        ],
        columns=["conv_id", "session_id", "conv_date", "timestamp", "channel_label"],
    )


def relearned(of: pd.DataFrame, worth: Mapping[str, float], *shifts: Mapping[str, float]) -> Relearned:
    cells = cells_of(of, RULES)
    of_cells = np.array([float(worth[channel]) for channel in cells["channel_name"]])
    return Relearned(cells, of_cells, pd.DataFrame([*shifts]).fillna(0))


# -- values ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", LEARNED)
def test_journeys_that_are_all_alike_teach_the_same_however_they_are_drawn(model: str) -> None:
    assert np.all(shifts([("AB", True)] * 20, model) == 0)


def test_a_value_differs_as_much_as_chance_makes_the_conversion_rate_differ() -> None:
    # The value of the only channel is its conversion rate, 1/2 of 400 journeys: its standard deviation is 1/40.
    found = shifts([("A", True), ("A", False)] * 200, "shapley")["A"]

    assert len(found) == DRAWS
    assert found.std() == pytest.approx(1 / 40, rel=0.15)
    assert abs(found.mean()) < 3 / 40 / np.sqrt(DRAWS)


def test_a_channel_that_no_drawn_journey_has_is_worth_nothing() -> None:
    # One of three journeys has B, which converts; it is missing from (2/3) ** 3 of the draws.
    found = shifts([("A", True), ("A", True), ("B", True)], "shapley")["B"]

    assert found.min() == pytest.approx(-1 / 2)  # v(A) = v(B) = v(AB) = 1: each has 1/2
    assert np.mean(found == found.min()) == pytest.approx(8 / 27, abs=0.1)


@pytest.mark.parametrize("model", LEARNED)
def test_equal_seeds_draw_the_same_journeys_and_others_do_not(model: str) -> None:
    paths = [("AB", True), ("B", False), ("A", False), ("BA", True), ("A", True)]

    assert shifts(paths, model, 1).equals(shifts(paths[::-1], model, 1))
    assert not shifts(paths, model, 1).equals(shifts(paths, model, 2))


# -- credit ------------------------------------------------------------------------------------------------------------


def test_the_channels_of_a_conversion_are_what_the_path_rules_leave() -> None:
    cells = cells_of(rows("ABA", "B"), RULES)

    assert [*cells.itertuples(index=False, name=None)] == [
        ("c0", "2023-09-02", "A", 2),
        ("c0", "2023-09-02", "B", 1),
        ("c1", "2023-09-02", "B", 1),
    ]


def test_each_draw_shares_a_conversion_by_the_values_that_were_learned_in_it() -> None:
    model = relearned(rows("AB"), {"A": 0.3, "B": 0.1}, {"A": 0, "B": 0.2}, {"A": -0.4, "B": 0})

    assert model.credit(0).tolist() == pytest.approx([1 / 2, 1 / 2])
    assert model.credit(1).tolist() == [0, 1]  # a negative value counts as 0


def test_where_nothing_is_worth_anything_each_session_has_the_same() -> None:
    assert relearned(rows("AAB"), {"A": 0, "B": 0}, {"A": 0, "B": 0}).credit(0).tolist() == pytest.approx([2 / 3, 1 / 3])


@given(paths=PATHS.filter(bool))
def test_without_a_shift_the_credit_is_that_of_the_model(paths: Paths) -> None:
    of, _ = learnt_from(paths)
    values = {label: number % 3 for number, label in enumerate(of.labels)}
    credit = by_worth(of, np.array([float(values[of.labels[channel]]) for channel in of.channel]))
    expected = pd.Series(credit).groupby([of.journey, of.channel]).sum()

    found = relearned(rows(*(path for path, _ in paths)), values, dict.fromkeys(of.labels, 0)).credit(0)

    assert found.tolist() == pytest.approx(expected.tolist())


def test_intervals_without_a_shift_are_those_of_conversions_alone_and_with_shifts_are_wider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("attribution_assets.models.bootstrap.RESAMPLES", DRAWS)
    journeys = rows(*["AB"] * 30, *["A"] * 10, *["B"] * 5)
    model = relearned(journeys, {"A": 1, "B": 1}, *[{"A": 0, "B": 0}] * DRAWS)
    credit = model.cells.assign(credit=model.credit(0), model="learned")
    all_to_a = credit.assign(credit=(credit["channel_name"] == "A").astype(float), model="other")
    both, revenue = pd.concat([credit, all_to_a]), pd.Series(10.0, index=credit["conv_id"].unique())
    wide = relearned(journeys, {"A": 1, "B": 1}, *({"A": (-1) ** draw * 0.9, "B": 0} for draw in range(DRAWS)))

    alone, same, wider = (
        compare_credit(both, revenue, pd.Series(dtype=float), "other", relearned=again)
        for again in (None, {"learned": model}, {"learned": wide})
    )

    pd.testing.assert_frame_equal(same, alone)
    of_a = [table.query("model == 'learned' and channel_name == 'A'").iloc[0] for table in (alone, wider)]
    widths = [row["orders_shift_high"] - row["orders_shift_low"] for row in of_a]
    assert widths[1] > 1.5 * widths[0]
    assert of_a[0]["orders"] == of_a[1]["orders"]
