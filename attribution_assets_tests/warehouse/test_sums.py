"""Sums of money and credit: the same to the last bit in whatever order their rows are read, and 0.0 of no rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from attribution_assets.warehouse import Query

if TYPE_CHECKING:
    from attribution_assets_tests.support import Shop

AMOUNTS = [-(2.0**46), *[2.0**-8] * 4, 2.0**46]
"""A floating sum in this order loses the small ones, one after another."""

EXACT = 2.0**-6

DAY: dict[str, str | int | float] = {
    "first_day": "2023-09-02",
    "last_day": "2023-09-02",
    "first_partition": "2023-09-02",
    "lookback_days": 90,
}


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """On one day six conversions without a session, and six with one of the day before; on another day, nothing."""
    shop.warehouse.prepare()
    for number, revenue in enumerate(AMOUNTS):
        shop.conversion(f"none {number}", "nobody", "2023-09-02 12:00:00", revenue)
        shop.conversion(f"some {number}", "anna", "2023-09-02 12:00:00", revenue)
        journey = (f"some {number}", f"s{number}", "2023-09-02", "2023-09-01 10:00:00", "Email", 1, 1, 1, 0)
        shop.execute("INSERT INTO customer_journeys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", *journey)
        shop.execute("INSERT INTO attribution_customer_journey VALUES (?, ?, 1, '2023-09-02')", *journey[:2])
        report = ("Email", f"2023-09-0{number + 1}", revenue, revenue, revenue)
        shop.execute("INSERT INTO channel_reporting VALUES (?, ?, ?, ?, ?)", *report)
    return shop


@pytest.mark.parametrize(
    ("query", "row"),
    [
        ("conversions_without_session", {"conversions": 6, "revenue": EXACT}),
        ("credit_before_first_day", {"orders": 6.0, "revenue": EXACT}),
        (
            "shown_customer_journeys",
            {
                "day": "2023-09-02",
                "conversions with a session": 6,
                "conversions without a session": 6,
                "revenue without a session": round(EXACT, 2),
            },
        ),
        (
            "shown_attribution_customer_journey",
            {
                "day": "2023-09-02",
                "conversions attributed": 6,
                "revenue attributed": round(EXACT, 2),
                "conversions not attributed": 6,
                "revenue not attributed": round(EXACT, 2),
            },
        ),
    ],
)
def test_a_sum_loses_nothing_and_is_a_number_where_there_is_nothing(sold: Shop, query: str, row: dict[str, object]) -> None:
    another_day: dict[str, str | int | float] = {**DAY, "first_day": "2023-09-09", "last_day": "2023-09-09"}

    assert sold.warehouse.rows(Query(query, DAY)) == [row]
    [nothing] = sold.warehouse.rows(Query(query, another_day))
    assert [repr(value) for name, value in nothing.items() if name != "day"] == [
        "0.0" if isinstance(value, float) else "0" for name, value in row.items() if name != "day"
    ]


def test_the_totals_of_a_channel_lose_nothing(sold: Shop) -> None:
    [total] = sold.warehouse.rows(Query("channel_totals", {"first_day": "2023-09-01", "last_day": "2023-09-06"}))

    assert (total["cost"], total["orders"], total["revenue"]) == (EXACT, EXACT, EXACT)


@pytest.mark.parametrize("query", ["conversions_without_session", "credit_before_first_day"])
def test_no_row_is_sorted_to_be_added_up(sold: Shop, query: str) -> None:
    asked = Query(query, DAY)
    with sold.warehouse.connect() as connection:
        steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {asked.text}", asked.parameters)]

    assert "USE TEMP B-TREE FOR ORDER BY" not in steps
