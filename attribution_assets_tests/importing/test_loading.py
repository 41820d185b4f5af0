"""Rows into a table: by their key, in one transaction, as the table is declared, and again without a change."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.warehouse import SQLiteWarehouse
from attribution_assets.warehouse.schema import FURTHER
from attribution_assets_tests.command import Command
from attribution_assets_tests.importing.importing import CONVERSIONS, Imports
from attribution_assets_tests.support import SHARED, Shop, wait_for
from attribution_assets_tests.test_interruptions import is_locked

ROWS = "c1,anna,2023-09-01,10:00:00,1\nc2,ben,2023-09-01,11:00:00,2\nc3,ben,2023-09-02,10:00:00,3\n"


# -- by key -------------------------------------------------------------------------------------------------------------


def test_the_same_file_again_changes_not_a_byte(imports: Imports) -> None:
    assert imports.conversions(ROWS) == {"new": 3}
    before = imports.shop.database.read_bytes()

    assert imports.conversions(ROWS) == {"equal": 3}
    assert imports.conversions(ROWS, "--replace-days") == {"equal": 3}
    assert imports.shop.database.read_bytes() == before


def test_rows_are_replaced_by_their_key(imports: Imports) -> None:
    imports.conversions(ROWS)

    told = imports.conversions("c1,anna,2023-09-01,10:00:00,1\nc2,ben,2023-09-01,11:00:00,20\nc4,ben,2023-09-01,10:00:00,4\n")

    assert told == {"new": 1, "changed": 1, "equal": 1}
    assert imports.shop.table("conversions", "conv_id, revenue") == [("c1", 1.0), ("c2", 20.0), ("c3", 3.0), ("c4", 4.0)]


def test_an_id_that_was_tracked_twice_keeps_both_rows(imports: Imports) -> None:
    assert imports.conversions("c1,anna,2023-09-01,10:00:00,1\nc1,ben,2023-09-01,10:00:00,1\n") == {"new": 2}


def test_replacing_days_deletes_their_other_rows_alone(imports: Imports) -> None:
    imports.conversions(ROWS)

    told = imports.conversions("c1,anna,2023-09-01,10:00:00,1\nc4,ben,2023-09-01,10:00:00,4\n", "--replace-days")

    assert told == {"new": 1, "equal": 1, "deleted": 1}
    assert imports.shop.table("conversions", "conv_id") == [("c1",), ("c3",), ("c4",)]


def test_keys_without_a_value_are_keys(imports: Imports) -> None:
    costs = "date,campaign_id,market,cost\n2023-09-01,brand,,1\n2023-09-01,brand,DE,2\n"

    assert imports.fates("ad_costs", imports.file("costs.csv", costs)) == {"new": 2}
    assert imports.fates("ad_costs", imports.file("costs.csv", costs.replace(",1\n", ",5\n"))) == {"changed": 1, "equal": 1}
    assert imports.shop.execute("SELECT market, cost FROM ad_costs ORDER BY cost") == [("DE", 2.0), (None, 5.0)]


def test_what_the_file_does_not_have_stays(imports: Imports) -> None:
    imports.done(
        "conversions", imports.file("a.csv", "conv_id,user_id,conv_date,conv_time,revenue,market\nc1,u,2023-09-01,10:00,1,DE\n")
    )

    assert imports.conversions("c1,u,2023-09-01,10:00,2\n") == {"changed": 1}
    assert imports.shop.table("conversions", "revenue, market") == [(2.0, "DE")]


def test_costs_of_sessions_have_no_days_to_replace(imports: Imports) -> None:
    file = imports.file("costs.csv", "session_id,cost\ns1,0.5\ns2,\n")

    assert imports.fates("session_costs", file) == {"new": 2}
    assert imports.shop.table("session_costs") == [("s1", 0.5), ("s2", None)]
    assert imports.refused("session_costs", file, "--replace-days") == (
        "session_costs has no days to replace: its rows have none. Leave out --replace-days."
    )


# -- without a key ------------------------------------------------------------------------------------------------------

RESULTS = "customer_id,date,status,type,category,revenue,conversions,impressions,clicks\n"


def results(imports: Imports, rows: str, *options: str) -> dict[str, int]:
    """The fates of campaign results, given as the lines of a CSV file."""
    return imports.fates("campaign_results", imports.file("results.csv", RESULTS + rows), *options)


TWICE_AND_ONCE = "A,2023-09-01,ON,X,,1.5,2,10,1\n" * 2 + "A,2023-09-01,ON,X,,2.5,2,10,1\n" + "B,2023-09-01,ON,X,,9,1,5,0\n"


def test_equal_rows_without_a_key_stay_as_often_as_they_stand_in_the_file(imports: Imports) -> None:
    assert results(imports, TWICE_AND_ONCE) == {"new": 4}
    before = imports.shop.database.read_bytes()

    assert results(imports, TWICE_AND_ONCE) == {"equal": 4}
    assert imports.shop.database.read_bytes() == before
    assert imports.shop.table("campaign_results", "revenue") == [(1.5,), (1.5,), (2.5,), (9.0,)]


def test_rows_without_a_key_replace_those_of_their_customer_and_day_alone(imports: Imports) -> None:
    results(imports, f"{TWICE_AND_ONCE}A,2023-09-02,ON,X,,7,1,5,0\n")
    file = "A,2023-09-01,ON,X,,1.5,2,10,1\nA,2023-09-01,OFF,X,,3,2,10,1\n"

    checked = results(imports, file, "--check")
    told = results(imports, file)

    assert checked == told == {"new": 1, "equal": 1, "deleted": 2}
    assert imports.shop.table("campaign_results", "customer_id, date, revenue") == [
        ("A", "2023-09-01", 1.5),
        ("A", "2023-09-01", 3.0),
        ("A", "2023-09-02", 7.0),
        ("B", "2023-09-01", 9.0),
    ]


def test_days_without_a_key_are_replaced_whole_too(imports: Imports) -> None:
    results(imports, f"{TWICE_AND_ONCE}B,2023-09-02,ON,X,,7,1,5,0\n")

    told = results(imports, "A,2023-09-01,ON,X,,1.5,2,10,1\n", "--replace-days")

    assert told == {"equal": 1, "deleted": 3}
    assert imports.shop.table("campaign_results", "customer_id, revenue") == [("A", 1.5), ("B", 7.0)]


def test_rows_without_a_key_keep_what_the_file_does_not_have_where_they_are_equal(imports: Imports) -> None:
    results(imports, "A,2023-09-01,ON,X,,1.5,2,10,1\n")
    narrow = imports.file("narrow.csv", "customer_id,date,revenue,conversions\nA,2023-09-01,1.5,2\nA,2023-09-01,1.5,2\n")

    assert imports.fates("campaign_results", narrow) == {"new": 1, "equal": 1}
    assert imports.shop.execute("SELECT revenue, clicks FROM campaign_results ORDER BY rowid") == [(1.5, 1), (1.5, None)]


# -- check --------------------------------------------------------------------------------------------------------------


def test_a_check_counts_and_writes_nothing(imports: Imports) -> None:
    imports.conversions(ROWS)
    before = imports.shop.database.read_bytes()
    rows = "c1,anna,2023-09-01,10:00:00,1\nc3,ben,2023-09-02,10:00:00,30\nc4,ben,2023-09-02,10:00:00,4\n"
    file = imports.file("market.csv", CONVERSIONS.replace("\n", ",market\n") + rows.replace("\n", ",\n"))

    checked = imports.fates("conversions", file, "--check", "--replace-days")

    assert imports.shop.database.read_bytes() == before
    assert checked == {"new": 1, "changed": 1, "equal": 1, "deleted": 1}
    assert imports.fates("conversions", file, "--replace-days") == checked


def test_a_check_shows_broken_rows_and_makes_no_file(imports: Imports) -> None:
    file = imports.file("orders.csv", f"{CONVERSIONS}{ROWS}c4,u,soon,10:00,1\n")

    result = imports.run("conversions", file, "--check")

    assert result.exit_code == 1
    assert "Row 5 conv_date 'soon' is no day: YYYY-MM-DD." in result.stdout
    assert imports.run("conversions", file, "--check", "--skip-broken", "aside.csv").exit_code == 0
    assert sorted(path.name for path in imports.folder.iterdir()) == ["orders.csv"]


# -- the table ----------------------------------------------------------------------------------------------------------


def test_a_table_is_made_with_the_columns_that_are_given_and_the_key(imports: Imports) -> None:
    imports.conversions(ROWS)

    columns = imports.shop.execute("SELECT name, type, \"notnull\", pk FROM pragma_table_info('conversions')")

    assert columns == [
        ("conv_id", "TEXT", 1, 1),
        ("user_id", "TEXT", 1, 2),
        ("conv_date", "TEXT", 1, 3),
        ("conv_time", "TEXT", 1, 0),
        ("revenue", "REAL", 1, 0),
    ]


def test_a_table_that_exists_keeps_its_declaration_and_gets_an_optional_column(imports: Imports) -> None:
    imports.shop.execute(
        "CREATE TABLE conversions (note text, CONV_ID integer, user_id varchar, conv_date date, conv_time, revenue int)"
    )
    imports.shop.execute("INSERT INTO conversions VALUES ('mine', 7, 'u', '2023-09-01', '10:00:00', 1)")
    header = "conv_id,user_id,conv_date,conv_time,revenue,market\n"

    told = imports.fates(
        "conversions", imports.file("a.csv", f"{header}7,u,2023-09-01,10:00:00,1,\n8,u,2023-09-01,10:00:00,2,DE\n")
    )

    assert told == {"new": 1, "equal": 1}
    assert imports.shop.execute("SELECT * FROM conversions ORDER BY revenue") == [
        ("mine", 7, "u", "2023-09-01", "10:00:00", 1, None),
        (None, 8, "u", "2023-09-01", "10:00:00", 2, "DE"),
    ]


def test_a_column_that_would_change_an_id_is_refused(imports: Imports) -> None:
    imports.shop.execute(
        "CREATE TABLE conversions (conv_id integer, user_id text, conv_date text, conv_time text, revenue real)"
    )

    refused = imports.refused("conversions", imports.file("orders.csv", CONVERSIONS + "007,u,2023-09-01,10:00:00,1\n"))

    assert refused == "conversions.conv_id in shop.db is declared INTEGER, which makes 7 of '007'. Declare it as text."
    assert imports.shop.table("conversions") == []


def test_a_table_that_holds_an_id_once_refuses_it_twice(imports: Imports) -> None:
    shop = Shop(imports.shop.database, imports.shop.exports)
    shop.conversion("c1", "anna", "2023-09-01 10:00:00", 1)
    file = imports.file("orders.csv", f"{CONVERSIONS}c2,u,2023-09-01,10:00:00,1\nc1,ben,2023-09-01,10:00:00,1\n")

    assert imports.refused("conversions", file) == (
        "conversions in shop.db refuses a row of orders.csv: UNIQUE constraint failed: conversions.conv_id. "
        "Its rows are told apart by conv_id, user_id, conv_date in an import; declare it so."
    )
    assert len(shop.table("conversions")) == 1


def test_nothing_is_imported_into_a_view(imports: Imports) -> None:
    imports.shop.execute("CREATE VIEW conversions AS SELECT 1 AS conv_id")

    assert imports.refused("conversions", imports.file("orders.csv", CONVERSIONS + ROWS)) == (
        "conversions in shop.db is a view, so nothing can be imported into it. Import into another --database."
    )


def test_a_file_that_is_no_database_is_left_alone(imports: Imports) -> None:
    imports.shop.database.write_text("my diary, which is long enough to be taken for a header of a database " * 20)
    before = imports.shop.database.read_bytes()

    assert "is not an SQLite database" in imports.refused("conversions", imports.file("orders.csv", CONVERSIONS + ROWS))
    assert imports.shop.database.read_bytes() == before


def test_what_was_imported_can_be_run(imports: Imports) -> None:
    header = (
        "session_id,user_id,event_date,event_time,channel_name,holder_engagement,closer_engagement,impression_interaction\n"
    )
    imports.done("session_sources", imports.file("sessions.csv", f"{header}s1,anna,2023-09-01,09:00:00,Email,1,1,0\n"))
    imports.done("session_costs", imports.file("costs.csv", "session_id,cost\ns1,0.5\n"))
    imports.conversions(ROWS)

    SQLiteWarehouse(imports.shop.database).prepare()

    assert imports.conversions(ROWS) == {"equal": 3}


# -- one transaction ----------------------------------------------------------------------------------------------------


def test_an_import_that_is_killed_leaves_the_old_rows_and_can_be_repeated(imports: Imports) -> None:
    imports.conversions(ROWS)
    before = imports.shop.table("conversions")
    many = "".join(f"n{number:07},u,2023-09-01,10:00:00,1\n" for number in range(100_000))
    file = imports.file("many.csv", f"{CONVERSIONS}c1,anna,2023-09-01,10:00:00,100\n{many}")

    command = Command(
        "import", "conversions", file, "--database", imports.shop.database, "--replace-days", says=imports.folder / "said"
    )
    wait_for(lambda: is_locked(imports.shop.database) or not command.is_at_work(), every=0.005)
    assert command.is_at_work()
    command.kill()

    assert imports.shop.table("conversions") == before
    assert imports.shop.execute("PRAGMA integrity_check") == [("ok",)]
    assert imports.fates("conversions", file, "--replace-days") == {"new": 100_000, "changed": 1, "deleted": 1}


# -- tables that nothing reads yet --------------------------------------------------------------------------------------

STORE = SHARED / "real" / "store"
CAMPAIGNS = SHARED / "real" / "campaigns"

FURTHER_FILES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "exchange_rates": ("date,currency,rate\n2023-09-01,USD,0.92\n", [("2023-09-01", "USD", 0.92)]),
    "campaign_results": (f"{RESULTS}A,2023-09-01,ON,X,,1.5,2,10,\n", [("A", "2023-09-01", "ON", "X", None, 1.5, 2, 10, None)]),
    "events": (
        (
            "event_id,session_id,user_id,page_url,created_at,event_type,order_id,product_id\n"
            "e1,s1,anna,https://shop/x,2023-09-01T23:30:33Z,page_view,,p1\ne2,s1,anna,,1693612800.25,checkout,c1,\n"
        ),
        [
            ("e1", "s1", "anna", "page_view", "2023-09-01 23:30:33", "https://shop/x", "p1", None),
            ("e2", "s1", "anna", "checkout", "2023-09-02 00:00:00.25", None, None, "c1"),
        ],
    ),
    "order_items": ("order_id,product_id,quantity\nc1,p1,3\nc1,p2,1\n", [("c1", "p1", 3), ("c1", "p2", 1)]),
    "products": ("product_id,name,price\np1,Pothos,30.5\n", [("p1", "Pothos")]),
}


@pytest.mark.parametrize("table", FURTHER)
def test_a_table_that_nothing_reads_yet_comes_in_by_its_names(imports: Imports, table: str) -> None:
    content, rows = FURTHER_FILES[table]
    file = imports.file("file.csv", content)

    assert imports.fates(table, file) == {"new": len(rows)}
    assert imports.fates(table, file) == {"equal": len(rows)}
    assert imports.shop.table(table) == rows


def test_a_run_leaves_alone_what_nothing_reads_yet(imports: Imports) -> None:
    shop = Shop(imports.shop.database, imports.shop.exports)
    shop.execute("CREATE TABLE events (mine text)")

    shop.warehouse.prepare()

    assert shop.execute("SELECT name FROM pragma_table_info('events')") == [("mine",)]
    assert {*FURTHER} & {name for (name,) in shop.execute("SELECT name FROM sqlite_master")} == set()


def test_the_days_of_events_are_those_of_their_times(imports: Imports) -> None:
    header = "event_id,session_id,user_id,event_type,created_at\n"
    rows = ("e1,s1,u,view,2023-09-01 10:00:00\n", "e2,s1,u,view,2023-09-01 11:00:00\n", "e3,s1,u,view,2023-09-02 10:00:00\n")
    imports.done("events", imports.file("events.csv", header + "".join(rows)))

    told = imports.done("events", imports.file("events.csv", header + rows[0]), "--replace-days")

    assert (told["equal"], told["deleted"], told["days"]) == (1, 1, {"start": "2023-09-01", "end": "2023-09-01"})
    assert "row 2 created_at 'soon' is no point in time" in imports.refused(
        "events", imports.file("events.csv", f"{header}e1,s1,u,view,soon\n")
    )


@pytest.mark.skipif(not STORE.exists(), reason="the real files are not there")
def test_the_real_store_comes_in_whole(imports: Imports) -> None:
    for table, file, rows, mapping in (
        ("events", "events.csv", 3553, []),
        ("order_items", "order_items.csv", 862, []),
        ("products", "products.csv", 30, []),
        ("conversions", "orders.csv", 361, ["--mapping", "store_orders"]),
    ):
        assert imports.fates(table, str(STORE / file), *mapping) == {"new": rows}
        assert imports.fates(table, str(STORE / file), *mapping) == {"equal": rows}
    assert imports.shop.execute("SELECT count(DISTINCT session_id) FROM events") == [(578,)]


@pytest.mark.skipif(not CAMPAIGNS.exists(), reason="the real files are not there")
def test_the_real_campaign_results_twice_are_500_rows(imports: Imports) -> None:
    file = str(CAMPAIGNS / "campaign_results.csv")

    assert imports.fates("campaign_results", file) == {"new": 500}
    assert imports.fates("campaign_results", file) == {"equal": 500}
    assert imports.shop.execute("SELECT count(*), round(sum(revenue), 2) FROM campaign_results") == [(500, 12680630.11)]


# -- properties ---------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8).filter(str.strip)
ROW = st.tuples(
    TEXT,
    TEXT,
    st.dates().map(str),
    st.times().map(str),
    st.floats(-1e15, 1e15).map(lambda each: each + 0.0),
    st.none() | TEXT,
)


@hypothesis.settings.get_profile("databases")
@hypothesis.given(st.lists(ROW, max_size=20, unique_by=lambda row: row[:3]))
def test_what_is_written_comes_back_and_twice_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]
) -> None:
    imports = Imports(tmp_path_factory.mktemp("import"))
    written = io.StringIO(newline="")
    csv.writer(written).writerows([("conv_id", "user_id", "conv_date", "conv_time", "revenue", "market"), *rows])
    file = imports.file("orders.csv", written.getvalue())

    first = imports.fates("conversions", file)
    stored = imports.shop.execute("SELECT * FROM conversions ORDER BY rowid")
    again = imports.fates("conversions", file)

    expected = [(*row[:3], row[3].rstrip("0").rstrip(".") if "." in row[3] else row[3], *row[4:]) for row in rows]
    assert stored == expected
    assert all(math.copysign(1, row[4]) == math.copysign(1, each[4]) for row, each in zip(stored, expected, strict=True))
    assert (first, again) == ({"new": len(rows)}, {"equal": len(rows)}) if rows else ({}, {})
    assert imports.shop.execute("SELECT * FROM conversions ORDER BY rowid") == stored


RESULT = st.tuples(st.sampled_from("AB"), st.sampled_from(["2023-09-01", "2023-09-02"]), st.sampled_from(["", "ON"]))


@hypothesis.settings.get_profile("databases")
@hypothesis.given(st.lists(RESULT, max_size=12), st.lists(RESULT, max_size=12))
def test_rows_without_a_key_are_afterwards_those_of_the_file_and_of_other_customers_and_days(
    tmp_path_factory: pytest.TempPathFactory, first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]
) -> None:
    imports = Imports(tmp_path_factory.mktemp("results"))
    for rows in (first, second):
        lines = "".join(f"{customer},{date},{status},,,1,1,,\n" for customer, date, status in rows)
        told = results(imports, lines)

    replaced = {row[:2] for row in second}
    expected = [*second, *(row for row in first if row[:2] not in replaced)]
    stored = imports.shop.execute("SELECT customer_id, date, coalesce(status, '') FROM campaign_results")
    assert sorted(stored) == sorted(expected)
    assert told.get("new", 0) + told.get("equal", 0) == len(second)


def test_the_file_itself_is_no_place_for_its_broken_rows(imports: Imports) -> None:
    file = imports.file("orders.csv", f"{CONVERSIONS}c4,u,soon,10:00,1\n")

    assert imports.refused("conversions", file, "--skip-broken", file) == (
        "orders.csv is the file that is imported. Choose another file with --skip-broken."
    )


def test_a_cell_of_the_skipped_can_be_imported_after_repair(imports: Imports) -> None:
    aside = imports.folder / "aside.csv"
    imports.conversions(f"{ROWS}c4,u,soon,10:00,1\n", "--skip-broken", aside)

    repaired = imports.file("repaired.csv", Path(aside).read_text().replace(",soon,", ",2023-09-03,"))

    assert imports.fates("conversions", repaired) == {"new": 1}
