"""What every test starts from: an empty folder, a clean environment, and `--long` for the series in full."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import hypothesis
import pytest

from attribution_assets.command import run
from attribution_assets.orchestration import home
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.clusters import SparkShop, sail, spark_server
from attribution_assets_tests.history import History, HistoryOfCommands
from attribution_assets_tests.importing.databases import Database, mariadb, postgres
from attribution_assets_tests.lake.store import Store
from attribution_assets_tests.lake.store import object_store as store
from attribution_assets_tests.lakes import LakeShop
from attribution_assets_tests.servers import PostgresShop
from attribution_assets_tests.support import OWN_VARIABLES, Shop
from attribution_assets_tests.templates import Templates

ROOM = 8 * 2**30
"""In bytes: twice what the suite writes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long", action="store_true", help="run the kill and fault series in full, and properties on more examples"
    )
    parser.addoption(
        "--spark",
        metavar="URL",
        help="the cluster for tests of Spark: sc://HOST:PORT, or `start` for one of PySpark; else Sail",
    )
    parser.addoption("--screenshot", type=Path, metavar="FILE", help="where the test in a browser puts a picture of the graph")


def pytest_configure(config: pytest.Config) -> None:
    """Properties are tried on fewer examples in the short form, and on fewest where each example fills a database, as those
    with the profile `databases` do. In both forms, a busy machine fails none, and none is kept.

    Ctrl-C is heeded by what the tests start, even if they are started in the background, where a shell has it ignored.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    keep_files_in_memory()
    long = config.getoption("--long")
    hypothesis.settings.register_profile("attribution", max_examples=100 if long else 30, deadline=None, database=None)
    hypothesis.settings.register_profile("databases", max_examples=100 if long else 8, deadline=None, database=None)
    hypothesis.settings.load_profile("attribution")


def keep_files_in_memory() -> None:
    """Has the folders of tests lie in memory where there is room: a commit to a disk waits for it, and there are thousands."""
    memory = Path("/dev/shm")
    if "PYTEST_DEBUG_TEMPROOT" not in os.environ and memory.is_dir() and shutil.disk_usage(memory).free > ROOM:
        os.environ["PYTEST_DEBUG_TEMPROOT"] = os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None  # which is then asked for again


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without `--long`, tests marked `long` are left out, and of the parameters of a test marked `sampled`, all but some.

    Tests of a running Dagster mostly wait for its daemon: they begin first, and the others run meanwhile.
    """
    if not config.getoption("--long"):
        chosen = in_short_form(items)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]
    items.sort(key=lambda item: item.get_closest_marker("live") is None)


def in_short_form(items: list[pytest.Item]) -> set[pytest.Item]:
    """All that are not `long`; of a `sampled` test, the first, the last and those at even distances between them."""
    sampled: defaultdict[str, list[pytest.Item]] = defaultdict(list)
    for item in (item for item in items if not item.get_closest_marker("long")):
        sampled[item.nodeid.partition("[")[0] if item.get_closest_marker("sampled") else item.nodeid].append(item)
    return {of_test[index] for of_test in sampled.values() for index in _sample(of_test)}


def _sample(of_test: list[pytest.Item]) -> set[int]:
    mark = of_test[0].get_closest_marker("sampled")
    count = min(mark.args[0] if mark else 1, len(of_test))
    return {round(number * (len(of_test) - 1) / max(count - 1, 1)) for number in range(count)}


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


@pytest.fixture(scope="session")
def object_store() -> Iterator[Store]:
    """An S3 object store, likewise."""
    with store() as started:
        yield started


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a Spark cluster, or of Sail in this process."""
    if (chosen := request.config.getoption("--spark")) != "start":
        yield chosen or sail()
        return
    with spark_server() as url:
        yield url


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the developer's environment, `.env` or database is seen."""
    for name in os.environ:
        if name.startswith(OWN_VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `every_warehouse` run on an SQLite file, a lake, a server and Spark; on these, some with `--long` alone."""
    mark = metafunc.definition.get_closest_marker("every_warehouse")
    if mark and "place" in metafunc.fixturenames:
        long = {
            "lake": mark.kwargs.get("lake_is_long"),
            "server": mark.kwargs.get("server_is_long"),
            "spark": mark.kwargs.get("spark_is_long", True),
        }
        places = {"file": Shop, "lake": LakeShop, "server": PostgresShop, "spark": SparkShop}
        parameters = [
            pytest.param(place, id=name, marks=[pytest.mark.long] if long.get(name) else []) for name, place in places.items()
        ]
        metafunc.parametrize("place", parameters, indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest, clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> type[Shop]:
    """What kind of database a test has: an SQLite file, if nothing else is said."""
    kind: type[Shop] = getattr(request, "param", Shop)
    if kind is SparkShop:
        SparkShop.cluster = request.getfixturevalue("cluster")
        monkeypatch.setenv("ATTRIBUTION_COMPUTE", "spark")
        monkeypatch.setenv("ATTRIBUTION_SPARK", SparkShop.cluster)
    if kind is PostgresShop:
        PostgresShop.server = request.getfixturevalue("postgres_server")
    return kind


@pytest.fixture
def shop(tmp_path: Path, place: type[Shop]) -> Shop:
    """An empty database in the test's folder."""
    return place(tmp_path / "shop.db", tmp_path / "exports")


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory, commands: HistoryOfCommands) -> Templates:
    """What tests begin with, made once; the commands that make it keep their history in files, which are copied."""
    return Templates(tmp_path_factory, commands.in_files)


@pytest.fixture(scope="session")
def memory() -> Iterator[History]:
    """Where in-process runs keep their history: each test begins with an empty one, or with what it puts back."""
    with History() as history:
        yield history


COMMANDS = HistoryOfCommands()


@pytest.fixture(scope="session", autouse=True)
def commands() -> Iterator[HistoryOfCommands]:
    """Where commands in this process keep their history: in memory, a quarter of the time of files."""
    with pytest.MonkeyPatch.context() as patch, COMMANDS:
        for module in (run, home):
            patch.setattr(module, "dagster_instance", COMMANDS.of_home)
        yield COMMANDS


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Each test begins with an empty history. One about DAGSTER_HOME is marked `dagster_home`: its commands make a home."""
    COMMANDS.begin(in_files=item.get_closest_marker("dagster_home") is not None)


@pytest.fixture
def instance(memory: History) -> dg.DagsterInstance:
    """A Dagster instance in memory for in-process runs, of which nothing is known yet."""
    return memory.empty()


@pytest.fixture
def history(commands: HistoryOfCommands) -> dg.DagsterInstance:
    """The history of the test's commands."""
    return commands.instance


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
