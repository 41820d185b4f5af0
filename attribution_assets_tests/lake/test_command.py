"""`attribution lake`: made from a file, with versions that can be shown, brought back and tidied; and what is no lake."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from importlib import util
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result
from deltalake import write_deltalake

from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets_tests.lakes import LakeShop, rows_of
from attribution_assets_tests.warehouse.rows import ATTRIBUTION, frame, refused

DAY = Days("2023-09-01", "2023-09-01")
FIRST, SECOND = ("c1", "s1", 1.0, "2023-09-01"), ("c2", "s2", 1.0, "2023-09-01")


def attribution(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@pytest.fixture
def shop(tmp_path: Path) -> LakeShop:
    shop = LakeShop(tmp_path / "shop.db", tmp_path / "exports")
    shop.session("s1", "u", "2023-09-01 10:00:00", cost=1.5)
    shop.conversion("c1", "u", "2023-09-01 12:00:00")
    return shop


def credit(lake: Path) -> list[tuple[object, ...]]:
    return sorted(rows_of(lake, ATTRIBUTION))


def write(lake: Path, *rows: tuple[object, ...]) -> None:
    warehouse = LakeWarehouse(lake)
    warehouse.prepare()
    warehouse.replace_days(ATTRIBUTION, "conv_date", DAY, frame(*rows))


# -- import


def test_import_makes_a_lake_of_the_sources_of_a_file(shop: LakeShop) -> None:
    result = attribution("lake", "import", "shop.db", "--database", "lake/")

    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "session_sources: 1 rows.",
        "session_costs: 1 rows.",
        "conversions: 1 rows.",
        f"{Path.cwd() / 'lake'} is a lake. Attribute it: attribution run --database {Path.cwd() / 'lake'}/",
    ]
    assert rows_of(Path("lake").absolute(), schema()["session_costs"]) == [("s1", 1.5)]
    assert Settings(database="lake").database.is_lake


def test_for_the_commands_of_lakes_a_folder_needs_no_slash(shop: LakeShop) -> None:
    assert attribution("lake", "import", "shop.db", "--database", "lake").exit_code == 0
    assert attribution("lake", "history", "conversions", "--database", "lake").exit_code == 0

    assert Settings(database="lake").database.is_lake


def test_import_replaces_the_sources_and_keeps_the_results_and_the_id(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    lake = Path("lake").absolute()
    write(lake, FIRST)
    before = LakeWarehouse(lake).meta()
    shop.conversion("c2", "u", "2023-09-02 12:00:00")

    result = attribution("lake", "import", "shop.db", "--database", "lake/", "--json")

    assert json.loads(result.output)["rows"]["conversions"] == 2
    assert credit(lake) == [FIRST]
    assert LakeWarehouse(lake).meta() == before


def test_import_keeps_the_columns_that_only_the_user_knows_as_text(shop: LakeShop) -> None:
    shop.execute("ALTER TABLE session_sources ADD COLUMN shelf integer")
    shop.execute("UPDATE session_sources SET shelf = 7")

    attribution("lake", "import", "shop.db", "--database", "lake/")

    with LakeWarehouse(Path("lake").absolute()).connect() as connection:
        assert connection.execute("SELECT shelf FROM stored.session_sources").fetchall() == [("7",)]


def test_numbers_as_ids_become_the_text_that_sqlite_reads(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE conversions (conv_id integer, user_id, conv_date date, conv_time, revenue decimal)")
        connection.execute("INSERT INTO conversions VALUES (7, 8, '2023-09-01', '12:00:00', 5)")

    attribution("lake", "import", "shop.db", "--database", "lake/")

    assert rows_of(Path("lake").absolute(), schema()["conversions"]) == [("7", "8", "2023-09-01", "12:00:00", 5.0)]


def test_a_value_that_is_no_number_is_refused_with_its_column(shop: LakeShop) -> None:
    shop.execute("UPDATE session_costs SET cost = 'a lot'")

    result = attribution("lake", "import", "shop.db", "--database", "lake/")

    assert result.exit_code == 1
    assert "session_costs.cost in shop.db has a value of another type than double" in result.output
    assert result.output.count("\n") == 1


def test_without_a_file_an_empty_lake_is_made(tmp_path: Path) -> None:
    result = attribution("lake", "import", "--database", "lake/")

    assert result.exit_code == 0
    assert Settings(database="lake").warehouse.sources() == {}


def test_a_file_without_sources_makes_no_lake(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection, connection:
        connection.execute("CREATE TABLE notes (text)")

    result = attribution("lake", "import", "other.db", "--database", "lake/")

    assert "other.db has no source table" in result.output
    assert not Path("lake").exists()


# -- versions


def test_history_shows_which_days_each_version_replaced(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    write(Path("lake").absolute(), FIRST)

    result = attribution("lake", "history", "attribution_customer_journey", "--database", "lake/", "--json")

    newest, made = json.loads(result.output)["versions"]
    assert (newest["version"], newest["days"]) == (1, "2023-09-01")
    assert (made["version"], made["days"]) == (0, None)
    shown = attribution("lake", "history", "attribution_customer_journey", "--database", "lake/").output
    assert "2023-09-01" in shown


def test_restore_brings_the_rows_of_a_version_back(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    lake = Path("lake").absolute()
    write(lake, FIRST)
    write(lake, SECOND)

    result = attribution("lake", "restore", "attribution_customer_journey", "1", "--database", "lake/")

    assert result.output == "attribution_customer_journey has the rows of version 1 again.\n"
    assert credit(lake) == [FIRST]
    assert (
        "has no version 9" in attribution("lake", "restore", "attribution_customer_journey", "9", "--database", "lake/").output
    )


def test_a_version_whose_files_are_deleted_cannot_be_brought_back(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    lake = Path("lake").absolute()
    write(lake, FIRST)
    [of_first] = lake.rglob("conv_date=2023-09-01/*.parquet")
    write(lake, SECOND)
    of_first.unlink()

    result = attribution("lake", "restore", "attribution_customer_journey", "1", "--database", "lake/")

    assert result.exit_code == 1
    assert "cannot be restored to version 1" in result.output
    assert credit(lake) == [SECOND]


def test_after_a_restore_nothing_counts_as_seen(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    lake = Path("lake").absolute()
    write(lake, FIRST)
    LakeWarehouse(lake).remember(DAY, {"2023-09-01": {"conversions": "as it was"}})
    assert LakeWarehouse(lake).seen(DAY) == {"2023-09-01": {"conversions": "as it was"}}

    attribution("lake", "restore", "attribution_customer_journey", "0", "--database", "lake/")

    assert LakeWarehouse(lake).seen(DAY) == {}


def test_a_table_that_is_not_there_has_no_versions(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")

    for table in ("events", "../shop"):
        result = attribution("lake", "history", table, "--database", "lake/")
        assert result.exit_code == 1
        assert f"{Path.cwd() / 'lake'} has no Delta table {table}, and nothing else has versions." in result.output


def test_vacuum_deletes_what_no_kept_version_has_and_files_of_killed_writers(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    lake = Path("lake").absolute()
    write(lake, FIRST)
    write(lake, SECOND)
    orphan = lake / "attribution_customer_journey" / "conv_date=2023-09-01" / "part-of-a-killed-writer.parquet"
    orphan.write_bytes(b"half")
    assert attribution("lake", "vacuum", "--database", "lake/").output == f"0 files of {lake} are deleted.\n"
    long_ago = 1_600_000_000
    for file in lake.rglob("*.parquet"):
        os.utime(file, (long_ago, long_ago))

    result = attribution("lake", "vacuum", "--database", "lake/")

    assert not orphan.exists()
    assert "1 files" in result.output
    assert credit(lake) == [SECOND]


# -- what is no lake


def test_a_lake_that_is_not_there_is_told_with_what_makes_one(tmp_path: Path) -> None:
    result = attribution("run", "--database", "lake/")

    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        f"Error: There is no lake {tmp_path / 'lake'}. Make one with "
        f"`attribution lake import FILE.db --database {tmp_path / 'lake'}/`."
    )


def test_a_folder_without_our_marker_is_no_lake(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()

    with refused("is a folder, but no lake", "attribution_lake.json", kind=NotReadyError):
        Settings(database="lake/").warehouse.prepare()


def test_an_import_that_was_interrupted_leaves_no_lake(shop: LakeShop, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> int:
        raise AttributionError("The disk is full.")

    with monkeypatch.context() as full:
        full.setattr(delta, "replace_rows", stop)
        attribution("lake", "import", "shop.db", "--database", "lake/")

    with refused("no lake", "also if an import was interrupted"):
        Settings(database="lake/").warehouse.prepare()
    assert attribution("lake", "import", "shop.db", "--database", "lake/").exit_code == 0
    assert Settings(database="lake/").warehouse.has("conversions")


def test_without_its_packages_a_lake_says_how_to_install_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attribution_assets.warehouse.opening.find_spec", lambda name: None if name == "deltalake" else util)

    result = attribution("run", "--database", "lake/")

    assert f"{tmp_path / 'lake'} is a lake, which needs deltalake: pip install 'attribution_assets[lake]'." in result.output
    assert result.output.count("\n") == 1


def test_a_lake_of_a_newer_package_is_left_alone(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    marker = Path("lake/attribution_lake.json")
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": "99"}))

    with refused("has schema version 99", "Upgrade attribution_assets"):
        Settings(database="lake/").warehouse.prepare()


def test_a_table_with_features_that_change_how_it_is_read_is_refused(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    log = Path("lake/conversions/_delta_log")
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"],
        "writerFeatures": ["deletionVectors"],
    }
    newest = max(int(file.stem) for file in log.glob("*.json"))
    (log / f"{newest + 1:020}.json").write_text(json.dumps({"protocol": protocol}) + "\n")

    with refused("conversions is a Delta table with deletionVectors", "cannot be read here"):
        Settings(database="lake/").warehouse.first_date("conversions", "conv_date")


# -- names and files that go wrong


@pytest.mark.parametrize("action", ["import shop.db", "history conversions", "vacuum"])
def test_a_file_is_not_taken_for_a_lake(shop: LakeShop, action: str) -> None:
    for place in ("shop.db", "shop.db/"):
        result = attribution("lake", *action.split(), "--database", place)

        assert result.exit_code == 1
        assert result.output.count("\n") == 1
        assert "--database lake/" in result.output


def test_without_the_name_of_a_lake_none_is_made(shop: LakeShop) -> None:
    result = attribution("lake", "import", "shop.db")

    assert "data/attribution.db is no lake. Name a folder with a slash at its end" in result.output
    assert not Path("data").exists()


def test_a_url_as_the_file_is_refused_without_its_password(shop: LakeShop) -> None:
    result = attribution("lake", "import", "postgresql://me:secret@host/shop", "--database", "lake/")

    assert result.exit_code == 1
    assert "A lake is made of an SQLite file." in result.output
    assert "secret" not in result.output


def test_a_folder_with_a_percent_sign_cannot_be_a_lake(shop: LakeShop) -> None:
    result = attribution("lake", "import", "shop.db", "--database", "50%20/")

    assert "has % in its name" in result.output
    assert not Path("50%20").exists()


def test_a_damaged_marker_is_told_and_a_damaged_proof_is_made_anew(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    assert attribution("run", "--database", "lake/").exit_code == 0
    for proof in Path("lake/_attribution/proved").iterdir():
        proof.write_text("{")

    assert attribution("run", "--database", "lake/").exit_code == 0

    marker = Path("lake/attribution_lake.json")
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": "1.x"}))
    with refused("has schema version 1.x", "Upgrade attribution_assets"):
        Settings(database="lake/").warehouse.prepare()


def test_a_source_that_stands_there_in_two_forms_is_refused(shop: LakeShop) -> None:
    attribution("lake", "import", "shop.db", "--database", "lake/")
    Path("lake/conversions.csv").write_text("conv_id,user_id,conv_date,conv_time,revenue\n")

    with refused("conversions stands in", "more than once", "conversions.csv", "Keep one of them"):
        Settings(database="lake/").warehouse.first_date("conversions", "conv_date")


def test_a_delta_table_that_gained_a_column_has_none_in_its_older_rows(tmp_path: Path) -> None:
    LakeWarehouse(tmp_path / "lake").make()
    old: dict[str, list[Any]] = {
        "conv_id": ["c1"],
        "user_id": ["u"],
        "conv_date": ["2023-09-01"],
        "conv_time": ["12:00:00"],
        "revenue": [1.5],
    }
    write_deltalake("lake/conversions", pa.table(old))
    new = pa.table({**old, "conv_id": ["c2"], "market": ["DE"]})
    write_deltalake("lake/conversions", new, mode="append", schema_mode="merge")

    with Settings(database="lake").warehouse.connect() as connection:
        found = connection.execute("SELECT conv_id, market FROM conversions ORDER BY conv_id", ()).fetchall()

    assert found == [("c1", None), ("c2", "DE")]


def test_partitions_may_have_any_value(tmp_path: Path) -> None:
    lake = tmp_path / "a lake"
    LakeWarehouse(lake).make()
    channels = ["a b", "a/b=c & d%20", "ä", None]
    days = {"event_date": ["2023-09-01"] * 4, "event_time": ["10:00:00"] * 4}
    rows: dict[str, list[Any]] = {"session_id": ["1", "2", "3", "4"], "user_id": ["u"] * 4, **days, "channel_name": channels}
    for some in (rows, {name: values[:1] for name, values in rows.items()}):
        write_deltalake(str(lake / "session_sources"), pa.table(some), mode="overwrite", partition_by=["channel_name"])

        with LakeWarehouse(lake).connect() as connection:
            found = connection.execute("SELECT channel_name FROM session_sources ORDER BY session_id", ()).fetchall()
        assert found == [(channel,) for channel in some["channel_name"]]
