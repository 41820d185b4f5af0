"""Writers of a schema on a server: side by side, killed, and readers beside them."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing, nullcontext
from dataclasses import replace
from multiprocessing.synchronize import Barrier

import pytest

from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.postgres.connection import connected
from attribution_assets.warehouse.postgres.database import PostgresWarehouse
from attribution_assets.warehouse.urls import schema_of
from attribution_assets_tests.importing.databases import Database
from attribution_assets_tests.servers import new_schema
from attribution_assets_tests.support import wait_for
from attribution_assets_tests.warehouse.rows import ATTRIBUTION, frame, in_processes, refused

DAYS = ("2023-09-01", "2023-09-02")
OLD = [("c1", "s", 1.0, DAYS[0]), ("c2", "s", 1.0, DAYS[0]), ("c3", "s", 1.0, DAYS[1]), ("c4", "s", 1.0, DAYS[1])]


@pytest.fixture
def url(postgres_server: Database) -> str:
    """A schema with two conversions on each of two days."""
    warehouse = PostgresWarehouse(new_schema(postgres_server))
    warehouse.prepare()
    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*OLD))
    return warehouse.url


def credit(url: str) -> list[tuple[object, ...]]:
    with closing(connected(url)) as driver:
        columns = ", ".join(ATTRIBUTION.column_names)
        return sorted(driver.execute(f"SELECT {columns} FROM {schema_of(url)}.{ATTRIBUTION.name}").fetchall())


def give_a_day(barrier: Barrier, url: str, day: str, conversions: list[str], late: float = 0) -> None:
    """Replaces the day by these conversions, a moment after the others have begun."""
    warehouse = PostgresWarehouse(url)
    barrier.wait()
    threading.Event().wait(late)
    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(day, day), frame(*((name, "s", 1.0, day) for name in conversions)))


def test_writers_of_different_days_both_commit(url: str) -> None:
    codes = in_processes((give_a_day, url, DAYS[0], ["n1", "n2"]), (give_a_day, url, DAYS[1], ["n3"]))

    assert codes == [0, 0]
    assert [(name, day) for name, _, _, day in credit(url)] == [("n1", DAYS[0]), ("n2", DAYS[0]), ("n3", DAYS[1])]


def test_writers_of_the_same_day_leave_the_rows_of_one_of_them(url: str) -> None:
    codes = in_processes((give_a_day, url, DAYS[0], ["n1", "n2"]), (give_a_day, url, DAYS[0], ["m1", "m2", "m3"]))

    assert codes == [0, 0]
    assert [row[0] for row in credit(url) if row[3] == DAYS[0]] in (["n1", "n2"], ["m1", "m2", "m3"])


def test_a_conversion_between_the_days_of_two_writers_stands_once_in_whatever_order_they_come(url: str, long: bool) -> None:
    for number in range(50 if long else 4):
        delays = (0.0, 0.05) if number % 2 else (0.05, 0.0)
        first, second = (day for day in (DAYS if number % 4 < 2 else DAYS[::-1]))
        codes = in_processes(
            (give_a_day, url, first, ["moving", "first"], delays[0]), (give_a_day, url, second, ["moving", "second"], delays[1])
        )

        assert codes == [0, 0]
        assert [row[0] for row in credit(url)].count("moving") == 1, number
        assert {"first", "second"} <= {row[0] for row in credit(url)}


def test_a_writer_that_waits_too_long_says_who_is_at_work(url: str) -> None:
    with closing(connected(url)) as driver, driver.transaction():
        driver.execute(f"LOCK TABLE {schema_of(url)}.{ATTRIBUTION.name} IN SHARE ROW EXCLUSIVE MODE")
        warehouse = replace(PostgresWarehouse(url), busy_timeout=0.1)

        with refused("stayed locked by another process for 0.1 s", kind=BusyError):
            warehouse.replace_days(ATTRIBUTION, "conv_date", Days(DAYS[0], DAYS[0]), frame())
        assert warehouse.rows_by_day(ATTRIBUTION.name, "conv_date", Days(*DAYS)) == {DAYS[0]: 2, DAYS[1]: 2}  # who reads may


def test_a_reader_goes_on_after_a_statement_that_failed(url: str) -> None:
    with closing(connected(url)) as driver:
        driver.execute(f"CREATE TABLE {schema_of(url)}.session_costs (session_id text, cost real)")
    with PostgresWarehouse(url).at_one_state() as snapshot:
        for divisor in (0, 1):
            with refused("division by zero") if not divisor else nullcontext(), snapshot.connect() as connection:
                asked = f"SELECT count(*) / {divisor} FROM unusual_cost"  # a view alone
                assert connection.execute(asked).fetchall() == [(0,)]


def test_a_reader_sees_one_state_while_another_writes(url: str) -> None:
    warehouse, new = PostgresWarehouse(url), frame(("n1", "s", 1.0, DAYS[0]))
    with warehouse.at_one_state() as snapshot:
        warehouse.replace_days(ATTRIBUTION, "conv_date", Days(DAYS[0], DAYS[0]), new)
        with pytest.raises(AttributionError):
            snapshot.fetch(Query("customer_journeys"))  # goes on after a question that fails
        seen = snapshot.rows_by_day(ATTRIBUTION.name, "conv_date", Days(*DAYS))
        streamed = [len(rows) for rows in snapshot.stream(ATTRIBUTION, "conv_date", Days(*DAYS), rows_per_frame=1)]

    assert (seen, streamed) == ({DAYS[0]: 2, DAYS[1]: 2}, [1, 1, 1, 1])
    assert warehouse.rows_by_day(ATTRIBUTION.name, "conv_date", Days(*DAYS)) == {DAYS[0]: 1, DAYS[1]: 2}


def test_a_source_that_a_job_empties_and_fills_again_is_never_seen_empty(url: str) -> None:
    table = f"{schema_of(url)}.conversions"
    warehouse, found = PostgresWarehouse(url), list[dict[str, int]]()
    with closing(connected(url)) as job:
        job.execute(f"CREATE TABLE {table} AS SELECT 'c1' AS conv_id, CAST('{DAYS[0]}' AS date) AS conv_date")
        with job.transaction():
            job.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM {table}; TRUNCATE {table}")
            reader = threading.Thread(
                target=lambda: found.append(warehouse.rows_by_day("conversions", "conv_date", Days(*DAYS)))
            )
            reader.start()
            wait_for(lambda: job.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone(), every=0.01)
            job.execute(f"INSERT INTO {table} SELECT * FROM kept")
        reader.join()

    assert found == [{DAYS[0]: 1}]


def test_what_readers_looked_at_can_be_dropped_at_once(url: str) -> None:
    table = f"{schema_of(url)}.conversions"
    with closing(connected(url)) as job:
        job.execute(f"CREATE TABLE {table} AS SELECT 'c1' AS conv_id, '{DAYS[0]}' AS conv_date")
        with PostgresWarehouse(url).connect() as connection:
            with connection.at_one_state():
                assert connection.execute("SELECT count(*) FROM conversions").fetchall() == [(1,)]
            job.execute(f"DROP TABLE {table}")


SLOW = """
import sys
from attribution_assets.warehouse import Days, Query, schema
from attribution_assets.warehouse.postgres.database import PostgresWarehouse

class Slow(Query):  # a minute of work inside the transaction, after the old days are deleted
    text = "SELECT 1"

    def text_in(self, engine):
        return '''SELECT 'c' || n AS conv_id, 's' AS session_id, 1.0 AS ihc, '2023-09-01' AS conv_date
                  FROM generate_series(1, 100000000) AS n'''

PostgresWarehouse(sys.argv[1]).replace_days(
    schema()["attribution_customer_journey"], "conv_date", Days("2023-09-01", "2023-09-02"), Slow("customer_journeys")
)
"""


def is_inserting(url: str) -> bool:
    with closing(connected(url)) as driver:
        asked = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'INSERT INTO attribution%'"
        return driver.execute(asked).fetchone() is not None


def test_a_writer_or_its_connection_killed_inside_the_transaction_leaves_the_old_rows(url: str) -> None:
    before = credit(url)
    end_it = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO attribution%'"
    for kill in ("process", "connection"):
        with subprocess.Popen([sys.executable, "-c", SLOW, url], stderr=subprocess.PIPE, text=True) as writer:
            wait_for(lambda: is_inserting(url) or writer.poll() is not None, every=0.02)
            assert writer.poll() is None
            writer.kill() if kill == "process" else None
            with closing(connected(url)) as driver:
                driver.execute(end_it)  # the server notices a killed client only when it answers
            _, said = writer.communicate()
        if kill == "connection":
            assert "does not answer" in said
            assert "s3cret" not in said
        assert credit(url) == before

    PostgresWarehouse(url).replace_days(ATTRIBUTION, "conv_date", Days(DAYS[0], DAYS[0]), frame())
    assert [row[3] for row in credit(url)] == [DAYS[1], DAYS[1]]


def test_the_schema_step_of_two_processes_makes_one_schema(postgres_server: Database) -> None:
    url = new_schema(postgres_server)

    assert in_processes((prepare, url), (prepare, url)) == [0, 0]
    assert PostgresWarehouse(url).has("channel_reporting")
    assert set(PostgresWarehouse(url).meta()) == {"schema_version", "database_id", "functions"}


def prepare(barrier: Barrier, url: str) -> None:
    barrier.wait()
    PostgresWarehouse(url).prepare()
