"""The ledger: what was paid for is found by its content, is never changed or lost, and can be read back as a table."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.ihc.endpoint import ENDPOINT
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.packing import SENT_COLUMNS
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets.ihc.redistribution import Redistribution
from attribution_assets_tests.ihc.journeys import answer, journey
from attribution_assets_tests.support import PROJECT

ACCOUNT = Account(ENDPOINT, "new")

ANOTHER_PROCESS = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from attribution_assets.ihc.endpoint import ENDPOINT
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets_tests.ihc.journeys import answer, journey

def record(*names):
    ledger.record(Account(ENDPOINT, "new"), [(journey(name), answer()) for name in names])

ledger = Ledger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
"""
RECORD_ON_AND_ON = """
for i in range(1_000_000):
    record(*(f"{i}-{part}" for part in range(20)))
    print(i, flush=True)
"""
RECORD_IN_THREADS = """
with ThreadPoolExecutor(4) as pool:
    list(pool.map(record, sys.argv[2:]))
"""
HOLD_THE_LOCK = """
with ledger.sole_sender():
    print("held", flush=True)
    sys.stdin.read()
"""

# What the tests are made of -------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """In a folder that does not exist yet."""
    return Ledger(tmp_path / "data" / "ledger.db")


def moved(folder: Path, threshold: float = 0.0) -> Redistribution:
    holder = {"direction": "any_session", "receive_threshold": threshold, "redistribution_channel_labels": ["Direct"]}
    (folder / "moved.json").write_text(json.dumps({"holder": holder}))
    return Redistribution.load(folder / "moved.json")


def refusal(action: Callable[[], object]) -> str:
    """The message of the AttributionError, which is one line."""
    with pytest.raises(AttributionError) as raised:
        action()

    message = str(raised.value)
    assert "\n" not in message
    return message


class Process(subprocess.Popen[str]):
    """Another process with the ledger; it has imported everything and waits for `go`."""

    def __init__(self, ledger: Ledger, work: str, *arguments: str) -> None:
        super().__init__(
            [sys.executable, "-c", ANOTHER_PROCESS + work, str(ledger.path), *arguments],
            env={**os.environ, "PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.says() == "ready"

    def says(self) -> str:
        assert self.stdout is not None
        return self.stdout.readline().strip()

    def go(self) -> None:
        assert self.stdin is not None
        self.stdin.write("go\n")
        self.stdin.flush()


# Found by content -----------------------------------------------------------------------------------------------------


def test_a_recorded_answer_is_found(ledger: Ledger) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])

    assert ledger.find(ACCOUNT, [journey()]) == {"c": answer()}


def test_what_was_not_recorded_is_not_found(ledger: Ledger) -> None:
    ledger.record(ACCOUNT, [(journey("c1"), answer())])

    assert ledger.find(ACCOUNT, [journey("c2")]) == {}
    assert ledger.find(ACCOUNT, []) == {}


def test_shares_are_found_to_the_last_bit(ledger: Ledger) -> None:
    shares = [[0.1 + 0.2, 1 / 3, 5e-324, 0.0001]]

    ledger.record(ACCOUNT, [(journey(sessions=1), shares)])

    assert ledger.find(ACCOUNT, [journey(sessions=1)]) == {"c": shares}


def test_text_in_any_script_is_found(ledger: Ledger) -> None:
    strange = journey("Ordre n° 7 \U0001f6d2 \"'\\;--")

    ledger.record(ACCOUNT, [(strange, answer())])

    assert ledger.find(ACCOUNT, [strange]) == {strange.conv_id: answer()}


@pytest.mark.parametrize(
    "change",
    [
        {"session_id": "other"},
        {"timestamp": "2023-09-01 00:00:01"},
        {"channel_label": "email"},
        {"holder_engagement": 0},
        {"closer_engagement": 1},
        {"conversion": 1},
        {"impression_interaction": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_journey_with_any_change_of_a_session_is_another(ledger: Ledger, change: dict[str, Any]) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])
    first, second = journey().sessions

    assert ledger.find(ACCOUNT, [replace(journey(), sessions=[{**first, **change}, second])]) == {}


@pytest.mark.parametrize("sessions", [1, 3])
def test_a_journey_with_a_session_more_or_less_is_another(ledger: Ledger, sessions: int) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])

    assert ledger.find(ACCOUNT, [journey(sessions=sessions)]) == {}


def test_a_journey_in_another_order_is_another(ledger: Ledger) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])

    assert ledger.find(ACCOUNT, [replace(journey(), sessions=journey().sessions[::-1])]) == {}


@pytest.mark.parametrize("other", [replace(ACCOUNT, url="https://other.example/"), replace(ACCOUNT, conv_type_id="returning")])
def test_an_answer_belongs_to_the_service_and_the_conv_type_id(ledger: Ledger, other: Account) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])

    assert ledger.find(other, [journey()]) == {}


def test_an_answer_belongs_to_the_redistribution(ledger: Ledger, tmp_path: Path) -> None:
    some, other = (replace(ACCOUNT, redistribution=moved(tmp_path, threshold)) for threshold in (0.1, 0.2))

    ledger.record(some, [(journey(), answer())])

    assert ledger.find(some, [journey()]) == {"c": answer()}
    assert ledger.find(other, [journey()]) == {}
    assert ledger.find(ACCOUNT, [journey()]) == {}


def test_an_answer_does_not_depend_on_what_else_was_in_the_request_or_left_out_of_it(ledger: Ledger) -> None:
    ledger.record(ACCOUNT, [(journey(f"c{i}"), answer(i / 10)) for i in range(10)])

    alone = replace(journey("c7"), conv_date="2023-09-30", left_out=journey("earlier").sessions)

    assert ledger.find(ACCOUNT, [alone]) == {"c7": answer(0.7)}


# Never changed, never lost --------------------------------------------------------------------------------------------


def test_of_several_answers_to_a_journey_the_newest_counts(ledger: Ledger) -> None:
    for ihc in (0.1, 0.9, 0.2):
        ledger.record(ACCOUNT, [(journey(), answer(ihc)), (journey("other"), answer())])

    assert ledger.find(ACCOUNT, [journey()]) == {"c": answer(0.2)}
    assert ledger.answers(ACCOUNT).query("conversion_id == 'c'")["ihc"].tolist() == [0.2, 0.8]


@pytest.mark.parametrize("statement", ["UPDATE ihc_answers SET answer = '[]'", "DELETE FROM ihc_answers"])
def test_answers_are_neither_changed_nor_removed(ledger: Ledger, statement: str) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])

    with closing(sqlite3.connect(ledger.path)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)

    assert ledger.find(ACCOUNT, [journey()]) == {"c": answer()}


def test_what_was_recorded_survives_a_killed_process(ledger: Ledger) -> None:
    recorder = Process(ledger, RECORD_ON_AND_ON)
    recorder.go()
    recorded = [recorder.says() for _ in range(5)]

    time.sleep(0.05)
    recorder.kill()  # SIGKILL, at work on the next ones
    recorded += recorder.communicate()[0].split()

    journeys = [journey(f"{i}-{part}") for i in recorded for part in range(20)]
    assert set(ledger.find(ACCOUNT, journeys)) == {one.conv_id for one in journeys}
    kept = ledger.answers(ACCOUNT)["conversion_id"].str.split("-").str[0]
    assert set(kept.value_counts()) == {40}  # of what was recorded together all journeys, two sessions each, or nothing


def test_several_threads_and_processes_record_at_once_and_nothing_is_lost(ledger: Ledger) -> None:
    names = [f"c{i}" for i in range(24)]
    processes = [Process(ledger, RECORD_IN_THREADS, *some) for some in (names[:8], names[8:16])]

    for process in processes:  # the quickest creates the file
        process.go()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: ledger.record(ACCOUNT, [(journey(name), answer())]), names[16:]))
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0]
    assert set(ledger.find(ACCOUNT, map(journey, names))) == set(names)


# Read back ------------------------------------------------------------------------------------------------------------


def test_answers_are_read_back_as_sessions_with_their_shares(ledger: Ledger) -> None:
    ledger.record(ACCOUNT, [(journey("c1"), answer(0.3)), (journey("c2", sessions=1), [[1.0, 0.0, 1.0, 1.0]])])

    rows = ledger.answers(ACCOUNT)

    assert list(rows.columns) == ["request", *SENT_COLUMNS, *OUTPUTS]
    assert rows[list(SENT_COLUMNS)].to_dict("records") == journey("c1").sessions + journey("c2", sessions=1).sessions
    assert rows[list(OUTPUTS)].to_numpy().tolist() == [*answer(0.3), [1.0, 0.0, 1.0, 1.0]]
    assert rows["request"].nunique() == 2
    assert rows.groupby("request")["conversion_id"].unique().map(list).tolist() == [["c1"], ["c2"]]


def test_only_the_answers_of_the_account_are_read_back(ledger: Ledger, tmp_path: Path) -> None:
    others = [
        replace(ACCOUNT, url="https://other.example/v1/compute_ihc"),
        replace(ACCOUNT, conv_type_id="returning"),
        replace(ACCOUNT, redistribution=moved(tmp_path)),
    ]
    for i, account in enumerate([ACCOUNT, *others]):
        ledger.record(account, [(journey(f"c{i}"), answer())])

    assert ledger.answers(ACCOUNT)["conversion_id"].unique().tolist() == ["c0"]
    assert ledger.answers(others[2])["conversion_id"].unique().tolist() == ["c3"]


def test_where_the_account_has_no_answers_it_is_said_whose_the_ledger_holds(ledger: Ledger, tmp_path: Path) -> None:
    ledger.record(ACCOUNT, [(journey(), answer())])
    ledger.record(replace(ACCOUNT, conv_type_id="returning", redistribution=moved(tmp_path)), [(journey(), answer())])

    message = refusal(lambda: ledger.answers(replace(ACCOUNT, conv_type_id="wrong")))

    wanted, held = message.split(". It has answers for ")
    assert str(ledger.path) in wanted
    assert f"{ENDPOINT} with IHC_CONV_TYPE_ID wrong" in wanted
    assert f"{ENDPOINT} with IHC_CONV_TYPE_ID new;" in held
    assert f"{ENDPOINT} with IHC_CONV_TYPE_ID returning and redistribution" in held


def test_an_empty_ledger_holds_nothing(ledger: Ledger) -> None:
    ledger.record(ACCOUNT, [])

    assert refusal(lambda: ledger.answers(ACCOUNT)).endswith("It is empty.")


# The file -------------------------------------------------------------------------------------------------------------


def test_looking_into_a_ledger_that_is_not_there_creates_nothing(ledger: Ledger) -> None:
    assert ledger.find(ACCOUNT, [journey()]) == {}
    assert str(ledger.path) in refusal(lambda: ledger.answers(ACCOUNT))

    assert not ledger.path.parent.exists()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"conversion_id,ihc\n" * 100, id="a CSV file"),
        pytest.param(b"SQLite format 3\0" + bytes(range(256)) * 20, id="a broken database"),
    ],
)
def test_a_file_that_is_no_database_is_refused_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)

    assert_refused(Ledger(path))

    assert path.read_bytes() == content


def test_a_database_whose_table_is_another_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE ihc_answers (something_else text)")

    assert_refused(Ledger(path))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert_refused(Ledger(tmp_path))


@pytest.mark.parametrize("path", ["/proc/ledger.db", "file/ledger.db", "x" * 300])
def test_a_file_that_cannot_be_written_is_refused(path: str) -> None:
    Path("file").write_text("not a folder")

    message = refusal(lambda: Ledger(Path(path)).record(ACCOUNT, [(journey(), answer())]))

    assert path in message
    assert "IHC_LEDGER" in message


def assert_refused(ledger: Ledger) -> None:
    """By each method, with the file and the setting."""
    for action in (
        lambda: ledger.find(ACCOUNT, [journey()]),
        lambda: ledger.record(ACCOUNT, [(journey(), answer())]),
        lambda: ledger.answers(ACCOUNT),
    ):
        message = refusal(action)
        assert str(ledger.path) in message
        assert "IHC_LEDGER" in message


# The sole sender ------------------------------------------------------------------------------------------------------


def test_while_one_process_sends_another_does_not(ledger: Ledger) -> None:
    holder = Process(ledger, HOLD_THE_LOCK)
    holder.go()
    assert holder.says() == "held"
    started, sole = threading.Event(), threading.Event()

    def wait_to_send() -> None:
        started.set()
        with ledger.sole_sender():
            sole.set()

    thread = threading.Thread(target=wait_to_send)
    thread.start()
    started.wait()
    assert not sole.wait(0.3)

    holder.kill()
    holder.communicate()
    thread.join()  # a killed process holds nobody up
    assert sole.is_set()


def test_one_ledger_has_one_sole_sender_and_another_its_own(ledger: Ledger) -> None:
    with ledger.sole_sender(), Ledger(ledger.path.with_name("other.db")).sole_sender():
        pass


def test_the_sole_sender_records_and_others_find_meanwhile(ledger: Ledger) -> None:
    with ledger.sole_sender():
        ledger.record(ACCOUNT, [(journey(), answer())])

        assert Ledger(ledger.path).find(ACCOUNT, [journey()]) == {"c": answer()}


@pytest.mark.parametrize("path", ["/proc/ledger.db", "file/ledger.db", "x" * 300])
def test_a_ledger_that_cannot_be_written_is_refused_before_anything_is_sent(path: str) -> None:
    Path("file").write_text("not a folder")

    with pytest.raises(AttributionError, match="IHC_LEDGER"), Ledger(Path(path)).sole_sender():
        pytest.fail("nothing may be sent")
