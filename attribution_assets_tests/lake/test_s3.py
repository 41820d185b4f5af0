"""A lake in a bucket of an S3 object store: the rows of a local lake, writers side by side, and keys that nobody sees."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import nullcontext
from datetime import date
from functools import partial
from importlib import util
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Location, schema
from attribution_assets.warehouse.lake import database, delta
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.objects import Access, InBucket
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.command import PROCESSES, Command
from attribution_assets_tests.lake.store import KEY, SECRET, TOKEN, Store
from attribution_assets_tests.lake.test_same_results import bits
from attribution_assets_tests.lake.test_writers import DAYS, OLD, credit, give_a_day, is_after, version_of, write_for_ever
from attribution_assets_tests.lakes import OURS, rows_of
from attribution_assets_tests.support import Shop, wait_for
from attribution_assets_tests.warehouse.rows import ATTRIBUTION, frame, in_processes, refused

NEW_DAY = "2023-09-03"


@pytest.fixture
def store(object_store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store, to which the environment has the keys."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return object_store


@pytest.fixture
def folder(store: Store) -> InBucket:
    """A folder where no lake is yet."""
    return store.new_folder()


@pytest.fixture
def lake(folder: InBucket) -> InBucket:
    """A lake with two conversions on each of two days."""
    warehouse = LakeWarehouse(folder)
    warehouse.make()
    warehouse.create(ATTRIBUTION)
    warehouse.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*OLD))
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    shop.session("s1", "u", "2023-09-01 10:00:00", cost=1.5)
    shop.conversion("c1", "u", "2023-09-01 12:00:00")
    return shop


def attribution(*arguments: str | InBucket) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)])


def give_a_day_there(barrier: Barrier, environment: dict[str, str], *given: Any) -> None:
    """As `give_a_day`, in a process that has another environment."""
    os.environ.update(environment)
    give_a_day(barrier, *given)


def write_for_ever_there(environment: dict[str, str], lake: InBucket) -> None:
    os.environ.update(environment)
    write_for_ever(lake)


def batches(*rows: tuple[object, ...]) -> pa.RecordBatchReader:
    return pa.Table.from_pandas(frame(*rows), preserve_index=False).to_reader()


# -- the same rows


def test_a_run_in_a_bucket_writes_the_tables_and_files_of_one_on_a_disk_and_nothing_has_a_key(
    folder: InBucket, store: Store, tmp_path: Path
) -> None:
    write_sample(tmp_path / "sample.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=3)
    files: list[dict[str, bytes]] = []
    for number, place in enumerate([f"{tmp_path / 'lake'}/", str(folder)]):
        exports, home = tmp_path / f"exports {number}", str(tmp_path / f"home {number}")
        for command in (["lake", "import", "sample.db"], ["run", "--exports", str(exports)]):
            before = len(store.requests)
            says = tmp_path / f"says {number} {command[0]}"
            run = Command(*command, "--database", place, says=says, DAGSTER_HOME=home, ATTRIBUTION_MODELS="linear")
            assert run.wait() == 0, says.read_text()
            made = len(store.requests) - before
        files.append({str(path.relative_to(exports)): path.read_bytes() for path in exports.rglob("*.csv")})

    assert files[0] == files[1]
    for name in OURS:
        assert bits(rows_of(folder, schema()[name])) == bits(rows_of(tmp_path / "lake", schema()[name])), name
    assert made < 3_000
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert [secret for secret in (KEY, SECRET, TOKEN) if any(secret.encode() in content for content in written)] == []
    assert any(str(folder).encode() in content for content in written)


def test_commands_look_at_a_run_in_a_bucket_and_a_source_can_be_filled_there(folder: InBucket, shop: Shop) -> None:
    assert attribution("lake", "import", "shop.db", "--database", folder).exit_code == 0
    assert attribution("run", "--database", folder, "--exports", "e", "--end", "2023-09-02").exit_code == 0

    status = attribution("status", "--database", folder, "--end", "2023-09-02", "--json")
    report = attribution("report", "--database", folder, "--html", "report.html")
    Path("ads.csv").write_text("date,campaign_id,channel_name,cost\n2023-09-01,brand,Ads,3.0\n")
    filled = attribution("import", "ad_costs", "ads.csv", "--database", folder)

    assert status.exit_code == 0, status.output
    assert "channel_reporting" in status.stdout
    assert report.exit_code == 0, report.output
    assert filled.exit_code == 0, filled.output
    with LakeWarehouse(folder).connect() as connection:
        assert connection.execute("SELECT date, cost FROM ad_costs").fetchall() == [("2023-09-01", 3.0)]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_files_in_a_bucket_are_sources_and_their_changes_are_seen(
    folder: InBucket, store: Store, tmp_path: Path, ending: str
) -> None:
    def put(conversion: str) -> None:
        row = {
            "conv_id": [conversion],
            "user_id": ["u"],
            "conv_date": ["2023-09-01"],
            "conv_time": ["12:00:00"],
            "revenue": [1.0],
        }
        file = tmp_path / f"conversions.{ending}"
        data = pd.DataFrame(row)
        data.to_csv(file, index=False) if ending == "csv" else data.to_parquet(file)
        store.put(folder / "conversions" / f"year=2023.{ending}", file.read_bytes())

    def conversions() -> list[tuple[Any, ...]]:
        with LakeWarehouse(folder).connect() as connection:
            return connection.execute("SELECT conv_id FROM conversions").fetchall()

    LakeWarehouse(folder).make()
    put("c1")
    first, state = conversions(), LakeWarehouse(folder).state()
    put("c2")

    assert first == [("c1",)]
    assert conversions() == [("c2",)]
    assert LakeWarehouse(folder).state() != state


def test_sources_on_a_disk_are_read_beside_results_in_a_bucket(
    folder: InBucket, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTRIBUTION_SOURCES", "shop.db")
    assert attribution("lake", "import", "--database", folder).exit_code == 0

    result = attribution("run", "--database", folder, "--exports", "e", "--end", "2023-09-02")

    assert result.exit_code == 0, result.output
    assert [row[:2] for row in rows_of(folder, ATTRIBUTION)] == [("c1", "s1")]


# -- requests


def test_the_versions_of_all_tables_are_found_in_one_request(lake: InBucket, store: Store) -> None:
    warehouse = LakeWarehouse(lake)
    before = len(store.requests)

    state = warehouse.state()

    assert f"{ATTRIBUTION.name} {version_of(lake)} " in state
    assert [f"{delta.LOG}/" in request for request in store.requests[before : before + 1]] == [False]
    assert len(store.requests) - before == 2  # the other is of version_of


def test_what_was_read_of_a_version_is_not_read_again(lake: InBucket, store: Store) -> None:
    def parquet_files_read() -> int:
        before = len(store.requests)
        assert credit(lake) == OLD
        return sum(".parquet" in request for request in store.requests[before:])

    first, second = parquet_files_read(), parquet_files_read()

    assert (first > 0, second) == (True, 0)


# -- writers


@pytest.mark.parametrize(
    ("first", "second"),
    [(DAYS[0], DAYS[0]), (NEW_DAY, NEW_DAY), (NEW_DAY, DAYS[0])],
    ids=["a day with files", "a day without files", "different days"],
)
def test_of_two_commits_after_the_same_version_the_second_fails(lake: InBucket, first: str, second: str) -> None:
    table, read = lake / ATTRIBUTION.name, version_of(lake)

    delta.replace_rows(table, batches(("first", "s", 1.0, first)), f"conv_date = '{first}'", {}, at=read)
    with refused("Another process has written", str(table), kind=delta.OvertakenError):
        delta.replace_rows(table, batches(("second", "s", 1.0, second)), f"conv_date = '{second}'", {}, at=read)

    assert [row[0] for row in credit(lake) if row[3] == first] == ["first"]
    assert version_of(lake) == read + 1


def test_of_two_writers_that_make_a_table_the_second_fails(lake: InBucket) -> None:
    delta.replace_rows(lake / "events", batches(("first", "s", 1.0, NEW_DAY)), None, {}, at=None)

    with refused("Another process has written", kind=delta.OvertakenError):
        delta.replace_rows(lake / "events", batches(("second", "s", 1.0, NEW_DAY)), None, {}, at=None)


@pytest.mark.parametrize("days", [DAYS, (NEW_DAY, NEW_DAY)], ids=["different days", "the same day, without files"])
def test_writers_side_by_side_both_commit_whole_days(lake: InBucket, store: Store, days: tuple[str, str]) -> None:
    codes = in_processes(
        (give_a_day_there, store.environment, lake, days[0], ["n1", "n2"]),
        (give_a_day_there, store.environment, lake, days[1], ["m1", "m2", "m3"]),
    )

    assert codes == [0, 0]
    of_days = [[str(row[0]) for row in credit(lake) if row[3] == day] for day in dict.fromkeys(days)]
    assert of_days in ([["n1", "n2"], ["m1", "m2", "m3"]], [["n1", "n2"]], [["m1", "m2", "m3"]])


def test_a_conversion_between_the_days_of_two_writers_in_a_bucket_stands_once(lake: InBucket, store: Store, long: bool) -> None:
    for number in range(20 if long else 2):
        days = (DAYS[0], NEW_DAY) if number % 2 else (NEW_DAY, DAYS[0])
        codes = in_processes(
            (give_a_day_there, store.environment, lake, days[0], ["moving", "first"]),
            (give_a_day_there, store.environment, lake, days[1], ["moving", "second"]),
        )

        assert codes == [0, 0]
        assert [row[0] for row in credit(lake)].count("moving") == 1, number
        assert {"first", "second"} <= {row[0] for row in credit(lake)}


def test_a_writer_that_was_overtaken_looks_at_the_rows_of_then(lake: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    replace_rows, overtakers = delta.replace_rows, iter([True, False, False])

    def overtaken(*arguments: Any, **named: Any) -> int:
        if next(overtakers):
            LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(NEW_DAY, NEW_DAY), frame(("c1", "s", 0.5, NEW_DAY)))
        return replace_rows(*arguments, **named)

    monkeypatch.setattr(delta, "replace_rows", overtaken)
    LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(DAYS[0], DAYS[0]), frame(OLD[0]))

    assert credit(lake) == [OLD[0], *OLD[2:]]  # c1 has left the new day again


def test_a_writer_that_is_overtaken_each_time_says_so(lake: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "PAUSE", 0.01)
    tries = []

    def write() -> None:
        tries.append(version_of(lake))
        other = batches(("other", "s", 1.0, NEW_DAY))
        delta.replace_rows(lake / ATTRIBUTION.name, other, f"conv_date = '{NEW_DAY}'", {})
        delta.replace_rows(lake / ATTRIBUTION.name, batches(OLD[0]), f"conv_date = '{DAYS[0]}'", {}, at=tries[-1])

    with refused(ATTRIBUTION.name, str(lake), "each of the 5 times", kind=BusyError):
        LakeWarehouse(lake).committed(ATTRIBUTION.name, write)

    assert len({*tries}) == 5
    assert credit(lake) == [*OLD, ("other", "s", 1.0, NEW_DAY)]


def test_a_killed_writer_leaves_whole_commits_and_another_completes(lake: InBucket, store: Store, long: bool) -> None:
    for number in range(20 if long else 2):
        version = version_of(lake)
        writer = PROCESSES.Process(target=write_for_ever_there, args=(store.environment, lake))
        writer.start()
        wait_for(partial(is_after, lake, version), every=0.05)
        threading.Event().wait(0.03 * number)
        writer.kill()
        writer.join()
        assert writer.exitcode == -signal.SIGKILL

        rows = credit(lake)
        assert (len(rows), len({str(row[0]).split()[0] for row in rows})) == (400, 1)
        LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(*OLD))
        assert credit(lake) == OLD


# -- versions


def test_versions_in_a_bucket_are_shown_brought_back_and_tidied(lake: InBucket, store: Store) -> None:
    def files() -> set[str]:
        listed = store.client.list_objects_v2(Bucket=lake.bucket, Prefix=f"{(lake / ATTRIBUTION.name).key}/conv_date=")
        return {entry["Key"] for entry in listed["Contents"]}

    before = version_of(lake)
    store.put(lake / ATTRIBUTION.name / "conv_date=2023-09-01" / "part-of-a-killed-writer.parquet", b"half")
    LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(OLD[0]))

    history = attribution("lake", "history", ATTRIBUTION.name, "--database", lake, "--json")
    restored = attribution("lake", "restore", ATTRIBUTION.name, str(before), "--database", lake)
    rows = credit(lake)
    LakeWarehouse(lake).replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), frame(OLD[0]))
    kept = attribution("lake", "vacuum", "--database", lake)
    many = files()
    LakeWarehouse(lake, keep_days=0).vacuum()

    assert [version["version"] for version in json.loads(history.output)["versions"]][:2] == [before + 1, before]
    assert restored.exit_code == 0, restored.output
    assert rows == OLD
    assert kept.output == f"0 files of {lake} are deleted.\n"
    assert (len(many) > 1, len(files())) == (True, 1)
    assert credit(lake) == OLD[:1]
    with refused("cannot be restored", "files of it are deleted"):
        LakeWarehouse(lake).restore(ATTRIBUTION.name, before)


# -- what cannot be read


@pytest.mark.parametrize(
    "url",
    [
        f"s3://{KEY}:{SECRET}@bucket/lake",
        f"s3://bucket/lake?secret={SECRET}",
        f"s3://bucket/lake#{SECRET}",
        f"s3://{SECRET}:bucket/../lake",
        "s3://",
        "s3://bucket/la ke",
        "s3://bucket/of/../lake",
    ],
)
def test_a_url_with_more_than_a_folder_is_refused_and_not_repeated(url: str) -> None:
    result = attribution("run", "--database", url)

    assert result.exit_code == 1
    assert "s3://BUCKET/FOLDER" in result.output
    assert len(result.output.splitlines()) == 1
    assert SECRET not in result.output


def test_the_place_is_named_without_a_slash_at_its_end() -> None:
    named = Location.of("s3://lakes/of/shop//")

    assert (str(named), named.name, named.given) == ("s3://lakes/of/shop", "shop", "s3://lakes/of/shop")
    assert str(Location.of("s3://lakes/")) == "s3://lakes"
    assert Settings(database="s3://lakes/of/shop").database.is_lake


UNREACHABLE: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "no key": ({"AWS_ACCESS_KEY_ID": ""}, ("needs keys", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")),
    "an endpoint with a password": (
        {"AWS_ENDPOINT_URL": f"http://{KEY}:{SECRET}@localhost"},
        ("AWS_ENDPOINT_URL is not the URL of a store",),
    ),
    "no store": ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, ("http://127.0.0.1:1 does not answer",)),
    "no bucket": ({}, ("There is no bucket nobodys at http://127.0.0.1:",)),
    "a wrong key": ({}, ("refuses s3://nobodys/lake", "to the key in AWS_ACCESS_KEY_ID: InvalidAccessKeyId")),
}


@pytest.mark.parametrize("command", ["import", "run", "vacuum"])
@pytest.mark.parametrize("why", UNREACHABLE)
def test_a_store_that_cannot_be_asked_is_told_in_one_line_without_keys(
    store: Store, shop: Shop, monkeypatch: pytest.MonkeyPatch, why: str, command: str
) -> None:
    environment, words = UNREACHABLE[why]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    arguments = {"import": ["lake", "import", "shop.db"], "run": ["run"], "vacuum": ["lake", "vacuum"]}[command]

    with store.that_knows_no_key() if why == "a wrong key" else nullcontext():
        result = attribution(*arguments, "--database", "s3://nobodys/lake")

    assert result.exit_code == 1, result.output
    assert len(result.output.splitlines()) == 1
    assert [word for word in words if word not in result.output] == [], result.output
    assert [secret for secret in (KEY, SECRET, TOKEN) if secret in result.output] == []


def test_an_error_of_the_store_has_no_key_in_what_dagster_would_show(lake: InBucket, store: Store) -> None:
    attempts: list[Callable[[], object]] = [
        lambda: credit(lake),
        lambda: LakeWarehouse(lake).prepare(),
        lambda: delta.replace_rows(lake / ATTRIBUTION.name, batches(OLD[0]), "conv_date = '2023-09-01'", {}),
        lambda: delta.versions_of(lake / ATTRIBUTION.name),
        lambda: delta.remove_unused_files(lake / ATTRIBUTION.name, 7),
        lambda: delta.restore(lake / ATTRIBUTION.name, 0),
    ]
    with store.that_knows_no_key():
        for attempt in attempts:
            with pytest.raises(AttributionError) as raised:
                attempt()

            assert "\n" not in str(raised.value)
            assert [secret for secret in (KEY, SECRET, TOKEN) if secret in str(raised.value)] == []
            assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)


def test_without_its_extra_a_lake_in_a_bucket_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = util.find_spec
    missing = ("boto3", "duckdb_extension_httpfs")
    monkeypatch.setattr(
        "attribution_assets.warehouse.opening.find_spec", lambda name: None if name in missing else find_spec(name)
    )

    result = attribution("run", "--database", "s3://lakes/shop")

    assert result.exit_code == 1
    assert result.output == (
        "Error: s3://lakes/shop is a lake, which needs boto3 and duckdb_extension_httpfs: "
        "pip install 'attribution_assets[s3]'.\n"
    )


def test_no_key_is_in_a_repr(lake: InBucket) -> None:
    warehouse = LakeWarehouse(lake)
    with warehouse.at_one_state() as state:
        shown = f"{warehouse!r} {state!r} {lake!r} {Settings(database=str(lake))!r} {Access.of_environment()!r}"

    assert [secret for secret in (KEY, SECRET, TOKEN) if secret in shown] == []
