"""Killed processes and processes side by side: each asset's days are the old or the new, never half."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.command import Command
from attribution_assets_tests.support import Shop, wait_for

DAYS = ("2023-09-01", "2023-09-04")
SLOW_JOURNEYS = """
import sys
from pathlib import Path
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema

class Slow(Query):  # many seconds of work inside the transaction, after the old days are deleted
    @property
    def text(self):
        return '''
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000000)
            SELECT 'c' || i AS conv_id, 's' AS session_id, '2023-09-01' AS conv_date, '' AS timestamp, '' AS channel_label,
                   0 AS holder_engagement, 0 AS closer_engagement, 0 AS conversion, 0 AS impression_interaction
            FROM n
        '''

print("ready", flush=True)
SQLiteWarehouse(Path(sys.argv[1])).replace_days(
    schema()["customer_journeys"], "conv_date", Days("2023-09-01", "2023-09-10"), Slow("customer_journeys")
)
"""


def sample(folder: Path, place: type[Shop] = Shop) -> Shop:
    shop = place.at(folder / "shop.db", folder / "exports")
    write_sample(shop.database, days=4, end=date(2023, 9, 4), sessions=1_000, seed=1, with_shop=False)
    return shop


def start_run(shop: Shop, start: str = DAYS[0], end: str = DAYS[1]) -> Command:
    """`attribution run` of these days."""
    folder = shop.database.parent
    options = ("--database", shop.place, "--exports", shop.exports, "--start", start, "--end", end)
    return Command("run", *options, says=folder / "said", DAGSTER_HOME=str(folder / "dagster_home"))


def is_locked(database: Path) -> bool:
    """Whether somebody holds the write lock."""
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        connection.execute("ROLLBACK")
        return False


def test_a_process_killed_inside_its_transaction_leaves_the_old_rows_and_a_rerun_completes(tmp_path: Path) -> None:
    shop = sample(tmp_path / "shop")
    assert start_run(shop).wait() == 0
    before = shop.results()
    assert len(before["customer_journeys"]) > 10

    with subprocess.Popen([sys.executable, "-c", SLOW_JOURNEYS, shop.database], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        wait_for(lambda: is_locked(shop.database) or writer.poll() is not None, every=0.01)
        wal = shop.database.with_name("shop.db-wal")  # its rows are on the way to the disk
        wait_for(lambda: (wal.exists() and wal.stat().st_size > 1_000_000) or writer.poll() is not None, every=0.01)
        assert writer.poll() is None
        writer.send_signal(signal.SIGKILL)

    assert shop.results() == before
    assert shop.execute("PRAGMA integrity_check") == [("ok",)]
    assert start_run(shop).wait() == 0
    assert shop.results() == before


@pytest.mark.every_warehouse(lake_is_long=True)  # lake/test_writers has both in a short form
def test_a_run_killed_at_any_moment_leaves_old_or_new_tables_and_files_and_a_rerun_completes(
    tmp_path: Path, place: type[Shop], long: bool
) -> None:
    shop = sample(tmp_path / "start", place)
    assert start_run(shop).wait() == 0
    old, old_files = shop.results(), shop.csv_bytes()
    new_conversions = "SELECT 'new-' || session_id, user_id, event_date, '23:59:59', 7.5 FROM session_sources LIMIT 200"
    shop.execute(f"INSERT INTO conversions {new_conversions}")
    shop.execute("UPDATE session_costs SET cost = cost + 1")
    finished = shop.copy(tmp_path / "finished")
    started = time.monotonic()
    assert start_run(finished).wait() == 0
    duration = time.monotonic() - started
    new, new_files = finished.results(), finished.csv_bytes()
    assert all(old[table] != new[table] for table in old)

    moments = random.Random(4)
    tables_seen = set()
    for i in range(50 if long else 2):
        killed = shop.copy(tmp_path / f"killed-{i}")
        run = start_run(killed)
        run.wait(moments.uniform(0, 1.1) * duration)
        run.kill()
        for table, rows in killed.results().items():
            assert rows in (old[table], new[table]), table
            tables_seen.add((table, rows == new[table]))
        for name, content in killed.csv_bytes().items():
            assert content in (old_files[name], new_files[name]), name
        assert killed.execute("PRAGMA integrity_check") == [("ok",)]

        assert start_run(killed).wait() == 0
        assert killed.results() == new
        assert killed.csv_bytes() == new_files

    if long:  # the series met every table before and after its transaction
        assert tables_seen == {(table, is_new) for table in new for is_new in (False, True)}


@pytest.mark.every_warehouse(lake_is_long=True)  # lake/test_writers has both in a short form
def test_two_processes_that_run_different_days_at_the_same_time_both_succeed(
    tmp_path: Path, place: type[Shop], long: bool
) -> None:
    fresh = sample(tmp_path / "fresh", place)
    one_by_one = fresh.copy(tmp_path / "one by one")
    ranges = [("2023-09-01", "2023-09-02"), ("2023-09-03", "2023-09-04")]
    for days in ranges:
        assert start_run(one_by_one, *days).wait() == 0

    for i in range(20 if long else 1):
        together = fresh.copy(tmp_path / f"together {i}")
        runs = [start_run(together, *days) for days in ranges]
        assert [run.wait() for run in runs] == [0, 0]
        assert together.results() == one_by_one.results()
        assert together.csv_bytes() == one_by_one.csv_bytes()
