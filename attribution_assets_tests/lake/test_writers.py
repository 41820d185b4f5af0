"""Writers of a lake: side by side, killed, without room; and readers beside them."""

from __future__ import annotations

import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.lake import database, delta, opened
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.objects import Place
from attribution_assets_tests.command import PROCESSES
from attribution_assets_tests.lakes import rows_of
from attribution_assets_tests.support import wait_for
from attribution_assets_tests.warehouse.rows import ATTRIBUTION, frame, in_processes, refused

DAYS = ("2023-09-01", "2023-09-02")
OLD = [(f"c{number}", "s", 1.0, day) for day in DAYS for number in ((1, 2) if day == DAYS[0] else (3, 4))]


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with two conversions on each of two days."""
    warehouse = LakeWarehouse(tmp_path / "lake")
    warehouse.make()
    warehouse.prepare()
    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*OLD))
    return tmp_path / "lake"


def credit(lake: Place) -> list[tuple[object, ...]]:
    return sorted(rows_of(lake, ATTRIBUTION))


def give_a_day(barrier: Barrier, lake: Place, day: str, conversions: list[str], late: float = 0) -> None:
    """Replaces the day by these conversions, a moment after the others have begun."""
    warehouse = LakeWarehouse(lake)
    warehouse.span(ATTRIBUTION.name, "conv_date")  # what takes a second the first time
    barrier.wait()
    threading.Event().wait(late)
    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(day, day), frame(*((name, "s", 1.0, day) for name in conversions)))


def test_writers_of_different_days_both_commit(lake: Path) -> None:
    codes = in_processes((give_a_day, lake, DAYS[0], ["n1", "n2"]), (give_a_day, lake, DAYS[1], ["n3"]))

    assert codes == [0, 0]
    assert credit(lake) == [("n1", "s", 1.0, DAYS[0]), ("n2", "s", 1.0, DAYS[0]), ("n3", "s", 1.0, DAYS[1])]


def test_writers_of_the_same_day_leave_the_rows_of_one_of_them(lake: Path) -> None:
    codes = in_processes((give_a_day, lake, DAYS[0], ["n1", "n2"]), (give_a_day, lake, DAYS[0], ["m1", "m2", "m3"]))

    assert codes == [0, 0]
    ours = [row for row in credit(lake) if row[3] == DAYS[0]]
    assert [row[0] for row in ours] in (["n1", "n2"], ["m1", "m2", "m3"])


def test_a_conversion_between_the_days_of_two_writers_stands_once_in_whatever_order_they_come(lake: Path, long: bool) -> None:
    for number in range(50 if long else 4):
        delays = (0.0, 0.05) if number % 2 else (0.05, 0.0)
        first, second = (day for day in (DAYS if number % 4 < 2 else DAYS[::-1]))
        codes = in_processes(
            (give_a_day, lake, first, ["moving", "first"], delays[0]),
            (give_a_day, lake, second, ["moving", "second"], delays[1]),
        )

        assert codes == [0, 0]
        assert [row[0] for row in credit(lake)].count("moving") == 1, number
        assert {"first", "second"} <= {row[0] for row in credit(lake)}


def test_a_conversion_that_moves_leaves_its_old_day_in_the_same_commit(lake: Path) -> None:
    before = version_of(lake)

    LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(DAYS[1], DAYS[1]), frame(("c1", "s", 1.0, DAYS[1])))

    assert credit(lake) == [("c1", "s", 1.0, DAYS[1]), OLD[1]]
    assert version_of(lake) == before + 1


def test_a_reader_at_one_state_sees_nothing_of_later_commits(lake: Path) -> None:
    with LakeWarehouse(lake).at_one_state() as state:
        assert state.rows_by_day(ATTRIBUTION.name, "conv_date", Days(*DAYS)) == {DAYS[0]: 2, DAYS[1]: 2}
        LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(OLD[0]))

        assert state.rows_by_day(ATTRIBUTION.name, "conv_date", Days(*DAYS)) == {DAYS[0]: 2, DAYS[1]: 2}
        with refused("is read at one state, so nothing can be written"):
            state.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(OLD[1]))
    assert LakeWarehouse(lake).rows_by_day(ATTRIBUTION.name, "conv_date", Days(*DAYS)) == {DAYS[0]: 1}


def test_a_commit_shows_its_rows_and_leaves_the_sources_open(lake: Path) -> None:
    warehouse = LakeWarehouse(lake)
    asked = f"SELECT count(*) FROM {ATTRIBUTION.name}"

    with warehouse.connect() as before:
        counted = before.execute(asked).fetchall()
        warehouse.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(OLD[0]))
        counted += before.execute(asked).fetchall()
        with warehouse.connect() as after:
            counted += after.execute(asked).fetchall()

    assert counted == [(4,), (4,), (1,)]
    assert after.state.sources is before.state.sources


def test_a_table_is_found_whatever_letters_its_name_has(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = replace(schema()["channel_costs"], name="DailyCosts")
    for module in (database, opened):
        monkeypatch.setattr(module, "schema", lambda: {**schema(), table.name: table})
    warehouse = LakeWarehouse(lake)
    warehouse.prepare()

    row = {"date": [DAYS[0]], "channel_name": ["Email"], "sessions": [3], "cost": [1.5]}
    warehouse.replace_days(table, "date", Days(DAYS[0], DAYS[0]), pd.DataFrame(row))

    assert warehouse.rows_by_day("DailyCosts", "date", Days(*DAYS)) == {DAYS[0]: 1}


def test_readers_beside_a_writer_see_whole_commits_alone(lake: Path, long: bool) -> None:
    seen: set[tuple[str, ...]] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(tuple(str(row[0]) for row in credit(lake)))

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for number in range(100 if long else 15):
            rows = (((f"{number} {part} {day}", "s", 1.0, day)) for part in "ab" for day in DAYS)
            LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*rows))
    finally:
        done.set()
        for reader in readers:
            reader.join()

    assert len(seen) > 1
    assert all(len(names) == 4 and len({name.split()[0] for name in names if name[0] != "c"}) <= 1 for names in seen)


def test_a_writer_that_waits_too_long_says_for_what(lake: Path) -> None:
    with LakeWarehouse(lake).writing(ATTRIBUTION.name), refused("attribution_customer_journey", "stayed locked", "0.05 s"):
        LakeWarehouse(lake, busy_timeout=0.05).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(OLD[0]))

    assert credit(lake) == OLD


def version_of(lake: Place) -> int:
    return delta.last_version(lake / ATTRIBUTION.name) or 0


def is_after(lake: Place, version: int) -> bool:
    return version_of(lake) > version


def write_for_ever(lake: Place) -> None:
    number = 0
    while True:
        number += 1
        rows = [(f"{number} {part} {day}", "s", 1.0, day) for part in range(200) for day in DAYS]
        LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*rows))


def test_a_killed_writer_leaves_whole_commits_and_no_lock(lake: Path, long: bool) -> None:
    for number in range(30 if long else 3):
        version = version_of(lake)
        writer = PROCESSES.Process(target=write_for_ever, args=(lake,))
        writer.start()
        wait_for(partial(is_after, lake, version), every=0.01)
        threading.Event().wait(0.007 * number)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL

        rows = credit(lake)
        assert (len(rows), len({str(row[0]).split()[0] for row in rows})) == (400, 1)
        LakeWarehouse(lake, busy_timeout=1).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*OLD))
        assert credit(lake) == OLD


@contextmanager
def room_for_files_of(size: int) -> Iterator[None]:
    """No file of this process can grow beyond the size, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_without_room_the_old_rows_stay_and_the_error_is_one_line(lake: Path) -> None:
    rows = [(f"n{number}", f"{number * 7919}", 1 / (number + 1), DAYS[0]) for number in range(20_000)]

    with room_for_files_of(10_000), pytest.raises(AttributionError) as raised:
        LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*rows))

    assert "\n" not in str(raised.value)
    assert f"{lake / ATTRIBUTION.name} cannot be written" in str(raised.value)
    assert credit(lake) == OLD


def test_files_that_no_commit_names_are_not_read(lake: Path) -> None:
    of_day = lake / ATTRIBUTION.name / f"conv_date={DAYS[0]}"
    [file] = of_day.glob("*.parquet")
    (of_day / "orphan.parquet").write_bytes(file.read_bytes())

    assert credit(lake) == OLD
    LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(DAYS[1], DAYS[1]), frame(*OLD[2:]))
    assert credit(lake) == OLD


def test_a_table_with_the_file_of_a_single_day_is_read_as_one_with_many(lake: Path) -> None:
    warehouse = LakeWarehouse(lake)
    assert warehouse.span(ATTRIBUTION.name, "conv_date") == Days(*DAYS)

    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*OLD[:2]))

    assert warehouse.span(ATTRIBUTION.name, "conv_date") == Days(DAYS[0], DAYS[0])
    assert credit(lake) == OLD[:2]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("c", "s", None, DAYS[0])], ("ihc is NULL",)),
        ([("c", "s", 1.0, DAYS[0]), ("c", "s", 0.5, DAYS[0])], ("same conv_id, session_id", "('c', 's')")),
        ([("c", "s", "much", DAYS[0])], ("do not have the declared types",)),
    ],
    ids=["missing", "twice", "text"],
)
def test_a_whole_table_is_verified_before_it_is_replaced(
    lake: Path, rows: list[tuple[object, ...]], words: tuple[str, ...]
) -> None:
    with refused("attribution_customer_journey", *words):
        LakeWarehouse(lake).replace_table(ATTRIBUTION, frame(*rows))

    assert credit(lake) == OLD
    assert LakeWarehouse(lake).replace_table(ATTRIBUTION, frame(OLD[0])) == 1
    assert credit(lake) == OLD[:1]
