"""Replacing days: exactly these, whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
import tracemalloc
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, functions, schema

if TYPE_CHECKING:  # the processes that tests start import this module, and do without Dagster
    from attribution_assets_tests.support import Shop

from attribution_assets_tests.warehouse.rows import (
    ATTRIBUTION,
    COLUMNS,
    CUSTOMER_JOURNEYS,
    JOURNEYS,
    OLD,
    REPORTING,
    AddSQL,
    Given,
    Row,
    everything,
    frame,
    in_processes,
    locked,
    open_files,
    refused,
    replace,
    select,
)


@pytest.mark.every_warehouse
def test_exactly_the_days_are_replaced_and_the_others_stay(attributed: Shop, given: Given) -> None:
    new = [("n1", "s", 1.0, "2023-09-01"), ("n2", "s", 1.0, "2023-09-02")]

    replace(attributed, given(*new), "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == [OLD[2], *new]


@pytest.mark.every_warehouse
def test_a_day_of_the_range_without_new_rows_is_cleared(attributed: Shop, given: Given) -> None:
    replace(attributed, given(("n", "s", 1.0, "2023-09-02")), "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == [OLD[2], ("n", "s", 1.0, "2023-09-02")]


@pytest.mark.every_warehouse
def test_the_rows_of_each_day_are_counted(attributed: Shop, given: Given) -> None:
    rows = [("n", "s", 0.5, "2023-09-01"), ("n", "t", 0.5, "2023-09-01"), ("m", "s", 1.0, "2023-09-03")]

    counts = replace(attributed, given(*rows), "2023-09-01", "2023-09-03")

    assert counts == {"2023-09-01": 2, "2023-09-02": 0, "2023-09-03": 1}


@pytest.mark.every_warehouse
def test_columns_go_by_name_whatever_their_order(attributed: Shop, given: Given) -> None:
    rows = given(("2023-09-01", 0.25, "session", "conversion"), columns=("conv_date", "ihc", "session_id", "conv_id"))

    replace(attributed, rows, "2023-09-01")

    assert ("conversion", "session", 0.25, "2023-09-01") in attributed.table("attribution_customer_journey")


@pytest.mark.every_warehouse
def test_a_rerun_changes_nothing(attributed: Shop, given: Given) -> None:
    rows = [("n", "s", 0.1, "2023-09-01"), ("n", "t", 0.9, "2023-09-01")]
    first = replace(attributed, given(*rows), "2023-09-01", "2023-09-02")
    before = attributed.table("attribution_customer_journey", "rowid, *")

    second = replace(attributed, given(*rows), "2023-09-01", "2023-09-02")

    assert second == first
    assert [row[1:] for row in before] == [row[1:] for row in attributed.table("attribution_customer_journey", "rowid, *")]


@pytest.mark.every_warehouse
def test_no_rows_clear_the_days_and_leave_the_table(attributed: Shop, given: Given) -> None:
    counts = replace(attributed, given(), "2023-09-01", "2023-09-02")

    assert counts == {"2023-09-01": 0, "2023-09-02": 0}
    assert attributed.table("attribution_customer_journey") == [OLD[2]]


@pytest.mark.every_warehouse
def test_empty_frames_one_after_another_clear_the_days(attributed: Shop) -> None:
    replace(attributed, iter([frame(), frame()]), "2023-09-01", "2023-09-03")

    assert attributed.table("attribution_customer_journey") == []


@pytest.mark.every_warehouse
def test_no_rows_for_an_empty_table_are_no_error(shop: Shop, given: Given) -> None:
    shop.warehouse.prepare()

    assert replace(shop, given(), "2023-09-01") == {"2023-09-01": 0}


# -- rows that are refused, with the old rows in place


@pytest.mark.every_warehouse
def test_a_missing_column_is_refused(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "lack the column ihc", "Return exactly the columns"):
        replace(attributed, given(("c", "s", "2023-09-01"), columns=("conv_id", "session_id", "conv_date")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_an_unknown_column_is_refused(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "an unknown column note"):
        replace(attributed, given(("c", "s", 1.0, "2023-09-01", ""), columns=(*COLUMNS, "note")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_a_column_that_is_missing_in_a_later_frame_is_refused(attributed: Shop) -> None:
    good = frame(("c", "s", 1.0, "2023-09-01"))

    with refused("attribution_customer_journey", "lack the column ihc"):
        replace(attributed, iter([good, good.drop(columns="ihc")]), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_a_column_given_twice_is_refused(attributed: Shop) -> None:
    good = frame(("c", "s", 1.0, "2023-09-01"))

    with refused("attribution_customer_journey", "ihc"):
        replace(attributed, pd.concat([good, good[["ihc"]]], axis="columns"), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
@pytest.mark.parametrize("outside", ["2023-08-31", "2023-09-03", "2022-09-01", "tomorrow"])
def test_a_row_outside_the_days_is_refused(attributed: Shop, given: Given, outside: str) -> None:
    rows = given(("c", "s", 1.0, "2023-09-01"), ("d", "s", 1.0, outside))

    with refused("attribution_customer_journey", f"conv_date '{outside}'", "outside the run's days (2023-09-01 to 2023-09-02)"):
        replace(attributed, rows, "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_a_time_is_no_day_even_where_it_lies_between_two_days_of_the_run(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "conv_date '2023-09-01 10:00:00'"):
        replace(attributed, given(("c", "s", 1.0, "2023-09-01 10:00:00")), "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_a_row_outside_the_days_never_takes_the_place_of_an_old_one(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "conv_date '2023-09-03'"):
        replace(attributed, given(("c3", "s3", 0.5, "2023-09-03")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
@pytest.mark.parametrize(
    ("row", "column"),
    [
        ((None, "s", 1.0, "2023-09-01"), "conv_id"),
        (("c", None, 1.0, "2023-09-01"), "session_id"),
        (("c", "s", None, "2023-09-01"), "ihc"),
        (("c", "s", 1.0, None), "conv_date"),
    ],
)
def test_null_is_refused_in_the_key_in_the_day_and_in_a_required_column(
    attributed: Shop, given: Given, row: Row, column: str
) -> None:
    with refused(f"attribution_customer_journey.{column}", "2023-09-01"):
        replace(attributed, given(row), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
@pytest.mark.parametrize("nothing", [float("nan"), pd.NA, pd.NaT], ids=str)
def test_whatever_pandas_calls_missing_is_null(attributed: Shop, nothing: object) -> None:
    with refused("attribution_customer_journey.ihc"):
        replace(attributed, frame(("c", "s", nothing, "2023-09-01")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_null_day_is_refused_in_an_older_table_too(older: Shop, given: Given) -> None:
    older.warehouse.prepare()
    before = older.execute("SELECT * FROM attribution_customer_journey")

    with refused("attribution_customer_journey", "conv_date None", "outside the run's days (2023-09-01)"):
        replace(older, given(("c", "s", 1.0, None)), "2023-09-01")

    assert older.execute("SELECT * FROM attribution_customer_journey") == before


@pytest.mark.every_warehouse
def test_text_in_a_column_of_numbers_is_refused(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "2023-09-01", "do not have the declared types", "ihc real"):
        replace(attributed, given(("c", "s", "much", "2023-09-01")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_a_fraction_in_a_column_of_whole_numbers_is_refused(shop: Shop) -> None:
    shop.warehouse.prepare()
    journey = frame(("c", "s", "2023-09-01", "2023-09-01 10:00:00", "Email", 1, 1, 0.5, 0), columns=JOURNEYS.column_names)

    with refused("customer_journeys", "2023-09-01", "do not have the declared types", "conversion integer"):
        shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), journey)

    assert shop.table("customer_journeys") == []


@pytest.mark.every_warehouse
@pytest.mark.parametrize(
    "value", [pd.Timestamp("2023-09-01"), [0.5], 10**400, "\ud83d"], ids=["time", "list", "huge", "half a character"]
)
def test_a_value_that_no_table_can_hold_is_refused_with_its_table(attributed: Shop, value: object) -> None:
    rows = frame(("c", "s", 1.0, "2023-09-01")).assign(ihc=pd.Series([value], dtype=object))

    with refused("attribution_customer_journey", "ihc"):
        replace(attributed, rows, "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_whole_numbers_are_real_numbers_too(attributed: Shop, given: Given) -> None:
    replace(attributed, given(("c", "s", 1, "2023-09-01")), "2023-09-01")

    assert ("c", "s", 1.0, "2023-09-01") in attributed.table("attribution_customer_journey")


@pytest.mark.every_warehouse
def test_a_key_given_twice_is_refused(attributed: Shop, given: Given) -> None:
    rows = given(("c", "s", 0.5, "2023-09-01"), ("c", "t", 0.5, "2023-09-01"), ("c", "s", 0.5, "2023-09-01"))

    with refused("attribution_customer_journey of 2023-09-01", "same conv_id, session_id: ('c', 's')", "duplicates"):
        replace(attributed, rows, "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.every_warehouse
def test_a_key_given_under_two_days_is_refused(attributed: Shop, given: Given) -> None:
    rows = given(("c", "s", 0.5, "2023-09-01"), ("c", "s", 0.5, "2023-09-02"))

    with refused("attribution_customer_journey", "same conv_id, session_id: ('c', 's')"):
        replace(attributed, rows, "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == OLD


# -- what fails half way leaves the old rows


def test_an_iterator_that_fails_half_way_leaves_the_old_rows(attributed: Shop) -> None:
    def answers() -> Iterator[pd.DataFrame]:
        yield frame(("n", "s", 1.0, "2023-09-01"))
        raise TimeoutError("the API does not answer")

    with pytest.raises(TimeoutError, match="the API does not answer"):
        replace(attributed, answers(), "2023-09-01", "2023-09-03")

    assert attributed.table("attribution_customer_journey") == OLD
    assert open_files(attributed.database) == []


def test_an_iterator_that_fails_in_a_database_of_its_own_does_not_blame_ours(attributed: Shop) -> None:
    def answers() -> Iterator[pd.DataFrame]:
        with closing(sqlite3.connect(":memory:")) as ledger:
            ledger.execute("SELECT * FROM answers")
        yield frame()

    with pytest.raises((AttributionError, sqlite3.OperationalError), match="no such table: answers") as raised:
        replace(attributed, answers(), "2023-09-01")

    assert str(attributed.database) not in str(raised.value)
    assert attributed.table("attribution_customer_journey") == OLD


def test_rows_that_cannot_be_inserted_leave_the_old_rows(attributed: Shop, given: Given) -> None:
    attributed.execute(
        "CREATE TRIGGER full BEFORE INSERT ON attribution_customer_journey WHEN new.conv_id = 'second' "
        "BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )

    with refused("attribution_customer_journey", "the disk is full"):
        replace(
            attributed, given(("first", "s", 1.0, "2023-09-01"), ("second", "s", 1.0, "2023-09-02")), "2023-09-01", "2023-09-02"
        )

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_query_that_fails_at_its_last_row_leaves_the_old_rows(attributed: Shop, add_sql: AddSQL) -> None:
    rows = select([("n", "s", 1, "2023-09-01"), ("m", "s", -(2**63), "2023-09-01")], COLUMNS)
    overflow = f"SELECT conv_id, session_id, abs(ihc) AS ihc, conv_date FROM ({rows})"

    with refused(str(attributed.database), "integer overflow"):
        replace(attributed, Query(add_sql(overflow)), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_query_that_is_no_sql_leaves_the_old_rows(attributed: Shop, add_sql: AddSQL) -> None:
    with refused(str(attributed.database), "syntax error"):
        replace(attributed, Query(add_sql("SELECT everything, FROM conversions")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_locked_file_leaves_the_old_rows(attributed: Shop, given: Given) -> None:
    rows = given(("n", "s", 1.0, "2023-09-01"))

    with locked(attributed.database), refused("stayed locked"):
        SQLiteWarehouse(attributed.database, busy_timeout=0.05).replace_days(
            schema()["attribution_customer_journey"], "conv_date", Days("2023-09-01", "2023-09-01"), rows
        )

    assert attributed.table("attribution_customer_journey") == OLD


def be_killed_while_inserting(_: Barrier, database: Path) -> None:
    class Killed(SQLiteWarehouse):
        @contextmanager
        def connect(self) -> Iterator[sqlite3.Connection]:
            with super().connect() as connection:
                connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
                yield connection

    rows = frame(("first", "s", 1.0, "2023-09-01"), ("second", "s", 1.0, "2023-09-02"))
    Killed(database).replace_days(ATTRIBUTION, "conv_date", Days("2023-09-01", "2023-09-03"), rows)


def test_a_process_that_is_killed_while_it_inserts_leaves_the_old_rows(attributed: Shop) -> None:
    attributed.execute(
        "CREATE TRIGGER kill BEFORE INSERT ON attribution_customer_journey WHEN new.conv_id = 'second' BEGIN SELECT die(); END"
    )

    codes = in_processes((be_killed_while_inserting, attributed.database))

    assert codes == [-signal.SIGKILL]
    assert attributed.table("attribution_customer_journey") == OLD


# -- a conversion that returns under another day


@pytest.mark.every_warehouse
def test_a_conversion_that_returns_under_another_day_moves_with_all_its_rows(attributed: Shop, given: Given) -> None:
    replace(attributed, given(("c", "s", 0.25, "2023-09-03"), ("c", "left", 0.75, "2023-09-03")), "2023-09-03")

    replace(attributed, given(("c", "s", 0.5, "2023-09-01"), ("c", "new", 0.5, "2023-09-01")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == [
        ("c", "new", 0.5, "2023-09-01"),
        ("c", "s", 0.5, "2023-09-01"),
        OLD[1],
    ]


def test_a_conversion_from_before_the_day_was_known_moves_too(older: Shop, given: Given) -> None:
    older.warehouse.prepare()

    replace(older, given(("gone", "s", 1.0, "2023-09-07")), "2023-09-07")

    assert older.table("attribution_customer_journey", "conv_id, session_id, conv_date") == [
        ("c1", "s1", "2023-09-01"),
        ("c1", "s2", "2023-09-01"),
        ("gone", "s", "2023-09-07"),
    ]


def test_a_move_that_fails_leaves_the_conversion_where_it_was(attributed: Shop, given: Given) -> None:
    rows = given(("c3", "s", 1.0, "2023-09-01"), ("n", "s", None, "2023-09-01"))

    with refused("attribution_customer_journey.ihc"):
        replace(attributed, rows, "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_channel_never_moves_because_its_day_is_in_the_key(shop: Shop, given: Given) -> None:
    shop.warehouse.prepare()
    days = [("Email", f"2023-09-0{day}", 1.0, 0.0, 0.0) for day in (1, 2, 3)]
    for row in days:
        shop.execute("INSERT INTO channel_reporting VALUES (?, ?, ?, ?, ?)", *row)

    new = ("Email", "2023-09-02", 5.0, 0.0, 0.0)
    shop.warehouse.replace_days(REPORTING, "date", Days("2023-09-02", "2023-09-02"), given(new, columns=REPORTING.column_names))

    assert shop.table("channel_reporting") == [days[0], new, days[2]]


# -- guards


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """A prepared database in which conversion `good` has one session, and its old journey."""
    shop.session("s", "u", "2023-09-01 10:00:00")
    shop.conversion("good", "u", "2023-09-01 12:00:00")
    shop.warehouse.prepare()
    journeys(shop)
    return shop


def journeys(shop: Shop) -> dict[str, int]:
    return shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS).rows


def test_a_row_that_a_guard_returns_stops_the_write(sold: Shop) -> None:
    before = sold.table("customer_journeys")
    sold.conversion("bad", "u", "2023-09-01 12:00:00", revenue="a lot")

    with refused(
        "customer_journeys was not written", "conversions: 'bad' has revenue 'a lot', which is not a number", "Fix these rows"
    ):
        journeys(sold)

    assert sold.table("customer_journeys") == before


@pytest.mark.parametrize(("broken", "named"), [(1, 1), (5, 5), (6, 5), (40, 5)])
def test_at_most_five_broken_rows_are_named(sold: Shop, broken: int, named: int) -> None:
    for number in range(broken):
        sold.conversion(f"bad {number:02}", "u", "2023-09-01 12:00:00", revenue="?")

    with pytest.raises(AttributionError) as raised:
        journeys(sold)

    assert str(raised.value).count("has revenue") == named
    assert ("There are more such rows" in str(raised.value)) == (broken > named)


def test_a_broken_row_of_another_day_stops_nothing(sold: Shop) -> None:
    sold.conversion("bad", "u", "2023-09-02 12:00:00", revenue="a lot")

    assert journeys(sold) == {"2023-09-01": 1}


def test_a_broken_row_is_found_in_a_source_that_is_a_view(sold: Shop) -> None:
    sold.conversion("bad", "u", "2023-09-01 12:00:00", revenue="a lot")
    sold.execute("ALTER TABLE conversions RENAME TO orders")
    sold.execute("CREATE VIEW conversions AS SELECT conv_id, user_id, conv_date, conv_time, revenue FROM orders")

    with refused("conversions: 'bad' has revenue 'a lot', which is not a number"):
        journeys(sold)


def test_a_missing_column_is_named_before_the_guards_look_for_it(sold: Shop) -> None:
    sold.execute("DROP INDEX conversions_broken")
    sold.execute("ALTER TABLE conversions DROP COLUMN revenue")

    with refused(f"conversions in {sold.database} has no column revenue. Add it"):
        journeys(sold)


def test_every_guard_of_a_query_is_asked(sold: Shop, add_sql: AddSQL) -> None:
    before = sold.table("customer_journeys")
    good, bad = add_sql("SELECT 'never' AS problem WHERE 0"), add_sql("SELECT 'the second one' AS problem")

    with refused("the second one"):
        sold.warehouse.replace_days(
            JOURNEYS,
            "conv_date",
            Days("2023-09-01", "2023-09-01"),
            Query("customer_journeys", CUSTOMER_JOURNEYS.parameters, guards=(good, bad)),
        )

    assert sold.table("customer_journeys") == before


# -- what others can do meanwhile


def test_others_can_write_while_an_iterator_is_staged(attributed: Shop) -> None:
    def answers() -> Iterator[pd.DataFrame]:
        for conv_id in ("n", "m"):
            yield frame((conv_id, "s", 1.0, "2023-09-01"))
            attributed.conversion(conv_id, "u", "2023-09-01 12:00:00")  # fails where the file is locked

    replace(attributed, answers(), "2023-09-01")

    assert attributed.table("conversions", "conv_id") == [("m",), ("n",)]
    assert len(attributed.table("attribution_customer_journey")) == 4


def test_others_see_the_old_rows_until_all_new_ones_are_there(attributed: Shop) -> None:
    seen = []

    def answers() -> Iterator[pd.DataFrame]:
        for conv_id in ("n", "m"):
            yield frame((conv_id, "s", 1.0, "2023-09-01"))
            seen.append(attributed.table("attribution_customer_journey"))

    replace(attributed, answers(), "2023-09-01", "2023-09-03")

    assert seen == [OLD, OLD]


@pytest.fixture
def _meanwhile(sold: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQL can call `meanwhile()`: what others try at that moment."""

    def meanwhile() -> int:
        with closing(sqlite3.connect(sold.database, timeout=0)) as other, suppress(sqlite3.OperationalError), other:
            other.execute("INSERT INTO conversions VALUES ('late', 'u', '2023-09-01', '13:00:00', 'a lot')")
        return 0

    def add_to(connection: sqlite3.Connection) -> None:
        ours(connection)
        connection.create_function("meanwhile", 0, meanwhile)

    ours = functions.add_to
    monkeypatch.setattr(functions, "add_to", add_to)


@pytest.mark.usefixtures("_meanwhile")
def test_a_query_and_its_guards_see_one_snapshot(sold: Shop, add_sql: AddSQL) -> None:
    then_others_write = add_sql("SELECT 'never' AS problem WHERE meanwhile()")
    guarded = Query("customer_journeys", CUSTOMER_JOURNEYS.parameters, guards=("broken_conversions", then_others_write))

    sold.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), guarded)

    assert sold.table("customer_journeys", "conv_id") == [("good",)]


@pytest.mark.usefixtures("_meanwhile")
def test_a_query_reads_all_its_rows_from_one_snapshot(sold: Shop, add_sql: AddSQL) -> None:
    counted_around_a_write = add_sql(
        "SELECT 'before ' || before AS conv_id, "
        "'after ' || (SELECT count(*) + meanwhile() * before FROM conversions) AS session_id, "
        "1.0 AS ihc, '2023-09-01' AS conv_date "
        "FROM (SELECT count(*) + meanwhile() AS before FROM conversions)"
    )

    sold.warehouse.replace_days(ATTRIBUTION, "conv_date", Days("2023-09-01", "2023-09-01"), Query(counted_around_a_write))

    assert sold.table("attribution_customer_journey", "conv_id, session_id") == [("before 1", "after 1")]


def test_a_query_is_computed_once(sold: Shop, add_sql: AddSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = count()
    ours = functions.add_to

    def add_to(connection: sqlite3.Connection) -> None:
        ours(connection)
        connection.create_function("call", 0, lambda: next(calls))

    monkeypatch.setattr(functions, "add_to", add_to)
    with_a_part_used_twice = add_sql(
        "WITH credit AS (SELECT conv_id, max(call()) AS call FROM conversions GROUP BY conv_id) "
        "SELECT credit.conv_id, 's' AS session_id, credit.call + 0.0 AS ihc, '2023-09-01' AS conv_date "
        "FROM credit LEFT JOIN credit AS same ON same.conv_id = credit.conv_id"
    )

    sold.warehouse.replace_days(ATTRIBUTION, "conv_date", Days("2023-09-01", "2023-09-01"), Query(with_a_part_used_twice))

    assert sold.table("attribution_customer_journey", "conv_id, ihc") == [("good", 0.0)]


def test_a_writer_waits_for_the_one_before_it(attributed: Shop, given: Given) -> None:
    with closing(sqlite3.connect(attributed.database, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO attribution_customer_journey VALUES ('theirs', 's', 1.0, '2023-09-01')")
        end = threading.Timer(0.2, other.execute, ["COMMIT"])
        start = time.monotonic()
        end.start()

        try:
            replace(attributed, given(("ours", "s", 1.0, "2023-09-01")), "2023-09-01")
        finally:
            end.join()

    assert time.monotonic() - start >= 0.15
    assert attributed.table("attribution_customer_journey") == [*OLD[1:], ("ours", "s", 1.0, "2023-09-01")]


def write_days(barrier: Barrier, database: Path, days: Sequence[str]) -> None:
    """As frames, and then as a Query with its guard."""
    warehouse = SQLiteWarehouse(database)
    for day in days:
        barrier.wait()
        rows = (
            frame((f"{day} {part}", f"s{number}", 0.01, day)) for part in "abc" for number in range(100) if number % 10 == 0
        )
        warehouse.replace_days(ATTRIBUTION, "conv_date", Days(day, day), rows)
        of_day = {"first_day": day, "last_day": day, "last_conversion_day": day}
        journey = Query("customer_journeys", {**CUSTOMER_JOURNEYS.parameters, **of_day}, guards=("broken_conversions",))
        warehouse.replace_days(JOURNEYS, "conv_date", Days(day, day), journey)


def test_two_processes_replace_different_days_at_the_same_time(shop: Shop) -> None:
    days = list(Days("2023-09-01", "2023-09-20"))
    for day in days:
        shop.session(f"s {day}", day, f"{day} 10:00:00")
        shop.conversion(f"c {day}", day, f"{day} 12:00:00")
    shop.warehouse.prepare()

    codes = in_processes((write_days, shop.database, days[::2]), (write_days, shop.database, days[1::2]))

    assert codes == [0, 0]
    assert shop.execute("SELECT conv_date, count(*) FROM attribution_customer_journey GROUP BY 1") == [
        (day, 30) for day in days
    ]
    assert shop.table("customer_journeys", "conv_date, session_id") == [(day, f"s {day}") for day in days]


# -- what a write costs and leaves behind


def test_the_staged_rows_leave_nothing_behind(attributed: Shop, given: Given) -> None:
    before = everything(attributed.database)

    replace(attributed, given(("n", "s", 1.0, "2023-09-01")), "2023-09-01")

    assert everything(attributed.database) == before


def test_a_database_can_be_written_twice_in_one_process_after_an_error(attributed: Shop, given: Given) -> None:
    with pytest.raises(AttributionError):
        replace(attributed, given(("n", "s", 1.0, "2023-09-09")), "2023-09-01")

    assert replace(attributed, given(("n", "s", 1.0, "2023-09-01")), "2023-09-01") == {"2023-09-01": 1}


def test_frames_are_let_go_as_soon_as_they_are_staged(attributed: Shop) -> None:
    alive: list[weakref.ref[pd.DataFrame]] = []
    most = 0

    def answers() -> Iterator[pd.DataFrame]:
        nonlocal most
        for number in range(10):
            rows = frame((f"n{number}", "s", 1.0, "2023-09-01"))
            alive.append(weakref.ref(rows))
            most = max(most, sum(reference() is not None for reference in alive))
            yield rows

    replace(attributed, answers(), "2023-09-01")

    assert most <= 2


def test_the_rows_of_a_query_never_visit_python(attributed: Shop, add_sql: AddSQL) -> None:
    many = add_sql(
        "WITH RECURSIVE n(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM n LIMIT 20000) "
        "SELECT 'conversion ' || n AS conv_id, 's' AS session_id, 1.0 AS ihc, '2023-09-01' AS conv_date FROM n"
    )
    tracemalloc.start()

    counts = replace(attributed, Query(many), "2023-09-01")

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counts == {"2023-09-01": 20_000}
    assert peak < 500_000  # 20,000 rows as tuples are ten times that
