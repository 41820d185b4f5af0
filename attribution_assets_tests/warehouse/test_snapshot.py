"""The database at one state: what a reader sees while others write."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from attribution_assets.catalog.span import first_day
from attribution_assets.errors import AttributionError, BusyError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, schema
from attribution_assets.warehouse.days import shift
from attribution_assets.warehouse.sqlite.state import file_state
from attribution_assets_tests.support import PROJECT, Shop

EVER = Days("0001-01-01", "9999-12-31")


def test_a_reader_sees_one_state_while_others_write(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.session("s1", "anna", "2023-09-01 10:00:00")

    with shop.warehouse.at_one_state() as state:
        before = state.rows_by_day("session_sources", "event_date", EVER)
        shop.session("s2", "anna", "2023-09-01 11:00:00")
        after = state.rows_by_day("session_sources", "event_date", EVER)

    assert (before, after) == ({"2023-09-01": 1}, {"2023-09-01": 1})
    assert shop.warehouse.rows_by_day("session_sources", "event_date", EVER) == {"2023-09-01": 2}


def test_what_is_asked_at_one_state_can_ask_for_one_state_itself(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.session("s1", "anna", "2023-09-02 10:00:00")

    with Settings(database=shop.database).at_one_state() as state:
        shop.session("s2", "anna", "2023-09-01 10:00:00")
        assert first_day(state) == "2023-09-02"

    assert first_day(Settings(database=shop.database)) == "2023-09-01"


def test_tables_are_read_as_frames_at_the_same_state(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.execute("INSERT INTO channel_costs VALUES ('2023-09-01', 'Email', 1, 0)")

    with shop.warehouse.at_one_state() as state:
        shop.execute("INSERT INTO channel_costs VALUES ('2023-09-01', 'Search', 1, 0)")
        read = state.read(schema()["channel_costs"], "date", EVER)

    assert list(read["channel_name"]) == ["Email"]


def test_nothing_can_be_written_at_one_state(shop: Shop) -> None:
    with (
        shop.warehouse.at_one_state() as state,
        pytest.raises(AttributionError, match="writable"),
        state.connect() as connection,
    ):
        connection.execute("DELETE FROM main.session_sources")


def test_a_database_that_is_not_there_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="There is no database"), Settings(database=tmp_path / "no.db").at_one_state():
        pass


def test_a_database_that_stays_locked_is_busy(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.database)) as writer:
        writer.execute("BEGIN EXCLUSIVE")

        with pytest.raises(BusyError, match="stayed locked"), Settings(database=shop.database).at_one_state(busy_timeout=0):
            pass


def test_settings_at_one_state_see_the_sources_of_that_state(shop: Shop) -> None:
    settings = Settings(database=shop.database)
    assert "events" not in settings.present

    shop.add_optional_sources()

    with settings.at_one_state() as now:
        assert "events" in now.present


def test_the_state_of_a_file_changes_with_every_commit(shop: Shop) -> None:
    shop.warehouse.prepare()
    with closing(sqlite3.connect(shop.database, isolation_level=None)) as writer:
        states = []
        for number in range(50):
            writer.execute("INSERT INTO conversions VALUES (?, 'anna', '2023-09-01', '10:00:00', 1)", (str(number),))
            states.append(file_state(shop.database))

    assert len({*states}) == 50


def test_the_state_of_a_file_stays_while_it_is_only_read(shop: Shop) -> None:
    shop.warehouse.prepare()
    before = file_state(shop.database)

    with shop.warehouse.at_one_state() as state:
        state.rows(Query("digest_conversions", {"first_day": EVER.first, "last_day": EVER.last}))
        during = file_state(shop.database)

    assert (during, file_state(shop.database)) == (before, before)


OF_ANOTHER_PROCESS = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
print(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
"""
"""Says whether a reader keeps it from emptying the log: 1, and else 0."""


def test_who_looks_at_the_state_of_a_file_keeps_the_locks_of_those_who_read_it(shop: Shop) -> None:
    shop.warehouse.prepare()
    with closing(sqlite3.connect(shop.database, isolation_level=None)) as writer:
        writer.execute("INSERT INTO conversions VALUES ('c1', 'anna', '2023-09-01', '10:00:00', 1)")
        with shop.warehouse.at_one_state():
            writer.execute("INSERT INTO conversions VALUES ('c2', 'anna', '2023-09-01', '10:00:00', 1)")
            file_state(shop.database)
            kept_out = subprocess.check_output([sys.executable, "-c", OF_ANOTHER_PROCESS, shop.database], text=True)

    assert kept_out == "1\n"


def test_looking_at_the_state_of_a_file_leaves_few_files_open(shop: Shop) -> None:
    shop.warehouse.prepare()
    with closing(sqlite3.connect(shop.database)):
        file_state(shop.database)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(20):
        with closing(sqlite3.connect(shop.database, isolation_level=None)) as writer:
            writer.execute("INSERT INTO conversions VALUES (?, 'anna', '2023-09-01', '10:00:00', 1)", (str(number),))
            file_state(shop.database)

    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2


@pytest.mark.parametrize(("day", "days", "shifted"), [("9999-12-31", 90, "9999-12-31"), ("0001-01-05", -90, "0001-01-01")])
def test_a_day_is_shifted_no_further_than_dates_go(day: str, days: int, shifted: str) -> None:
    assert shift(day, days) == shifted


READ_AS_NOBODY = """
import os, sys
from attribution_assets.settings import Settings
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
try:
    with Settings(database=sys.argv[1]).at_one_state():
        print("read")
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_who_may_not_write_the_folder_of_a_database_is_told_in_one_line() -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        shop = Shop(Path(folder) / "shop.db", Path(folder) / "exports")
        shop.warehouse.prepare()
        shop.database.chmod(0o444)
        Path(folder).chmod(0o555)

        said = subprocess.run(
            [sys.executable, "-c", READ_AS_NOBODY, str(shop.database)], cwd=PROJECT, capture_output=True, text=True, check=True
        ).stdout

        Path(folder).chmod(0o755)
    assert said == (
        f"AttributionError: {shop.database} cannot be written. Make the file and its folder writable, then run again: "
        "SQLite keeps files beside it even while it is only read.\n"
    )
