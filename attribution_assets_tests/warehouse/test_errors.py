"""What is wrong with a database, said in one line, with nothing left open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attribution_assets.errors import AttributionError, BusyError, NotReadyError
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse

if TYPE_CHECKING:
    from attribution_assets_tests.support import Shop

from attribution_assets_tests.warehouse.rows import (
    ATTRIBUTION,
    CUSTOMER_JOURNEYS,
    JOURNEYS,
    AddSQL,
    Given,
    frame,
    locked,
    open_files,
    refused,
    replace,
)

METHODS: dict[str, Callable[[SQLiteWarehouse], object]] = {
    "prepare": lambda warehouse: warehouse.prepare(),
    "fetch": lambda warehouse: warehouse.fetch(CUSTOMER_JOURNEYS),
    "read": lambda warehouse: warehouse.read(ATTRIBUTION),
    "stream": lambda warehouse: list(warehouse.stream(ATTRIBUTION)),
    "replace_days": lambda warehouse: warehouse.replace_days(
        ATTRIBUTION, "conv_date", Days("2023-09-01", "2023-09-01"), frame(("c1", "s1", 1.0, "2023-09-01"))
    ),
    "replace_days by a query": lambda warehouse: warehouse.replace_days(
        JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS
    ),
}
every_method = pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)


@every_method
def test_a_missing_file_is_named_and_never_created(tmp_path: Path, method: Callable[[SQLiteWarehouse], object]) -> None:
    database = tmp_path / "no.db"

    with refused(
        f"no database {database}", "--database", "ATTRIBUTION_DATABASE", "attribution sample-data", kind=NotReadyError
    ):
        method(SQLiteWarehouse(database))

    assert list(tmp_path.iterdir()) == []


@every_method
def test_a_folder_is_no_database(tmp_path: Path, method: Callable[[SQLiteWarehouse], object]) -> None:
    with refused(f"no database {tmp_path}"):
        method(SQLiteWarehouse(tmp_path))


@every_method
def test_a_file_that_is_not_sqlite_is_named_and_left_alone(tmp_path: Path, method: Callable[[SQLiteWarehouse], object]) -> None:
    database = tmp_path / "notes.db"
    database.write_text("this is not SQLite, whatever its name says\n" * 50)

    with refused(f"{database} is not an SQLite database", "--database"):
        method(SQLiteWarehouse(database))

    assert database.read_text() == "this is not SQLite, whatever its name says\n" * 50


@every_method
def test_a_file_that_another_process_keeps_to_itself_is_named(
    attributed: Shop, method: Callable[[SQLiteWarehouse], object]
) -> None:
    attributed.execute("PRAGMA journal_mode = delete")  # where a writer keeps readers out too

    with (
        locked(attributed.database, "EXCLUSIVE"),
        refused(f"{attributed.database} stayed locked by another process for 0.05 s", "End the process", kind=BusyError),
    ):
        method(SQLiteWarehouse(attributed.database, busy_timeout=0.05))


@every_method
def test_no_connection_is_left_open_after_an_error(attributed: Shop, method: Callable[[SQLiteWarehouse], object]) -> None:
    attributed.execute("PRAGMA journal_mode = delete")
    with locked(attributed.database, "EXCLUSIVE"), pytest.raises(AttributionError) as raised:
        method(SQLiteWarehouse(attributed.database, busy_timeout=0.05))

    assert raised.tb is not None  # the frames of the failed call still live
    assert open_files(attributed.database) == []


def test_no_connection_is_left_open_after_refused_rows(attributed: Shop, given: Given) -> None:
    with pytest.raises(AttributionError) as raised:
        replace(attributed, given(("c", "s", None, "2023-09-01")), "2023-09-01")

    assert raised.tb is not None
    assert open_files(attributed.database) == []


def test_no_connection_is_left_open_after_success(attributed: Shop) -> None:
    attributed.warehouse.read(ATTRIBUTION)
    replace(attributed, frame(("c", "s", 1.0, "2023-09-01")), "2023-09-01")

    assert open_files(attributed.database) == []
    assert sorted(path.name for path in attributed.database.parent.iterdir()) == ["shop.db"]


def test_a_stream_that_is_given_up_closes_its_connection(attributed: Shop) -> None:
    stream = attributed.warehouse.stream(ATTRIBUTION, rows_per_frame=1)
    next(stream)

    del stream

    assert open_files(attributed.database) == []


@pytest.mark.parametrize("source", ["session_sources", "conversions"])
def test_a_missing_source_table_is_named(shop: Shop, source: str) -> None:
    shop.warehouse.prepare()
    shop.execute(f"DROP TABLE {source}")

    with refused(f"{shop.database} has no table {source}, which customer_journeys reads", "challenge_db_create.sql"):
        shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS)


@pytest.mark.parametrize(
    ("source", "column"),
    [("session_sources", "channel_name"), ("session_sources", "event_time"), ("conversions", "user_id")],
)
def test_a_missing_source_column_is_named(shop: Shop, source: str, column: str) -> None:
    shop.execute(f"ALTER TABLE {source} DROP COLUMN {column}")
    shop.warehouse.prepare()

    with refused(f"{source} in {shop.database} has no column {column}", "Add it"):
        shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS)


def test_a_source_that_only_a_guard_reads_is_looked_for_too(attributed: Shop) -> None:
    attributed.execute("DROP TABLE session_costs")
    reporting = Query(
        "attribution_customer_journey",
        {"first_day": "2023-09-01", "last_day": "2023-09-01", "first_session_day": "2023-09-01"},
        guards=("broken_sessions",),
    )

    with refused(f"{attributed.database} has no table session_costs, which attribution_customer_journey reads"):
        replace(attributed, reporting, "2023-09-01")


def test_a_source_that_the_query_does_not_read_may_be_missing(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.execute("DROP TABLE session_costs")

    day = Days("2023-09-01", "2023-09-01")
    assert shop.warehouse.replace_days(JOURNEYS, "conv_date", day, CUSTOMER_JOURNEYS).rows == {"2023-09-01": 0}


def test_a_source_that_only_a_comment_names_may_be_missing(shop: Shop, add_sql: AddSQL) -> None:
    shop.execute("DROP TABLE session_costs")

    assert shop.warehouse.fetch(Query(add_sql("SELECT 1 AS one -- not the session_costs"))) == (["one"], [(1,)])


def test_a_source_is_looked_for_in_whatever_case_a_query_names_it(shop: Shop, add_sql: AddSQL) -> None:
    shop.execute("DROP TABLE session_costs")
    query = Query(add_sql("SELECT EXISTS (SELECT 1 FROM Session_Costs) AS has_costs"))

    with refused(f"{shop.database} has no table session_costs, which {query.name} reads", "Add it"):
        shop.warehouse.fetch(query)


def test_column_names_of_a_source_may_be_in_capitals(shop: Shop) -> None:
    shop.execute("ALTER TABLE conversions RENAME COLUMN user_id TO USER_ID")
    shop.session("s", "u", "2023-09-01 10:00:00")
    shop.conversion("c", "u", "2023-09-01 12:00:00")
    shop.warehouse.prepare()

    shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS)

    assert shop.table("customer_journeys", "conv_id, session_id") == [("c", "s")]


def test_a_table_that_is_not_made_yet_cannot_be_read(shop: Shop) -> None:
    with refused(
        f"{shop.database} has no table customer_journeys yet", "or materialize customer_journeys first", kind=NotReadyError
    ):
        shop.warehouse.read(JOURNEYS)


def test_a_query_over_a_table_that_is_not_made_yet_says_to_make_it(shop: Shop) -> None:
    with refused(str(shop.database), "channel_reporting", "or materialize channel_reporting first", kind=NotReadyError):
        shop.warehouse.fetch(Query("channel_reporting_csv"))


def test_a_query_over_a_table_that_is_not_declared_says_to_declare_it(shop: Shop, add_sql: AddSQL) -> None:
    shop.execute("CREATE TABLE suppliers (name text)")

    with refused(f"{shop.database}: a query reads suppliers, which sql/challenge_db_create.sql does not declare"):
        shop.warehouse.fetch(Query(add_sql("SELECT name FROM suppliers")))
