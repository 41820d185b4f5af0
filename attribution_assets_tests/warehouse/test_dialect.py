"""What a file of sql/ becomes for each engine, and that DuckDB's functions say what SQLite's do."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import duckdb
import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.days import is_date
from attribution_assets.warehouse.dialect import Engine, in_dialect
from attribution_assets.warehouse.spark.dialect import DATE, END


@pytest.fixture(scope="module")
def sqlite() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        functions.add_to(connection)
        yield connection


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        functions.add_to_duckdb(connection)
        yield connection


def by_sqlite(connection: sqlite3.Connection, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(in_dialect(text, "sqlite"), parameters).fetchall()


def by_duckdb(connection: duckdb.DuckDBPyConnection, text: str, **parameters: Any) -> list[tuple[Any, ...]]:
    return connection.execute(in_dialect(text, "duckdb"), parameters).fetchall()


def test_a_text_without_our_functions_stays_as_it_is() -> None:
    text = "SELECT count(*) FROM conversions -- that's all (really"

    assert in_dialect(text, "sqlite") == in_dialect(text, "duckdb") == text


def test_a_call_is_written_out_with_its_arguments() -> None:
    assert in_dialect("SELECT type_of(coalesce(a, ')', b)), 1", "sqlite") == "SELECT typeof(coalesce(a, ')', b)), 1"


def test_a_call_within_a_call_is_written_out_too() -> None:
    assert in_dialect("rounded(type_of(x), 2)", "sqlite") == "round(typeof(x), 2)"


@pytest.mark.parametrize("text", ["'type_of(x)'", '"day\'s", "type_of(x)"', "-- type_of(x)'s\n", "its_type_of(x)", "type_of"])
def test_what_is_no_call_stays_as_it_is(text: str) -> None:
    assert in_dialect(text, "sqlite") == text


def test_the_first_row_in_an_order_is_the_same_to_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection
) -> None:
    """NULL comes before all else, also as the value that is asked for."""
    visits = "SELECT 'u' AS visitor, 2 AS day, 'late' AS page UNION ALL SELECT 'u', 1, 'early' UNION ALL SELECT 'v', NULL, NULL"
    asked = (
        f"WITH visit AS ({visits} UNION ALL SELECT 'v', 1, 'early'), person AS (SELECT DISTINCT visitor AS name FROM visit) "
        "SELECT name, first_of(page, visit, visitor = name, day, page) FROM person ORDER BY name"
    )

    assert by_sqlite(sqlite, asked) == by_duckdb(duck, asked) == [("u", "early"), ("v", None)]


def test_a_digest_of_rows_is_of_all_their_columns() -> None:
    assert in_dialect("row_digest(a, 'b')", "sqlite") == "digest(CAST(group_concat(quote(a) || quote('b')) AS blob))"
    assert in_dialect("row_digest(a, b)", "duckdb").startswith("CAST(bit_xor(hash(a, b)) AS text)")


def test_a_digest_by_duckdb_does_not_depend_on_the_order_of_rows(duck: duckdb.DuckDBPyConnection) -> None:
    asked = "SELECT row_digest(a, b) FROM (VALUES {}) AS given (a, b)"
    one, other, third = (
        by_duckdb(duck, asked.format(rows))
        for rows in ("(1, 'x'), (2, NULL), (2, NULL)", "(2, NULL), (1, 'x'), (2, NULL)", "(1, 'x'), (2, NULL)")
    )

    assert one == other != third


FORMS = st.sampled_from(
    ["2023-09-01", "2024-02-29", "2023-02-29", "2023-9-1", "2023-09-1 ", "infinity", "epoch", "", "9999-12-31", "20230901"]
) | st.dates().map(str)


@hypothesis.given(x=FORMS | st.text(max_size=12) | st.none())
def test_a_date_is_the_same_to_both_engines(sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, x: str | None) -> None:
    hypothesis.assume(x is None or not (x.startswith("0000") or "\0" in x))
    asked = "SELECT is_date(CAST($x AS text)), is_no_date(CAST($x AS text))"

    assert by_sqlite(sqlite, asked, x=x) == by_duckdb(duck, asked, x=x)


@pytest.mark.parametrize(
    ("engine", "condition"), [("sqlite", "true"), ("duckdb", "true"), ("postgres", "true"), ("spark", "(a > 1)")]
)
def test_a_condition_that_follows_from_others_is_asked_of_spark_alone(engine: Engine, condition: str) -> None:
    assert in_dialect("SELECT 1 WHERE implied(a > 1)", engine) == f"SELECT 1 WHERE {condition}"


@pytest.mark.parametrize("year", [1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 9996, 9999])
def test_a_date_has_the_form_that_spark_looks_for_and_nothing_else_has(year: int) -> None:
    form = re.compile(DATE.replace(END, r"\Z"))
    texts = [f"{year:04}-{month:02}-{day:02}" for month in range(14) for day in range(33)]

    assert [text for text in texts if form.search(text)] == [text for text in texts if is_date(text)]


@pytest.mark.parametrize("x", [0.125, 2.675, -0.125, 1e6 + 0.005])
def test_a_number_in_text_is_the_same_to_both_engines_once_it_is_rounded(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, x: float
) -> None:
    asked = "SELECT printf('%.2f', rounded($x, 2))"

    assert by_sqlite(sqlite, asked, x=x) == by_duckdb(duck, asked, x=x)


@pytest.mark.parametrize("file", sorted(path.name for path in sql_folder().glob("*.sql") if "printf(" in path.read_text()))
def test_every_number_in_text_is_rounded_first(file: str) -> None:
    text = (sql_folder() / file).read_text(encoding="utf-8")

    assert text.count("printf(") == len(re.findall(r"printf\('%\.(\d)f', rounded\(\w+, \1\)\)", text))


@pytest.mark.parametrize("file", sorted(path.name for path in sql_folder().glob("*.sql") if " OVER" in path.read_text()))
def test_every_window_has_a_partition_or_an_order(file: str) -> None:
    """DuckDB 1.5.5 fails now and then at one without, whose threads do not wait for each other (its issue 25713)."""
    text = (sql_folder() / file).read_text(encoding="utf-8")

    assert re.findall(r"(?:OVER|AS) \(\s*(?:\)|ROWS|RANGE)", text) == []


AMOUNTS = st.none() | st.integers(-(10**16), 10**16) | st.floats(allow_nan=False)


@hypothesis.given(x=AMOUNTS)
def test_an_amount_and_a_count_are_the_same_to_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, x: float | None
) -> None:
    asked = "SELECT is_number($x), is_no_amount($x), is_wrong_amount($x), is_wrong_count($x), is_no_flag($x), type_of($x)"

    *conditions, type_ = by_sqlite(sqlite, asked, x=x)[0]
    if x is not None and abs(x) == float("inf"):
        conditions[0] = False  # which SQLite takes for a number

    assert [*by_duckdb(duck, asked, x=x)[0]] == [*map(bool, conditions), type_]


@pytest.mark.parametrize("x", ["ten", "", "1e3 Euro"])
def test_text_is_no_amount_to_both_engines(sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, x: str) -> None:
    asked = "SELECT is_number($x), is_no_amount($x), is_wrong_amount($x), is_wrong_count($x), is_no_flag($x), type_of($x)"

    assert by_sqlite(sqlite, asked, x=x) == by_duckdb(duck, asked, x=x) == [(0, 1, 1, 1, 1, "text")]


@pytest.mark.parametrize("x", [None, 7, -7, 7.0, 0.1, 12345.678, 1e15, 2.5e15, -1.25e16, 1e20, 1e-5, "it's", "", b"\xe9"])
def test_a_value_is_quoted_the_same_by_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, x: Any
) -> None:
    assert by_sqlite(sqlite, "SELECT quote($x)", x=x) == by_duckdb(duck, "SELECT quote($x)", x=x)


@hypothesis.given(cents=st.integers(-(10**11), 10**11), scale=st.sampled_from([1, 2, 8, 10, 100, 1000, 3]))
def test_a_number_is_rounded_the_same_by_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, cents: int, scale: int
) -> None:
    asked, x = "SELECT rounded(CAST($x AS double), 2)", cents / scale

    assert by_sqlite(sqlite, asked, x=x) == by_duckdb(duck, asked, x=x)


@pytest.mark.parametrize("names", ["[]", '["a"]', '["b \\"x\\"", "a", "é", "a"]'])
def test_names_are_read_with_their_places_by_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, names: str
) -> None:
    asked = "SELECT key, value FROM names_in($names) ORDER BY key"

    assert by_sqlite(sqlite, asked, names=names) == by_duckdb(duck, asked, names=names)


@pytest.mark.parametrize("time", [None, "2023-09-01 10:00:00", "1969-12-31 23:59:59", "2023-09-01 10:00:00.999", "never"])
def test_the_seconds_of_a_time_are_the_same_to_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, time: str | None
) -> None:
    asked = "SELECT seconds_of(CAST($time AS text))"

    assert by_sqlite(sqlite, asked, time=time) == by_duckdb(duck, asked, time=time)


EVENT_TIMES = [
    None,
    "",
    "2023-09-01 10:00:00",
    "2023-09-01 24:00:00",
    "2023-09-01 10:00:60",
    "2023-02-30 10:00:00",
    "2023-09-01T10:00:00",
    "2023-09-01 10:00:00.5",
    "2023-09-01 10:00:00.",
    "2023-09-01 10:00:00.5Z",
    "2023-09-01 10:00",
]


@pytest.mark.parametrize("created_at", EVENT_TIMES)
@pytest.mark.parametrize(("session_id", "event_type"), [("s", "page_view"), ("", "page_view"), ("s", None)])
def test_an_event_is_broken_to_both_engines_or_to_none(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, session_id: str, event_type: str | None, created_at: str | None
) -> None:
    asked = "SELECT is_broken_event(CAST($s AS text), CAST($e AS text), CAST($c AS text))"
    given = {"s": session_id, "e": event_type, "c": created_at}

    assert bool(by_sqlite(sqlite, asked, **given)[0][0]) == by_duckdb(duck, asked, **given)[0][0]


@pytest.mark.parametrize("text", [None, "a\nb", "ab", "Ä"])
def test_a_text_has_the_same_form_to_both_engines(
    sqlite: sqlite3.Connection, duck: duckdb.DuckDBPyConnection, text: str | None
) -> None:
    for pattern in ("a.b", "(?s)a.b", "[a-z]{2}", r"\w"):
        asked = f"SELECT matches(CAST($x AS text), '{pattern}')"
        assert by_sqlite(sqlite, asked, x=text) == by_duckdb(duck, asked, x=text)
