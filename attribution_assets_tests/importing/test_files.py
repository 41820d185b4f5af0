"""Files as they come: every form is read as what it says, or refused in one line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from attribution_assets_tests.importing.importing import CONVERSIONS, Imports
from attribution_assets_tests.support import SHARED

TRACKING = SHARED / "real" / "tracking"
ANNA = ("c1", "anna", "2023-09-01", "10:00:00", 12.5)


@pytest.mark.parametrize(
    ("content", "mapping"),
    [
        (CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n", ""),
        (CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5", ""),
        ("\ufeff" + CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n", ""),
        ((CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n").replace("\n", "\r\n"), ""),
        ((CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n").replace("\n", "\r"), ""),
        ((CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n").replace(",", ";"), ""),
        ((CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n").replace(",", "\t"), ""),
        ((CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n").replace(",", "!"), '[csv]\ndelimiter = "!"'),
        ('"conv_id",user_id,conv_date,conv_time,revenue\n"c1","anna","2023-09-01","10:00:00","12.5"\n', ""),
        ("CONV_ID,User_Id,note,conv_date,conv_time,revenue\nc1,anna,,2023-09-01,10:00:00,12.5\n", ""),
        (CONVERSIONS + "\nc1,anna,2023-09-01,10:00:00,12.5\n\n", ""),
        (
            (CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12,5\n").replace(",", ";").replace("12;5", "12,5"),
            "csv.decimal_comma = true",
        ),
        ((CONVERSIONS + "c1,anna,2023-09-01,10:00:00,12.5\n").encode("utf-16"), 'csv.encoding = "utf-16"'),
    ],
    ids=["plain", "no end", "BOM", "CRLF", "CR", ";", "tab", "!", "quotes", "case", "blank lines", "decimal comma", "UTF-16"],
)
def test_a_csv_file_is_read_however_it_is_written(imports: Imports, content: str | bytes, mapping: str) -> None:
    imports.done("conversions", imports.file("orders.csv", content), mapping=mapping)

    assert imports.shop.table("conversions") == [ANNA]


def test_ids_stay_as_they_are_written(imports: Imports) -> None:
    ids = ["1e5", "007", "1.0", "TRUE", "NULL", "2023-09-01", " a ", 'say "x"', "two\nlines", "12345678901234567890123", "café"]
    quoted = ['"' + each.replace('"', '""') + '"' for each in ids]

    imports.conversions("".join(f"{each},u,2023-09-01,10:00:00,1\n" for each in quoted))

    assert imports.shop.table("conversions", "conv_id") == sorted((each,) for each in ids)


def test_text_of_another_encoding_is_read_with_it(imports: Imports) -> None:
    file = imports.file("orders.csv", (CONVERSIONS + "c1,Zoé,2023-09-01,10:00:00,1\n").encode("latin-1"))

    refused = imports.refused("conversions", file)
    imports.done("conversions", file, mapping='csv.encoding = "windows-1252"')

    assert refused == (
        'orders.csv is not encoded as utf-8: invalid continuation byte. Say csv.encoding in a mapping, such as "windows-1252".'
    )
    assert imports.shop.table("conversions", "user_id") == [("Zoé",)]


def test_parquet_gives_what_its_types_say(imports: Imports) -> None:
    duckdb.sql(
        "SELECT 7 AS conv_id, 'anna' AS user_id, DATE '2023-09-01' AS conv_date, TIME '10:00:00' AS conv_time, "
        "12.50::DECIMAL(10, 2) AS revenue UNION ALL SELECT 8, 'ben', DATE '2023-09-02', TIME '10:00:00.25', 0.1"
    ).write_parquet(str(imports.folder / "orders.parquet"))

    imports.done("conversions", str(imports.folder / "orders.parquet"))

    assert imports.shop.table("conversions") == [
        ("7", "anna", "2023-09-01", "10:00:00", 12.5),
        ("8", "ben", "2023-09-02", "10:00:00.25", 0.1),
    ]


def test_json_lines_may_lack_keys_and_have_numbers(imports: Imports) -> None:
    row = '{"conv_id": 12345678901234567890123, "user_id": "anna", "conv_date": "2023-09-01", "conv_time": "10:00:00", '
    more = '"market": "DE", "more": {"a": 1}, '
    file = imports.file("orders.jsonl", f'{row}"revenue": 1.5}}\n\n{row.replace("123,", "124,")}{more}"revenue": 1.5}}\n')

    imports.done("conversions", file)

    assert imports.shop.table("conversions", "conv_id, revenue, market") == [
        ("12345678901234567890123", 1.5, None),
        ("12345678901234567890124", 1.5, "DE"),
    ]


def test_a_table_of_another_sqlite_file_is_read_value_for_value(imports: Imports) -> None:
    with closing(sqlite3.connect(imports.folder / "other.db")) as other, other:
        other.execute('CREATE TABLE "my orders" (conv_id integer, user_id, conv_date, conv_time, revenue)')
        other.execute("INSERT INTO \"my orders\" VALUES (7, 'anna', '2023-09-01', '10:00:00', 0.1 + 0.2)")

    imports.done("conversions", f"{imports.folder}/other.db:my orders")

    assert imports.shop.table("conversions") == [("7", "anna", "2023-09-01", "10:00:00", 0.1 + 0.2)]


def test_a_table_of_the_database_itself_can_be_imported(imports: Imports) -> None:
    imports.conversions("c1,anna,2023-09-01,10:00:00,12.5\n")

    told = imports.fates("conversions_backend", f"{imports.shop.database}:conversions")

    assert told == {"new": 1}
    assert imports.shop.table("conversions_backend") == [("c1", "anna", "2023-09-01", 12.5)]


def test_a_header_without_rows_imports_nothing(imports: Imports) -> None:
    assert imports.conversions("") == {}
    assert imports.shop.table("conversions") == []


def test_a_name_with_the_characters_of_a_pattern_is_one_file(imports: Imports) -> None:
    imports.file("a1.csv", CONVERSIONS + "other,anna,2023-09-01,10:00:00,1\n")

    imports.done("conversions", imports.file("a[12]*.csv", CONVERSIONS + "c1,anna,2023-09-01,10:00:00,1\n"))

    assert imports.shop.table("conversions", "conv_id") == [("c1",)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("orders.csv", "", "orders.csv is empty. A CSV file begins with a row of column names."),
        (
            "orders.csv",
            "conv_id,user_id,conv_date,conv_time,revenues\n",
            (
                "orders.csv has no column for revenue of conversions. Did you mean revenues? "
                'Say it in a mapping: revenue = "COLUMN".'
            ),
        ),
        (
            "orders.csv",
            "conv_id,user_id,conv_date,conv_time,revenue,Revenue\n",
            "orders.csv has the column revenue twice. Rename one of them in the file.",
        ),
        (
            "orders.csv",
            CONVERSIONS + 'c1,anna,2023-09-01,10:00:00,1\nc2,"anna,2023-09-01,10:00:00,1\n',
            'orders.csv, line 3: a cell begins with " and never ends. Close it, or double a " that is text.',
        ),
        (
            "orders.parquet",
            "hello",
            "orders.parquet cannot be read as parquet: File 'orders.parquet' too small to be a Parquet file.",
        ),
        (
            "orders.xlsx",
            "hello",
            (
                "orders.xlsx ends with none of .csv, .tsv, .txt, .parquet, .jsonl, .ndjson, .db, .sqlite, .sqlite3. "
                "Say source.format in a mapping."
            ),
        ),
        ("orders.db", "hello", "orders.db is an SQLite file. Name its table too: orders.db:TABLE."),
    ],
    ids=["empty", "wrong column", "column twice", "open quote", "no Parquet", "unknown ending", "no table"],
)
def test_what_cannot_be_read_is_refused_in_one_line_and_nothing_is_made(
    imports: Imports, name: str, content: str, message: str
) -> None:
    assert imports.refused("conversions", imports.file(name, content)) == message
    assert not imports.shop.database.exists()


def test_what_is_not_there_is_said_in_one_line(imports: Imports) -> None:
    imports.file("other.db", b"")

    assert imports.refused("conversions", f"{imports.folder}/none.csv") == "There is no file none.csv."
    assert imports.refused("conversions", f"{imports.folder}/other.db:orders") == "other.db has no table orders."
    assert imports.refused("conversion", f"{imports.folder}/none.csv") == (
        "There is no source table conversion. Did you mean conversions?"
    )


@pytest.mark.skipif(not TRACKING.exists(), reason="the real files are not there")
def test_the_real_exports_come_in_whole(imports: Imports) -> None:
    costs = '[columns]\ndate = "event_date"\ncampaign_id = "campaign_id"\ncost = "cost"\nclicks = "clicks"'
    tracked = "\n".join(
        ["[columns]", *(f'{name} = "{name}"' for name in ("conv_id", "user_id", "conv_date", "market", "revenue")),
         'conv_time = { value = "12:00:00" }']
    )  # fmt: skip

    for table, file, mapping in (
        ("conversions", "conversions.csv", tracked),
        ("conversions_backend", "conversions_backend.csv", ""),
        ("ad_costs", "api_adwords_costs.csv", costs),
    ):
        source = str(TRACKING / file)
        lines = len(Path(source).read_text().splitlines()) - 1
        assert imports.fates(table, source, mapping=mapping) == {"new": lines}
        assert imports.fates(table, source, mapping=mapping) == {"equal": lines}
