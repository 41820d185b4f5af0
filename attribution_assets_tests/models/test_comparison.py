"""Models side by side: what each channel gets, where it ranks, how far that is from a base, and what of it is chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.models.bootstrap import compare_credit, moved_share

FIRST, LAST = "first_touch", "last_touch"


def credited(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["conv_id", "model", "channel_name", "credit"])


CREDIT = credited(
    ("c1", FIRST, "Email", 1.0),
    ("c1", FIRST, "Ads", 0.0),
    ("c2", FIRST, "Ads", 1.0),
    ("c1", LAST, "Email", 0.0),
    ("c1", LAST, "Ads", 1.0),
    ("c2", LAST, "Ads", 1.0),
)
"""Anna came by Email, then Ads, and bought for 100; ben by Ads, for 30."""

REVENUE = pd.Series({"c1": 100.0, "c2": 30.0})
COST = pd.Series({"Ads": 20.0, "Social": 5.0})


def by_pair(table: pd.DataFrame, *columns: str) -> dict[tuple[str, str], tuple[float, ...]]:
    rows = table.set_index(["model", "channel_name"])[list(columns)]
    return dict(zip(rows.index, rows.itertuples(index=False, name=None), strict=True))


def test_orders_and_revenue_are_what_the_model_credits_and_cost_is_the_same_under_each() -> None:
    table = compare_credit(CREDIT, REVENUE, COST, base=FIRST)

    assert by_pair(table, "orders", "revenue", "cost") == {
        (FIRST, "Email"): (1, 100, 0),
        (FIRST, "Ads"): (1, 30, 20),
        (FIRST, "Social"): (0, 0, 5),
        (LAST, "Email"): (0, 0, 0),
        (LAST, "Ads"): (2, 130, 20),
        (LAST, "Social"): (0, 0, 5),
    }


def test_cpo_and_roas_are_empty_where_they_are_undefined() -> None:
    ratios = by_pair(compare_credit(CREDIT, REVENUE, COST, base=FIRST).fillna(-1), "CPO", "ROAS")

    empty = -1
    assert ratios[FIRST, "Ads"] == (20, 1.5)
    assert ratios[FIRST, "Email"] == (0, empty)
    assert ratios[FIRST, "Social"] == (empty, 0)


def test_channels_rank_by_revenue_then_by_name_and_gain_places_against_the_base() -> None:
    table = compare_credit(CREDIT, REVENUE, COST, base=FIRST)

    assert list(zip(table["model"], table["channel_name"], table["rank"], table["rank_change"], strict=True)) == [
        (FIRST, "Email", 1, 0),
        (FIRST, "Ads", 2, 0),
        (FIRST, "Social", 3, 0),
        (LAST, "Ads", 1, 1),
        (LAST, "Email", 2, -1),
        (LAST, "Social", 3, 0),
    ]


def test_the_shift_is_from_the_base() -> None:
    shifts = by_pair(compare_credit(CREDIT, REVENUE, COST, base=LAST), "orders_shift", "revenue_shift")

    assert shifts[FIRST, "Email"] == (1, 100)
    assert shifts[FIRST, "Ads"] == (-1, -100)
    assert shifts[LAST, "Ads"] == (0, 0)


def test_a_shift_that_every_conversion_makes_has_no_chance_in_it() -> None:
    pairs = ((FIRST, "Email"), (LAST, "Ads"))
    credit = credited(*((f"c{i}", model, channel, 1.0) for model, channel in pairs for i in range(50)))

    table = compare_credit(credit, pd.Series(100.0, index=credit["conv_id"].unique()), COST, base=FIRST)

    assert by_pair(table, "orders_shift_low", "orders_shift_high", "is_noise")[LAST, "Ads"] == (50, 50, False)


def test_a_shift_that_comes_from_one_conversion_of_many_is_noise() -> None:
    alike = [(f"same{i}", model, "Ads", 1.0) for i in range(50) for model in (FIRST, LAST)]
    credit = credited(*alike, ("other", FIRST, "Email", 1.0), ("other", LAST, "Ads", 1.0))

    table = compare_credit(credit, pd.Series(10.0, index=credit["conv_id"].unique()), COST, base=FIRST)

    # Drawn 51 times out of 51, "other" comes 0 times in e^-1 of the draws, and up to 3 times in 95 % of them.
    assert by_pair(table, "orders_shift", "orders_shift_low", "orders_shift_high", "is_noise")[LAST, "Ads"] == (1, 0, 3, True)


def test_the_interval_is_that_of_the_normal_distribution_where_there_are_many_conversions() -> None:
    rng = np.random.default_rng(0)
    moves = rng.random(4_000) < 0.1  # a tenth of the conversions goes to Ads rather than Email under the other model
    rows = [(f"c{i}", FIRST, "Email", 1.0) for i in range(4_000)]
    rows += [(f"c{i}", LAST, "Ads" if moved else "Email", 1.0) for i, moved in enumerate(moves)]
    table = compare_credit(credited(*rows), pd.Series(1.0, index=[f"c{i}" for i in range(4_000)]), COST, base=FIRST)

    shift, low, high = by_pair(table, "orders_shift", "orders_shift_low", "orders_shift_high")[LAST, "Ads"]

    spread = 1.645 * np.sqrt(4_000 * moves.mean() * (1 - moves.mean()))
    assert [low, high] == pytest.approx([shift - spread, shift + spread], rel=0.02)


def test_equal_seeds_draw_alike_and_others_do_not() -> None:
    rng = np.random.default_rng(1)
    rows = [(f"c{i}", model, rng.choice(["A", "B"]), 1.0) for i in range(30) for model in (FIRST, LAST)]
    revenue = pd.Series(rng.random(30), index=[f"c{i}" for i in range(30)])

    tables = [compare_credit(credited(*rows), revenue, COST, FIRST, seed) for seed in (1, 1, 2)]

    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    assert not tables[0].equals(tables[2])


def test_few_conversions_at_once_give_the_same_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compare_credit(CREDIT, REVENUE, COST, base=FIRST)
    monkeypatch.setattr("attribution_assets.models.bootstrap.AT_ONCE", 7)

    pd.testing.assert_frame_equal(compare_credit(CREDIT, REVENUE, COST, base=FIRST), whole, check_exact=True)


@given(order=st.permutations(range(len(CREDIT))))
def test_the_order_of_the_rows_of_a_model_changes_nothing(order: list[int]) -> None:
    shuffled = CREDIT.iloc[order].sort_values("model", kind="stable")

    pd.testing.assert_frame_equal(compare_credit(shuffled, REVENUE, COST, FIRST), compare_credit(CREDIT, REVENUE, COST, FIRST))


def test_the_moved_share_is_what_lies_with_other_channels() -> None:
    base = pd.DataFrame({"channel_name": ["A", "B"], "orders": [6.0, 4.0]})
    other = pd.DataFrame({"channel_name": ["A", "C"], "orders": [1.5, 1.5]})

    assert moved_share(other, base) == pytest.approx(0.5)  # 60 % and 40 % against 50 % and 50 %: B's 40 %, and 10 % of A's
    assert moved_share(base, base) == 0
    assert np.isnan(moved_share(base[:0], base))
