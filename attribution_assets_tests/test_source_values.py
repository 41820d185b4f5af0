"""Values of a user's tables that are no text, no date or no instant of their own: what a run makes of them, or says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets_tests.support import Shop

ENGINES = pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
DAY = "2023-09-04"


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Anna comes twice and buys; Ben comes and does not."""
    shop.session("1", "7", f"{DAY} 10:00:00", "Email", cost=1)
    shop.session("2", "7", f"{DAY} 11:00:00", "Ads", cost=2)
    shop.session("3", "8", f"{DAY} 11:00:00", "Ads", cost=4)
    shop.conversion("5", "7", f"{DAY} 12:00:00", 100)
    return shop


def command(shop: Shop, name: str, *options: str, engine: str = "sqlite", **environment: str) -> Result:
    given = ["--database", str(shop.database), *options]
    home = str(shop.database.parent / "home")
    return CliRunner().invoke(main, [name, *given], env={"ATTRIBUTION_COMPUTE": engine, "DAGSTER_HOME": home, **environment})


def declare(shop: Shop, table: str, column: str, type_: str) -> None:
    """The same rows in a table whose column has another type."""
    create = shop.execute("SELECT sql FROM sqlite_master WHERE name = ?", table)[0][0]
    shop.execute(f"ALTER TABLE {table} RENAME TO old")
    shop.execute(create.replace(f"{column} text NOT NULL", f"{column} {type_}").replace(f"PRIMARY KEY ({column})", "CHECK (1)"))
    shop.execute(f"INSERT INTO {table} SELECT * FROM old")
    shop.execute("DROP TABLE old")


def refused(shop: Shop, engine: str) -> str:
    """The line with which a run stops before it has written anything."""
    result = command(shop, "run", engine=engine)
    assert result.exit_code == 1, result.output
    assert not any(shop.results().values())
    return result.output.splitlines()[-1]


# Ids ------------------------------------------------------------------------------------------------------------------


@ENGINES
@pytest.mark.parametrize(
    "column", ["session_sources.session_id", "session_sources.user_id", "conversions.conv_id", "conversions.user_id"]
)
def test_ids_with_a_point_are_refused_with_the_cast_that_mends_them(sold: Shop, column: str, engine: str) -> None:
    table, name = column.split(".")
    declare(sold, table, name, "REAL")

    said = refused(sold, engine)

    assert f"{table}: " in said
    assert f"a number with a point: store CAST(CAST({name} AS integer) AS text)" in said
    assert f"has {name} 7.0" in said or f"has {name} 5.0" in said or f"has {name} 1.0" in said


@ENGINES
@pytest.mark.parametrize("column", ["session_sources.session_id", "session_sources.user_id", "session_sources.channel_name"])
def test_bytes_are_refused_with_the_cast_that_mends_them(sold: Shop, column: str, engine: str) -> None:
    table, name = column.split(".")
    sold.execute(f"UPDATE {table} SET {name} = CAST('abc' AS blob) WHERE session_id = '2'")

    assert f"has {name} X'616263', bytes and no text: store CAST({name} AS text)" in refused(sold, engine)


def test_an_id_that_stands_as_number_and_as_text_stands_twice(sold: Shop) -> None:
    declare(sold, "conversions", "conv_id", "")
    sold.execute(f"INSERT INTO conversions VALUES (5, '7', '{DAY}', '12:00:00', 100)")

    assert "conv_id '5' appears 2 times in conversions" in refused(sold, "sqlite")


# Text that is none ----------------------------------------------------------------------------------------------------


@ENGINES
@pytest.mark.parametrize(
    ("column", "row"),
    [
        ("session_sources.user_id", "session_id = '3'"),
        ("session_sources.user_id", "session_id = '2'"),
        ("session_sources.session_id", "session_id = '2'"),
        ("session_sources.channel_name", "session_id = '3'"),
        ("conversions.conv_id", "conv_id = '5'"),
        ("conversions.user_id", "conv_id = '5'"),
    ],
    ids=["user who does not buy", "user who buys", "session", "channel", "conversion", "buyer"],
)
def test_text_that_is_not_utf_8_is_refused_and_named(sold: Shop, column: str, row: str, engine: str) -> None:
    table, name = column.split(".")
    sold.execute(f"UPDATE {table} SET {name} = CAST(X'4A6F73E9' AS text) WHERE {row}")

    assert rf"has {name} 'Jos\xe9', which is not UTF-8: load it again as UTF-8" in refused(sold, engine)


def test_after_a_run_status_and_check_say_what_is_not_utf_8(sold: Shop) -> None:
    assert command(sold, "run").exit_code == 0
    sold.execute("UPDATE session_sources SET user_id = CAST(X'4A6F73E9' AS text) WHERE session_id = '3'")

    checked, status = command(sold, "check"), command(sold, "status")

    assert checked.exit_code == 1
    assert r"session_sources: '3' has user_id 'Jos\xe9', which is not UTF-8" in checked.output
    assert status.exit_code == 0


@ENGINES
def test_letters_of_any_language_are_text(sold: Shop, engine: str) -> None:
    sold.execute("UPDATE session_sources SET channel_name = 'Café 検索 🙂', user_id = 'Zoë' WHERE session_id = '3'")

    assert command(sold, "run", engine=engine).exit_code == 0
    assert ("Café 検索 🙂", 4.0) in sold.table("channel_reporting", "channel_name, cost")


def test_a_database_in_utf_16_is_read_as_any_other(tmp_path: Path, sold: Shop) -> None:
    with closing(sqlite3.connect(tmp_path / "utf16.db")) as connection, connection:
        connection.execute("PRAGMA encoding = 'UTF-16le'")
        connection.execute("CREATE TABLE made (first)")
    other = Shop(tmp_path / "utf16.db", tmp_path / "exports")
    for table in ("session_sources", "session_costs", "conversions"):
        for row in sold.table(table):
            other.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)
    other.execute("UPDATE session_sources SET channel_name = 'Café' WHERE session_id = '3'")

    assert command(other, "run").exit_code == 0
    assert ("Café", 4.0) in other.table("channel_reporting", "channel_name, cost")


# Dates and times ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "conversion", "engine"),
    [
        ("10:00:00.5", "10:00:00.500", "sqlite"),
        ("10:00:00.5", "10:00:00.500", "duckdb"),
        ("10:00:00.50", "10:00:00.5", "sqlite"),
        ("10:00:00.0", "10:00:00", "sqlite"),
    ],
)
def test_a_session_at_the_instant_of_its_conversion_is_not_before_it(
    shop: Shop, instance: dg.DagsterInstance, session: str, conversion: str, engine: str
) -> None:
    shop.session("first", "anna", f"{DAY} 09:00:00", "Email")
    shop.session("at once", "anna", f"{DAY} {session}", "Ads")
    shop.conversion("c", "anna", f"{DAY} {conversion}", 100)

    assert command(shop, "run", engine=engine, ATTRIBUTION_MODELS="markov").exit_code == 0
    assert shop.table("customer_journeys", "session_id") == [("first",)]
    assert command(shop, "check", ATTRIBUTION_MODELS="markov").exit_code == 0

    shop.attribute(instance, DAY, compute=engine, include_converting_session=True)
    assert shop.table("customer_journeys", "session_id") == [("at once",), ("first",)]


def test_a_fraction_that_is_spelt_otherwise_is_no_late_data(sold: Shop) -> None:
    sold.execute("UPDATE session_sources SET event_time = '10:00:00.5' WHERE session_id = '1'")
    assert command(sold, "run").exit_code == 0
    before = command(sold, "status").output

    sold.execute("UPDATE session_sources SET event_time = '10:00:00.500' WHERE session_id = '1'")

    assert command(sold, "status").output == before
    assert command(sold, "check").exit_code == 0


@pytest.mark.parametrize("day", ["2023-02-30", "2023-09-31", "2023-13-01"])
def test_a_day_that_no_calendar_has_is_no_date(sold: Shop, day: str) -> None:
    sold.session("4", "9", f"{day} 10:00:00", "Email", cost=8)

    ran = command(sold, "run")

    assert ran.exit_code == 0, ran.output
    assert "1 session" in ran.output
    assert sum(cost for (cost,) in sold.table("channel_reporting", "cost")) == 7
