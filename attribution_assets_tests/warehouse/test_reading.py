"""Tables and streams as they are read: types, order, whole conversions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.warehouse import Days, Query, Table, schema
from attribution_assets.warehouse.sqlite import database
from attribution_assets.warehouse.sqlite.replacement import has_rows_beside

if TYPE_CHECKING:
    from attribution_assets_tests.support import Shop

from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.rows import ATTRIBUTION, DAY_COLUMNS, OLD, OURS, frame, made, refused, replace


def test_a_query_is_fetched_as_column_names_and_rows(shop: Shop) -> None:
    shop.conversion("c", "u", "2023-09-02 10:00:00", 5)

    columns, rows = shop.warehouse.fetch(Query("conversion_revenues", {"first_day": "2023-09-02", "last_day": "2023-09-02"}))

    assert (columns, rows) == (["conv_id", "converted_at", "revenue"], [("c", "2023-09-02 10:00:00", 5.0)])


def test_rows_whose_date_is_no_date_are_counted_whatever_stands_there(tmp_path: Path) -> None:
    warehouse = made(
        tmp_path / "own.db",
        "CREATE TABLE session_sources (session_id, user_id, event_date, event_time, channel_name, "
        "holder_engagement, closer_engagement, impression_interaction)",
        "CREATE TABLE orders (conv_id, user_id, conv_date, conv_time, revenue)",
        "CREATE VIEW conversions AS SELECT * FROM orders",
    )
    for number, day in enumerate([None, "", "now", "2023-9-1", 2460000.5, "1969-12-31", "2023-09-01"]):
        with closing(sqlite3.connect(warehouse.path)) as connection, connection:
            row = (f"s{number}", "u", day, "10:00:00", "Email", 1, 1, 0)
            connection.execute("INSERT INTO session_sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("INSERT INTO orders VALUES (?, 'u', ?, '10:00:00', 1)", (f"c{number}", day))

    [span] = warehouse.rows(Query("source_span", {"first_day": "2023-09-01", "last_day": "2023-09-01"}))

    assert (span["sessions_without_date"], span["conversions_without_date"]) == (6, 6)


@pytest.mark.parametrize("column", ["conv_time", "revenue", "conv_id"])
def test_rows_whose_date_is_no_date_are_counted_where_a_column_is_missing(tmp_path: Path, column: str) -> None:
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    for day in ("2023-09-01", "soon"):
        shop.conversion(f"of {day}", "anna", f"{day} 10:00:00")
    columns = ", ".join(name for name in schema()["conversions"].column_names if name != column)
    shop.execute(f"CREATE TABLE fewer AS SELECT {columns} FROM conversions")
    shop.execute("DROP TABLE conversions")
    shop.execute("ALTER TABLE fewer RENAME TO conversions")

    with shop.warehouse.connect() as connection:
        found = connection.execute("SELECT conv_date FROM broken_conversion WHERE date(conv_date) IS NULL", ()).fetchall()

    assert found == [("soon",)]


def test_rows_are_read_with_the_declared_types(attributed: Shop) -> None:
    rows = attributed.warehouse.read(ATTRIBUTION)

    assert rows.dtypes.astype(str).to_dict() == {"conv_id": "str", "session_id": "str", "ihc": "float64", "conv_date": "str"}


@pytest.mark.parametrize("table", [schema()[name] for name in OURS], ids=OURS)
def test_a_day_without_rows_has_columns_of_the_declared_types(shop: Shop, table: Table) -> None:
    shop.warehouse.prepare()

    rows = shop.warehouse.read(table, DAY_COLUMNS[table.name], Days("2023-09-01", "2023-09-01"))

    assert len(rows) == 0
    assert rows.dtypes.astype(str).to_dict() == {
        column.name: {"text": "str", "integer": "int64", "real": "float64"}[column.type] for column in table.columns
    }


def test_only_the_rows_of_the_days_are_read(attributed: Shop) -> None:
    rows = attributed.warehouse.read(ATTRIBUTION, "conv_date", Days("2023-09-02", "2023-09-03"))

    assert list(rows["conv_id"]) == ["c2", "c3"]


def test_all_rows_are_read_without_days(older: Shop) -> None:
    older.warehouse.prepare()

    rows = older.warehouse.read(ATTRIBUTION, "conv_date")

    assert sorted(rows["session_id"]) == ["s1", "s2", "s3"]


def test_rows_are_read_by_day_and_key_whatever_order_they_came_in(shop: Shop) -> None:
    shop.warehouse.prepare()
    rows = [
        ("b", "y", 0.5, "2023-09-01"),
        ("a", "z", 1.0, "2023-09-02"),
        ("c", "x", 1.0, "2023-09-01"),
        ("b", "x", 0.5, "2023-09-01"),
    ]
    replace(shop, frame(*rows), "2023-09-01", "2023-09-02")

    read = shop.warehouse.read(ATTRIBUTION, "conv_date")

    assert list(zip(read["conv_id"], read["session_id"], strict=True)) == [("b", "x"), ("b", "y"), ("c", "x"), ("a", "z")]


def test_what_is_written_is_read_back_to_the_last_bit(shop: Shop) -> None:
    shop.warehouse.prepare()
    written = frame(("ä,'\"\n", "s", 0.1 + 0.2, "2023-09-01"), ("b", "s", 1e-300, "2023-09-01"))
    replace(shop, written, "2023-09-01")

    read = shop.warehouse.read(ATTRIBUTION, "conv_date", Days("2023-09-01", "2023-09-01"))

    assert sorted(map(tuple, read.to_numpy())) == sorted(map(tuple, written.to_numpy()))


def test_a_stored_value_of_another_type_is_named(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.execute("INSERT INTO attribution_customer_journey VALUES ('c', 's', 'much', '2023-09-01')")

    with refused("attribution_customer_journey", "ihc"):
        shop.warehouse.read(ATTRIBUTION)


@hypothesis.given(
    sessions=st.lists(st.integers(1, 6), max_size=12),
    rows_per_frame=st.integers(1, 20),
)
@hypothesis.settings(
    max_examples=60,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],  # each example replaces the days of the last
)
def test_a_stream_equals_the_table_and_never_splits_a_conversion(
    attributed: Shop, sessions: list[int], rows_per_frame: int
) -> None:
    rows = [
        (f"conversion {conversion}", f"session {session}", 1 / length, f"2023-09-0{1 + conversion % 3}")
        for conversion, length in enumerate(sessions)
        for session in range(length)
    ]
    replace(attributed, frame(*rows), "2023-09-01", "2023-09-03")

    days = Days("2023-09-01", "2023-09-03")
    frames = list(attributed.warehouse.stream(ATTRIBUTION, "conv_date", days, rows_per_frame))

    whole = attributed.warehouse.read(ATTRIBUTION, "conv_date", days)
    conversions = [conversion for piece in frames for conversion in piece["conv_id"].unique()]
    streamed = [row for piece in frames for row in piece.itertuples(index=False)]
    assert sorted(streamed) == sorted(whole.itertuples(index=False))
    assert streamed == sorted(streamed, key=lambda row: (row.conv_id, row.session_id))
    assert len(whole) == len(rows)
    assert len(conversions) == len(set(conversions)) == len(sessions)
    assert all(0 < len(piece) <= rows_per_frame + max(sessions) for piece in frames)
    assert all((piece.dtypes == whole.dtypes).all() for piece in frames)


def test_a_stream_is_not_disturbed_by_a_writer(attributed: Shop) -> None:
    stream = attributed.warehouse.stream(ATTRIBUTION, "conv_date", rows_per_frame=1)
    seen = [next(stream)]

    replace(attributed, frame(), "2023-09-01", "2023-09-03")
    seen += stream

    assert [row for piece in seen for row in piece.itertuples(index=False, name=None)] == OLD


def test_a_day_that_another_writes_meanwhile_is_not_in_the_stream(attributed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    look = has_rows_beside

    def looking_as_another_writes(*arguments: Any) -> bool:
        found = look(*arguments)
        attributed.execute("INSERT INTO attribution_customer_journey VALUES ('late', 's9', 1.0, '2023-09-09')")
        return found

    days = Days("2023-09-01", "2023-09-03")
    monkeypatch.setattr(database, "has_rows_beside", looking_as_another_writes)
    stream = attributed.warehouse.stream(ATTRIBUTION, "conv_date", days)
    first = next(stream)
    monkeypatch.undo()

    assert [row for piece in (first, *stream) for row in piece.itertuples(index=False, name=None)] == OLD
