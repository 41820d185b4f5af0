"""The schema step: what it creates, brings up to date, and leaves alone."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import uuid
from collections.abc import Sequence
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import SOURCES, SQLiteWarehouse, schema
from attribution_assets.warehouse.schema import CHOSEN, META
from attribution_assets.warehouse.sqlite import upgrades

if TYPE_CHECKING:
    from attribution_assets_tests.support import Shop

from attribution_assets_tests.support import OF_MODELS, WITH_SOURCES
from attribution_assets_tests.warehouse.rows import OLD, OURS, everything, in_processes, made, refused


def test_prepare_switches_the_file_to_wal(shop: Shop) -> None:
    shop.warehouse.prepare()

    assert shop.execute("PRAGMA journal_mode") == [("wal",)]


def test_prepare_creates_our_tables_and_all_indexes(shop: Shop) -> None:
    shop.warehouse.prepare()

    names = sorted(name for _, name, sql in everything(shop.database) if sql is not None)
    assert names == [
        "attribution_customer_journey",
        "attribution_customer_journey_by_date",
        "attribution_meta",
        "breakdown_reporting",
        "campaign_performance",
        "channel_costs",
        "channel_report",
        "channel_reporting",
        "channel_reporting_by_date",
        "channel_values",
        "chosen_parameters",
        "conversion_reconciliation",
        "conversions",
        "conversions_broken",
        "conversions_by_date",
        "conversions_not_ascii",
        "customer_journeys",
        "customer_journeys_by_date",
        "customer_report",
        "funnel_report",
        "ihc_results",
        "ihc_results_by_date",
        "model_attribution",
        "model_attribution_by_date",
        "model_comparison",
        "model_reporting",
        "path_report",
        "platform_claims",
        "product_funnel",
        "session_costs",
        "session_costs_unusual",
        "session_funnel",
        "session_report",
        "session_sources",
        "session_sources_broken",
        "session_sources_by_date",
        "session_sources_by_user",
        "session_sources_not_ascii",
        "session_spend",
        "spend_reconciliation",
        "uncredited_conversion",
        "uncredited_conversion_by_date",
    ]


@pytest.mark.parametrize("table", OURS)
def test_prepare_creates_our_tables_as_sql_declares_them(shop: Shop, table: str) -> None:
    shop.warehouse.prepare()

    assert shop.execute("SELECT sql FROM sqlite_master WHERE name = ?", table) == [(schema()[table].create,)]


def test_preparing_again_changes_nothing(shop: Shop) -> None:
    shop.warehouse.prepare()
    before = shop.database.read_bytes()

    shop.warehouse.prepare()

    assert shop.database.read_bytes() == before


def test_prepare_keeps_the_rows_that_are_there(attributed: Shop) -> None:
    attributed.session("s", "u", "2023-09-01 10:00:00")

    attributed.warehouse.prepare()

    assert attributed.table("attribution_customer_journey") == OLD
    assert len(attributed.table("session_sources")) == 1


def test_prepare_never_creates_a_source_table(tmp_path: Path) -> None:
    warehouse = made(tmp_path / "empty.db")

    warehouse.prepare()

    tables = [name for type_, name, _ in everything(warehouse.path) if type_ == "table"]
    assert tables == sorted((*OURS, *OF_MODELS, *WITH_SOURCES, META, CHOSEN))


def test_prepare_never_changes_a_source_table(tmp_path: Path) -> None:
    create = "CREATE TABLE conversions (conv_id, user_id, conv_date, conv_time, revenue, note)"
    warehouse = made(tmp_path / "own.db", create)

    warehouse.prepare()

    assert ("table", "conversions", create) in everything(warehouse.path)


def test_a_source_that_is_a_view_is_not_indexed_and_a_line_says_so(tmp_path: Path) -> None:
    warehouse = made(
        tmp_path / "views.db",
        "CREATE TABLE orders (conv_id, user_id, conv_date, conv_time, revenue)",
        "CREATE VIEW conversions AS SELECT * FROM orders",
    )

    lines = warehouse.prepare()

    assert lines == ["conversions is a view, so it cannot be indexed. Its tables should have indexes."]
    assert "conversions_by_date" not in [name for _, name, _ in everything(warehouse.path)]


def test_source_tables_need_no_line(shop: Shop) -> None:
    assert shop.warehouse.prepare() == []


def test_a_source_table_that_lacks_a_column_is_not_indexed_and_left_to_the_run_to_report(shop: Shop) -> None:
    shop.execute("ALTER TABLE session_sources DROP COLUMN event_time")

    shop.warehouse.prepare()

    assert "session_sources_by_user" not in [name for _, name, _ in everything(shop.database)]


def test_an_older_table_gets_its_conv_date_from_conversions(older: Shop) -> None:
    older.warehouse.prepare()

    assert older.table("attribution_customer_journey", "conv_id, session_id, ihc, conv_date") == [
        ("c1", "s1", 0.4, "2023-09-01"),
        ("c1", "s2", 0.6, "2023-09-01"),
        ("gone", "s3", 1.0, None),
    ]


def test_an_older_table_gets_its_index_too(older: Shop) -> None:
    older.warehouse.prepare()

    assert "attribution_customer_journey_by_date" in [name for _, name, _ in everything(older.database)]


def test_an_older_table_is_brought_up_once(older: Shop) -> None:
    older.warehouse.prepare()
    older.execute("UPDATE conversions SET conv_date = '2023-09-05'")

    older.warehouse.prepare()

    assert older.execute("SELECT DISTINCT conv_date FROM attribution_customer_journey WHERE conv_id = 'c1'") == [
        ("2023-09-01",)
    ]


def test_an_older_table_without_conversions_to_take_the_day_from_says_what_to_do(older: Shop) -> None:
    older.execute("DROP TABLE conversions")

    with refused("no table conversions", "Add conversions"):
        older.warehouse.prepare()

    assert older.table("attribution_customer_journey") == [("c1", "s1", 0.4), ("c1", "s2", 0.6), ("gone", "s3", 1.0)]


def test_a_table_of_ours_that_lacks_a_column_is_refused_and_nothing_is_created(shop: Shop) -> None:
    shop.execute("CREATE TABLE channel_reporting (channel_name text, date text, cost real)")
    before = everything(shop.database)

    with refused("channel_reporting", str(shop.database), "lacks ihc, ihc_revenue", "Rename or drop it"):
        shop.warehouse.prepare()

    assert everything(shop.database) == before


def test_a_table_of_ours_without_its_key_is_refused(shop: Shop) -> None:
    shop.execute("CREATE TABLE attribution_customer_journey (conv_id text, session_id text, ihc real, conv_date text)")

    with refused("attribution_customer_journey", str(shop.database), "key", "Rename or drop it"):
        shop.warehouse.prepare()


def test_a_view_under_the_name_of_a_table_of_ours_is_refused(shop: Shop) -> None:
    columns = ", ".join(f"1 AS {column}" for column in schema()["ihc_results"].column_names)
    shop.execute(f"CREATE VIEW ihc_results AS SELECT {columns}")

    with refused("ihc_results", "is a view", "Rename or drop it"):
        shop.warehouse.prepare()


def test_prepare_waits_for_one_who_writes_a_file_that_is_not_in_wal_mode_yet(shop: Shop) -> None:
    with closing(sqlite3.connect(shop.database, isolation_level=None, check_same_thread=False)) as loader:
        loader.execute("BEGIN IMMEDIATE")
        loader.execute("INSERT INTO conversions VALUES ('c', 'u', '2023-09-01', '12:00:00', 1.0)")
        end = threading.Timer(0.2, loader.execute, ["COMMIT"])
        end.start()

        try:
            shop.warehouse.prepare()
        finally:
            end.join()

    assert shop.execute("PRAGMA journal_mode") == [("wal",)]
    assert len(shop.table("conversions")) == 1


# -- versions of the schema


def test_a_new_file_has_the_newest_version_and_an_id(shop: Shop) -> None:
    assert shop.warehouse.meta() == {}

    shop.warehouse.prepare()

    meta = shop.warehouse.meta()
    assert meta.keys() == {"schema_version", "database_id"}
    assert meta["schema_version"] == str(upgrades.VERSION)
    assert str(uuid.UUID(meta["database_id"])) == meta["database_id"]


def test_the_id_is_a_databases_own_and_stays(tmp_path: Path) -> None:
    one, other = made(tmp_path / "one.db"), made(tmp_path / "other.db")
    one.prepare()
    other.prepare()
    before = one.meta()["database_id"]

    with one.write() as connection:
        connection.execute("DELETE FROM attribution_meta WHERE key = 'schema_version'")
    one.prepare()

    assert one.meta()["database_id"] == before != other.meta()["database_id"]


def test_a_file_from_before_there_were_versions_goes_on(attributed: Shop) -> None:
    attributed.execute("DROP TABLE attribution_meta")

    attributed.warehouse.prepare()

    assert attributed.warehouse.meta()["schema_version"] == str(upgrades.VERSION)
    assert attributed.table("attribution_customer_journey") == OLD


def test_the_users_own_version_is_left_alone(shop: Shop) -> None:
    shop.execute("PRAGMA user_version = 41")

    shop.warehouse.prepare()

    assert shop.execute("PRAGMA user_version") == [(41,)]


def test_upgrades_run_once_in_order_from_the_one_after_the_files(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.warehouse.prepare()
    ran = list[str]()

    def step(name: str) -> upgrades.Upgrade:
        return lambda _connection, _path: ran.append(name)

    known = upgrades.VERSION
    monkeypatch.setattr(upgrades, "UPGRADES", (*upgrades.UPGRADES, step("second"), step("third")))
    monkeypatch.setattr(upgrades, "VERSION", known + 2)
    shop.warehouse.prepare()
    shop.warehouse.prepare()

    assert ran == ["second", "third"]
    assert shop.warehouse.meta()["schema_version"] == str(known + 2)


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(attributed: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(connection: sqlite3.Connection, _: Path) -> None:
        connection.execute("DELETE FROM attribution_customer_journey")
        raise AttributionError("The upgrade failed.")

    known = upgrades.VERSION
    monkeypatch.setattr(upgrades, "UPGRADES", (*upgrades.UPGRADES, fail))
    monkeypatch.setattr(upgrades, "VERSION", known + 1)
    with refused("The upgrade failed."):
        attributed.warehouse.prepare()

    assert attributed.table("attribution_customer_journey") == OLD
    assert attributed.warehouse.meta()["schema_version"] == str(known)


@pytest.mark.parametrize("method", ["prepare", "meta"])
def test_a_file_of_a_newer_package_is_refused_and_left_alone(shop: Shop, method: str) -> None:
    shop.warehouse.prepare()
    shop.execute("UPDATE attribution_meta SET value = '999' WHERE key = 'schema_version'")
    before = shop.database.read_bytes()

    with refused(f"{shop.database} has schema version 999", f"knows only {upgrades.VERSION}", "Upgrade attribution_assets"):
        getattr(shop.warehouse, method)()

    assert shop.database.read_bytes() == before


def test_a_table_of_the_users_under_the_name_of_attribution_meta_is_refused(shop: Shop) -> None:
    shop.execute("CREATE TABLE attribution_meta (name text PRIMARY KEY, value text)")

    with refused("attribution_meta", "lacks key", "Rename or drop it"):
        shop.warehouse.prepare()


def prepare_all(barrier: Barrier, databases: Sequence[Path]) -> None:
    failed = []
    for database in databases:
        barrier.wait()
        try:
            SQLiteWarehouse(database).prepare()
        except AttributionError as error:
            failed.append(str(error))
    assert not failed, failed


def test_two_processes_prepare_the_same_fresh_file_at_once(tmp_path: Path, long: bool) -> None:
    fresh = made(tmp_path / "fresh.db", *(schema()[source].create for source in SOURCES)).path
    databases = [Path(shutil.copy(fresh, tmp_path / f"{number}.db")) for number in range(1000 if long else 40)]

    codes = in_processes((prepare_all, databases), (prepare_all, databases))

    assert codes == [0, 0]
    assert len({SQLiteWarehouse(database).meta()["database_id"] for database in databases}) == len(databases)
    assert {len(everything(database)) for database in databases} == {70}  # 28 tables, 28 keys, 14 indexes
