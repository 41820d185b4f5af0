"""Sources of a lake as CSV files, and as Parquet files with columns of every type: nothing is guessed, and nothing is lost."""

from __future__ import annotations

import ast
import csv
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from attribution_assets.command.cli import main
from attribution_assets.errors import BusyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, functions, schema
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.opened import opened_sources
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER
from attribution_assets.warehouse.sources import check_present
from attribution_assets_tests.command import Command
from attribution_assets_tests.lake.test_same_results import assert_same_tables
from attribution_assets_tests.lakes import OURS, rows_of
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.warehouse.any_database import computed
from attribution_assets_tests.warehouse.rows import CUSTOMER_JOURNEYS, JOURNEYS, refused

DAY = Days("2023-09-01", "2023-09-01")
SESSIONS = (
    "session_id,user_id,event_date,event_time,channel_name,holder_engagement,closer_engagement,impression_interaction\n"
    "s1,u1,2023-09-01,10:00:00,Email,1,1,0\n"
    "s2,u1,2023-09-01,11:00:00,SEA,1,1,0\n"
)
COSTS = "session_id,cost\ns1,1.5\ns2,0.25\n"
CONVERSIONS = "conv_id,user_id,conv_date,conv_time,revenue\nc1,u1,2023-09-01,12:00:00,100\n"
FILES = {"session_sources": SESSIONS, "session_costs": COSTS, "conversions": CONVERSIONS}


def attribution(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake whose three sources are CSV files."""
    LakeWarehouse(tmp_path / "lake").make()
    for name, text in FILES.items():
        (tmp_path / "lake" / f"{name}.csv").write_text(text)
    return tmp_path / "lake"


def run(place: Path | str, **environment: str) -> tuple[int | None, str]:
    """Runs all days in a process of its own. Returns its exit code and what it said."""
    name = Path(place).name
    exports = Path(place).parent / f"exports of {name}"
    home = str(exports.with_name(f"home of {name}"))
    said = exports.with_suffix(".txt")
    command = Command("run", "--database", place, "--exports", exports, says=said, DAGSTER_HOME=home, **environment)
    return command.wait(), said.read_text()


def credit(lake: Path) -> list[tuple[Any, ...]]:
    return sorted(rows_of(lake, schema()["attribution_customer_journey"]))


def fetch(lake: Path, select: str) -> list[tuple[Any, ...]]:
    with LakeWarehouse(lake).connect() as connection:
        return connection.execute(select).fetchall()


def costs(lake: Path) -> list[tuple[Any, ...]]:
    return fetch(lake, "SELECT session_id, cost FROM session_costs ORDER BY ALL")


# -- what was proved


def with_rates(lake: Path) -> Path:
    """A lake with a cost of 1e14 USD, which are 1e14 EUR on the first day, and 1e16 EUR on the second."""
    (lake / "session_costs.csv").write_text("session_id,cost,currency\ns1,1e14,USD\n")
    (lake / "exchange_rates.csv").write_text("date,currency,rate\n2023-09-01,USD,1\n2023-09-02,USD,100\n")
    return lake


NO_AMOUNT = "session_costs: 's1' has cost 1.0e+16, which is not a number"
TWO_DAYS = Days("2023-09-01", "2023-09-02")


def test_a_cost_is_looked_at_again_in_another_currency(lake: Path) -> None:
    with_rates(lake)
    (lake / "session_sources.csv").write_text(SESSIONS.replace("s1,u1,2023-09-01", "s1,u1,2023-09-02"))
    computed(Settings(database=f"{lake}/", currency="USD"), TWO_DAYS)

    with refused(NO_AMOUNT):
        computed(Settings(database=f"{lake}/", currency="EUR"), TWO_DAYS)


def test_a_cost_is_looked_at_again_once_its_session_is_of_another_day(lake: Path) -> None:
    settings = Settings(database=f"{with_rates(lake)}/", currency="EUR")
    computed(settings, TWO_DAYS)
    (lake / "session_sources.csv").write_text(SESSIONS.replace("s1,u1,2023-09-01", "s1,u1,2023-09-02"))

    with refused(NO_AMOUNT):
        computed(settings, TWO_DAYS)


def put_with_time(file: Path, text: str, time: int) -> None:
    """Writes the file and gives it a time, so that one of the same size and time seems to be the same."""
    file.write_text(text)
    os.utime(file, ns=(time, time))


def test_what_was_proved_with_other_functions_is_proved_again(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_with_time(lake / "session_costs.csv", COSTS, 1)
    with monkeypatch.context() as of_another_version:
        of_another_version.setattr(functions, "OF_DUCKDB", "of another version")
        computed(Settings(database=f"{lake}/"), DAY)
    opened_sources.cache_clear()
    put_with_time(lake / "session_costs.csv", COSTS.replace("1.5", "abc"), 1)

    with refused("session_costs: 's1' has cost"):
        computed(Settings(database=f"{lake}/"), DAY)


@pytest.mark.parametrize(
    ("name", "sound", "broken", "said"),
    [
        ("session_costs", "1.5", "abc", "session_costs: 's1' has cost"),
        ("session_sources", "s2,", "s1,", "session_id 's1' appears 2 times"),
    ],
)
def test_a_file_is_not_proved_by_one_that_stood_in_its_place_while_it_was_read(
    lake: Path, monkeypatch: pytest.MonkeyPatch, name: str, sound: str, broken: str, said: str
) -> None:
    file, right = lake / f"{name}.csv", FILES[name]
    wrong = right.replace(sound, broken)
    put_with_time(file, wrong, 1)

    def put_right(*arguments: Any) -> None:
        check_present(*arguments)
        put_with_time(file, right, 2)

    with monkeypatch.context() as meanwhile, refused("has changed while it was read. Run again.", kind=BusyError):
        meanwhile.setattr("attribution_assets.warehouse.lake.database.check_present", put_right)
        computed(Settings(database=f"{lake}/"), DAY)
    put_with_time(file, wrong, 1)

    with refused(said):
        computed(Settings(database=f"{lake}/"), DAY)


# -- the form of a CSV file


def test_a_run_over_csv_files_credits_every_session(lake: Path) -> None:
    code, said = run(f"{lake}/")

    assert code == 0, said
    assert [row[:2] for row in credit(lake)] == [("c1", "s1"), ("c1", "s2")]
    assert sum(row[2] for row in credit(lake)) == 1
    assert sorted(rows_of(lake, schema()["channel_costs"])) == [("2023-09-01", "Email", 1, 1.5), ("2023-09-01", "SEA", 1, 0.25)]


@pytest.mark.parametrize(
    ("rows", "read"),
    [
        ("#1,1\n'2,2\n3',3\n", [("#1", 1.0), ("'2", 2.0), ("3'", 3.0)]),
        ('"a,b",1\n"say ""x""",2\n"two\nlines",3\n', [("a,b", 1.0), ('say "x"', 2.0), ("two\nlines", 3.0)]),
        ("NULL,1\n007,\n a ,2", [(" a ", 2.0), ("007", None), ("NULL", 1.0)]),
        ("a;b|c\td,1\n//,2\n\\,3\n", [("//", 2.0), ("\\", 3.0), ("a;b|c\td", 1.0)]),
        ("", []),
    ],
    ids=["comments", "quotes", "nothing", "delimiters", "no rows"],
)
def test_cells_are_what_is_between_commas(lake: Path, rows: str, read: list[tuple[Any, ...]]) -> None:
    (lake / "session_costs.csv").write_text(f"session_id,cost\n{rows}")

    assert costs(lake) == read


@pytest.mark.parametrize("head", ["\ufeffsession_id,cost\n", '"session_id", "cost"\n'.replace(", ", ","), "session_id,cost \n"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_header_is_read_as_spreadsheets_write_it(lake: Path, head: str, end: str) -> None:
    (lake / "session_costs.csv").write_bytes(f"{head}é,1\nb,2\n".replace("\n", end).encode())

    assert costs(lake) == [("b", 2.0), ("é", 1.0)]


def test_columns_of_several_files_go_by_their_names(lake: Path) -> None:
    (lake / "session_costs.csv").unlink()
    folder = lake / "session_costs"
    folder.mkdir()
    for name, text in {"a": "session_id,cost\na,1\n", "b": "COST,session_id\n2,b\n", "c": "session_id,note\nc,x\n"}.items():
        (folder / f"{name}.csv").write_text(text)

    assert costs(lake) == [("a", 1.0), ("b", 2.0), ("c", None)]


@pytest.mark.parametrize("before", [1, 200_000])
@pytest.mark.parametrize(("line", "said"), [("s3", "fewer cells"), ("s3,1,2", "more cells")])
def test_a_line_of_another_length_is_told_with_its_number(lake: Path, line: str, said: str, before: int) -> None:
    rows = "".join(f"s{number},1\n" for number in range(before))
    (lake / "session_costs.csv").write_text(f"session_id,cost\n{rows}{line}\nx,1\n")

    for select in ("SELECT count(*) FROM session_costs", "SELECT sum(cost) FROM session_costs"):
        with refused(f"{lake / 'session_costs.csv'}, line {before + 2}: it has {said} than the header, which has 2"):
            fetch(lake, select)


def test_a_run_over_a_line_of_another_length_fails_in_one_line(lake: Path) -> None:
    (lake / "conversions.csv").write_text(f"{CONVERSIONS}c2,u1,2023-09-01,12:00:00,1,50\n")

    code, said = run(f"{lake}/")

    assert code == 1
    assert f"{lake / 'conversions.csv'}, line 3: it has more cells than the header, which has 5." in said
    assert credit(lake) == []


def test_empty_cells_beyond_the_header_do_not_count(lake: Path) -> None:
    (lake / "session_costs.csv").write_text("session_id,cost\na,1,\nb,2,,\nc,3\n")

    assert costs(lake) == [("a", 1.0), ("b", 2.0), ("c", 3.0)]


@pytest.mark.parametrize(
    ("ending", "name"),
    [(ending, f"shop{end}") for ending in ("csv", "parquet", "delta") for end in ("?", "*", "[1]")][:-1],
)
def test_a_name_that_looks_like_a_pattern_is_that_of_one_folder(lake: Path, tmp_path: Path, ending: str, name: str) -> None:
    place, other = tmp_path / name, tmp_path / "shop1"
    for folder, cost in ((place, 1.0), (other, 2.0)):
        put_costs(folder, ending, cost)
    warehouse = LakeWarehouse(lake, sources_at=str(place))

    with warehouse.connect() as connection:
        assert connection.execute("SELECT cost FROM session_costs").fetchall() == [(1.0,)]
    with refused("a file of a table is gone"), warehouse.connect() as connection:
        for file in place.rglob("*.csv" if ending == "csv" else "*.parquet"):
            file.rename(other / file.relative_to(place))
        connection.execute("SELECT cost FROM session_costs").fetchall()


@pytest.mark.parametrize("character", "%[]^|\\")
def test_a_name_in_which_no_delta_table_can_lie_is_refused(lake: Path, tmp_path: Path, character: str) -> None:
    moved = lake.rename(tmp_path / f"a{character}b")
    said = f"has {character} in its name, which delta-rs takes for a part of a URL"

    with refused(said):
        LakeWarehouse(tmp_path / f"other{character}").make()
    with refused(said):
        LakeWarehouse(moved).prepare()


def test_a_delta_table_in_a_folder_with_a_name_in_which_none_can_lie_is_refused(lake: Path, tmp_path: Path) -> None:
    put_costs(tmp_path / "shop", "delta", 1.0)
    moved = (tmp_path / "shop").rename(tmp_path / "shop[1]")

    with refused("has [ and ] in its name"), LakeWarehouse(lake, sources_at=str(moved)).connect():
        pass


def put_costs(folder: Path, ending: str, cost: float) -> None:
    """One row as the session_costs of a folder."""
    folder.mkdir(exist_ok=True)
    if ending == "delta":
        write_deltalake(folder / "session_costs", pa.table({"session_id": ["a"], "cost": [cost]}))
        return
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 'a' AS session_id, {cost} AS cost) TO '{folder.parent / 'made'}' (FORMAT {ending})")
    (folder.parent / "made").rename(folder / f"session_costs.{ending}")


def test_what_to_do_about_a_missing_source_is_said_for_files(lake: Path) -> None:
    (lake / "session_costs.csv").unlink()

    _, said = run(f"{lake}/")

    assert f"{lake} has no table session_costs, which " in said
    assert (
        " reads. Put it there, as a Delta table or in "
        "session_costs.parquet or session_costs.csv, with the columns that sql/challenge_db_create.sql declares, or point "
        "--database or ATTRIBUTION_DATABASE to the right lake."
    ) in said


def test_what_to_do_about_a_missing_column_is_said_for_files(lake: Path) -> None:
    (lake / "session_costs.csv").write_text("session_id\ns1\n")

    _, said = run(f"{lake}/")

    assert (
        f"session_costs in {lake} has no column cost. Write session_costs with it, as sql/challenge_db_create.sql declares it."
    ) in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"session_id;cost\ns1;1,5\n", "has semicolons between its cells. The delimiter has to be a comma"),
        (b"session_id\tcost\ns1\t1.5\n", "has tabs between its cells. The delimiter has to be a comma"),
        (b"", "is empty: its first line has to name the columns"),
        (b"\nsession_id,cost\n", "is empty: its first line has to name the columns"),
        (b"session_id,cost\n\xe9,1\n", "is not UTF-8. Save it as UTF-8"),
        (b"session_id,cost\n" + b"s,1\n" * 9_000 + b"\xe9,1\n", "line 9002: it is not UTF-8. Save it as UTF-8"),
        ("session_id,cost\né,1\n".encode("utf-16"), "is not UTF-8. Save it as UTF-8"),
        ("session_id,cost\né,1\n".encode("utf-16-le"), "is not UTF-8. Save it as UTF-8"),
        (b"session_id,cost,Cost\ns1,1,2\n", "has the column cost more than once"),
        (b'session_id,cost\n"s1,1\n', "line 2: a quote is not closed"),
        (b'session_id,cost\n"s"1,1\n', "line 2: a quote is not closed, or not doubled"),
        (b"session_id,cost\ns1,1\r\ns2,1\n", "has line ends of several kinds"),
    ],
)
def test_a_file_of_another_form_is_told_in_one_line(lake: Path, content: bytes, said: str) -> None:
    (lake / "session_costs.csv").write_bytes(content)

    with refused(str(lake / "session_costs.csv"), said):
        costs(lake)


def test_credit_of_others_in_a_csv_file_is_not_guessed_either(lake: Path) -> None:
    run(f"{lake}/")
    Path("credit.csv").write_text("conv_id,session_id,ihc\nc1,s1,0.5\nc1,s2,0_0.5\n#c1,s1\n")

    result = attribution("check", "--credit", "credit.csv", "--database", f"{lake}/")

    assert (result.exit_code, result.output.count("\n")) == (1, 1)
    assert "credit.csv, line 4: it has fewer cells than the header, which has 3" in result.output


# -- numbers


@pytest.mark.parametrize("number", ["1_0.25", "0x10", "inf", "nan", "1,5", "1e", ".", "", "--1", "1 0"])
def test_text_that_sqlite_takes_for_no_number_is_refused_as_in_a_file(lake: Path, number: str) -> None:
    (lake / "conversions.csv").write_text(
        f'conv_id,user_id,conv_date,conv_time,revenue\nc1,u1,2023-09-01,12:00:00,"{number}"\n'
    )

    assert in_sqlite(number) is None
    warehouse = LakeWarehouse(lake)
    warehouse.prepare()
    with refused("conversions: 'c1' has revenue", "which is not a number"):
        warehouse.replace_days(JOURNEYS, "conv_date", DAY, CUSTOMER_JOURNEYS)


@pytest.mark.parametrize("number", ["1", "+1", "-.5", "1.", " 1.5e3 ", "1E+2", "\t7", "0012", "1e-3"])
def test_text_that_sqlite_takes_for_a_number_is_that_number(lake: Path, number: str) -> None:
    (lake / "session_costs.csv").write_text(f'session_id,cost\ns1,"{number}"\n')

    assert costs(lake) == [("s1", in_sqlite(number))]


def in_sqlite(number: str) -> float | None:
    """The text as a column of numbers has it; None where it stays text."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE one (x real)")
        connection.execute("INSERT INTO one VALUES (?)", (number,))
        [(kept,)] = connection.execute("SELECT x FROM one")
    return kept if isinstance(kept, float) else None


# -- the types of columns

WHOLE = ("holder_engagement", "closer_engagement", "impression_interaction")
AMOUNTS, IDS = ("cost", "revenue"), ("session_id", "user_id", "conv_id")
TYPED = {
    "DECIMAL(12,2)": dict.fromkeys((*AMOUNTS, *WHOLE), "DECIMAL(12,2)"),
    "DECIMAL(12,0)": dict.fromkeys(WHOLE, "DECIMAL(12,0)"),
    "FLOAT": dict.fromkeys((*AMOUNTS, *WHOLE), "FLOAT"),
    "DOUBLE": dict.fromkeys((*AMOUNTS, *WHOLE), "DOUBLE"),
    "BOOLEAN": dict.fromkeys(WHOLE, "BOOLEAN"),
    "INTEGER": dict.fromkeys((*IDS, *AMOUNTS, *WHOLE), "INTEGER"),
    "UTINYINT": dict.fromkeys((*IDS, *AMOUNTS, *WHOLE), "UTINYINT"),
    "DATE": {"event_date": "DATE", "conv_date": "DATE"},
    "TIMESTAMP": dict.fromkeys(("event_date", "event_time", "conv_date", "conv_time"), "TIMESTAMP"),
    "TIMESTAMPTZ": dict.fromkeys(("event_date", "event_time", "conv_date", "conv_time"), "TIMESTAMPTZ"),
    "TIME": {"event_time": "TIME", "conv_time": "TIME"},
    "UUID": dict.fromkeys(IDS, "UUID"),
    "BLOB": {"note": "BLOB"},
}
NOT_IN_DELTA = ("TIME", "UUID", "UTINYINT")
TELLING = ("DECIMAL(12,2)", "TIMESTAMPTZ")
"""Types that the short form tries in Delta tables too, where DuckDB reads the same Parquet."""
ROWS = {
    "session_sources": (
        "SELECT 1 AS session_id, 1 AS user_id, '2023-09-01' AS event_date, '10:00:00' AS event_time, 'Email' AS channel_name, "
        "1 AS holder_engagement, 1 AS closer_engagement, 0 AS impression_interaction, 'x' AS note "
        "UNION ALL SELECT 2, 1, '2023-08-31', '23:30:00.25', 'SEA', 1, 0, 0, NULL"
    ),
    "session_costs": "SELECT 1 AS session_id, 1 AS cost UNION ALL SELECT 2, 2",
    "conversions": (
        "SELECT 3 AS conv_id, 1 AS user_id, '2023-09-01' AS conv_date, '12:00:00' AS conv_time, 74 AS revenue, 'y' AS note"
    ),
}
AS_TEXT_AND_DOUBLE = {**dict.fromkeys(IDS, "VARCHAR"), **dict.fromkeys(AMOUNTS, "DOUBLE"), **dict.fromkeys(WHOLE, "BIGINT")}


def put(lake: Path, kind: str, types: Mapping[str, str]) -> None:
    """Makes a lake of the rows, with columns of these types, as Parquet files or Delta tables."""
    LakeWarehouse(lake).make()
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name, select in ROWS.items():
            read = connection.execute(f"DESCRIBE {select}").fetchall()
            columns = ", ".join(f"{_cast(column, {**AS_TEXT_AND_DOUBLE, **types})} AS {column}" for column, *_ in read)
            typed = connection.sql(f"SELECT {columns} FROM ({select})")
            if kind == "parquet":
                typed.write_parquet(str(lake / f"{name}.parquet"))
            else:
                write_deltalake(str(lake / name), typed.to_arrow_table())


def _cast(column: str, types: Mapping[str, str]) -> str:
    type_ = types.get(column, "VARCHAR")
    value = column
    if type_ == "UUID":
        value = f"'00000000-0000-4000-8000-00000000000' || {column}"
    if type_.startswith("TIMESTAMP"):
        day, time = ("conv_date", "conv_time") if column.startswith("conv") else ("event_date", "event_time")
        value = f"{day} || ' ' || {time}"
    return f"CAST({value} AS {type_})"


@pytest.fixture
def results_of_plain(tmp_path: Path, templates: Templates) -> dict[str, list[tuple[Any, ...]]]:
    """All results over the rows as text and double."""

    def fill(folder: Path) -> None:
        put(folder / "lake", "parquet", {})
        (folder / "results").write_text(repr(results(folder / "lake")))

    written = templates.copy("a lake of text and double", fill, tmp_path / "plain") / "results"
    of_table: dict[str, list[tuple[Any, ...]]] = ast.literal_eval(written.read_text())
    return of_table


def results(lake: Path) -> dict[str, list[tuple[Any, ...]]]:
    computed(Settings(database=f"{lake}/", exports=lake / "exports"), Days("2023-08-31", "2023-09-01"))
    return {name: sorted(rows_of(lake, schema()[name])) for name in OURS}


@pytest.mark.sampled(8)
@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        pytest.param(type_, kind, marks=[pytest.mark.long] if kind == "delta" and type_ not in TELLING else [])
        for type_ in TYPED
        for kind in ("parquet", "delta")
        if kind == "parquet" or type_ not in NOT_IN_DELTA
    ],
)
def test_results_are_those_of_the_same_rows_as_text_and_double(
    tmp_path: Path, type_: str, kind: str, results_of_plain: dict[str, list[tuple[Any, ...]]]
) -> None:
    put(tmp_path / "typed", kind, TYPED[type_])

    typed = results(tmp_path / "typed")

    for name, same in results_of_plain.items():
        if type_ == "UUID":
            names = schema()[name].column_names
            same = [tuple(_uuid(column, value) for column, value in zip(names, row, strict=True)) for row in same]
        assert typed[name] == same, name
    assert len(credit(tmp_path / "typed")) == 2


def _uuid(column: str, value: object) -> object:
    return f"00000000-0000-4000-8000-00000000000{value}" if column in IDS else value


def test_a_run_over_other_types_is_that_over_text_and_double(tmp_path: Path) -> None:
    types = {
        "revenue": "DECIMAL(12,2)",
        "cost": "FLOAT",
        "conv_date": "DATE",
        "event_date": "TIMESTAMPTZ",
        "session_id": "INTEGER",
    }
    put(tmp_path / "typed", "parquet", {**types, **dict.fromkeys(WHOLE, "BOOLEAN")})
    put(tmp_path / "plain", "parquet", {})
    exported = []
    for lake in ("typed", "plain"):
        code, said = run(f"{tmp_path / lake}/")
        assert code == 0, said
        exports = tmp_path / f"exports of {lake}"
        exported.append({str(file.relative_to(exports)): file.read_bytes() for file in exports.rglob("*.csv")})

    assert exported[0] == exported[1]
    assert len(credit(tmp_path / "typed")) == 2


def test_whole_numbers_of_every_source_run_from_csv_as_from_a_file(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports of shop.db")
    shop.add_optional_sources()
    for number in range(1, 4):
        shop.session(f"s{number}", "u1", f"2023-09-0{number} 10:00:00", cost=number, closer=number % 2)
        shop.conversion(f"c{number}", "u1", f"2023-09-0{number} 12:00:00", 10 * number)
        day = f"2023-09-0{number}"
        results = "(customer_id, date, revenue, conversions, impressions, clicks)"
        shop.execute(f"INSERT INTO campaign_results {results} VALUES ('k', ?, 5, 2, 100, ?)", day, number)
        shop.execute("INSERT INTO campaign_results (customer_id, date, revenue, conversions) VALUES ('l', ?, 1.5, 0)", day)
        costs = "(date, campaign_id, cost, clicks, impressions, conversions, revenue)"
        shop.execute(f"INSERT INTO ad_costs {costs} VALUES (?, 'a', 3, 2, 50, 1, 9)", day)
        for step, at in (("product_view", "10:00:01"), ("add_to_cart", "10:00:02"), ("purchase", "12:00:00")):
            event = (f"{step}{number}", f"s{number}", step, f"{day} {at}", "fern", f"c{number}" if step == "purchase" else None)
            columns = "(event_id, session_id, user_id, event_type, created_at, product_id, order_id)"
            shop.execute(f"INSERT INTO events {columns} VALUES (?, ?, 'u1', ?, ?, ?, ?)", *event)
        shop.execute("INSERT INTO order_items VALUES (?, 'fern', 2)", f"c{number}")
    shop.execute("UPDATE session_sources SET campaign_id = 'a', page_views = 3, duration = 20.5")
    shop.execute("INSERT INTO products VALUES ('fern', 'Fern')")
    lake = tmp_path / "lake"
    LakeWarehouse(lake).make()
    for name in (*ALL_SOURCES, *FURTHER):
        with closing(sqlite3.connect(shop.database)) as connection, (lake / f"{name}.csv").open("w", newline="") as file:
            rows = connection.execute(f"SELECT * FROM {name}")
            csv.writer(file).writerows([[column for column, *_ in rows.description], *rows])
    for name in ("conversions_backend", "exchange_rates"):  # which have no row
        (lake / f"{name}.csv").unlink(missing_ok=True)
        shop.execute(f"DROP TABLE IF EXISTS {name}")

    for place in (shop.database, f"{lake}/"):
        code, said = run(
            place, ATTRIBUTION_MODELS="linear,last_touch", ATTRIBUTION_FUNNEL_STEPS="product_view,add_to_cart,purchase"
        )
        assert code == 0, said

    assert_same_tables(shop.database, lake)
    assert rows_of(lake, schema()["campaign_performance"])
    assert rows_of(lake, schema()["product_funnel"])


def test_a_lake_answers_again_once_duckdb_has_failed(lake: Path) -> None:
    warehouse = LakeWarehouse(lake)
    day = lake.parent / "day=1"
    day.mkdir()
    duckdb.sql(f"COPY (SELECT 1 AS x) TO '{day}/one.parquet'")
    fails = f"SELECT min(day) FROM read_parquet('{day}/one.parquet', hive_partitioning = true, hive_types = {{day: varchar}})"

    with refused("INTERNAL Error"), warehouse.connect() as failing:
        failing.execute(fails)

    with warehouse.connect() as cursor:
        assert cursor.state.sources is not failing.state.sources
        assert cursor.execute("SELECT count(*) FROM conversions").fetchall() == [(1,)]


def test_the_first_date_of_a_file_is_looked_up_again_once_the_file_has_changed(lake: Path) -> None:
    warehouse = LakeWarehouse(lake)
    before = [warehouse.first_date("session_sources", "event_date") for _ in range(2)]

    (lake / "session_sources.csv").write_text(SESSIONS.replace("s1,u1,2023-09-01", "s1,u1,2023-08-31"))

    assert before == ["2023-09-01", "2023-09-01"]
    assert warehouse.first_date("session_sources", "event_date") == "2023-08-31"
