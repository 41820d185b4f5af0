"""Writers of a lake that Spark computes: side by side, killed, and with a server that dies."""

from __future__ import annotations

import signal
import threading
from dataclasses import dataclass
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from pydantic import SecretStr

from attribution_assets.analysis.learning import channel_values
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Frames, Query, schema
from attribution_assets.warehouse.dialect import Engine
from attribution_assets.warehouse.frames import in_sum
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.query import Rows, Source
from attribution_assets.warehouse.schema import Table
from attribution_assets.warehouse.spark.database import SparkLakeWarehouse
from attribution_assets_tests.clusters import SailProcess, SparkShop
from attribution_assets_tests.command import PROCESSES, Command
from attribution_assets_tests.lake.test_same_results import assert_same_tables, outcome
from attribution_assets_tests.lakes import rows_of
from attribution_assets_tests.support import wait_for
from attribution_assets_tests.warehouse.rows import ATTRIBUTION, CUSTOMER_JOURNEYS, JOURNEYS, in_processes, refused

DAYS = ("2023-09-01", "2023-09-02")
OLD = [("c1", "s", 1.0, DAYS[0]), ("c2", "s", 1.0, DAYS[0]), ("c3", "s", 1.0, DAYS[1]), ("c4", "s", 1.0, DAYS[1])]


@dataclass(frozen=True)
class Given(Query):
    """A query of these rows of attribution_customer_journey."""

    rows: tuple[tuple[object, ...], ...] = ()

    def text_in(self, engine: Engine) -> str:
        one = "SELECT '{}' AS conv_id, '{}' AS session_id, CAST({} AS double) AS ihc, '{}' AS conv_date"
        return " UNION ALL ".join(one.format(*row) for row in self.rows) or f"{one.format('', '', 1, '')} WHERE 1 = 0"


def given(*rows: tuple[object, ...]) -> Given:
    return Given("customer_journeys", rows=rows)


@pytest.fixture
def lake(tmp_path: Path, cluster: str) -> SparkLakeWarehouse:
    """A lake with two conversions on each of two days."""
    warehouse = SparkLakeWarehouse(tmp_path / "lake", spark=cluster)
    warehouse.make()
    warehouse.prepare()
    for source in ("session_sources", "session_costs", "conversions"):
        warehouse.create(schema()[source])
    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given(*OLD))
    return warehouse


def credit(lake: SparkLakeWarehouse) -> list[tuple[object, ...]]:
    return sorted(rows_of(lake.path, ATTRIBUTION))


def give_a_day(barrier: Barrier, lake: SparkLakeWarehouse, day: str, conversions: list[str], late: float = 0) -> None:
    """Replaces the day by these conversions, a moment after the others have begun."""
    lake.computed_by()  # what takes a second the first time
    barrier.wait()
    threading.Event().wait(late)
    rows = given(*((name, "s", 1.0, day) for name in conversions))
    lake.replace_days(ATTRIBUTION, "conv_date", Days(day, day), rows)


def test_writers_of_different_days_both_commit(lake: SparkLakeWarehouse) -> None:
    codes = in_processes((give_a_day, lake, DAYS[0], ["n1", "n2"]), (give_a_day, lake, DAYS[1], ["n3"]))

    assert codes == [0, 0]
    assert credit(lake) == [("n1", "s", 1.0, DAYS[0]), ("n2", "s", 1.0, DAYS[0]), ("n3", "s", 1.0, DAYS[1])]


def test_writers_of_a_day_without_rows_leave_those_of_one_of_them(lake: SparkLakeWarehouse) -> None:
    lake.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given())

    codes = in_processes((give_a_day, lake, DAYS[0], ["n1", "n2"]), (give_a_day, lake, DAYS[0], ["m1", "m2", "m3"]))

    assert codes == [0, 0]
    assert [row[0] for row in credit(lake)] in (["n1", "n2"], ["m1", "m2", "m3"])


def test_a_conversion_between_the_days_of_two_writers_stands_once_in_whatever_order_they_come(
    lake: SparkLakeWarehouse, long: bool
) -> None:
    for number in range(50 if long else 2):
        delays = (0.0, 0.05) if number % 2 else (0.05, 0.0)
        first, second = (day for day in (DAYS if number % 4 < 2 else DAYS[::-1]))
        codes = in_processes(
            (give_a_day, lake, first, ["moving", "first"], delays[0]),
            (give_a_day, lake, second, ["moving", "second"], delays[1]),
        )

        assert codes == [0, 0]
        assert [row[0] for row in credit(lake)].count("moving") == 1, number
        assert {"first", "second"} <= {row[0] for row in credit(lake)}


def test_a_conversion_that_moves_leaves_its_old_day_in_the_same_commit_and_the_others_stay_there(
    lake: SparkLakeWarehouse,
) -> None:
    before = version_of(lake)

    lake.replace_days(ATTRIBUTION, "conv_date", Days(DAYS[1], DAYS[1]), given(("c1", "s", 1.0, DAYS[1])))

    assert credit(lake) == [("c1", "s", 1.0, DAYS[1]), OLD[1]]
    assert version_of(lake) == before + 1


def test_a_day_without_rows_is_empty_afterwards(lake: SparkLakeWarehouse) -> None:
    lake.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given(OLD[0]))
    assert credit(lake) == OLD[:1]

    lake.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given())
    assert credit(lake) == []


def test_executors_compute_what_a_function_makes_of_whole_conversions_and_what_is_wrong_is_refused(
    lake: SparkLakeWarehouse,
) -> None:
    one_day = Days(DAYS[0], DAYS[0])

    def replaced_by(function: Rows) -> None:
        frames = Frames((), Source(ATTRIBUTION, "conv_date", one_day)).each(function)
        lake.replace_days(ATTRIBUTION, "conv_date", one_day, frames)

    with refused("outside the run's days", DAYS[1]):
        replaced_by(lambda rows: rows.assign(conv_date=DAYS[1]))
    with refused("ihc is NULL"):
        replaced_by(lambda rows: rows.assign(ihc=float("nan")).astype({"ihc": object}).replace({float("nan"): None}))
    with refused("same conv_id, session_id"):
        replaced_by(lambda rows: pd.concat([rows, rows]))
    assert credit(lake) == OLD

    replaced_by(lambda rows: rows.assign(ihc=rows["ihc"] / 2))
    assert credit(lake) == [("c1", "s", 0.5, DAYS[0]), ("c2", "s", 0.5, DAYS[0]), *OLD[2:]]


def test_an_id_of_a_source_that_stands_twice_is_found_among_others(lake: SparkLakeWarehouse) -> None:
    once = [f"c{number}" for number in range(1000)]

    def give(ids: list[str]) -> None:
        rows = {"conv_id": ids, "user_id": ids, "conv_date": DAYS[0], "conv_time": "10:00:00", "revenue": 1.0}
        delta.replace_rows(lake.path / "conversions", pa.Table.from_pandas(pd.DataFrame(rows)).to_reader(), None, {})

    give(once)
    lake.replace_days(JOURNEYS, "conv_date", Days(DAYS[0], DAYS[0]), CUSTOMER_JOURNEYS)
    give([*once, "c7"])
    with refused("conv_id 'c7' appears 2 times in conversions"):
        lake.replace_days(JOURNEYS, "conv_date", Days(DAYS[0], DAYS[0]), CUSTOMER_JOURNEYS)


def version_of(lake: SparkLakeWarehouse) -> int:
    return delta.last_version(lake.path / ATTRIBUTION.name) or 0


def is_after(lake: SparkLakeWarehouse, version: int) -> bool:
    return version_of(lake) > version


def write_for_ever(lake: SparkLakeWarehouse) -> None:
    number = 0
    while True:
        number += 1
        rows = [(f"{number} {part} {day}", "s", 1.0, day) for part in range(20) for day in DAYS]
        lake.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given(*rows))


def test_a_killed_driver_leaves_whole_commits_and_no_lock(lake: SparkLakeWarehouse, long: bool) -> None:
    for number in range(30 if long else 3):
        version = version_of(lake)
        writer = PROCESSES.Process(target=write_for_ever, args=(lake,))
        writer.start()
        wait_for(partial(is_after, lake, version), every=0.01)
        threading.Event().wait(0.03 * number)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL

        rows = credit(lake)
        assert (len(rows), len({str(row[0]).split()[0] for row in rows})) == (40, 1)
        lake.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given(*OLD))
        assert credit(lake) == OLD


@pytest.mark.parametrize("moment", [pytest.param("before the run", marks=pytest.mark.long), "while it computes"])
def test_a_run_whose_server_is_killed_ends_in_one_line_and_a_rerun_completes_it(tmp_path: Path, moment: str) -> None:
    server = SailProcess()
    shop = SparkShop(tmp_path / "shop.db", tmp_path / "exports")
    SparkShop.cluster = server.url
    shop.session("s1", "anna", "2023-09-01 10:00:00", cost=2.0)
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 80.0)
    on_spark = {"ATTRIBUTION_COMPUTE": "spark", "ATTRIBUTION_SPARK": server.url, "DAGSTER_HOME": str(tmp_path / "home")}

    def run(says: Path) -> Command:
        return Command("run", "--database", shop.place, "--exports", shop.exports, says=says, **on_spark)

    try:
        assert run(tmp_path / "first.txt").wait() == 0
        before = shop.results()
        shop.session("s0", "anna", "2023-09-01 09:00:00", "Ads", cost=1.0)
        shop.publish()
        if moment == "before the run":
            server.kill()
            lost = run(tmp_path / "lost.txt")
        else:
            lost = run(tmp_path / "lost.txt")
            wait_for(lambda: "Attributing" in lost.says.read_text() or not lost.is_at_work(), every=0.01)
            server.kill()

        assert lost.wait() == 1
        lines = [line for line in lost.says.read_text().splitlines() if "does not answer" in line]
        assert lines == [f"Error: The Spark cluster {server.url} does not answer. Run again once it does."]
        assert "Traceback" not in lost.says.read_text()
        assert shop.results()["channel_reporting"] == before["channel_reporting"]

        server.start()
        again = run(tmp_path / "again.txt")
        assert again.wait() == 0, again.says.read_text()
        assert [row[:2] for row in shop.results()["attribution_customer_journey"]] == [("c1", "s0"), ("c1", "s1")]
    finally:
        server.kill()


def test_what_models_learn_from_is_counted_by_executors_and_sums_alone_come_here(
    cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    SparkShop.cluster = cluster
    shop = SparkShop(tmp_path / "shop.db", tmp_path / "exports")
    for number in range(300):
        shop.session(f"s{number}", f"user {number}", "2023-09-01 08:00:00", "Ads")
        shop.session(f"t{number}", f"user {number}", "2023-09-01 09:00:00", 'The "other"')
        if number % 3 == 0:
            shop.conversion(f"c{number}", f"user {number}", "2023-09-02 08:00:00", 10.0)
    day, chosen = Days("2023-09-02", "2023-09-02"), ["markov", "shapley"]
    learned_here = channel_values(Settings(database=shop.database, models=chosen), day)
    shop.publish()
    sent: list[int] = []

    def counted(rows: list[pd.DataFrame], table: Table) -> pd.DataFrame:
        sent.extend(map(len, rows))
        return in_sum(rows, table)

    monkeypatch.setattr(SparkLakeWarehouse, "stream_query", None)
    monkeypatch.setattr("attribution_assets.warehouse.spark.database.in_sum", counted)

    learned = channel_values(Settings(database=shop.place, models=chosen, compute="spark", spark=SecretStr(cluster)), day)

    assert learned.equals(learned_here)
    assert sent == [4, 4]  # of 600 sessions and 200 touchpoints: three steps and one set each


def test_one_user_with_a_thousand_sessions_and_one_channel_in_half_change_no_number(cluster: str, tmp_path: Path) -> None:
    SparkShop.cluster = cluster
    shop = SparkShop(tmp_path / "shop.db", tmp_path / "exports")
    for number in range(1_000):
        shop.session(
            f"s{number}", "robot", f"2023-09-01 {number // 60:02}:{number % 60:02}:00", "Direct" if number % 2 else "Ads"
        )
    for number in range(20):
        shop.session(f"t{number}", f"user {number}", "2023-09-01 08:00:00")
        shop.conversion(f"c{number}", f"user {number}", "2023-09-02 08:00:00", 10.0)
    shop.conversion("c-robot", "robot", "2023-09-02 09:00:00", 99.0)

    on_spark = Settings(database=shop.place, models=["linear", "markov"], compute="spark", spark=SecretStr(cluster))
    in_file = Settings(database=shop.database, models=["linear", "markov"])

    assert [outcome(settings, Days(*DAYS)) for settings in (in_file, on_spark)] == ["", ""]
    assert_same_tables(shop.database, shop.lake)
    assert len([row for row in rows_of(shop.lake, JOURNEYS) if row[0] == "c-robot"]) == 1_000
