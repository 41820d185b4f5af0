"""What one sees of a cluster: how it is chosen, what is missing, and that no token is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module, util
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import rmtree
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import trustme
from click.testing import CliRunner
from deltalake import DeltaTable, write_deltalake
from pydantic import SecretStr
from pyspark.errors import PySparkException

from attribution_assets.command.cli import main
from attribution_assets.definitions import build_resources
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.io_managers import LakeIOManager
from attribution_assets.settings import Settings, read_settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.spark import cluster as cluster_module
from attribution_assets.warehouse.spark.cluster import Cluster
from attribution_assets.warehouse.spark.database import SparkLakeWarehouse
from attribution_assets.warehouse.spark.statement import as_statement
from attribution_assets.warehouse.urls import shown
from attribution_assets_tests.clusters import SailProcess, SparkShop
from attribution_assets_tests.command import PROCESSES, Command
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.rows import refused

TOKEN = "s3cret-t0ken"
NOWHERE = f"sc://127.0.0.1:9/;token={TOKEN}"


@pytest.fixture
def shop(tmp_path: Path, cluster: str) -> SparkShop:
    SparkShop.cluster = cluster
    shop = SparkShop(tmp_path / "shop.db", tmp_path / "exports")
    shop.session("s1", "anna", "2023-09-01 10:00:00", cost=2.0)
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 80.0)
    return shop


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"compute": "spark"}, "ATTRIBUTION_SPARK has to name the cluster"),
        ({"compute": "spark", "spark": "https://host"}, "no cluster of Spark is called so"),
        ({"compute": "spark", "spark": "sc://host:15002"}, "computes a lake, and"),
    ],
)
def test_a_choice_that_cannot_be_says_what_to_write(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings.model_validate({"database": "/some/file.db", **settings})


def test_a_run_names_the_cluster_its_versions_and_its_application(shop: SparkShop, instance: dg.DagsterInstance) -> None:
    result = shop.attribute(instance, "2023-09-01", compute="spark", spark=SecretStr(shop.cluster))

    run = instance.get_run_by_id(result.run_id)
    assert run
    assert run.tags["attribution/cluster"] == shop.cluster
    assert run.tags["attribution/spark"][0] in "45"
    event = instance.get_latest_materialization_event(dg.AssetKey("customer_journeys"))
    assert event
    assert event.asset_materialization
    assert {"cluster", "spark", "spark client"} <= event.asset_materialization.metadata.keys()


def test_what_is_lost_is_told_without_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = SparkShop(tmp_path / "shop.db", tmp_path / "exports")
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.conversion("c1", "anna", "2023-09-01 12:00:00")
    run = Command(
        *("run", "--database", f"{shop.lake}/"),
        says=tmp_path / "says.txt",
        ATTRIBUTION_COMPUTE="spark",
        ATTRIBUTION_SPARK=NOWHERE,
        DAGSTER_HOME=str(tmp_path / "home"),
    )
    shop.publish()

    assert run.wait() == 1
    assert "The Spark cluster sc://127.0.0.1:9 does not answer" in run.says.read_text()
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert [content for content in written if TOKEN.encode() in content] == []


def test_a_token_is_in_no_repr_and_no_resource() -> None:
    settings = Settings(database="/some/lake/", compute="spark", spark=SecretStr(NOWHERE))

    assert TOKEN not in repr((settings, settings.warehouse, Cluster(NOWHERE)))
    manager = build_resources(settings)["io_manager"]
    assert TOKEN not in repr(manager)
    with pytest.raises(AttributionError, match=r"dg.EnvVar") as refusal:
        LakeIOManager(database="/some/lake/", spark=NOWHERE).get_resource_definition()
    assert TOKEN not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["sc://host?token={}", "sc://{}@host", "sc://host;token={}", "sc:///;token={}", "sc://host#token={}", "sc://host:{}"]
)
def test_a_url_that_is_none_is_refused_without_being_repeated(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_SPARK", url.format(TOKEN))
    with pytest.raises(AttributionError, match="no cluster of Spark is called so") as refusal:
        read_settings()
    assert TOKEN not in str(refusal.value)
    assert TOKEN not in shown(url.format(TOKEN))
    with pytest.raises(AttributionError, match=r"dg.EnvVar"):
        LakeIOManager(database="/some/lake/", spark=url.format(TOKEN)).get_resource_definition()


class Recorded:
    """Tells with what metadata a server is asked, and answers nothing."""

    def __init__(self, tell: Connection) -> None:
        self.tell = tell

    def service(self, handler_call_details: Any) -> None:
        self.tell.send([*map(tuple, handler_call_details.invocation_metadata)])


def serve_behind_tls(tell: Connection, key: bytes, certificate: bytes) -> None:
    """Tells the port, and then who asks, for ever."""
    grpc: Any = import_module("grpc")
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Recorded(tell)])
    tell.send(server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, certificate)])))
    server.start()
    server.wait_for_termination()


def test_a_cluster_behind_tls_gets_the_token_and_nobody_else_does(
    shop: SparkShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    chain = b"".join(part.bytes() for part in certificate.cert_chain_pems)
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", str(tmp_path / "authority.pem"))
    ours, theirs = PROCESSES.Pipe()
    server = PROCESSES.Process(target=serve_behind_tls, args=(theirs, certificate.private_key_pem.bytes(), chain))
    server.start()
    port = ours.recv()
    folder = shop.warehouse.path
    asking = (
        "from pathlib import Path\n"
        "from attribution_assets.warehouse.spark.database import SparkLakeWarehouse\n"
        f"SparkLakeWarehouse(Path({str(folder)!r}), spark='sc://localhost:{port}/;use_ssl=true;token={TOKEN}').computed_by()"
    )
    asked = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=False)
    metadata = ours.recv()
    server.kill()

    assert ("authorization", f"Bearer {TOKEN}") in metadata
    assert f"AttributionError: sc://localhost:{port}: " in asked.stderr
    assert TOKEN not in asked.stderr.replace(asking, "")


def test_an_error_has_no_token_and_keeps_its_words() -> None:
    cluster = Cluster(f"sc://host:1/;use_ssl=true;user_id=a;token={TOKEN}%21")

    told = str(cluster.in_words(PySparkException(f"[X] The value 'true' of a table: {TOKEN}! at {TOKEN}%21")))

    assert told == "sc://host:1: [X] The value 'true' of a table: *** at ***."


def test_executors_that_do_not_see_the_lake_are_found_out_before_its_days_are_emptied(
    shop: SparkShop, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.attribute(instance, "2023-09-01", compute="spark", spark=SecretStr(shop.cluster))
    before = shop.table("customer_journeys")
    monkeypatch.setattr(cluster_module, "path_of", lambda place: str(place).replace("probe-", "elsewhere-"))

    with cluster_of(shop) as session, refused("do not see", "Mount the lake at one path everywhere"):
        session.shared.clear()
        session.check_shared(shop.lake / "customer_journeys")
    assert shop.table("customer_journeys") == before
    assert list((shop.lake / "customer_journeys").glob("probe-*")) == []


@contextmanager
def cluster_of(shop: SparkShop) -> Iterator[cluster_module.Session]:
    with shop.warehouse._computing() as cursor:
        yield cursor.session


@pytest.mark.parametrize("name", ["a[1].parquet", "a*.parquet", "a{b}.parquet", "_b.parquet", ".c.parquet"])
def test_files_that_spark_would_read_as_others_or_pass_over_are_refused(shop: SparkShop, name: str) -> None:
    folder = shop.warehouse.path / "conversions"
    rmtree(folder)
    folder.mkdir()
    for file in ("a1.parquet", name):
        pq.write_table(pa.table({"conv_id": [file], "user_id": ["u"], "conv_date": ["2023-09-01"]}), folder / file)

    with refused("Spark", name), SparkLakeWarehouse(shop.lake, spark=shop.cluster)._computing():
        pass


def test_a_statement_that_fails_leaves_the_session_to_the_next(shop: SparkShop) -> None:
    lake = shop.warehouse
    with lake._computing() as cursor:
        first = cursor.session
    with refused("no_such_column"), lake._computing() as cursor:
        cursor.execute("SELECT no_such_column FROM conversions").fetchall()
    with lake._computing() as cursor:
        assert cursor.session is first


def test_a_cluster_that_does_not_answer_is_not_asked_about_another(shop: SparkShop) -> None:
    asking = f"""
import sys
from pathlib import Path
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.spark.database import SparkLakeWarehouse
for url in sys.argv[1:]:
    try:
        with SparkLakeWarehouse(Path({str(shop.warehouse.path)!r}), spark=url)._computing() as cursor:
            print(cursor.execute("SELECT count(*), min(is_direct(user_id, '[]')) FROM conversions").fetchall())
    except AttributionError as error:
        print(error)
"""
    told = subprocess.run(
        [sys.executable, "-c", asking, "sc://127.0.0.1:9", shop.cluster], capture_output=True, text=True, check=True
    ).stdout

    assert told.splitlines() == [
        "The Spark cluster sc://127.0.0.1:9 does not answer. Run again once it does.",
        "[(1, False)]",
    ]


def test_a_cluster_that_was_started_again_is_asked_anew_and_one_that_ended_not_about_another(
    shop: SparkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_module, "SURE_FOR", 0)
    path, server = shop.warehouse.path, SailProcess()

    def counted(url: str) -> list[tuple[object, ...]]:
        with SparkLakeWarehouse(path, spark=url)._computing() as cursor:
            return cursor.execute("SELECT count(*), min(is_direct(user_id, '[]')) FROM conversions").fetchall()

    assert counted(server.url) == [(1, False)]
    server.kill()
    server.start()
    assert counted(server.url) == [(1, False)]
    server.kill()
    assert counted(shop.cluster) == [(1, False)]


def test_without_the_client_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = util.find_spec
    monkeypatch.setattr(
        "attribution_assets.warehouse.opening.find_spec", lambda name: None if name == "pyspark" else found(name)
    )

    with refused("pip install 'attribution_assets[spark]'"):
        _ = Settings(database="/some/lake/", compute="spark", spark=SecretStr("sc://host")).warehouse


def test_without_a_choice_nothing_of_spark_is_imported(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    code = (
        f"import sys; from attribution_assets.command.cli import main\\ntry: main(['status', '--database', '{shop.database}'])"
    )

    code = (
        "import sys, attribution_assets.definitions\n"
        "from attribution_assets.settings import Settings\n"
        f"Settings(database={str(shop.database)!r}).warehouse.sources()\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('pyspark', 'pysail', 'grpc_status')])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_sources_that_executors_cannot_read_are_named(shop: SparkShop, tmp_path: Path) -> None:
    shop.publish()
    computed_by = {"compute": "spark", "spark": SecretStr(shop.cluster)}
    elsewhere = Settings.model_validate({"database": f"{shop.lake}/", "sources": str(shop.database), **computed_by})

    with refused("session_sources", "is not in Delta tables or Parquet files"):
        elsewhere.warehouse.fetch(Query("customer_journeys", {"first_day": "2023-09-01"}))


def test_a_check_of_foreign_credit_runs_on_this_machine(
    shop: SparkShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credit.csv").write_text("conv_id,session_id,ihc\nc1,s1,1.0\n")
    monkeypatch.setenv("ATTRIBUTION_COMPUTE", "spark")
    monkeypatch.setenv("ATTRIBUTION_SPARK", shop.cluster)

    told = CliRunner().invoke(main, ["check", "--database", shop.place, "--credit", "credit.csv"])

    assert told.exit_code == 0, told.output


def test_flags_that_are_declared_booleans_are_sound(cluster: str, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    LakeWarehouse(lake).make()
    days = ["2023-09-01"] * 3
    columns: dict[str, list[Any]] = {"session_id": ["a", "b", "c"], "user_id": ["u", "u", "u"], "event_date": days}
    flags: dict[str, list[Any]] = {"holder_engagement": [True, False, None], "closer_engagement": [True, True, True]}
    columns |= {"event_time": ["10:00:00"] * 3, "channel_name": ["Ads"] * 3, **flags, "impression_interaction": [0, 0, 0]}
    write_deltalake(lake / "session_sources", pa.table(columns))
    write_deltalake(lake / "session_costs", pa.table({"session_id": ["a"], "cost": [1.0]}))
    conversion = {"conv_id": "k", "user_id": "u", "conv_date": "2023-09-02", "conv_time": "10:00:00", "revenue": 1.0}
    write_deltalake(lake / "conversions", pa.table({name: [value] for name, value in conversion.items()}))

    asked = Query("broken_sessions", {"first_day": "2023-09-01", "last_day": "2023-09-01", "first_session_day": "2023-09-01"})

    [(problem,)] = SparkLakeWarehouse(lake, spark=cluster).fetch(asked)[1]

    assert problem.startswith("session_sources: 'c' has holder_engagement")
    assert [(problem,)] == LakeWarehouse(lake).fetch(asked)[1]


def test_what_executors_write_is_a_table_by_day(shop: SparkShop) -> None:
    warehouse = shop.warehouse
    shop.attribute(dg.DagsterInstance.ephemeral(), "2023-09-01", compute="spark", spark=SecretStr(shop.cluster))

    table = DeltaTable(str(warehouse.path / "ihc_results"))
    [file] = table.file_uris()
    assert "/conv_date=2023-09-01/" in file
    assert warehouse.versions("ihc_results")[0]["days"] == str(Days("2023-09-01", "2023-09-01"))
    assert list((warehouse.path / "ihc_results").glob("staged-*")) == []


@pytest.mark.parametrize(
    ("text", "statement"),
    [
        ("SELECT 'it''s', $day -- a comment", r"SELECT 'it\'s', :day "),
        (r"SELECT '\d' AS x WHERE a > 1.5 AND b < 1e-9", r"SELECT '\\d' AS x WHERE a > 1.5D AND b < 1e-9D"),
        (
            'SELECT CAST(a AS text) AS "a b" FROM (WITH c AS MATERIALIZED (SELECT 1))',
            "SELECT CAST(a AS string) AS `a b` FROM (WITH c AS (SELECT 1))",
        ),
    ],
)
def test_a_statement_is_spelled_as_spark_has_it(text: str, statement: str) -> None:
    assert as_statement(text) == statement
