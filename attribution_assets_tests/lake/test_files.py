"""Sources of a lake as CSV files, and as Parquet files with columns of every type: nothing is guessed, and nothing is lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets_tests.command import Command
from attribution_assets_tests.lakes import rows_of
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
