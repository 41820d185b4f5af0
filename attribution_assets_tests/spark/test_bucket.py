"""A lake in a bucket that Spark computes: executors write there, and two writers need no locks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.lake.objects import InBucket
from attribution_assets.warehouse.spark import replacement
from attribution_assets.warehouse.spark.database import SparkLakeWarehouse
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.clusters import SailProcess
from attribution_assets_tests.command import Command
from attribution_assets_tests.lake.store import SECRET, TOKEN, Store
from attribution_assets_tests.lake.test_same_results import bits
from attribution_assets_tests.lakes import OURS, rows_of
from attribution_assets_tests.spark.test_writers import DAYS, OLD, given
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.rows import ATTRIBUTION


@pytest.fixture
def folder(object_store: Store, monkeypatch: pytest.MonkeyPatch) -> InBucket:
    """A folder where no lake is yet, to which the environment has the keys."""
    for name, value in object_store.environment.items():
        monkeypatch.setenv(name, value)
    return object_store.new_folder()


@pytest.fixture
def cluster_beside(folder: InBucket) -> Iterator[str]:
    """A cluster whose executors have the keys of the store."""
    server = SailProcess(AWS_ALLOW_HTTP="true")
    yield server.url
    server.kill()


def test_every_table_and_file_of_the_sample_is_that_of_a_file(
    folder: InBucket, cluster_beside: str, object_store: Store, tmp_path: Path
) -> None:
    write_sample(tmp_path / "sample.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=3)
    shop = Shop.at(tmp_path / "sample.db", tmp_path / "exports")
    on_spark = {"ATTRIBUTION_COMPUTE": "spark", "ATTRIBUTION_SPARK": cluster_beside}
    commands: list[tuple[list[str], dict[str, str]]] = [
        (["lake", "import", str(shop.database), "--database", str(folder)], {}),
        (["run", "--database", str(folder), "--exports", str(tmp_path / "there")], on_spark),
        (["run", "--database", str(shop.database), "--exports", str(shop.exports)], {}),
    ]
    for number, (arguments, computed_by) in enumerate(commands):
        environment = {"DAGSTER_HOME": str(tmp_path / f"home {number}"), "ATTRIBUTION_MODELS": "all", **computed_by}
        command = Command(*arguments, says=tmp_path / f"{number}.txt", **object_store.environment, **environment)
        assert command.wait() == 0, command.says.read_text()

    assert Shop.at(shop.database, tmp_path / "there").csv_bytes() == shop.csv_bytes()
    for name in OURS:
        columns = ", ".join(schema()[name].column_names)
        assert bits(rows_of(folder, schema()[name])) == bits(shop.table(name, columns)), name
    written = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    assert not [content for content in written if SECRET.encode() in content or TOKEN.encode() in content]


def test_rows_of_a_writer_that_was_overtaken_are_made_again_from_what_is_there_then(
    folder: InBucket, cluster_beside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = SparkLakeWarehouse(folder, spark=cluster_beside)
    lake.make()
    for name in (ATTRIBUTION.name, "session_sources", "session_costs", "conversions"):
        lake.create(schema()[name])
    lake.replace_days(ATTRIBUTION, "conv_date", Days(*DAYS), given(*OLD))
    others = [("moving", "s", 1.0, DAYS[1])]
    take_over: Any = replacement.StagedFile.taken_over

    def while_another_commits(*given_to: Any) -> Any:
        if others:
            lake.replace_days(ATTRIBUTION, "conv_date", Days(DAYS[1], DAYS[1]), given(others.pop(), OLD[2]))
        return take_over(*given_to)

    monkeypatch.setattr(replacement.StagedFile, "taken_over", while_another_commits)

    lake.replace_days(ATTRIBUTION, "conv_date", Days(DAYS[0], DAYS[0]), given(("moving", "s", 1.0, DAYS[0])))

    assert sorted(rows_of(folder, ATTRIBUTION)) == [OLD[2], ("moving", "s", 1.0, DAYS[0])]
