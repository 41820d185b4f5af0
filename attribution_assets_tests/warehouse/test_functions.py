"""The functions that sql/ uses beyond SQL's own: sums in whatever order rows come, dates as text, groups of channels."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from random import Random
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.formats import spelling
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.days import shift

MONEY = st.floats(-1e15, 1e15, allow_nan=False)


@pytest.fixture(scope="module")
def connection() -> Iterator[sqlite3.Connection]:
    """An empty database that knows the functions."""
    with closing(sqlite3.connect(":memory:")) as connection:
        functions.add_to(connection)
        yield connection


def exact_total(connection: sqlite3.Connection, values: Sequence[Any]) -> Any:
    """The function's answer for a column of these values, in this order."""
    rows = ", ".join(["(?)"] * len(values))
    [(total,)] = connection.execute(f"WITH given (x) AS (VALUES {rows}) SELECT exact_total(x) FROM given", values).fetchall()
    return total


def groups_of_amounts() -> list[list[float]]:
    """Amounts with cents, of both signs and sizes, in groups whose sums have to be the same on every engine."""
    drawn = Random(7)
    cents = [
        [round(drawn.uniform(-1, 1) * 10 ** drawn.randint(0, 6), 2) for _ in range(drawn.randint(1, 4))] for _ in range(100)
    ]
    return [[-0.1], [0.1, -0.29], [-1e-7, -0.0], *cents]


def statement_of_sums(groups: list[list[float]]) -> str:
    """The statement of the sum of each group, in order."""
    rows = [f"SELECT {number} AS place, CAST({x!r} AS double) AS x" for number, group in enumerate(groups) for x in group]
    return f"SELECT exact_total(x) FROM ({' UNION ALL '.join(rows)}) AS given GROUP BY place ORDER BY place"


# -- exact_total --------------------------------------------------------------------------------------------------------


@hypothesis.given(numbers=st.lists(MONEY, min_size=1, max_size=30), order=st.randoms(use_true_random=False))
def test_a_total_is_the_same_to_the_last_bit_in_whatever_order_the_rows_come(
    connection: sqlite3.Connection, numbers: list[float], order: Any
) -> None:
    shuffled = numbers.copy()
    order.shuffle(shuffled)

    assert exact_total(connection, numbers).hex() == exact_total(connection, shuffled).hex()


@hypothesis.given(numbers=st.lists(MONEY, min_size=1, max_size=30))
def test_a_total_is_the_sum_within_a_billionth(connection: sqlite3.Connection, numbers: list[float]) -> None:
    assert exact_total(connection, numbers) == pytest.approx(math.fsum(numbers), rel=1e-9, abs=1e-9)


@hypothesis.given(number=MONEY.filter(lambda number: abs(number) >= 0.01))
def test_a_single_amount_of_a_cent_or_more_keeps_every_bit(connection: sqlite3.Connection, number: float) -> None:
    assert exact_total(connection, [number]).hex() == number.hex()


def test_what_cancels_out_leaves_nothing(connection: sqlite3.Connection) -> None:
    assert exact_total(connection, [0.1, 1e15, 0.2, -1e15, -0.1, -0.2]) == 0.0


def test_the_total_of_nothing_but_null_is_zero(connection: sqlite3.Connection) -> None:
    assert exact_total(connection, [None, None]) == 0.0


def test_a_total_of_whole_numbers_is_a_real_number_too(connection: sqlite3.Connection) -> None:
    assert [type(exact_total(connection, values)) for values in ([None], [0], [7])] == [float, float, float]


def test_null_and_what_is_no_number_are_passed_over(connection: sqlite3.Connection) -> None:
    assert exact_total(connection, [1.5, None, "much", b"2", math.inf, 2]) == 3.5


def test_each_group_has_a_total_of_its_own(connection: sqlite3.Connection) -> None:
    rows = connection.execute(
        "WITH cost (channel, x) AS (VALUES ('A', 1), ('B', 0.25), ('A', 2), ('B', NULL), ('C', NULL)) "
        "SELECT channel, exact_total(x) FROM cost GROUP BY channel ORDER BY channel"
    ).fetchall()

    assert rows == [("A", 3.0), ("B", 0.25), ("C", 0.0)]


# -- days_before --------------------------------------------------------------------------------------------------------


def days_before(connection: sqlite3.Connection, day: Any, days: int) -> Any:
    [(before,)] = connection.execute("SELECT days_before(?, ?)", (day, days)).fetchall()
    return before


@pytest.mark.parametrize(
    ("day", "days", "before"),
    [
        ("2023-09-10", 0, "2023-09-10"),
        ("2023-09-10", 3, "2023-09-07"),
        ("2023-09-01", 1, "2023-08-31"),
        ("2024-03-01", 1, "2024-02-29"),
        ("2024-01-01", 1, "2023-12-31"),
        ("2023-12-30", 90, "2023-10-01"),
        ("2023-12-31", -1, "2024-01-01"),
    ],
)
def test_the_day_so_many_days_before_a_day_is_a_date_as_text(
    connection: sqlite3.Connection, day: str, days: int, before: str
) -> None:
    assert days_before(connection, day, days) == before


@hypothesis.given(day=st.dates(), days=st.integers(-400, 400))
def test_days_before_counts_as_sqlite_itself_and_as_the_package_do(connection: sqlite3.Connection, day: Any, days: int) -> None:
    hypothesis.assume(401 < day.toordinal() < day.max.toordinal() - 401)
    [(by_sqlite,)] = connection.execute("SELECT date(?, ? || ' days')", (day.isoformat(), f"{-days:+}")).fetchall()

    assert days_before(connection, day.isoformat(), days) == by_sqlite == shift(day.isoformat(), -days)


@pytest.mark.parametrize("day", [None, "", "yesterday", "2023-02-30", "01.09.2023", "2023-09-01 10:00:00"])
def test_before_what_is_no_date_there_is_no_day(connection: sqlite3.Connection, day: str | None) -> None:
    assert days_before(connection, day, 1) is None


def test_the_days_of_all_time_have_an_end(connection: sqlite3.Connection) -> None:
    assert days_before(connection, "0001-01-10", 28) == "0001-01-01"
    assert days_before(connection, "9999-12-30", -28) == "9999-12-31"


# -- group_of ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "group"), [("Ads", "Paid"), ("ads", "ads"), ("", ""), (None, None), ('Ü "x"', "It's, 1")], ids=repr
)
def test_the_group_of_a_channel_is_what_stands_for_it_or_itself(
    connection: sqlite3.Connection, channel: str | None, group: str | None
) -> None:
    groups = json.dumps({"Ads": "Paid", 'Ü "x"': "It's, 1"})

    assert connection.execute("SELECT group_of(?, ?)", (channel, groups)).fetchall() == [(group,)]
    assert connection.execute("SELECT group_of(?, '{}')", (channel,)).fetchall() == [(channel,)]


# -- spelling -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SEA - Brand", "SEA - Branded"),
        ("Affiliate", "Affiliates"),
        ("Direct", "Direct Traffic"),
        ("Shopping - Non Brand", "Shopping - Non-branded"),
        ("Social - Paid", "Social Paid"),
        ("FB & IG Ads", "fb & ig ad"),
        ("E-Mail", "Email"),
    ],
)
def test_two_names_of_one_channel_have_one_spelling(one: str, other: str) -> None:
    assert spelling(one) == spelling(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SEA - Brand", "SEA - Non Brand"),
        ("Social - Paid", "Social - Organic"),
        ("Traffic", ""),
        ("Press", "Pres"),
        ("(none)", "(not set)"),
        ("—", "-"),
    ],
)
def test_the_names_of_two_channels_have_two(one: str, other: str) -> None:
    assert spelling(one) != spelling(other)
