"""What every test starts from: an empty folder, a clean environment, and `--long` for the series in full."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import dagster as dg
import hypothesis
import pytest

from attribution_assets.command import run
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.history import History
from attribution_assets_tests.importing.databases import Database, mariadb, postgres
from attribution_assets_tests.lakes import LakeShop
from attribution_assets_tests.support import OWN_VARIABLES, Shop
from attribution_assets_tests.templates import Templates


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run the kill and fault series in full, and properties on more examples"
    )
    parser.addoption("--screenshot", type=Path, metavar="FILE", help="where the test in a browser puts a picture of the graph")


def pytest_configure(config: pytest.Config) -> None:
    """Properties are tried on fewer examples in the short form; in both, a busy machine fails none, and none is kept.

    Ctrl-C is heeded by what the tests start, even if they are started in the background, where a shell has it ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    examples = 100 if config.getoption("--long") else 30
    hypothesis.settings.register_profile("attribution", max_examples=examples, deadline=None, database=None)
    hypothesis.settings.load_profile("attribution")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of a running Dagster mostly wait for its daemon: they begin first, and the others run meanwhile."""
    items.sort(key=lambda item: item.get_closest_marker("live") is None)


def pytest_collection_finish() -> None:
    """What is imported by now stays: the garbage collector need not look through it again and again, a tenth of all time."""
    gc.freeze()


@pytest.fixture
def long(request: pytest.FixtureRequest) -> bool:
    """Whether series that are long by nature run in full."""
    return bool(request.config.getoption("--long"))


@pytest.fixture
def screenshot(request: pytest.FixtureRequest) -> Path | None:
    """Where a picture of the graph is wanted, if it is."""
    path: Path | None = request.config.getoption("--screenshot")
    return request.config.invocation_params.dir / path if path else None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Database]:
    """A PostgreSQL server, with what earlier tests have left in it."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Database]:
    """A MariaDB server, likewise."""
    with mariadb() as server:
        yield server


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's environment, `.env` or database is seen."""
    for name in os.environ:
        if name.startswith(OWN_VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests that are marked `every_warehouse` run on an SQLite file and on a lake.

    There, those of a running Dagster wait for minutes, so they run with `--long` alone.
    """
    if "place" in metafunc.fixturenames and metafunc.definition.get_closest_marker("every_warehouse"):
        is_short = metafunc.definition.get_closest_marker("live") and not metafunc.config.getoption("--long")
        places = [Shop] if is_short else [Shop, LakeShop]
        metafunc.parametrize("place", places, ids=["file", "lake"][: len(places)], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> type[Shop]:
    """What kind of database a test has: an SQLite file, if nothing else is said."""
    return getattr(request, "param", Shop)


@pytest.fixture
def shop(tmp_path: Path, place: type[Shop]) -> Shop:
    """An empty database in the test's folder."""
    return place(tmp_path / "shop.db", tmp_path / "exports")


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Templates:
    """What tests begin with, made once."""
    return Templates(tmp_path_factory)


@pytest.fixture(scope="session")
def memory() -> Iterator[History]:
    """Where in-process runs keep their history: each test begins with an empty one, or with what it puts back."""
    with History() as history:
        yield history


@pytest.fixture(scope="session")
def memory_of_commands() -> Iterator[History]:
    """The same for commands: tests run both, and look into one or the other."""
    with History() as history:
        yield history


@pytest.fixture
def instance(memory: History) -> dg.DagsterInstance:
    """A Dagster instance in memory for in-process runs, of which nothing is known yet."""
    return memory.empty()


@pytest.fixture
def history(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, memory_of_commands: History) -> dg.DagsterInstance:
    """Where the commands of a test keep their history: in memory, a quarter of the time of files.

    A test of what stands in DAGSTER_HOME is marked `dagster_home`; its commands make one.
    """
    instance = memory_of_commands.empty()
    if not request.node.get_closest_marker("dagster_home"):
        monkeypatch.setattr(run, "dagster_instance", lambda _home: nullcontext(instance))
    return instance


@pytest.fixture
def automated(tmp_path: Path, instance: dg.DagsterInstance) -> Automated:
    """A shop with a history of its own, of which nothing is computed yet."""
    return Automated.of_ten_days(tmp_path, instance)


@pytest.fixture
def computed(tmp_path: Path, instance: dg.DagsterInstance, memory: History, templates: Templates) -> Automated:
    """Everything computed until 2023-09-10, and looked at once by the sensor."""

    def compute(folder: Path) -> None:
        automated = Automated.of_ten_days(folder, instance)
        automated.compute()
        automated.keep(memory)

    return Automated.put_back(templates.copy("computed", compute, tmp_path), memory)
