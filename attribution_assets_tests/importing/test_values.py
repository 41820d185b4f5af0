"""Values and times: what is cast, what is converted to UTC, and which rows are broken, with the reason."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.importing.zones import rule_at
from attribution_assets_tests.importing.importing import CONVERSIONS, Imports

BERLIN = ZoneInfo("Europe/Berlin")
ONE_TIMESTAMP = """
time_zone = "Europe/Berlin"
[columns]
conv_id = "id"
user_id = { value = "anna" }
conv_date = { timestamp = "at" }
revenue = { value = 1 }
"""


def times(imports: Imports, *at: str, mapping: str = ONE_TIMESTAMP) -> list[tuple[str, str]]:
    """The UTC dates and times that are stored for these timestamps."""
    lines = "".join(f"{number:03},{each}\n" for number, each in enumerate(at))
    imports.done("conversions", imports.file("orders.csv", f"id,at\n{lines}"), mapping=mapping)
    return [(day, time) for day, time in imports.shop.execute("SELECT conv_date, conv_time FROM conversions ORDER BY conv_id")]


# -- broken rows --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (",anna,2023-09-01,10:00:00,1", "has no conv_id"),
        ("c1,,2023-09-01,10:00:00,1", "has no user_id"),
        ("c1,anna,2023-09-01,10:00:00,", "has no revenue"),
        ("c1,anna,2023-02-30,10:00:00,1", "conv_date '2023-02-30' is no day: YYYY-MM-DD"),
        ("c1,anna,0000-01-01,10:00:00,1", "conv_date '0000-01-01' is no day: YYYY-MM-DD"),
        ("c1,anna,01.09.2023,10:00:00,1", "conv_date '01.09.2023' is no day: YYYY-MM-DD"),
        ("c1,anna,2023-09-01,24:00:00,1", "conv_time '24:00:00' is no time: HH:MM:SS"),
        ("c1,anna,2023-09-01,10:60:00,1", "conv_time '10:60:00' is no time: HH:MM:SS"),
        ('c1,anna,2023-09-01,10:00:00,"1,5"', "revenue '1,5' is no number"),
        ("c1,anna,2023-09-01,10:00:00,nan", "revenue 'nan' is no number"),
        ("c1,anna,2023-09-01,10:00:00,1e16", "revenue '1e16' is no number"),
        (
            "c1,anna,soon,later,much",
            ("conv_date 'soon' is no day: YYYY-MM-DD, conv_time 'later' is no time: HH:MM:SS, revenue 'much' is no number"),
        ),
        ("c1,anna", "has 2 cells, the header 5"),
        ("c1,anna,2023-09-01,10:00:00,1,x,y", "has 7 cells, the header 5: x, y"),
    ],
)
def test_a_broken_row_stops_the_import_and_says_why(imports: Imports, row: str, problem: str) -> None:
    file = imports.file("orders.csv", f"{CONVERSIONS}c0,ben,2023-09-01,10:00:00,1\n{row}\n")

    assert imports.refused("conversions", file) == (
        f"orders.csv has 1 broken row, so nothing was imported: row 3 {problem}. "
        "Fix them, or set them aside with --skip-broken FILE."
    )
    assert not imports.shop.database.exists()


@pytest.mark.parametrize(("flag", "problem"), [("2", "is neither 0 nor 1"), ("yes", "is no whole number")])
def test_a_flag_is_0_or_1_or_a_truth_value(imports: Imports, flag: str, problem: str) -> None:
    header = (
        "session_id,user_id,event_date,event_time,channel_name,holder_engagement,closer_engagement,impression_interaction\n"
    )
    row = "s1,anna,2023-09-01,10:00:00,Email"

    refused = imports.refused("session_sources", imports.file("bad.csv", f"{header}{row},1,{flag},0\n"))
    imports.done("session_sources", imports.file("good.csv", f"{header}{row},true,False,1.0\n"))

    assert f"row 2 closer_engagement '{flag}' {problem}" in refused
    assert imports.shop.table("session_sources")[0][-3:] == (1, 0, 1)


def test_decimal_commas_are_those_of_numbers_alone(imports: Imports) -> None:
    rows = "c,1;u;2023-09-01;10:00;1.234,5\nc2;u;2023-09-01;10:00;-7\nc3;u;2023-09-01;10:00;1234,25\n"
    file = imports.file("orders.csv", CONVERSIONS.replace(",", ";") + rows)

    imports.done("conversions", file, mapping="csv.decimal_comma = true")
    refused = imports.refused(
        "conversions",
        imports.file("point.csv", CONVERSIONS.replace(",", ";") + "c4;u;2023-09-01;10:00;1.25\n"),
        mapping="csv.decimal_comma = true",
    )

    assert imports.shop.table("conversions", "conv_id, revenue") == [("c,1", 1234.5), ("c2", -7.0), ("c3", 1234.25)]
    assert "row 2 revenue '1.25' is no number with a decimal comma" in refused


def test_a_key_with_other_values_is_broken_in_each_of_its_rows(imports: Imports) -> None:
    rows = "c1,u,2023-09-01,10:00:00,1\nc2,u,2023-09-01,10:00:00,1\nc1,u,2023-09-01,10:00:00,2\nc1,u,2023-09-02,10:00:00,2\n"

    refused = imports.refused("conversions", imports.file("orders.csv", CONVERSIONS + rows))

    assert "2 broken rows" in refused
    assert "row 2 has the conv_id, user_id, conv_date of row 4 and other values; row 4 has the" in refused


def test_equal_rows_count_once(imports: Imports) -> None:
    assert imports.conversions("c1,u,2023-09-01,10:00:00,1\nc1,u,2023-09-01,10:00,1.0\n") == {"new": 1}


def test_the_first_five_of_many_broken_rows_are_shown(imports: Imports) -> None:
    refused = imports.refused("conversions", imports.file("orders.csv", CONVERSIONS + "c1,u,soon,10:00:00,1\n" * 7))

    assert refused.count("is no day") == 5
    assert "orders.csv has 7 broken rows" in refused
    assert "There are more such rows." in refused


def test_broken_rows_are_kept_aside_as_they_were(imports: Imports) -> None:
    rows = 'c1,u,2023-09-01,10:00:00,1\n"c,2",u,soon,10:00:00,1\nc3,u\n'
    aside = imports.folder / "aside.csv"

    told = imports.done("conversions", imports.file("orders.csv", CONVERSIONS + rows), "--skip-broken", aside)

    assert (told["new"], told["broken"], told["skipped"]) == (1, 2, 2)
    with aside.open(newline="") as file:
        assert list(csv.reader(file)) == [
            ["conv_id", "user_id", "conv_date", "conv_time", "revenue", "problem"],
            ["c,2", "u", "soon", "10:00:00", "1", "conv_date 'soon' is no day: YYYY-MM-DD"],
            ["c3", "u", "", "", "", "has 2 cells, the header 5"],
        ]


def test_a_line_that_is_no_json_is_a_broken_row(imports: Imports) -> None:
    sound = '{"conv_id": "c1", "user_id": "u", "conv_date": "2023-09-01", "conv_time": "10:00:00", "revenue": 1}'
    file = imports.file("orders.jsonl", f"{sound}\nhello\n[1]\n")

    assert "row 2 is no JSON object: hello; row 3 is no JSON object: [1]" in imports.refused("conversions", file)


# -- times --------------------------------------------------------------------------------------------------------------


def test_one_timestamp_gives_date_and_time_in_utc(imports: Imports) -> None:
    at = {
        "2023-09-01 00:30:00": ("2023-08-31", "22:30:00"),
        "2023-09-01T00:30": ("2023-08-31", "22:30:00"),
        "2023-01-01 00:30:00.250": ("2022-12-31", "23:30:00.25"),
        "2023-09-01T00:30:00Z": ("2023-09-01", "00:30:00"),
        "2023-09-01 00:30:00 UTC": ("2023-09-01", "00:30:00"),
        "2023-09-01T00:30:00-0430": ("2023-09-01", "05:00:00"),
        "2023-09-01T00:30:00+05:30": ("2023-08-31", "19:00:00"),
        "2023-09-01T00:30:00+02": ("2023-08-31", "22:30:00"),
        "1693528200": ("2023-09-01", "00:30:00"),
        "1693528200.5": ("2023-09-01", "00:30:00.5"),
        "1693528200123": ("2023-09-01", "00:30:00.123"),
        "1693528200123456": ("2023-09-01", "00:30:00.123456"),
    }

    assert times(imports, *at) == [*at.values()]


def test_a_local_time_that_does_not_exist_is_broken_and_a_repeated_one_is_the_first(imports: Imports) -> None:
    at = ("2023-03-26 02:30:00", "2023-10-29 02:30:00", "2023-10-29T02:30:00+01:00", "2023-10-29 03:00:00")
    lines = "".join(f"{number},{each}\n" for number, each in enumerate(at))
    file = imports.file("orders.csv", f"id,at\n{lines}")

    refused = imports.refused("conversions", file, mapping=ONE_TIMESTAMP)
    told = imports.done("conversions", file, "--skip-broken", "aside.csv", mapping=ONE_TIMESTAMP)

    assert "row 2 '2023-03-26 02:30:00' does not exist in Europe/Berlin: clocks were put forward" in refused
    assert (told["nonexistent_times"], told["repeated_times"]) == (1, 1)
    assert imports.shop.table("conversions", "conv_id, conv_time") == [("1", "00:30:00"), ("2", "01:30:00"), ("3", "02:00:00")]


def test_date_and_time_of_two_columns_become_utc_too(imports: Imports) -> None:
    columns = "\n".join(f'{name} = "{name}"' for name in CONVERSIONS.strip().split(","))

    imports.conversions(
        "c1,u,2023-09-01,00:30,1\nc2,u,2023-10-29,02:30:00,1\nc3,u,2023-10-29,02:30:00+01:00,1\n",
        mapping=f'time_zone = "Europe/Berlin"\n[columns]\n{columns}',
    )

    assert imports.shop.table("conversions", "conv_id, conv_date, conv_time") == [
        ("c1", "2023-08-31", "22:30:00"),
        ("c2", "2023-10-29", "00:30:00"),
        ("c3", "2023-10-29", "01:30:00"),
    ]


def test_a_change_of_half_an_hour_is_found_to_the_second(imports: Imports) -> None:
    """On Lord Howe Island, clocks went from 01:59:59 to 02:30:00 on 2023-10-01."""
    mapping = ONE_TIMESTAMP.replace("Europe/Berlin", "Australia/Lord_Howe")

    assert times(imports, "2023-10-01 01:59:59", "2023-10-01 02:30:00", "2023-10-01 03:00:00", mapping=mapping) == [
        ("2023-09-30", "15:29:59"),
        ("2023-09-30", "15:30:00"),
        ("2023-09-30", "16:00:00"),
    ]
    file = imports.file("orders.csv", "id,at\n1,2023-10-01 02:29:59\n")
    assert "does not exist in Australia/Lord_Howe" in imports.refused("conversions", file, mapping=mapping)


@hypothesis.settings.get_profile("databases")
@hypothesis.given(st.lists(st.datetimes(datetime(2000, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=40))
def test_local_times_become_what_zoneinfo_says(tmp_path_factory: pytest.TempPathFactory, local: list[datetime]) -> None:
    local = [each.replace(microsecond=0) for each in local if rule_at(BERLIN, each.replace(microsecond=0)).offset is not None]
    imports = Imports(tmp_path_factory.mktemp("times"))

    expected = [each.replace(tzinfo=BERLIN).astimezone(UTC) for each in local]

    assert times(imports, *map(str, local)) == [(f"{each:%Y-%m-%d}", f"{each:%H:%M:%S}") for each in expected]


@pytest.mark.parametrize("at", ["2023-09-01", "20230901", "yesterday", "2023-09-01 25:00:00", "2023-02-30 10:00:00"])
def test_a_timestamp_that_is_none_is_a_broken_row(imports: Imports, at: str) -> None:
    refused = imports.refused("conversions", imports.file("orders.csv", f"id,at\n1,{at}\n"), mapping=ONE_TIMESTAMP)

    assert f"row 2 conv_date '{at}' is no point in time: YYYY-MM-DD HH:MM:SS, or seconds since 1970" in refused


def test_a_table_of_days_takes_the_day_of_a_timestamp(imports: Imports) -> None:
    mapping = """
    [columns]
    date = { timestamp = "at" }
    campaign_id = "campaign"
    platform = { value = "Google Ads" }
    cost = { expr = "cost_micros::BIGINT / 1e6" }
    """

    imports.done("ad_costs", imports.file("costs.csv", "at,campaign,cost_micros\n1693528200,7,1500000\n"), mapping=mapping)

    assert imports.shop.table("ad_costs") == [("2023-09-01", "7", "Google Ads", None, 1.5)]


def test_paths_of_home_are_not_read_by_an_expression(imports: Imports, tmp_path: Path) -> None:
    """The expression is the user's own SQL, but a mapping may be somebody else's: it reads no other file."""
    (tmp_path / "secret.txt").write_text("secret")
    mapping = ONE_TIMESTAMP.replace('{ value = "anna" }', "{ expr = \"(SELECT content FROM read_text('secret.txt'))\" }")

    refused = imports.refused("conversions", imports.file("orders.csv", "id,at\n1,1693528200\n"), mapping=mapping)

    assert "the expression of user_id cannot be computed" in refused
    assert "disabled" in refused


@pytest.mark.parametrize("day", ["2023-9-1", "2023-09-01 10:00:00", "20230901", "2023-09-31"])
def test_a_day_without_a_time_has_one_form(imports: Imports, day: str) -> None:
    file = imports.file("orders.csv", f"conv_id,user_id,conv_date,revenue\nc1,anna,{day},1\n")

    assert f"row 2 conv_date '{day}' is no day: YYYY-MM-DD" in imports.refused("conversions_backend", file)
