"""What Markov and Shapley learn for a day: which journeys its window holds, and that what was learned stays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.analysis.learning import channel_values
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.query import ROWS_PER_FRAME
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import Shop

LEARNED = ("markov", "shapley")


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Anna buys on 2023-09-02 after Email and Ads, ben on the 3rd after Email; carl comes by Ads on the 2nd and never buys."""
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email")
    shop.session("s2", "anna", "2023-09-02 10:00:00", "Ads")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00", 100)
    shop.session("s3", "ben", "2023-09-03 10:00:00", "Email")
    shop.conversion("c2", "ben", "2023-09-03 12:00:00", 50)
    shop.session("s4", "carl", "2023-09-02 09:00:00", "Ads")
    shop.warehouse.prepare()
    return shop


def learned(
    shop: Shop, day: str, models: Sequence[str] = LEARNED, *, relearn: bool = False, **settings: Any
) -> dict[tuple[str, str], float]:
    """The values of one day by model and channel, to 12 digits, kept as the asset keeps them."""
    values = channel_values(shop.settings(models=models, **settings), Days(day, day), relearn=relearn)
    shop.warehouse.replace_days(schema()["channel_values"], "date", Days(day, day), values)
    rows = values[["model", "channel_name", "value"]].itertuples(index=False)
    return {(model, channel): round(value, 12) for model, channel, value in rows}


# -- the window --------------------------------------------------------------------------------------------------------


def test_a_day_learns_from_the_conversions_until_it_and_from_who_did_not_convert(sold: Shop) -> None:
    # Email > Ads converts, Ads does not. Without Email only Ads is left, 1/4 of the 1/2 that convert; without Ads nothing.
    assert learned(sold, "2023-09-02") == {
        ("markov", "Email"): 1 / 2,
        ("markov", "Ads"): 1.0,
        ("shapley", "Email"): 1 / 4,  # v(Email, Ads) = 1/2, v(Email) = v(Ads) = 0
        ("shapley", "Ads"): 1 / 4,
    }


def test_the_next_day_also_learns_from_its_own(sold: Shop) -> None:
    # Now Email alone converts too: P = 2/3, without Email 1/6, without Ads 1/3; v(Email) = 1, v(Ads) = 0, v(both) = 2/3.
    assert learned(sold, "2023-09-03") == {
        ("markov", "Email"): 3 / 4,
        ("markov", "Ads"): 1 / 2,
        ("shapley", "Email"): round(5 / 6, 12),
        ("shapley", "Ads"): round(-1 / 6, 12),
    }


def test_the_window_begins_so_many_days_before_that_it_has_as_many_as_are_set(sold: Shop) -> None:
    # Of the 2nd and 3rd: carl's Ads, and both conversions with their whole journeys, which begin on the 1st.
    assert learned(sold, "2023-09-03", training_days=2) == learned(sold, "2023-09-03")
    # Of the 3rd alone: ben.
    assert learned(sold, "2023-09-03", training_days=1) == {("markov", "Email"): 1.0, ("shapley", "Email"): 1.0}


def test_a_user_with_more_sessions_than_are_read_at_once_has_one_journey(sold: Shop) -> None:
    before = learned(sold, "2023-09-03", ["shapley"])
    sold.execute(
        f"WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n LIMIT {ROWS_PER_FRAME}) "
        "INSERT INTO session_sources SELECT 'n' || n, 'carl', '2023-09-02', '09:00:00', 'Ads', 0, 0, 0 FROM n"
    )

    assert learned(sold, "2023-09-03", ["shapley"], relearn=True) == before


def test_sessions_after_a_users_last_conversion_are_a_journey_that_did_not_convert(sold: Shop) -> None:
    sold.session("s5", "ben", "2023-09-03 13:00:00", "Social")

    # v(Social) = 0, v(Email, Social) = 1/2 less than v(Email), v(all) = 1/6 less than v(Email, Ads).
    assert learned(sold, "2023-09-03", ["shapley"])["shapley", "Social"] == round(-1 / 2 / 6 - 1 / 6 / 3, 12)


def test_a_session_before_a_conversion_of_a_later_day_has_not_converted_yet(sold: Shop) -> None:
    sold.conversion("c3", "carl", "2023-09-04 12:00:00")

    assert learned(sold, "2023-09-03")["shapley", "Ads"] == round(-1 / 6, 12)
    assert learned(sold, "2023-09-04")["shapley", "Ads"] == 1 / 2  # all convert, with either


def test_nothing_is_learned_from_nobody(sold: Shop) -> None:
    before = learned(sold, "2023-09-03")
    sold.session("n1", "nobody", "2023-09-02 10:00:00", "TV")
    sold.session("n2", "nobody", "2023-09-03 14:00:00", "Email")
    sold.conversion("cn", "nobody", "2023-09-03 12:00:00")

    assert learned(sold, "2023-09-03", nobody=["nobody"]) == before
    assert learned(sold, "2023-09-03") != before


@pytest.mark.parametrize(("included", "value"), [(False, 0.0), (True, 1.0)])
def test_a_session_at_the_conversions_second_is_in_its_journey_or_after_it(shop: Shop, included: bool, value: float) -> None:
    shop.session("s1", "anna", "2023-09-02 12:00:00", "Email")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00")
    shop.warehouse.prepare()

    values = learned(shop, "2023-09-02", include_converting_session=included)

    assert values == {("markov", "Email"): value, ("shapley", "Email"): value}


def test_a_range_learns_for_each_day_what_the_day_alone_does(sold: Shop) -> None:
    settings = sold.settings(models=LEARNED, training_days=2)
    days = Days("2023-08-31", "2023-09-05")
    alone = [row for day in days for row in channel_values(settings, Days(day, day)).itertuples(index=False)]

    assert list(channel_values(settings, days).itertuples(index=False)) == alone


@pytest.mark.parametrize("order", [1, 2])
def test_a_range_learns_the_same_bits_though_it_meets_channels_in_another_order(tmp_path: Path, order: int) -> None:
    write_sample(tmp_path / "shop.db", days=10, end=date(2023, 9, 10), sessions=1_000, seed=0, with_shop=False)
    settings = Shop.at(tmp_path / "shop.db", tmp_path).settings(models=["markov"], training_days=4, markov_order=order)
    settings.warehouse.prepare()
    days = Days("2023-09-06", "2023-09-10")
    alone = [row for day in days for row in channel_values(settings, Days(day, day)).itertuples(index=False)]

    assert list(channel_values(settings, days).itertuples(index=False)) == alone


def test_a_window_without_sessions_teaches_nothing(sold: Shop) -> None:
    assert learned(sold, "2023-08-30") == {}


def test_the_path_rules_come_first_and_stand_on_every_row(sold: Shop) -> None:
    values = channel_values(sold.settings(models=LEARNED, exclude_channels=["Ads"]), Days("2023-09-02", "2023-09-02"))

    assert set(values["channel_name"]) == {"Email", "Ads"}  # carl has nothing else
    assert set(values["rules"]) == {"without Ads"}


@pytest.mark.parametrize("nobody", ["", None])
def test_sessions_without_a_user_are_nobodys_journey(sold: Shop, nobody: str | None) -> None:
    before = learned(sold, "2023-09-02")
    sold.execute("ALTER TABLE session_sources RENAME TO visits")
    sold.execute("CREATE VIEW session_sources AS SELECT * FROM visits UNION ALL SELECT * FROM nobodys")
    sold.execute("CREATE TABLE nobodys AS SELECT * FROM visits WHERE 0")
    for session_id in ("n1", "n2"):
        sold.execute("INSERT INTO nobodys VALUES (?, ?, '2023-09-02', '10:00:00', 'Email', 1, 1, 0)", session_id, nobody)

    assert learned(sold, "2023-09-02", relearn=True) == before


def test_a_session_that_cannot_be_read_is_named(sold: Shop) -> None:
    sold.session("s9", "emil", "2023-09-01 noon")

    with pytest.raises(AttributionError, match=r"^channel_values cannot be computed, .*'s9' has event_time 'noon'"):
        learned(sold, "2023-09-02")


# -- what was learned stays --------------------------------------------------------------------------------------------


def test_a_late_session_changes_no_value_that_was_learned(sold: Shop) -> None:
    before = learned(sold, "2023-09-02")
    sold.session("late", "dora", "2023-09-01 10:00:00", "Email")

    assert learned(sold, "2023-09-02") == before
    assert learned(sold, "2023-09-02", relearn=True) != before


@pytest.mark.parametrize(
    "other",
    [
        {"markov_order": 2},
        {"markov_non_converting": False},
        {"training_days": 30},
        {"lookback_days": 7},
        {"include_converting_session": True},
        {"last_sessions": 1},
        {"seed": 1},
    ],
    ids=str,
)
def test_by_other_rules_a_day_is_learned_anew(sold: Shop, other: dict[str, Any]) -> None:
    learned(sold, "2023-09-02")
    sold.session("late", "dora", "2023-09-01 10:00:00", "Email")

    assert learned(sold, "2023-09-02", **other)["shapley", "Email"] != 1 / 4


@pytest.mark.parametrize("other", [{"half_life_hours": 24}, {"position_shares": (0.5, 0, 0.5)}], ids=str)
def test_by_rules_that_teach_nothing_it_is_not(sold: Shop, other: dict[str, Any]) -> None:
    before = learned(sold, "2023-09-02")
    sold.session("late", "dora", "2023-09-01 10:00:00", "Email")

    assert learned(sold, "2023-09-02", **other) == before


def test_a_model_that_is_added_leaves_the_values_of_others(sold: Shop) -> None:
    before = learned(sold, "2023-09-02", ["markov"])
    sold.session("late", "dora", "2023-09-01 10:00:00", "Email")

    after = learned(sold, "2023-09-02")

    assert {key: value for key, value in after.items() if key[0] == "markov"} == before
    assert after["shapley", "Email"] != 1 / 4


def test_each_day_is_told_before_it_is_learned(sold: Shop) -> None:
    told: list[str] = []

    channel_values(sold.settings(models=LEARNED), Days("2023-09-02", "2023-09-03"), tell=told.append)

    assert told == [
        "counting journeys, 2023-06-05 to 2023-09-03",
        "learning what channels are worth, 2023-09-02 of 2023-09-02 to 2023-09-03",
        "learning what channels are worth, 2023-09-03 of 2023-09-02 to 2023-09-03",
    ]
