"""The sources as DuckDB reads them, whatever types their files declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from attribution_assets.warehouse import functions
from attribution_assets.warehouse.duckdb.views import add_views
from attribution_assets.warehouse.views import AS_STORED


@pytest.fixture
def lake() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        functions.add_to_duckdb(connection)
        connection.execute("CREATE SCHEMA stored")
        connection.execute("SET search_path = 'main,stored'")
        connection.execute("SET TimeZone = 'America/New_York'")
        yield connection


def conversion(lake: duckdb.DuckDBPyConnection, **columns: str) -> tuple[Any, ...]:
    """The one conversion as it is read: its id, day, time and revenue; by column, the SQL of what is stored."""
    stored = {"conv_id": "'c'", "user_id": "'u'", "conv_date": "'2023-09-01'", "conv_time": "'10:00:00'", "revenue": "1.5"}
    select = ", ".join(f"{value} AS {name}" for name, value in (stored | columns).items())
    lake.execute(f"CREATE TABLE stored.conversions AS SELECT {select}")
    add_views(lake, AS_STORED)
    [row] = lake.execute("SELECT conv_id, conv_date, conv_time, revenue FROM conversions").fetchall()
    return row


def problems(lake: duckdb.DuckDBPyConnection) -> int:
    [(found,)] = lake.execute("SELECT count(*) FROM broken_conversion").fetchall()
    return int(found)


SOUND = ("c", "2023-09-01", "10:00:00", 1.5)


@pytest.mark.parametrize(
    "columns",
    [
        {"conv_date": "DATE '2023-09-01'", "conv_time": "TIME '10:00:00'"},
        {"conv_date": "TIMESTAMP '2023-09-01 10:00:00'", "conv_time": "TIMESTAMP '2023-09-01 10:00:00'"},
        {"conv_date": "TIMESTAMPTZ '2023-09-01 10:00:00+00'", "conv_time": "TIMESTAMPTZ '2023-09-01 12:00:00+02'"},
        {"conv_time": "'10:00:00.000'"},
        {"revenue": "CAST(1.5 AS decimal(9, 2))"},
        {"revenue": "'1.50'"},
    ],
    ids=["dates and times", "timestamps", "timestamps with a zone", "zeros", "decimals", "text"],
)
def test_a_value_reads_the_same_whatever_its_type(lake: duckdb.DuckDBPyConnection, columns: dict[str, str]) -> None:
    assert conversion(lake, **columns) == SOUND
    assert problems(lake) == 0


@pytest.mark.parametrize(("stored", "read"), [("7", "7"), ("CAST(7 AS decimal(18, 0))", "7"), ("7.0::double", "7.0")])
def test_a_number_as_an_id_reads_as_text(lake: duckdb.DuckDBPyConnection, stored: str, read: str) -> None:
    assert conversion(lake, conv_id=stored)[0] == read
    assert problems(lake) == int("." in read)  # a number with a point is no id


@pytest.mark.parametrize("stored", ["'ten'", "NULL", "'nan'::double", "2e15"])
def test_what_is_no_amount_is_found(lake: duckdb.DuckDBPyConnection, stored: str) -> None:
    conversion(lake, revenue=stored)

    assert problems(lake) == 1


def test_text_for_an_amount_is_quoted_as_it_stands(lake: duckdb.DuckDBPyConnection) -> None:
    conversion(lake, revenue="'ten'")

    assert lake.execute("SELECT quote(revenue) FROM broken_conversion").fetchall() == [("'ten'",)]


def test_a_missing_column_is_null_and_a_further_one_is_not_read(lake: duckdb.DuckDBPyConnection) -> None:
    conversion(lake, further="1")

    assert lake.execute("SELECT market FROM conversions").fetchall() == [(None,)]
    with pytest.raises(duckdb.BinderException):
        lake.execute("SELECT further FROM conversions")


def test_an_amount_is_converted_by_the_rate_of_its_day(lake: duckdb.DuckDBPyConnection) -> None:
    lake.execute("CREATE TABLE stored.exchange_rates AS SELECT DATE '2023-09-01' AS date, 'USD' AS currency, 2.0 AS rate")

    assert conversion(lake, conv_date="DATE '2023-09-01'", currency="'USD'")[3] == 3.0
    assert lake.execute("SELECT currency FROM conversions").fetchall() == [("EUR",)]


def test_flags_that_are_missing_follow_from_what_was_done(lake: duckdb.DuckDBPyConnection) -> None:
    lake.execute(
        "CREATE TABLE stored.session_sources AS SELECT 1 AS session_id, 'u' AS user_id, DATE '2023-09-01' AS event_date, "
        "TIME '10:00:00.500' AS event_time, 'Email' AS channel_name, pages AS page_views, NULL AS duration "
        "FROM (VALUES (1), (2)) AS seen (pages)"
    )
    add_views(lake, AS_STORED)

    asked = "SELECT session_id, event_time, holder_engagement, impression_interaction FROM session_sources ORDER BY page_views"
    assert lake.execute(asked).fetchall() == [("1", "10:00:00.5", 0, 0), ("1", "10:00:00.5", 1, 0)]
    assert lake.execute("SELECT count(*) FROM broken_session").fetchall() == [(0,)]


def test_a_table_of_ours_that_is_not_there_is_empty(lake: duckdb.DuckDBPyConnection) -> None:
    conversion(lake)

    assert lake.execute("SELECT count(*) FROM session_spend").fetchall() == [(0,)]
