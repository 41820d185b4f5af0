"""Days: the unbroken range of dates that one run replaces."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import gaps, is_date, shift, without

NO_DATES = ["", "2023-9-1", "20230901", "2023-W35-5", "2023-02-30", "2023-09-01 10:00:00", "01.09.2023", "yesterday"]


def test_both_ends_belong_to_the_range() -> None:
    days = Days("2023-09-01", "2023-09-03")

    assert list(days) == ["2023-09-01", "2023-09-02", "2023-09-03"]
    assert len(days) == 3


def test_one_day_is_a_range_of_one() -> None:
    assert list(Days("2023-09-01", "2023-09-01")) == ["2023-09-01"]


def test_a_range_passes_over_the_end_of_february_and_of_the_year() -> None:
    assert list(Days("2024-02-28", "2024-03-01")) == ["2024-02-28", "2024-02-29", "2024-03-01"]
    assert list(Days("2023-12-31", "2024-01-01")) == ["2023-12-31", "2024-01-01"]


def test_the_day_on_which_the_clocks_change_is_one_day() -> None:
    assert list(Days("2023-03-25", "2023-03-27")) == ["2023-03-25", "2023-03-26", "2023-03-27"]


def test_a_range_can_be_listed_twice() -> None:
    days = Days("2023-09-01", "2023-09-02")

    assert list(days) == list(days)


def test_a_range_is_shown_by_its_ends_and_a_day_by_itself() -> None:
    assert str(Days("2023-09-01", "2023-09-30")) == "2023-09-01 to 2023-09-30"
    assert str(Days("2023-09-01", "2023-09-01")) == "2023-09-01"


def test_a_reversed_range_is_refused() -> None:
    with pytest.raises(AttributionError, match="2023-09-03 to 2023-09-01 is reversed"):
        Days("2023-09-03", "2023-09-01")


@pytest.mark.parametrize("text", NO_DATES)
def test_text_that_is_no_date_is_refused_at_either_end(text: str) -> None:
    with pytest.raises(AttributionError, match=r"not a date\. Write days as YYYY-MM-DD"):
        Days(text, "2023-09-01")
    with pytest.raises(AttributionError, match=r"not a date\. Write days as YYYY-MM-DD"):
        Days("2023-09-01", text)


@pytest.mark.parametrize("text", NO_DATES)
def test_only_the_form_that_the_tables_use_is_a_date(text: str) -> None:
    assert not is_date(text)
    assert is_date("2023-09-01")


@given(first=st.dates(max_value=date(2999, 1, 1)), length=st.integers(1, 400))
def test_the_partition_keys_of_a_range_give_the_range_back(first: date, length: int) -> None:
    days = Days(first.isoformat(), (first + timedelta(days=length - 1)).isoformat())

    assert Days.of(list(days)) == days
    assert len(list(days)) == len(days) == length


def test_partition_keys_may_come_in_any_order() -> None:
    assert Days.of(["2023-09-02", "2023-09-03", "2023-09-01"]) == Days("2023-09-01", "2023-09-03")


def test_no_partition_keys_are_an_error_and_never_all_days() -> None:
    with pytest.raises(AttributionError, match="The run has no days: its range is reversed or empty"):
        Days.of([])


def test_partition_keys_with_a_gap_are_refused() -> None:
    with pytest.raises(AttributionError, match="between 2023-09-01 and 2023-09-03 have gaps"):
        Days.of(["2023-09-01", "2023-09-03"])


def test_a_day_is_shifted_both_ways_over_the_end_of_a_month() -> None:
    assert shift("2023-08-31", 1) == "2023-09-01"
    assert shift("2023-09-01", -1) == "2023-08-31"
    assert shift("2023-09-01", 0) == "2023-09-01"


def test_a_gap_is_a_stretch_that_is_longer_than_asked_for() -> None:
    days = Days("2023-09-01", "2023-09-10")

    assert gaps(days, ["2023-09-04", "2023-09-08"], longer_than=2) == [
        Days("2023-09-01", "2023-09-03"),
        Days("2023-09-05", "2023-09-07"),
    ]


def test_days_among_which_there_is_nothing_are_one_gap() -> None:
    assert gaps(Days("2023-09-01", "2023-09-10"), ["2023-08-31", "2023-09-11"], longer_than=2) == [
        Days("2023-09-01", "2023-09-10")
    ]


def test_days_without_gaps_are_unbroken_ranges() -> None:
    days = Days("2023-09-01", "2023-09-10")

    assert without(days, []) == [days]
    assert without(days, [days]) == []
    assert without(
        days, [Days("2023-09-09", "2023-09-30"), Days("2023-09-03", "2023-09-04"), Days("2023-01-01", "2023-01-02")]
    ) == [
        Days("2023-09-01", "2023-09-02"),
        Days("2023-09-05", "2023-09-08"),
    ]
