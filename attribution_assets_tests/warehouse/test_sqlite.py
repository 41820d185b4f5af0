"""The SQLite database: what the schema step makes, what is read, what replacing days keeps whole, and what errors say."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import threading
import time
import tracemalloc
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import hypothesis
import pandas as pd
import pytest
from hypothesis import strategies as st

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import SOURCES, Days, Query, SQLiteWarehouse, Table, query, schema, sqlite

if TYPE_CHECKING:  # the processes that tests start import this module, and do without Dagster
    from attribution_assets_tests.support import Shop

ATTRIBUTION = schema()["attribution_customer_journey"]
JOURNEYS = schema()["customer_journeys"]
REPORTING = schema()["channel_reporting"]
OURS = ("customer_journeys", "ihc_results", "attribution_customer_journey", "channel_reporting")

COLUMNS = ("conv_id", "session_id", "ihc", "conv_date")
OLD = [("c1", "s1", 1.0, "2023-09-01"), ("c2", "s2", 1.0, "2023-09-02"), ("c3", "s3", 1.0, "2023-09-03")]

Row = tuple[Any, ...]
Rows = Query | pd.DataFrame | Iterable[pd.DataFrame]
AddSQL = Callable[[str], str]


class Given(Protocol):
    """Rows in the form that the test runs with."""

    def __call__(self, *rows: Row, columns: Sequence[str] = COLUMNS) -> Rows: ...


@pytest.fixture
def add_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddSQL]:
    """Puts a text into a copy of sql/ and returns the file's name."""
    folder = tmp_path / "sql"
    shutil.copytree(query.sql_folder(), folder)
    monkeypatch.setattr(query, "sql_folder", lambda: folder)
    query.read_sql.cache_clear()

    def add(text: str) -> str:
        name = f"added_{len(list(folder.iterdir()))}"
        (folder / f"{name}.sql").write_text(f"{text}\n", encoding="utf-8")
        return name

    yield add
    query.read_sql.cache_clear()


@pytest.fixture(params=["query", "frame", "iterator"])
def given(request: pytest.FixtureRequest, add_sql: AddSQL) -> Given:
    """The test runs three times: with a Query, with one frame, and with an iterator that has a frame for each row."""

    def of(*rows: Row, columns: Sequence[str] = COLUMNS) -> Rows:
        if request.param == "query":
            return Query(add_sql(select(rows, columns)))
        if request.param == "frame":
            return frame(*rows, columns=columns)
        return (frame(row, columns=columns) for row in rows)

    return of


@pytest.fixture
def attributed(shop: Shop) -> Shop:
    """A prepared database with one attributed conversion on each of the first three days of September."""
    shop.warehouse.prepare()
    for row in OLD:
        shop.execute("INSERT INTO attribution_customer_journey VALUES (?, ?, ?, ?)", *row)
    return shop


def frame(*rows: Row, columns: Sequence[str] = COLUMNS) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(columns))


def select(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """The rows as a SELECT."""
    if not rows:
        return f"SELECT {', '.join(f'NULL AS {column}' for column in columns)} WHERE 0"
    names = ", ".join(f"column{at} AS {column}" for at, column in enumerate(columns, start=1))
    values = ", ".join(f"({', '.join('NULL' if value is None else repr(value) for value in row)})" for row in rows)
    return f"SELECT {names} FROM (VALUES {values})"


def replace(shop: Shop, rows: Rows, first: str, last: str | None = None) -> dict[str, int]:
    """Replaces the days `first` to `last` of attribution_customer_journey."""
    return shop.warehouse.replace_days(ATTRIBUTION, "conv_date", Days(first, last or first), rows)


@contextmanager
def refused(*words: str) -> Iterator[None]:
    """What stands inside raises an AttributionError of one line, which says these words."""
    with pytest.raises(AttributionError) as raised:
        yield
    message = str(raised.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == [], message


@contextmanager
def locked(database: Path, how: str = "IMMEDIATE") -> Iterator[None]:
    """Another connection holds the write lock (EXCLUSIVE: keeps readers out too, unless the file is in WAL mode)."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(f"BEGIN {how}")
        yield
        connection.execute("ROLLBACK")


def in_processes(*calls: tuple[Any, ...]) -> list[int | None]:
    """Runs each (function, *arguments) in a Python process of its own, all at once, and returns their exit codes."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(len(calls), timeout=60)
    processes = [context.Process(target=function, args=(barrier, *arguments)) for function, *arguments in calls]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=120)
        process.kill()
        process.join()
    return [process.exitcode for process in processes]


def everything(database: Path) -> list[Row]:
    """Every table, view and index of the file, with the statement that made it."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def made(database: Path, *statements: str) -> SQLiteWarehouse:
    """A new database file that these statements fill."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return SQLiteWarehouse(database)


# -- the schema step ---------------------------------------------------------------------------------------------------


def test_prepare_switches_the_file_to_wal(shop: Shop) -> None:
    shop.warehouse.prepare()

    assert shop.execute("PRAGMA journal_mode") == [("wal",)]


def test_prepare_creates_our_four_tables_and_all_indexes(shop: Shop) -> None:
    shop.warehouse.prepare()

    names = sorted(name for _, name, sql in everything(shop.database) if sql is not None)
    assert names == [
        "attribution_customer_journey",
        "attribution_customer_journey_by_date",
        "channel_reporting",
        "channel_reporting_by_date",
        "conversions",
        "conversions_by_date",
        "customer_journeys",
        "customer_journeys_by_date",
        "ihc_results",
        "ihc_results_by_date",
        "session_costs",
        "session_sources",
        "session_sources_by_date",
        "session_sources_by_user",
    ]


@pytest.mark.parametrize("table", OURS)
def test_prepare_creates_our_tables_as_sql_declares_them(shop: Shop, table: str) -> None:
    shop.warehouse.prepare()

    assert shop.execute("SELECT sql FROM sqlite_master WHERE name = ?", table) == [(schema()[table].create,)]


def test_preparing_again_changes_nothing(shop: Shop) -> None:
    shop.warehouse.prepare()
    before = everything(shop.database), shop.execute("PRAGMA schema_version")

    shop.warehouse.prepare()

    assert (everything(shop.database), shop.execute("PRAGMA schema_version")) == before


def test_prepare_keeps_the_rows_that_are_there(attributed: Shop) -> None:
    attributed.session("s", "u", "2023-09-01 10:00:00")

    attributed.warehouse.prepare()

    assert attributed.table("attribution_customer_journey") == OLD
    assert len(attributed.table("session_sources")) == 1


def test_prepare_never_creates_a_source_table(tmp_path: Path) -> None:
    warehouse = made(tmp_path / "empty.db")

    warehouse.prepare()

    tables = [name for type_, name, _ in everything(warehouse.path) if type_ == "table"]
    assert tables == sorted(OURS)


def test_prepare_never_changes_a_source_table(tmp_path: Path) -> None:
    create = "CREATE TABLE conversions (conv_id, user_id, conv_date, conv_time, revenue, note)"
    warehouse = made(tmp_path / "own.db", create)

    warehouse.prepare()

    assert ("table", "conversions", create) in everything(warehouse.path)


def test_a_source_that_is_a_view_is_not_indexed_and_a_line_says_so(tmp_path: Path) -> None:
    warehouse = made(
        tmp_path / "views.db",
        "CREATE TABLE orders (conv_id, user_id, conv_date, conv_time, revenue)",
        "CREATE VIEW conversions AS SELECT * FROM orders",
    )

    lines = warehouse.prepare()

    assert lines == ["conversions is a view: it gets no index of ours, its tables should have their own."]
    assert "conversions_by_date" not in [name for _, name, _ in everything(warehouse.path)]


def test_source_tables_need_no_line(shop: Shop) -> None:
    assert shop.warehouse.prepare() == []


def test_a_source_table_that_lacks_a_column_is_not_indexed_and_left_to_the_run_to_report(shop: Shop) -> None:
    shop.execute("ALTER TABLE session_sources DROP COLUMN event_time")

    shop.warehouse.prepare()

    assert "session_sources_by_user" not in [name for _, name, _ in everything(shop.database)]


@pytest.fixture
def older(shop: Shop) -> Shop:
    """A database from before attribution_customer_journey had a conv_date; only c1 is still a conversion."""
    shop.execute(
        "CREATE TABLE attribution_customer_journey "
        "(conv_id text NOT NULL, session_id text NOT NULL, ihc real NOT NULL, PRIMARY KEY (conv_id, session_id))"
    )
    shop.execute("INSERT INTO attribution_customer_journey VALUES ('c1', 's1', 0.4), ('c1', 's2', 0.6), ('gone', 's3', 1.0)")
    shop.conversion("c1", "u", "2023-09-01 12:00:00")
    return shop


def test_an_older_table_gets_its_conv_date_from_conversions(older: Shop) -> None:
    older.warehouse.prepare()

    assert older.table("attribution_customer_journey", "conv_id, session_id, ihc, conv_date") == [
        ("c1", "s1", 0.4, "2023-09-01"),
        ("c1", "s2", 0.6, "2023-09-01"),
        ("gone", "s3", 1.0, None),
    ]


def test_an_older_table_gets_its_index_too(older: Shop) -> None:
    older.warehouse.prepare()

    assert "attribution_customer_journey_by_date" in [name for _, name, _ in everything(older.database)]


def test_an_older_table_is_brought_up_once(older: Shop) -> None:
    older.warehouse.prepare()
    older.execute("UPDATE conversions SET conv_date = '2023-09-05'")

    older.warehouse.prepare()

    assert older.execute("SELECT DISTINCT conv_date FROM attribution_customer_journey WHERE conv_id = 'c1'") == [
        ("2023-09-01",)
    ]


def test_an_older_table_without_conversions_to_take_the_day_from_says_what_to_do(older: Shop) -> None:
    older.execute("DROP TABLE conversions")

    with refused("no table conversions", "Add it"):
        older.warehouse.prepare()

    assert older.table("attribution_customer_journey") == [("c1", "s1", 0.4), ("c1", "s2", 0.6), ("gone", "s3", 1.0)]


def test_a_table_of_ours_that_lacks_a_column_is_refused_and_nothing_is_created(shop: Shop) -> None:
    shop.execute("CREATE TABLE channel_reporting (channel_name text, date text, cost real)")
    before = everything(shop.database)

    with refused("channel_reporting", str(shop.database), "lacks ihc, ihc_revenue", "Rename or drop it"):
        shop.warehouse.prepare()

    assert everything(shop.database) == before


def test_a_table_of_ours_without_its_key_is_refused(shop: Shop) -> None:
    shop.execute("CREATE TABLE attribution_customer_journey (conv_id text, session_id text, ihc real, conv_date text)")

    with refused("attribution_customer_journey", str(shop.database), "key", "Rename or drop it"):
        shop.warehouse.prepare()


def test_a_view_under_the_name_of_a_table_of_ours_is_refused(shop: Shop) -> None:
    columns = ", ".join(f"1 AS {column}" for column in schema()["ihc_results"].column_names)
    shop.execute(f"CREATE VIEW ihc_results AS SELECT {columns}")

    with refused("ihc_results", "is a view", "Rename or drop it"):
        shop.warehouse.prepare()


def test_prepare_waits_for_one_who_writes_a_file_that_is_not_in_wal_mode_yet(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.database, isolation_level=None, check_same_thread=False)) as loader:
        loader.execute("BEGIN IMMEDIATE")
        loader.execute("INSERT INTO conversions VALUES ('c', 'u', '2023-09-01', '12:00:00', 1.0)")
        end = threading.Timer(0.2, loader.execute, ["COMMIT"])
        end.start()

        try:
            shop.warehouse.prepare()
        finally:
            end.join()

    assert shop.execute("PRAGMA journal_mode") == [("wal",)]
    assert len(shop.table("conversions")) == 1


def prepare_all(barrier: Barrier, databases: Sequence[Path]) -> None:
    failed = []
    for database in databases:
        barrier.wait()
        try:
            SQLiteWarehouse(database).prepare()
        except AttributionError as error:
            failed.append(str(error))
    assert not failed, failed


def test_two_processes_prepare_the_same_fresh_file_at_once(tmp_path: Path, long: bool) -> None:
    fresh = made(tmp_path / "fresh.db", *(schema()[source].create for source in SOURCES)).path
    databases = [Path(shutil.copy(fresh, tmp_path / f"{number}.db")) for number in range(1000 if long else 100)]

    codes = in_processes((prepare_all, databases), (prepare_all, databases))

    assert codes == [0, 0]
    assert {len(everything(database)) for database in databases} == {21}  # 7 tables, 7 keys, 7 indexes


# -- errors ------------------------------------------------------------------------------------------------------------

CUSTOMER_JOURNEYS = Query(
    "customer_journeys",
    {
        "first_day": "2023-09-01",
        "last_day": "2023-09-01",
        "last_conversion_day": "2023-09-01",
        "lookback_days": 90,
        "include_converting_session": 0,
    },
    guards=("broken_conversions",),
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


def open_files(database: Path) -> list[str]:
    """The database's files that this process holds open."""
    links = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists the folder
            links.append(str(descriptor.readlink()))
    return [link for link in links if link.startswith(str(database))]


@every_method
def test_a_missing_file_is_named_and_never_created(tmp_path: Path, method: Callable[[SQLiteWarehouse], object]) -> None:
    database = tmp_path / "no.db"

    with refused(f"no database {database}", "--database", "ATTRIBUTION_DATABASE", "attribution sample-data"):
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
    attributed: Shop, monkeypatch: pytest.MonkeyPatch, method: Callable[[SQLiteWarehouse], object]
) -> None:
    attributed.execute("PRAGMA journal_mode = delete")  # where a writer keeps readers out too
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.05)

    with (
        locked(attributed.database, "EXCLUSIVE"),
        refused(f"{attributed.database} stayed locked by another process for 0.05 s", "End the process"),
    ):
        method(attributed.warehouse)


@every_method
def test_no_connection_is_left_open_after_an_error(
    attributed: Shop, monkeypatch: pytest.MonkeyPatch, method: Callable[[SQLiteWarehouse], object]
) -> None:
    attributed.execute("PRAGMA journal_mode = delete")
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.05)
    with locked(attributed.database, "EXCLUSIVE"), pytest.raises(AttributionError) as raised:
        method(attributed.warehouse)

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
    [("session_sources", "holder_engagement"), ("session_sources", "event_time"), ("conversions", "user_id")],
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
        {"first_day": "2023-09-01", "last_day": "2023-09-01", "lookback_days": 0},
        guards=("broken_sessions",),
    )

    with refused(f"{attributed.database} has no table session_costs, which attribution_customer_journey reads"):
        replace(attributed, reporting, "2023-09-01")


def test_a_source_that_the_query_does_not_read_may_be_missing(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.execute("DROP TABLE session_costs")

    assert shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS) == {
        "2023-09-01": 0
    }


def test_column_names_of_a_source_may_be_in_capitals(shop: Shop) -> None:
    shop.execute("ALTER TABLE conversions RENAME COLUMN user_id TO USER_ID")
    shop.session("s", "u", "2023-09-01 10:00:00")
    shop.conversion("c", "u", "2023-09-01 12:00:00")
    shop.warehouse.prepare()

    shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS)

    assert shop.table("customer_journeys", "conv_id, session_id") == [("c", "s")]


def test_a_table_that_is_not_made_yet_cannot_be_read(shop: Shop) -> None:
    with refused(f"{shop.database} has no table customer_journeys yet", "materialize customer_journeys first"):
        shop.warehouse.read(JOURNEYS)


def test_a_query_over_a_table_that_is_not_made_yet_says_to_make_it(shop: Shop) -> None:
    with refused(str(shop.database), "channel_reporting", "materialize channel_reporting first"):
        shop.warehouse.fetch(Query("channel_reporting_csv"))


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_query_is_fetched_as_column_names_and_rows(shop: Shop) -> None:
    shop.session("s", "u", "2023-09-02 10:00:00")

    assert shop.warehouse.fetch(Query("earliest_day")) == (["day"], [("2023-09-02",)])


def test_rows_are_read_with_the_declared_types(attributed: Shop) -> None:
    rows = attributed.warehouse.read(ATTRIBUTION)

    assert rows.dtypes.astype(str).to_dict() == {"conv_id": "str", "session_id": "str", "ihc": "float64", "conv_date": "str"}


@pytest.mark.parametrize("table", [schema()[name] for name in OURS], ids=OURS)
def test_a_day_without_rows_has_columns_of_the_declared_types(shop: Shop, table: Table) -> None:
    shop.warehouse.prepare()
    day_column = "date" if table is REPORTING else "conv_date"

    rows = shop.warehouse.read(table, day_column, Days("2023-09-01", "2023-09-01"))

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
    deadline=None,
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
    assert [row for piece in frames for row in piece.itertuples(index=False)] == list(whole.itertuples(index=False))
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


# -- replacing days ----------------------------------------------------------------------------------------------------


def test_exactly_the_days_are_replaced_and_the_others_stay(attributed: Shop, given: Given) -> None:
    new = [("n1", "s", 1.0, "2023-09-01"), ("n2", "s", 1.0, "2023-09-02")]

    replace(attributed, given(*new), "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == [OLD[2], *new]


def test_a_day_of_the_range_without_new_rows_is_cleared(attributed: Shop, given: Given) -> None:
    replace(attributed, given(("n", "s", 1.0, "2023-09-02")), "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == [OLD[2], ("n", "s", 1.0, "2023-09-02")]


def test_the_rows_of_each_day_are_counted(attributed: Shop, given: Given) -> None:
    rows = [("n", "s", 0.5, "2023-09-01"), ("n", "t", 0.5, "2023-09-01"), ("m", "s", 1.0, "2023-09-03")]

    counts = replace(attributed, given(*rows), "2023-09-01", "2023-09-03")

    assert counts == {"2023-09-01": 2, "2023-09-02": 0, "2023-09-03": 1}


def test_columns_go_by_name_whatever_their_order(attributed: Shop, given: Given) -> None:
    rows = given(("2023-09-01", 0.25, "session", "conversion"), columns=("conv_date", "ihc", "session_id", "conv_id"))

    replace(attributed, rows, "2023-09-01")

    assert ("conversion", "session", 0.25, "2023-09-01") in attributed.table("attribution_customer_journey")


def test_a_rerun_changes_nothing(attributed: Shop, given: Given) -> None:
    rows = [("n", "s", 0.1, "2023-09-01"), ("n", "t", 0.9, "2023-09-01")]
    first = replace(attributed, given(*rows), "2023-09-01", "2023-09-02")
    before = attributed.table("attribution_customer_journey", "rowid, *")

    second = replace(attributed, given(*rows), "2023-09-01", "2023-09-02")

    assert second == first
    assert [row[1:] for row in before] == [row[1:] for row in attributed.table("attribution_customer_journey", "rowid, *")]


def test_no_rows_clear_the_days_and_leave_the_table(attributed: Shop, given: Given) -> None:
    counts = replace(attributed, given(), "2023-09-01", "2023-09-02")

    assert counts == {"2023-09-01": 0, "2023-09-02": 0}
    assert attributed.table("attribution_customer_journey") == [OLD[2]]


def test_empty_frames_one_after_another_clear_the_days(attributed: Shop) -> None:
    replace(attributed, iter([frame(), frame()]), "2023-09-01", "2023-09-03")

    assert attributed.table("attribution_customer_journey") == []


def test_no_rows_for_an_empty_table_are_no_error(shop: Shop, given: Given) -> None:
    shop.warehouse.prepare()

    assert replace(shop, given(), "2023-09-01") == {"2023-09-01": 0}


# -- rows that are refused, with the old rows in place


def test_a_missing_column_is_refused(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "lack the column ihc", "Return exactly the columns"):
        replace(attributed, given(("c", "s", "2023-09-01"), columns=("conv_id", "session_id", "conv_date")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_an_unknown_column_is_refused(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "a column note, which the table does not know"):
        replace(attributed, given(("c", "s", 1.0, "2023-09-01", ""), columns=(*COLUMNS, "note")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_column_that_is_missing_in_a_later_frame_is_refused(attributed: Shop) -> None:
    good = frame(("c", "s", 1.0, "2023-09-01"))

    with refused("attribution_customer_journey", "lack the column ihc"):
        replace(attributed, iter([good, good.drop(columns="ihc")]), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_column_given_twice_is_refused(attributed: Shop) -> None:
    good = frame(("c", "s", 1.0, "2023-09-01"))

    with refused("attribution_customer_journey", "ihc"):
        replace(attributed, pd.concat([good, good[["ihc"]]], axis="columns"), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


@pytest.mark.parametrize("outside", ["2023-08-31", "2023-09-03", "2022-09-01", "tomorrow"])
def test_a_row_outside_the_days_is_refused(attributed: Shop, given: Given, outside: str) -> None:
    rows = given(("c", "s", 1.0, "2023-09-01"), ("d", "s", 1.0, outside))

    with refused("attribution_customer_journey", f"conv_date '{outside}'", "outside the run's days (2023-09-01 to 2023-09-02)"):
        replace(attributed, rows, "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_time_is_no_day_even_where_it_lies_between_two_days_of_the_run(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "conv_date '2023-09-01 10:00:00'"):
        replace(attributed, given(("c", "s", 1.0, "2023-09-01 10:00:00")), "2023-09-01", "2023-09-02")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_row_outside_the_days_never_takes_the_place_of_an_old_one(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "conv_date '2023-09-03'"):
        replace(attributed, given(("c3", "s3", 0.5, "2023-09-03")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


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


def test_text_in_a_column_of_numbers_is_refused(attributed: Shop, given: Given) -> None:
    with refused("attribution_customer_journey", "2023-09-01", "another type than declared", "ihc real"):
        replace(attributed, given(("c", "s", "much", "2023-09-01")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_a_fraction_in_a_column_of_whole_numbers_is_refused(shop: Shop) -> None:
    shop.warehouse.prepare()
    journey = frame(("c", "s", "2023-09-01", "2023-09-01 10:00:00", "Email", 1, 1, 0.5, 0), columns=JOURNEYS.column_names)

    with refused("customer_journeys", "2023-09-01", "another type than declared", "conversion integer"):
        shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), journey)

    assert shop.table("customer_journeys") == []


@pytest.mark.parametrize(
    "value", [pd.Timestamp("2023-09-01"), [0.5], 2**70, "\ud83d"], ids=["time", "list", "huge", "half a character"]
)
def test_a_value_that_no_table_can_hold_is_refused_with_its_table(attributed: Shop, value: object) -> None:
    with refused("attribution_customer_journey", "ihc"):
        replace(attributed, frame(("c", "s", value, "2023-09-01")), "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


def test_whole_numbers_are_real_numbers_too(attributed: Shop, given: Given) -> None:
    replace(attributed, given(("c", "s", 1, "2023-09-01")), "2023-09-01")

    assert ("c", "s", 1.0, "2023-09-01") in attributed.table("attribution_customer_journey")


def test_a_key_given_twice_is_refused(attributed: Shop, given: Given) -> None:
    rows = given(("c", "s", 0.5, "2023-09-01"), ("c", "t", 0.5, "2023-09-01"), ("c", "s", 0.5, "2023-09-01"))

    with refused("attribution_customer_journey of 2023-09-01", "same conv_id, session_id: ('c', 's')", "duplicates"):
        replace(attributed, rows, "2023-09-01")

    assert attributed.table("attribution_customer_journey") == OLD


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


def test_a_locked_file_leaves_the_old_rows(attributed: Shop, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.05)

    with locked(attributed.database), refused("stayed locked"):
        replace(attributed, given(("n", "s", 1.0, "2023-09-01")), "2023-09-01")

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
    return shop.warehouse.replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), CUSTOMER_JOURNEYS)


def test_a_row_that_a_guard_returns_stops_the_write(sold: Shop) -> None:
    before = sold.table("customer_journeys")
    sold.conversion("bad", "u", "2023-09-01 12:00:00", revenue="a lot")

    with refused(
        "customer_journeys was not written", "conversions: 'bad' has revenue 'a lot', not a number", "Mend these rows"
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


class Interrupted(SQLiteWarehouse):
    """A database whose SQL can call `meanwhile()`: what others try at that moment."""

    def meanwhile(self) -> int:
        with closing(sqlite3.connect(self.path, timeout=0)) as other, suppress(sqlite3.OperationalError), other:
            other.execute("INSERT INTO conversions VALUES ('late', 'u', '2023-09-01', '13:00:00', 'a lot')")
        return 0

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        with super().connect() as connection:
            connection.create_function("meanwhile", 0, self.meanwhile)
            yield connection


def test_a_query_and_its_guards_see_one_snapshot(sold: Shop, add_sql: AddSQL) -> None:
    then_others_write = add_sql("SELECT 'never' AS problem WHERE meanwhile()")
    guarded = Query("customer_journeys", CUSTOMER_JOURNEYS.parameters, guards=("broken_conversions", then_others_write))

    Interrupted(sold.database).replace_days(JOURNEYS, "conv_date", Days("2023-09-01", "2023-09-01"), guarded)

    assert sold.table("customer_journeys", "conv_id") == [("good",)]


def test_a_query_reads_all_its_rows_from_one_snapshot(sold: Shop, add_sql: AddSQL) -> None:
    counted_around_a_write = add_sql(
        "SELECT 'before ' || before AS conv_id, "
        "'after ' || (SELECT count(*) + meanwhile() * before FROM conversions) AS session_id, "
        "1.0 AS ihc, '2023-09-01' AS conv_date "
        "FROM (SELECT count(*) + meanwhile() AS before FROM conversions)"
    )

    Interrupted(sold.database).replace_days(
        ATTRIBUTION, "conv_date", Days("2023-09-01", "2023-09-01"), Query(counted_around_a_write)
    )

    assert sold.table("attribution_customer_journey", "conv_id, session_id") == [("before 1", "after 1")]


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


# -- how queries find their rows


def plan(shop: Shop, asked: Query) -> list[str]:
    """The steps by which SQLite reads tables: each a SEARCH with an index or a SCAN of everything."""
    with closing(sqlite3.connect(shop.database)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {asked.text}", asked.parameters).fetchall()
    return [step for *_, step in steps if step.startswith(("SEARCH", "SCAN"))]


def test_sessions_of_a_conversion_are_found_by_user_and_date(shop: Shop) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, CUSTOMER_JOURNEYS)

    assert "SEARCH conversions USING INDEX conversions_by_date (conv_date>? AND conv_date<?)" in steps
    assert "SEARCH session USING INDEX session_sources_by_user (user_id=? AND event_date>? AND event_date<?)" in steps


def test_the_report_finds_sessions_costs_credits_and_conversions_by_index(shop: Shop) -> None:
    shop.warehouse.prepare()
    days = {"first_day": "2023-09-01", "last_day": "2023-09-01", "last_conversion_day": "2023-11-30"}

    steps = plan(shop, Query("channel_reporting", days))

    searched = [step for step in steps if step.startswith("SEARCH")]
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN ledger"]
    assert any("session USING INDEX session_sources_by_date" in step for step in searched)
    assert any("credit USING INDEX attribution_customer_journey_by_date" in step for step in searched)
    assert any("session_costs USING" in step and "(session_id=?)" in step for step in searched)
    assert any("conversions USING" in step and "(conv_id=?)" in step for step in searched)


@pytest.mark.parametrize("table", [schema()[name] for name in OURS], ids=OURS)
def test_a_day_is_deleted_and_read_by_index(shop: Shop, table: Table) -> None:
    shop.warehouse.prepare()
    day_column = "date" if table is REPORTING else "conv_date"

    [step] = [
        step for *_, step in shop.execute(f"EXPLAIN QUERY PLAN DELETE FROM {table.name} WHERE {day_column} BETWEEN 'a' AND 'b'")
    ]

    assert f"USING INDEX {table.name}_by_date" in step
