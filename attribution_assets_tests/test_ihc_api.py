"""The paid service in the graph: runs, reruns and failures in Dagster and by the command, and a key that nobody sees."""

from __future__ import annotations

import json
import random
import re
import signal
import sqlite3
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from pydantic import ValidationError

from attribution_assets.catalog.table import ATTRIBUTE
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs, build_resources
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets.orchestration.resources import EmbeddedIHCResource, IHCApiResource
from attribution_assets.settings import Settings
from attribution_assets_tests.command import Command
from attribution_assets_tests.ihc.answers import made_up, write_file
from attribution_assets_tests.ihc.service import KEY, Handler, Row, Service, partial, running, silence, status
from attribution_assets_tests.support import SHARED, Shop, wait_for

CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service that the environment names."""
    with running(Service()) as service:
        monkeypatch.setenv("IHC_API_KEY", KEY)
        monkeypatch.setenv("IHC_API_URL", service.url)
        monkeypatch.setenv("IHC_CONV_TYPE_ID", "returning")
        yield service


@pytest.fixture
def twenty(shop: Shop) -> Shop:
    """Twenty users who come twice and buy, over two days: ten requests of two journeys."""
    for i in range(20):
        shop.session(f"{i:02d}-first", f"u{i}", f"2023-09-0{1 + i % 2} 08:00:00", "Email", cost=1)
        shop.session(f"{i:02d}-then", f"u{i}", f"2023-09-0{1 + i % 2} 11:30:{i:02d}", "Direct Traffic")
        shop.conversion(f"c{i:02d}", f"u{i}", f"2023-09-0{1 + i % 2} 12:00:00", 10 + i)
    return shop


def run(shop: Shop, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["run", "--database", str(shop.database), "--exports", str(shop.exports), *arguments])


def start(shop: Shop, name: str = "run", **environment: str) -> Command:
    """`attribution run` as a process of its own; what it prints goes into a file of this name."""
    options = ("--database", shop.database, "--exports", shop.exports)
    return Command("run", *options, says=shop.database.with_name(f"{name}.said"), **environment)


def told(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event, *_] = result.asset_materializations_for_node("ihc_results")
    return {name.removesuffix(" (whole run)"): value.value for name, value in event.metadata.items()}


# Who computes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "resource"),
    [
        ({}, EmbeddedIHCResource),
        ({"IHC_API_KEY": "k", "IHC_CONV_TYPE_ID": "t"}, IHCApiResource),
        ({"IHC_API_KEY": "k", "IHC_CONV_TYPE_ID": "t", "IHC_BACKEND": "api"}, IHCApiResource),
        ({"IHC_API_KEY": "k", "IHC_CONV_TYPE_ID": "t", "IHC_BACKEND": "embedded"}, EmbeddedIHCResource),
        ({"IHC_API_KEY": "k", "IHC_BACKEND": "embedded"}, EmbeddedIHCResource),
    ],
)
def test_the_api_computes_where_there_is_a_key_unless_the_backend_says_otherwise(
    environment: dict[str, str], resource: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert type(build_resources(Settings())["ihc"]) is resource


@pytest.mark.parametrize(
    ("environment", "unset"),
    [({"IHC_BACKEND": "api"}, "IHC_API_KEY"), ({"IHC_API_KEY": "k"}, "IHC_CONV_TYPE_ID")],
)
def test_what_the_api_needs_and_does_not_have_is_named_in_one_line(
    environment: dict[str, str], unset: str, twenty: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    result = run(twenty)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[1:] == [
        f"Error: {unset} is not set, but the IHC API needs it. Set it, or set IHC_BACKEND=embedded."
    ]
    assert twenty.table("customer_journeys") == []


def test_a_key_in_the_env_file_is_used(api: Service, twenty: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IHC_API_KEY")
    Path(".env").write_text(f"IHC_API_KEY={KEY}\n")

    assert run(twenty).exit_code == 0

    assert twenty.table("ihc_results", "DISTINCT backend, parameters") == [("api", "returning")]
    assert {query.partition("?")[2] for query in api.queries} == {"conv_type_id=returning"}


# Runs -----------------------------------------------------------------------------------------------------------------


def test_every_conversion_counts_once_in_the_report_although_the_service_rounds(
    api: Service, twenty: Shop, instance: dg.DagsterInstance
) -> None:
    twenty.attribute(instance, "2023-09-01", "2023-09-02")
    twenty.report(instance, "2023-09-01", "2023-09-02")

    [(ihc, revenue, cost)] = twenty.execute("SELECT sum(ihc), sum(ihc_revenue), sum(cost) FROM channel_reporting")
    assert (ihc, revenue, cost) == pytest.approx((20, sum(range(10, 30)), 20), abs=1e-9)


def test_each_day_tells_what_was_paid_for(api: Service, twenty: Shop, instance: dg.DagsterInstance) -> None:
    first = twenty.attribute(instance, "2023-09-01")
    both = twenty.attribute(instance, "2023-09-01", "2023-09-02")

    assert told(first)["answered by the API"] == 10
    assert told(first)["requests"] == 1
    assert told(both)["taken from the ledger"] == 10
    assert told(both)["answered by the API"] == 10


def test_the_terminal_is_told_what_was_paid_for(api: Service, twenty: Shop) -> None:
    told_first, told_again = (" ".join(run(twenty).stderr.split()) for _ in range(2))

    assert "IHC API: 20 conversions, 0 taken from the ledger, 20 answered by the API, 1 requests." in told_first
    assert "IHC API: 20 conversions, 20 taken from the ledger, 0 answered by the API, 0 requests." in told_again


def test_the_timeout_of_the_settings_ends_a_silence(
    api: Service, twenty: Shop, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("IHC_TIMEOUT", "0.5")
    api.fault = lambda n: silence if n == 0 else None

    assert told(twenty.attribute(instance, "2023-09-01"))["requests"] >= 2  # more, where the machine is slow


def test_refresh_in_the_run_config_asks_for_every_journey_anew(
    api: Service, twenty: Shop, instance: dg.DagsterInstance
) -> None:
    twenty.attribute(instance, "2023-09-01")

    build_defs(twenty.settings()).resolve_job_def(ATTRIBUTE.name).execute_in_process(
        instance=instance, partition_key="2023-09-01", run_config={"ops": {"ihc_results": {"config": {"refresh": True}}}}
    )

    assert len(api.received) == 2
    assert len(api.sent_again) == 10


def test_a_failure_is_one_line_keeps_the_old_rows_and_the_next_run_sends_the_rest(
    api: Service, twenty: Shop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IHC_MAX_JOURNEYS", "2")
    twenty.attribute(instance, "2023-09-01")
    before = twenty.table("ihc_results")
    seen = len(api.received)
    api.fault = lambda n: partial if n == seen + 1 else None

    failed = run(twenty)

    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1].startswith(
        "Error: 1 conversions have no answer from the IHC API, by day: 2023-09-02 (1). Reasons:"
    )
    assert twenty.table("ihc_results") == before

    api.fault = lambda _: None
    twenty.attribute(instance, "2023-09-02")
    assert len(api.received[-1]) == 1
    assert api.sent_again == []
    assert twenty.table("ihc_results", "count(*), count(DISTINCT conv_id)") == [(40, 20)]


def test_the_embedded_model_fills_the_gap_if_that_is_wished(
    api: Service, twenty: Shop, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("IHC_ON_PARTIAL", "embedded")
    monkeypatch.setenv("IHC_PARAMETERS", "alternative")
    api.fault = lambda _: partial

    result = twenty.attribute(instance, "2023-09-01")

    assert told(result)["filled in by the embedded model"] == 1
    assert twenty.execute("SELECT backend, parameters, count(*) FROM ihc_results GROUP BY 1, 2 ORDER BY 1") == [
        ("api", "returning", 18),
        ("embedded", "alternative", 2),
    ]


@pytest.mark.dagster_home
def test_a_gap_that_was_filled_is_said_on_the_terminal_and_in_the_log_of_the_run(
    api: Service, twenty: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("IHC_ON_PARTIAL", "embedded")
    api.fault = lambda _: partial

    result = run(twenty)

    assert result.exit_code == 0
    assert "The embedded model fills the gap." in " ".join(result.stderr.split())
    with dagster_instance(tmp_path / ".dagster_home" / twenty.database.stem) as history:
        [attributed] = history.get_run_ids(dg.RunsFilter(job_name=ATTRIBUTE.name))
        said = [entry.user_message for entry in history.all_logs(attributed)]
    assert any(text.startswith("1 conversions have no answer") and "The embedded model fills the gap." in text for text in said)


def test_a_ledger_is_shared_by_two_processes_and_no_journey_is_paid_for_twice(
    api: Service, twenty: Shop, tmp_path: Path
) -> None:
    runs = [start(twenty, name, IHC_MAX_JOURNEYS="2", DAGSTER_HOME=str(tmp_path / name)) for name in ("one", "two")]

    assert [process.wait() for process in runs] == [0, 0]
    assert api.sent_again == []
    assert len(api.received) == 10


@pytest.mark.skipif(not CHALLENGE.exists(), reason=f"{CHALLENGE} is not there")
def test_the_challenge_by_the_api_is_the_challenge_by_the_model_that_it_learned(
    api: Service, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    api.preset = "challenge"
    shop = Shop.at(tmp_path / "challenge.db", tmp_path / "exports")
    shop.database.write_bytes(CHALLENGE.read_bytes())

    reports = []
    for backend in ("api", "embedded"):
        shop.attribute(instance, "2023-09-01", "2023-09-07", ihc_backend=backend)
        shop.report(instance, "2023-08-29", "2023-09-07", ihc_backend=backend)
        assert shop.table("ihc_results", "count(*), count(DISTINCT conv_id), max(backend)") == [(3703, 1940, backend)]
        reports.append(pd.DataFrame(shop.table("channel_reporting"), columns=["channel", "date", "cost", "ihc", "revenue"]))

    by_api, by_model = reports
    pd.testing.assert_frame_equal(by_api[["channel", "date", "cost"]], by_model[["channel", "date", "cost"]])
    assert by_api["ihc"].sum() == pytest.approx(1940, abs=1e-6)
    assert (by_api["ihc"] - by_model["ihc"]).abs().max() < 0.01  # at most 0.0001 for each of the cell's sessions


# Commands -------------------------------------------------------------------------------------------------------------


def attribution(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_an_estimate_needs_no_key_and_sends_nothing(twenty: Shop) -> None:
    result = attribution("ihc", "estimate", "--database", twenty.database, "--start", "2023-09-02", "--end", "2023-09-02")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "IHC API, conversions of 2023-09-02 to 2023-09-02:",
        "          10  conversions",
        "          20  sessions",
        "           0  in the ledger",
        "          10  to send",
        "          20  sessions to send",
        "           1  requests",
        "           0  longer than a request",
    ]


def test_an_estimate_refuses_the_sources_that_a_run_refuses(twenty: Shop) -> None:
    twenty.execute("UPDATE session_sources SET event_time = '8 o clock' WHERE session_id = '00-first'")

    result = attribution("ihc", "estimate", "--database", twenty.database)

    assert result.exit_code == 1
    assert "event_time '8 o clock', which is not HH:MM:SS" in result.stderr


def test_an_estimate_as_json_knows_what_the_ledger_holds(api: Service, twenty: Shop) -> None:
    run(twenty, "--start", "2023-09-02")
    sent = len(api.received)

    result = attribution("ihc", "estimate", "--database", twenty.database, "--json")

    counts = json.loads(result.stdout)
    assert (counts["start"], counts["end"]) == ("2023-09-01", "2023-09-02")
    assert (counts["conversions"], counts["in_the_ledger"], counts["to_send"], counts["requests"]) == (20, 10, 10, 1)
    assert len(api.received) == sent


def test_parameters_are_learned_from_a_file_and_compute_what_it_says(tmp_path: Path) -> None:
    file = write_file(tmp_path / "answers.csv", 400)

    learned = attribution("ihc", "calibrate", "--answers", file, "--output", tmp_path / "params.json")
    compared = attribution("ihc", "compare", "--answers", file, "--parameters", tmp_path / "params.json")

    assert learned.exit_code == 0, learned.output
    assert "Learned parameters, checked on 80 held-out conversions" in learned.stdout
    assert compared.exit_code == 0
    [ihc] = [line.split() for line in compared.stdout.splitlines() if line.split()[:1] == ["ihc"]]
    assert float(ihc[2]) < 0.001
    assert "Orders by channel" in compared.stdout


def test_parameters_are_learned_from_the_ledger_without_a_key(
    api: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    with closing(sqlite3.connect(shop.database)) as connection, connection:
        for sessions, _ in made_up(400):
            for session in sessions:
                row = (session["session_id"], session["conversion_id"], *session["timestamp"].split(), session["channel_label"])
                flags = (session["holder_engagement"], session["closer_engagement"], 0)
                connection.execute("INSERT INTO session_sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*row, *flags))
            date, time_ = sessions[-1]["timestamp"].split()
            connection.execute(
                "INSERT INTO conversions VALUES (?, ?, ?, ?, ?)",
                (sessions[0]["conversion_id"], sessions[0]["conversion_id"], date, time_[:-2] + "01", 10.0),
            )
    api.preset = "challenge"
    shop.attribute(instance, "2023-08-01", "2023-08-31")
    for name in ("IHC_API_KEY", "IHC_API_URL", "IHC_CONV_TYPE_ID"):
        monkeypatch.delenv(name)

    learned = attribution("ihc", "calibrate", "--ledger", "--output", "params.json")

    assert learned.exit_code == 0, learned.output
    monkeypatch.setenv("IHC_PARAMETERS", "params.json")
    by_api = dict(shop.table("ihc_results", "conv_id || session_id, ihc"))
    shop.attribute(instance, "2023-08-01", "2023-08-31")
    by_model = dict(shop.table("ihc_results", "conv_id || session_id, ihc"))
    assert by_model == pytest.approx(by_api, abs=0.005)
    assert {backend for (backend,) in shop.table("ihc_results", "DISTINCT backend")} == {"embedded"}


def test_parameters_that_are_off_are_not_written(tmp_path: Path) -> None:
    file = write_file(tmp_path / "answers.csv", 400, "alternative")
    answers = pd.read_csv(file)
    hours = pd.to_timedelta(answers.groupby("conversion_id").cumcount(), unit="h")
    answers.assign(timestamp=(pd.Timestamp("2023-09-01") + hours).astype("str")).to_csv(file, index=False)  # the times are lost

    result = attribution("ihc", "calibrate", "--answers", file, "--output", tmp_path / "params.json")

    assert result.exit_code == 1
    assert re.search(
        r"params.json was not written: with the learned parameters, ihc is off by 0\.\d+ \(p95\), more than 0\.001",
        result.stderr,
    )
    assert not (tmp_path / "params.json").exists()


@pytest.mark.parametrize("options", [[], ["--ledger", "--answers", "answers.csv"]])
@pytest.mark.parametrize("command", [["compare"], ["calibrate", "--output", "params.json"]])
def test_answers_come_from_a_file_or_the_ledger(command: list[str], options: list[str]) -> None:
    result = attribution("ihc", *command, *options)

    assert result.exit_code == 2
    assert "Give either --answers FILE or --ledger." in result.stderr


def test_without_a_ledger_there_is_nothing_to_compare(tmp_path: Path) -> None:
    result = attribution("ihc", "compare", "--ledger")

    assert result.exit_code == 1
    ledger = tmp_path / "data" / "ihc_ledger.db"
    assert result.stderr == f"Error: There is no ledger {ledger} yet. The first answer of the IHC API creates it.\n"


# Killed ---------------------------------------------------------------------------------------------------------------


def test_a_run_killed_during_the_fifth_of_ten_requests_sends_the_other_six_and_none_of_the_answered(
    api: Service, twenty: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = threading.Event()

    def hang(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        reached.set()
        return silence(handler, sessions, good)

    api.fault = lambda n: hang if n == 4 else None
    monkeypatch.setenv("IHC_CONCURRENCY", "1")
    monkeypatch.setenv("IHC_MAX_JOURNEYS", "2")
    process = start(twenty)
    wait_for(lambda: reached.is_set() or not process.is_at_work())
    assert process.is_at_work()
    process.kill()
    assert len(api.received) == 5

    assert run(twenty).exit_code == 0
    assert api.sent_again == []
    assert len(api.received) == 5 + 6
    assert twenty.table("ihc_results", "count(*), count(DISTINCT conv_id)") == [(40, 20)]


def test_an_interrupted_run_waits_no_longer_and_sends_nothing_more(api: Service, twenty: Shop) -> None:
    api.fault = lambda _: status(429, Retry_After="100")
    process = start(twenty, IHC_CONCURRENCY="1", IHC_MAX_JOURNEYS="2")
    while not api.received:
        assert process.is_at_work()
        time.sleep(0.01)
    time.sleep(0.3)  # it waits for the 100 seconds now

    process.send(signal.SIGINT)

    assert process.wait()
    assert len(api.received) == 1


def test_a_run_killed_at_any_moment_repeats_at_most_the_requests_under_way(
    api: Service, twenty: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, long: bool
) -> None:
    monkeypatch.setenv("IHC_CONCURRENCY", "2")
    monkeypatch.setenv("IHC_MAX_JOURNEYS", "1")
    moments = random.Random(5)
    for i in range(30 if long else 1):
        monkeypatch.setenv("IHC_LEDGER", str(tmp_path / f"{i}.db"))
        api.answered.clear()
        api.sent_again.clear()
        before = len(api.received)
        process = start(twenty)
        while len(api.received) == before:
            assert process.is_at_work()
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.15))
        process.kill()

        assert run(twenty).exit_code == 0
        assert len(api.sent_again) <= 2
        assert twenty.table("ihc_results", "count(*), count(DISTINCT conv_id)") == [(40, 20)]


# The key --------------------------------------------------------------------------------------------------------------


@pytest.mark.dagster_home
def test_the_key_is_in_nothing_that_is_written_or_printed(api: Service, twenty: Shop, tmp_path: Path) -> None:
    def echo(handler: Handler, sessions: list[Row], good: list[Row]) -> bool:
        handler.answer(400, {"message": f"what is {handler.headers['x-api-key']}?"})
        return True

    api.fault = lambda _: echo
    failed = start(twenty, DAGSTER_HOME=str(tmp_path / "home"))
    assert failed.wait() == 1
    printed = failed.says.read_text()
    api.fault = lambda _: None
    for succeeded in (run(twenty), attribution("ihc", "compare", "--ledger")):
        assert succeeded.exit_code == 0
        printed += succeeded.output

    assert "what is ***?" in printed
    assert KEY not in printed
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 10
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    unpacked = [
        zlib.decompress(value)  # so Dagster stores what its runs were configured with
        for history in tmp_path.rglob("history/runs.db")
        for value in blobs(history, "snapshots")
    ]
    assert len(unpacked) > 1
    assert [content for content in unpacked if KEY.encode() in content] == []


def blobs(database: Path, table: str) -> list[bytes]:
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    return [value for row in rows for value in row if isinstance(value, bytes)]


def test_two_accounts_in_one_process_keep_to_their_own_key_and_leave_the_environment_alone() -> None:
    ours, theirs = (build_resources(Settings(ihc_api_key=key, ihc_conv_type_id="t"))["ihc"] for key in ("our-key", "their-key"))

    assert [resource.process_config_and_initialize().api_key for resource in (ours, theirs)] == ["our-key", "their-key"]
    assert not Settings().uses_api


def test_the_key_is_in_no_repr(api: Service) -> None:
    settings = Settings()
    resource = IHCApiResource(api_key=KEY, conv_type_id="t", ledger="ledger.db")

    assert KEY not in repr(settings)
    assert KEY not in repr(resource)
    assert KEY not in repr(build_resources(settings)["ihc"])
    assert KEY not in repr(resource.answer([]))


@pytest.mark.parametrize(
    "broken", [{"IHC_API_KEY": f"{KEY} x"}, {"ATTRIBUTION_LOOKBACK_DAYS": "many"}, {"IHC_MAX_SESSIONS": "0"}]
)
def test_the_key_is_in_no_complaint_about_the_settings(
    api: Service, broken: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in broken.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ValidationError) as raised:
        Settings()

    assert KEY not in str(raised.value)
    assert KEY not in CliRunner().invoke(main, ["run"]).output


def test_the_ui_is_told_where_the_key_comes_from_and_not_what_it_is(api: Service) -> None:
    resource = build_defs().get_repository_def().get_top_level_resources()["ihc"]

    assert KEY not in str(resource.config_schema.default_value)
    assert "IHC_API_KEY" in str(resource.config_schema.default_value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["compare", "--answers", "."], "Error: . cannot be read: Is a directory."),
        (["compare", "--answers", "answers.csv/x"], "Error: answers.csv/x cannot be read: Not a directory."),
        (["calibrate", "--answers", "answers.csv", "--output", "."], "Error: . cannot be written: "),
        (["calibrate", "--answers", "answers.csv", "--output", "no/x.json"], "Error: no/x.json cannot be written: No such "),
    ],
)
def test_a_file_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, arguments: list[str], says: str) -> None:
    write_file(tmp_path / "answers.csv", 400)

    result = attribution("ihc", *arguments)

    assert result.exit_code == 1
    assert result.stderr.startswith(says)
    assert result.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["answers.csv"]
