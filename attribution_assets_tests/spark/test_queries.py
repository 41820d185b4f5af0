"""Every query of sql/ gives the same rows on SQLite and on Spark, bit for bit, whatever a database holds.

On Sail, their order is not compared: it drops the sorting of some queries with windows.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.catalog.tables import CHECKS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, SQLiteWarehouse
from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.views import Reading
from attribution_assets_tests.clusters import in_spark, is_sail
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.any_database import a_database, change, computed, write
from attribution_assets_tests.warehouse.sound import BROKEN, sound_shop
from attribution_assets_tests.warehouse.test_every_engine import (
    ASKED,
    AWKWARD,
    BROKEN_DOWN,
    GUARDS,
    QUERIES,
    asked_by,
    differences,
    looking_for,
)
from attribution_assets_tests.warehouse.test_functions import groups_of_amounts, statement_of_sums


def databases_agree(
    database: Path,
    cluster: str,
    reading: Reading,
    asked: Mapping[str, str | int | float],
    queries: Iterable[str] = QUERIES,
) -> None:
    warehouse = SQLiteWarehouse(database, reading=reading)
    with in_spark(database, cluster, reading) as cursor:
        assert differences(warehouse, {"spark": cursor}, asked, queries, keeps_order=not is_sail(cluster)) == {}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which all results agree."""
    return sound_shop(tmp_path_factory.mktemp("template")).database


@pytest.mark.parametrize("conversions", ["tracked", "backend"])
def test_every_query_answers_alike_where_all_is_right(template: Path, cluster: str, conversions: Any) -> None:
    databases_agree(template, cluster, replace(BROKEN_DOWN, conversions=conversions), ASKED)


@pytest.mark.sampled(12)
@pytest.mark.parametrize(("asset", "name"), BROKEN)
def test_every_check_finds_the_same_broken_rows(asset: str, name: str, template: Path, cluster: str, tmp_path: Path) -> None:
    shop = Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
    for statement in BROKEN[asset, name][0]:
        shop.execute(statement)

    [query] = {check.query for _, check in CHECKS if check.name == name}
    databases_agree(shop.database, cluster, BROKEN_DOWN, ASKED, [*GUARDS, query])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("case", AWKWARD)
def test_every_query_takes_awkward_rows_alike(case: str, template: Path, cluster: str, tmp_path: Path) -> None:
    shop = Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
    for statement in AWKWARD[case]:
        shop.execute(statement)

    databases_agree(shop.database, cluster, BROKEN_DOWN, ASKED, looking_for(shop))


def test_sums_are_those_of_sqlite_to_the_last_bit_whatever_their_sign(template: Path, cluster: str) -> None:
    groups = groups_of_amounts()
    with in_spark(template, cluster) as cursor, SQLiteWarehouse(template).connect() as connection:
        sums = cursor.execute(in_dialect(statement_of_sums(groups), "spark")).fetchall()
        assert sums == connection.execute(statement_of_sums(groups)).fetchall()
    assert sums[0] == (-0.1,)


@hypothesis.given(
    rows=a_database(),
    conversions=st.sampled_from(["tracked", "backend"]),
    spend_wins=st.sampled_from(["platform", "session"]),
    order=st.sampled_from(["any", "ordered"]),
    lookback=st.sampled_from([1, 3, 90]),
)
@hypothesis.settings(
    max_examples=5,
    phases=[hypothesis.Phase.generate],  # a smaller one would take minutes to find
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
def test_every_query_answers_alike_over_any_database(
    cluster: str, rows: dict[str, list[tuple[Any, ...]]], conversions: Any, spend_wins: Any, order: Any, lookback: int
) -> None:
    with TemporaryDirectory() as folder:
        database = Path(folder) / "any.db"
        write(database, rows)
        settings = Settings(
            database=database,
            compute="sqlite",
            conversions=conversions,
            spend_wins=spend_wins,
            funnel_order=order,
            lookback_days=lookback,
            models=["linear", "shapley"],
            breakdowns=["market", "campaign_id", "conversions.market"],
            nobody=["7"],
        )
        days = Days("2023-09-01", "2023-09-08")
        computed(settings, days)
        change(Shop.at(database, Path(folder)), rows)

        databases_agree(
            database, cluster, settings.reading, {**asked_by(settings, days), "is_ordered": int(order == "ordered")}
        )
