"""`attribution import` and `attribution channels` on a lake: what they do on a file, in one commit of one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.warehouse import schema
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets_tests.lakes import rows_of
from attribution_assets_tests.support import Shop

HEADER = "conv_id,user_id,conv_date,conv_time,revenue\n"
ONE, TWO = "1e5,anna,2023-09-01,10:00:00,12.5\n", "007,Zoé,2023-09-02,11:00:00,-0.1\n"
LAKE = Path("lake")


def attribution(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], catch_exceptions=False)


def orders(rows: str, *options: str, table: str = "conversions") -> Result:
    Path("orders.csv").write_text(HEADER + rows)
    return attribution("import", table, "orders.csv", "--database", "lake/", "--json", *options)


def conversions() -> list[tuple[Any, ...]]:
    return sorted(rows_of(LAKE.absolute(), schema()["conversions"]))


def fates(result: Result) -> dict[str, int]:
    told = json.loads(result.output)
    return {fate: told[fate] for fate in ("new", "changed", "equal", "deleted") if told[fate]}


def version() -> int | None:
    return delta.last_version(LAKE / "conversions")


def test_an_import_makes_the_lake_and_its_table() -> None:
    assert fates(orders(ONE + TWO)) == {"new": 2}
    assert conversions() == [("007", "Zoé", "2023-09-02", "11:00:00", -0.1), ("1e5", "anna", "2023-09-01", "10:00:00", 12.5)]
    assert LakeWarehouse(LAKE.absolute()).exists


def test_rows_are_replaced_by_their_key_in_one_commit() -> None:
    orders(ONE + TWO)
    before = version() or 0

    assert fates(orders(ONE.replace("12.5", "13") + "c3,u,2023-09-03,10:00:00,1\n")) == {"new": 1, "changed": 1}
    assert [(row[0], row[4]) for row in conversions()] == [("007", -0.1), ("1e5", 13.0), ("c3", 1.0)]
    assert version() == before + 1


def test_the_same_file_again_writes_no_version() -> None:
    orders(ONE + TWO)
    before = version()

    assert fates(orders(ONE + TWO)) == {"equal": 2}
    assert version() == before


def test_check_writes_nothing_and_makes_no_lake() -> None:
    assert fates(orders(ONE, "--check")) == {"new": 1}
    assert not LAKE.exists()
    orders(ONE)

    assert fates(orders(ONE.replace("12.5", "13"), "--check")) == {"changed": 1}
    assert conversions() == [("1e5", "anna", "2023-09-01", "10:00:00", 12.5)]


def test_replace_days_deletes_the_other_rows_of_the_days() -> None:
    orders(ONE + TWO)

    assert fates(orders("c3,u,2023-09-02,10:00:00,1\n", "--replace-days")) == {"new": 1, "deleted": 1}
    assert [row[0] for row in conversions()] == ["1e5", "c3"]


def test_broken_rows_stop_an_import_or_are_kept_aside() -> None:
    broken = ONE + "c3,u,soon,10:00:00,1\n"

    stopped = orders(broken)
    assert (stopped.exit_code, stopped.output.count("\n")) == (1, 1)
    assert not LAKE.exists()
    assert fates(orders(broken, "--skip-broken", "aside.csv")) == {"new": 1}
    assert "soon" in Path("aside.csv").read_text()


def test_further_columns_of_the_lake_are_kept_as_text(tmp_path: Path) -> None:
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    shop.conversion("1e5", "anna", "2023-09-01 10:00:00", 12.5)
    shop.execute("ALTER TABLE conversions ADD COLUMN shelf integer")
    shop.execute("UPDATE conversions SET shelf = 7")
    attribution("lake", "import", "shop.db", "--database", "lake/")

    orders(TWO)

    with LakeWarehouse(LAKE.absolute()).connect() as connection:
        rows = connection.execute("SELECT conv_id, shelf FROM stored.conversions ORDER BY 1").fetchall()
    assert rows == [("007", None), ("1e5", "7")]


def test_a_file_of_the_users_in_the_lake_is_not_written() -> None:
    attribution("lake", "import", "--database", "lake/")
    (LAKE / "conversions.csv").write_text(HEADER + ONE)

    result = orders(TWO)

    assert result.output == (
        f"Error: conversions in {LAKE.absolute()} is a file of your own, so nothing is written into it. "
        "Write that, or remove it.\n"
    )
    assert (LAKE / "conversions.csv").read_text() == HEADER + ONE


def test_a_table_that_nobody_knows_is_said_as_on_a_file() -> None:
    assert "There is no source table ../orders." in orders(ONE, table="../orders").output
    assert not LAKE.exists()


def test_errors_name_the_lake_and_no_temporary_file() -> None:
    attribution("lake", "import", "--database", "lake/")

    result = attribution("channels", "apply", "--database", "lake/")

    assert result.output.startswith(f"Error: {LAKE.absolute()} has no table session_sources.")


@pytest.mark.parametrize("command", ["test", "apply"])
def test_channels_are_those_that_a_file_gets(tmp_path: Path, command: str) -> None:
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email")
    shop.session("s2", "anna", "2023-09-01 11:00:00", "Email")
    shop.execute("ALTER TABLE session_sources ADD COLUMN utm_medium text")
    shop.execute("UPDATE session_sources SET utm_medium = 'cpc' WHERE session_id = 's2'")
    attribution("lake", "import", "shop.db", "--database", "lake/")

    of_file = attribution("channels", command, "--database", "shop.db", "--json")
    of_lake = attribution("channels", command, "--database", "lake/", "--json")

    assert (of_lake.exit_code, of_lake.output) == (0, of_file.output)
    channels = sorted((row[0], row[4]) for row in rows_of(LAKE.absolute(), schema()["session_sources"]))
    assert channels == shop.table("session_sources", "session_id, channel_name")
