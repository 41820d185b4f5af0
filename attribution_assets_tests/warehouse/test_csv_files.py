"""CSV files: their bytes, their replacement in one step, and the lock between those who write them."""

from __future__ import annotations

import re
import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse
from attribution_assets.warehouse.csv_files import CSVFiles, Rows, for_spreadsheet, render
from attribution_assets_tests.warehouse.rows import in_processes

COLUMNS = ("channel", "date", "cost")
HEADER = b"channel,date,cost\n"
MONDAY, TUESDAY = "2023-09-04", "2023-09-05"


@pytest.fixture
def files(tmp_path: Path) -> CSVFiles:
    return CSVFiles(tmp_path / "exports", "report")


def replace(files: CSVFiles, rows: Sequence[Sequence[Any]], first: str = MONDAY, last: str | None = None) -> dict[str, int]:
    """Writes the days `first` to `last`, where these are the rows of all days."""
    return files.replace(Days(first, last or first), "date", lambda: (COLUMNS, rows))


def written(files: CSVFiles) -> dict[str, bytes]:
    """Every file in the exports folder but the lock."""
    return {
        str(path.relative_to(files.folder)): path.read_bytes()
        for path in files.folder.rglob("*")
        if path.is_file() and path.name != ".report.lock"
    }


# -- bytes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (1.0, "1.000000"),
        (0.1 + 0.2, "0.300000"),
        (1 / 3, "0.333333"),
        (2 / 3, "0.666667"),
        (1234567.891, "1234567.891000"),
        (1e15, "1000000000000000.000000"),
        (0.0, "0.000000"),
        (-0.0, "0.000000"),
        (-4e-7, "0.000000"),
        (-0.25, "-0.250000"),
        (7, "7"),
        (None, ""),
        ("Email", "Email"),
        ("Social, paid", '"Social, paid"'),
        ('The "best"', '"The ""best"""'),
        ("two\nlines", '"two\nlines"'),
        ("old\rMac", '"old\rMac"'),
        ("Köln", "Köln"),
        ("NA", "NA"),
    ],
)
def test_a_value_is_written_in_one_way(value: object, field: str) -> None:
    assert render(["value", "end"], [[value, "."]]) == f"value,end\n{field},.\n"


def test_files_are_utf_8_with_plain_line_ends(files: CSVFiles) -> None:
    replace(files, [("Müller, Söhne", MONDAY, 1.5), ("Email", MONDAY, None)])

    content = b'channel,date,cost\n"M\xc3\xbcller, S\xc3\xb6hne",2023-09-04,1.500000\nEmail,2023-09-04,\n'
    assert written(files) == {"report.csv": content, "report/2023-09-04.csv": content}


# -- days --------------------------------------------------------------------------------------------------------------


def test_each_day_has_a_file_and_one_file_has_all_days_in_the_order_given(files: CSVFiles) -> None:
    rows = [("Email", MONDAY, 1.0), ("SEA", MONDAY, 2.0), ("Email", TUESDAY, 3.0)]

    counts = replace(files, rows, MONDAY, TUESDAY)

    assert counts == {MONDAY: 2, TUESDAY: 1}
    assert written(files) == {
        "report.csv": HEADER + b"Email,2023-09-04,1.000000\nSEA,2023-09-04,2.000000\nEmail,2023-09-05,3.000000\n",
        "report/2023-09-04.csv": HEADER + b"Email,2023-09-04,1.000000\nSEA,2023-09-04,2.000000\n",
        "report/2023-09-05.csv": HEADER + b"Email,2023-09-05,3.000000\n",
    }


def test_a_day_without_rows_is_a_header_alone(files: CSVFiles) -> None:
    counts = replace(files, [])

    assert counts == {MONDAY: 0}
    assert written(files) == {"report.csv": HEADER, "report/2023-09-04.csv": HEADER}


def test_only_the_files_of_the_run_s_days_are_replaced_and_the_whole_file(files: CSVFiles) -> None:
    replace(files, [("Email", MONDAY, 1.0)])

    replace(files, [("Email", MONDAY, 9.0), ("Email", TUESDAY, 2.0)], TUESDAY)

    assert files.of_day(MONDAY).read_bytes() == HEADER + b"Email,2023-09-04,1.000000\n"
    assert files.of_day(TUESDAY).read_bytes() == HEADER + b"Email,2023-09-05,2.000000\n"
    assert files.whole.read_bytes() == HEADER + b"Email,2023-09-04,9.000000\nEmail,2023-09-05,2.000000\n"


def test_a_rerun_writes_the_same_bytes(files: CSVFiles) -> None:
    replace(files, [("Email", MONDAY, 0.1)])
    before = written(files)

    replace(files, [("Email", MONDAY, 0.1)])

    assert written(files) == before


# -- replacement in one step -------------------------------------------------------------------------------------------


def test_rows_that_cannot_be_had_leave_the_old_files(files: CSVFiles) -> None:
    def all_days() -> Rows:
        raise AttributionError("the database is gone")

    replace(files, [("Email", MONDAY, 1.0)])
    before = written(files)

    with pytest.raises(AttributionError, match="the database is gone"):
        files.replace(Days(MONDAY, MONDAY), "date", all_days)

    assert written(files) == before


def test_the_lock_is_free_again_after_a_failure(files: CSVFiles) -> None:
    def all_days() -> Rows:
        raise AttributionError("the database is gone")

    with pytest.raises(AttributionError):
        files.replace(Days(MONDAY, MONDAY), "date", all_days)

    assert replace(files, [("Email", MONDAY, 1.0)]) == {MONDAY: 1}


def test_a_file_that_cannot_be_replaced_is_named_and_leaves_no_temporary_file(files: CSVFiles) -> None:
    (files.of_day(MONDAY) / "a folder in its place").mkdir(parents=True)

    with pytest.raises(AttributionError, match=rf"^{re.escape(str(files.of_day(MONDAY)))} cannot be written: .*\. Fix that"):
        replace(files, [("Email", MONDAY, 1.0)])

    assert written(files) == {}


def test_a_write_that_breaks_off_leaves_the_old_file_and_no_temporary_file(files: CSVFiles) -> None:
    replace(files, [("Email", MONDAY, 1.0)])
    before = written(files)
    half_a_character = "\ud83d"  # UTF-8 has no bytes for it

    with pytest.raises(UnicodeEncodeError):
        replace(files, [("Email", MONDAY, 2.0), (half_a_character, MONDAY, 2.0)])

    assert written(files) == before


def test_readers_see_the_old_file_or_the_new_one_and_never_half_of_it(files: CSVFiles) -> None:
    low, high = ([(f"channel {number}", MONDAY, cost) for number in range(3000)] for cost in (1.0, 2.0))
    replace(files, low)
    whole = {render(COLUMNS, rows).encode() for rows in (low, high)}
    seen, reads = set(), 0

    writer = threading.Thread(target=lambda: [replace(files, rows) for _ in range(20) for rows in (high, low)])
    writer.start()
    while writer.is_alive():
        seen |= {files.whole.read_bytes(), files.of_day(MONDAY).read_bytes()}
        reads += 1
    writer.join()

    assert reads > 10
    assert seen <= whole


# -- several writers ---------------------------------------------------------------------------------------------------


def export_days(barrier: Barrier, database: Path, files: CSVFiles, turn: int, days: Sequence[str]) -> None:
    """Reports a day and exports it; whoever comes first takes longest between reading the rows and writing the files."""
    warehouse = SQLiteWarehouse(database)

    def all_days() -> Rows:
        rows = warehouse.fetch(Query("channel_reporting_csv"))
        time.sleep(0.03 * (2 - turn))
        return rows

    for day in days:
        barrier.wait()
        time.sleep(0.01 * turn)
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("INSERT INTO channel_reporting VALUES ('Email', ?, 1, 1, 1)", (day,))
        files.replace(Days(day, day), "date", all_days)
        barrier.wait()
        exported = files.whole.read_text()
        missing = [row for row in all_days()[1] if row[1] not in exported]
        assert not missing, f"lost {missing}"


def test_processes_that_export_different_days_at_once_lose_none_in_the_whole_file(tmp_path: Path) -> None:
    files = CSVFiles(tmp_path / "exports", "channel_reporting")
    database = tmp_path / "shop.db"
    sqlite3.connect(database).close()
    SQLiteWarehouse(database).prepare()
    days = list(Days("2023-09-01", "2023-09-09"))

    codes = in_processes(*[(export_days, database, files, turn, days[turn::3]) for turn in range(3)])

    assert codes == [0, 0, 0]
    exported = files.whole.read_text().splitlines()[1:]
    assert [line.split(",")[1] for line in exported] == days
    assert all(
        files.of_day(day).read_text().splitlines()[1:] == [f"Email,{day},1.000000,1.000000,1.000000,1.000000,1.000000"]
        for day in days
    )


def test_threads_of_one_process_wait_for_each_other_too(files: CSVFiles) -> None:
    inside, most = 0, 0

    def all_days() -> Rows:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        time.sleep(0.01)
        inside -= 1
        return COLUMNS, []

    threads = [threading.Thread(target=files.replace, args=(Days(MONDAY, MONDAY), "date", all_days)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1


# -- folders -----------------------------------------------------------------------------------------------------------


def test_the_folders_are_made(files: CSVFiles) -> None:
    files.prepare()

    assert files.of_day(MONDAY).parent.is_dir()


def test_preparing_writes_no_csv_file(files: CSVFiles) -> None:
    files.prepare()

    assert written(files) == {}


@pytest.mark.parametrize("below", ["exports", "exports/of/this/week"])
def test_an_exports_folder_that_cannot_be_written_is_named_with_what_to_do(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("a file, not a folder")
    folder = tmp_path / "file" / below

    with pytest.raises(
        AttributionError,
        match=rf"^The exports folder {re.escape(str(folder))} cannot be written: .* --exports or ATTRIBUTION_EXPORTS .*\.\Z",
    ):
        replace(CSVFiles(folder, "report"), [])

    assert (tmp_path / "file").read_text() == "a file, not a folder"


# For spreadsheets ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_a_spreadsheet_would_take_for_a_formula_begins_with_an_apostrophe(name: str) -> None:
    assert for_spreadsheet(name) == f"'{name}"


@pytest.mark.parametrize("value", [-1, -0.5, None, True, "", "Email", "a=b", " =1", "'=1"])
def test_numbers_and_other_text_stay_as_they_are_for_a_spreadsheet(value: object) -> None:
    assert for_spreadsheet(value) is value
