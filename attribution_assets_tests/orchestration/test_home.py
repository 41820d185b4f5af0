"""One history for each database: which folder is whose, and that no database is taken for another."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result
from dagster._daemon.auto_run_reexecution.event_log_consumer import (
    DAGSTER_EVENT_TYPES,
    _create_cursor_key,
    _fetch_persisted_cursors,
)

from attribution_assets.command.cli import main
from attribution_assets.definitions import build_assets, build_resources, defs
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.home import find_home, make_home
from attribution_assets.orchestration.instance import dagster_instance
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import PROJECT, Shop
from attribution_assets_tests.templates import Templates

pytestmark = pytest.mark.dagster_home

DAY = "2023-09-01"
OPTIONS = ("--start", DAY, "--end", DAY)


@pytest.fixture(autouse=True)
def one_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_END_DATE", DAY)


def sold(database: Path, conversions: int) -> Shop:
    """A shop with a session on a day, and so many orders after it."""
    shop = Shop(database, database.parent / "exports")
    shop.session("s", "anna", f"{DAY} 10:00:00", cost=1)
    for number in range(conversions):
        shop.conversion(f"c{number}", "anna", f"{DAY} 12:00:00")
    return shop


@pytest.fixture
def first(tmp_path: Path) -> Shop:
    return sold(tmp_path / "first.db", 1)


@pytest.fixture
def second(tmp_path: Path) -> Shop:
    return sold(tmp_path / "second.db", 2)


def attribution(command: str, shop: Shop, *options: str) -> Result:
    return CliRunner().invoke(main, [command, "--database", str(shop.database), *options])


def run(shop: Shop) -> None:
    result = attribution("run", shop)
    assert result.exit_code == 0, result.output


def reporting(shop: Shop) -> str:
    """What `attribution status` says of the report of the day."""
    result = attribution("status", shop, *OPTIONS, "--json")
    assert result.exit_code == 0, result.output
    [day] = json.loads(result.stdout)
    return str(day["assets"]["channel_reporting"]["state"])


def home_of(shop: Shop) -> Path | None:
    return find_home(shop.settings())


def made_home_of(shop: Shop) -> Path:
    """The home of a shop's database after it has run."""
    shop.warehouse.prepare()
    return make_home(shop.settings())


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Without DAGSTER_HOME -------------------------------------------------------------------------------------------------


def test_what_one_database_ran_is_missing_in_another(first: Shop, second: Shop) -> None:
    run(first)

    assert (reporting(first), reporting(second)) == ("fresh", "missing")


def test_databases_that_run_one_after_another_have_homes_named_for_their_files(
    first: Shop, second: Shop, tmp_path: Path
) -> None:
    run(first)
    run(second)

    assert (reporting(first), reporting(second)) == ("fresh", "fresh")
    assert home_of(first) == tmp_path / ".dagster_home" / "first"
    assert home_of(second) == tmp_path / ".dagster_home" / "second"


def test_files_of_one_name_in_several_folders_have_a_home_each(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    homes = [made_home_of(sold(tmp_path / folder / "shop.db", 1)).name for folder in ("a", "b")]

    assert homes == ["shop", "shop-2"]


def test_a_copy_of_a_file_that_is_still_there_is_another_database(first: Shop, tmp_path: Path) -> None:
    made_home_of(first)

    shutil.copy(first.database, tmp_path / "copy.db")

    assert home_of(Shop.at(tmp_path / "copy.db", first.exports)) is None


def test_a_file_that_has_moved_keeps_its_home(first: Shop, tmp_path: Path) -> None:
    home = made_home_of(first)

    moved = Shop.at(first.database.rename(tmp_path / "moved.db"), first.exports)

    assert home_of(moved) == home
    assert made_home_of(moved) == home
    assert json.loads((home / "database.json").read_text())["database"] == str(moved.database)


def test_a_moved_file_keeps_its_home_though_a_new_one_has_taken_its_place(first: Shop, tmp_path: Path) -> None:
    home = made_home_of(first)
    moved = Shop.at(first.database.rename(tmp_path / "moved.db"), first.exports)

    new = sold(first.database, 3)

    assert (home_of(moved), home_of(new)) == (home, None)
    assert made_home_of(new).name == "first-2"


def test_a_file_by_another_path_is_the_same_database(first: Shop, tmp_path: Path) -> None:
    home = made_home_of(first)

    (tmp_path / "link.db").symlink_to(first.database)

    assert home_of(Shop.at(tmp_path / "link.db", first.exports)) == home


def test_a_database_that_was_copied_together_with_its_home_goes_on(
    first: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_home_of(first)

    shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name} copied")
    monkeypatch.chdir(tmp_path.parent / f"{tmp_path.name} copied")
    copied = Shop.at(Path("first.db").absolute(), first.exports)

    assert home_of(copied) == Path(".dagster_home/first").absolute()


def test_the_home_of_a_file_that_has_not_run_is_its_own_until_then(first: Shop) -> None:
    home = make_home(first.settings())
    assert first.warehouse.meta() == {}

    first.warehouse.prepare()

    assert make_home(first.settings()) == home
    assert json.loads((home / "database.json").read_text())["database_id"] == first.warehouse.meta()["database_id"]


@pytest.mark.parametrize("command", ["status", "check", "compare", "paths"])
def test_a_command_that_reads_makes_no_home_and_no_id(first: Shop, tmp_path: Path, command: str) -> None:
    before = everything(tmp_path)

    attribution(command, first)

    assert everything(tmp_path) == before


def test_the_environment_is_as_before_once_a_history_is_closed(tmp_path: Path) -> None:
    with dagster_instance(tmp_path / "home"):
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "home")

    assert "DAGSTER_HOME" not in os.environ


# A home of an earlier version -----------------------------------------------------------------------------------------


def forget(home: Path) -> None:
    """Makes the home one of an earlier version, which noted no database."""
    (home / "database.json").unlink()


@pytest.fixture
def one_for_all(first: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, templates: Templates) -> Path:
    """The home of an earlier version, in which the first database ran."""

    def run_first(folder: Path) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(folder / ".dagster_home"))
            run(sold(folder / first.database.name, 1))
        forget(folder / ".dagster_home")

    return templates.copy("one home for all", run_first, tmp_path) / ".dagster_home"


def test_the_database_that_ran_there_goes_on(one_for_all: Path, first: Shop) -> None:
    assert reporting(first) == "fresh"
    assert home_of(first) == one_for_all
    assert not (one_for_all / "database.json").exists()

    run(first)

    assert json.loads((one_for_all / "database.json").read_text())["database"] == str(first.database)


def test_a_database_without_results_starts_a_home_of_its_own(one_for_all: Path, second: Shop) -> None:
    assert reporting(second) == "missing"

    run(second)

    assert home_of(second) == one_for_all / "second"


def test_a_database_with_other_results_starts_a_home_of_its_own(one_for_all: Path, second: Shop, tmp_path: Path) -> None:
    run(second)
    shutil.rmtree(one_for_all / "second")

    assert home_of(second) is None


def test_it_goes_on_where_dagster_home_names_it(one_for_all: Path, first: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(one_for_all))

    assert reporting(first) == "fresh"


def test_it_is_refused_to_another_database_where_dagster_home_names_it(
    one_for_all: Path, second: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(one_for_all))

    assert attribution("status", second).stderr == (
        f"Error: DAGSTER_HOME {one_for_all} holds the history of another database, not of {second.database}. "
        "Unset it, or set it to another folder.\n"
    )


# With DAGSTER_HOME ----------------------------------------------------------------------------------------------------


@pytest.fixture
def home(first: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of the first database, which DAGSTER_HOME names."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return made_home_of(first)


def refusal(home: Path, first: Shop, second: Shop) -> str:
    return (
        f"DAGSTER_HOME {home} holds the history of another database, {first.database}, not of {second.database}. "
        "Unset it, or set it to another folder."
    )


@pytest.mark.parametrize("command", ["run", "status", "home"])
def test_the_home_of_another_database_is_refused_in_one_line_and_nothing_is_written(
    home: Path, first: Shop, second: Shop, tmp_path: Path, command: str
) -> None:
    before = everything(tmp_path)

    result = attribution(command, second)

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"Error: {refusal(home, first, second)}\n")
    assert everything(tmp_path) == before | {home / ".homes.lock": b""}


def test_the_graph_of_another_database_does_not_load(
    home: Path, first: Shop, second: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTRIBUTION_DATABASE", str(second.database))

    with pytest.raises(AttributionError) as refused:
        defs()

    assert str(refused.value) == refusal(home, first, second)


def test_a_new_database_in_the_place_of_the_old_one_is_another(home: Path, first: Shop) -> None:
    first.database.unlink()
    new = sold(first.database, 3)

    assert attribution("status", new).stderr == (
        f"Error: DAGSTER_HOME {home} holds the history of the database that was there before, not of {new.database}. "
        "Unset it, or set it to another folder.\n"
    )


def test_a_record_that_cannot_be_read_is_named(home: Path, first: Shop) -> None:
    (home / "database.json").write_text("{")

    assert attribution("status", first).stderr.startswith(f"Error: {home / 'database.json'} does not say whose history ")


# In Dagster -----------------------------------------------------------------------------------------------------------


@contextmanager
def history_of(home: Path) -> Iterator[dg.DagsterInstance]:
    """A history in files, as a running Dagster has it."""
    with dagster_instance(home) as instance:
        yield instance


def test_the_first_run_in_dagster_notes_whose_history_it_is(first: Shop, tmp_path: Path) -> None:
    with history_of(tmp_path / "home") as instance:
        materialize(first, instance)

    noted = json.loads((tmp_path / "home" / "database.json").read_text())
    assert noted == {
        "database_id": first.warehouse.meta()["database_id"],
        "database": str(first.database),
        "home": str(tmp_path / "home"),
    }


def test_a_run_in_the_history_of_another_database_fails_before_it_writes(
    home: Path, first: Shop, second: Shop, tmp_path: Path
) -> None:
    before = second.database.read_bytes()

    with history_of(home) as instance, pytest.raises(dg.DagsterResourceFunctionError) as failed:
        materialize(second, instance)

    assert str(failed.value.__cause__) == refusal(home, first, second)
    assert second.database.read_bytes() == before


def materialize(shop: Shop, instance: dg.DagsterInstance) -> None:
    settings = shop.settings()
    dg.materialize(build_assets(settings), instance=instance, partition_key=DAY, resources=build_resources(settings))


def test_automation_requests_nothing_in_the_history_of_another_database(home: Path, first: Shop, second: Shop) -> None:
    with history_of(home) as instance:
        own, other = Automated(first, instance), Automated(second, instance)
        own.attribute(DAY)
        for shop in (first, second):
            shop.conversion("late", "anna", f"{DAY} 13:00:00")

        assert own.conditions_request().keys() >= {"channel_reporting", "channel_reporting_csv"}
        assert own.late_data_requests() == {"attribute_conversions": [DAY]}
        assert other.conditions_request() == {}
        assert other.late_data_skips() == refusal(home, first, second)


def test_a_history_in_memory_is_everybody_s(first: Shop, second: Shop, instance: dg.DagsterInstance) -> None:
    materialize(first, instance)
    materialize(second, instance)

    assert [len(shop.table("customer_journeys")) for shop in (first, second)] == [1, 2]


# make dev -------------------------------------------------------------------------------------------------------------


def test_make_dev_starts_dagster_in_the_home_of_the_database(first: Shop, tmp_path: Path) -> None:
    binaries = tmp_path / "bin"
    binaries.mkdir()
    (binaries / "attribution").symlink_to(Path(sys.executable).with_name("attribution"))
    (binaries / "dg").write_text('#!/bin/sh\necho "dg $1 in $DAGSTER_HOME"\n')
    (binaries / "dg").chmod(0o755)
    make = ["make", "--silent", "--file", str(PROJECT / "Makefile"), f"BIN={binaries}", "--old-file", ".venv/running", "dev"]
    for name in ("pyproject.toml", "constraints.txt", ".venv/installed"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    said = subprocess.run(
        make, env={**os.environ, "ATTRIBUTION_DATABASE": str(first.database)}, capture_output=True, text=True, check=True
    )

    assert said.stdout == f"dg dev in {tmp_path / '.dagster_home' / 'first'}\n"
    assert (tmp_path / ".dagster_home" / "first" / "dagster.yaml").exists()
    assert first.warehouse.meta() == {}


def test_at_its_first_start_the_daemon_warns_of_nothing_and_starts_no_earlier_run_again(
    first: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    run(first)
    home = made_home_of(first)

    assert attribution("home", first).exit_code == 0

    with dagster_instance(home) as instance:
        newest = instance.event_log_storage.get_maximum_record_id()
        cursors = _fetch_persisted_cursors(instance, DAGSTER_EVENT_TYPES, logging.getLogger())
        assert newest
        assert {*cursors.values()} == {newest}
        assert caplog.records == []
        instance.daemon_cursor_storage.set_cursor_values({_create_cursor_key(DAGSTER_EVENT_TYPES[0]): "1"})

    attribution("home", first)  # where the daemon has been, it goes on
    with dagster_instance(home) as instance:
        assert [*_fetch_persisted_cursors(instance, DAGSTER_EVENT_TYPES, logging.getLogger()).values()] == [1, newest]
