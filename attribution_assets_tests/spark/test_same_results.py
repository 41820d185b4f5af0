"""A lake that Spark computes has the rows of an SQLite file, to the last bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pandas as pd
import pytest
from hypothesis import strategies as st
from pydantic import SecretStr

from attribution_assets.analysis.comparison import compare_models
from attribution_assets.models import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.loading import import_sources
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.command import Command
from attribution_assets_tests.lake.test_same_results import CHALLENGE, RANGES, assert_same_tables, differing, outcome
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.any_database import a_database, change, write


@hypothesis.given(
    rows=a_database(),
    first=st.permutations(RANGES),
    again=st.permutations(RANGES),
    conversions=st.sampled_from(["tracked", "backend"]),
    spend_wins=st.sampled_from(["platform", "session"]),
    lookback=st.sampled_from([1, 3, 90]),
)
@hypothesis.settings(
    max_examples=2,
    phases=[hypothesis.Phase.generate],  # a smaller one would take minutes to find
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
)
def test_every_table_is_that_of_a_file_whatever_the_order_of_the_days_and_after_late_data(
    cluster: str,
    rows: dict[str, list[tuple[Any, ...]]],
    first: list[Any],
    again: list[Any],
    conversions: Any,
    spend_wins: Any,
    lookback: int,
) -> None:
    with TemporaryDirectory() as folder:
        database, lake = Path(folder) / "any.db", Path(folder) / "lake"
        write(database, rows)
        chosen: dict[str, Any] = {
            "conversions": conversions,
            "spend_wins": spend_wins,
            "lookback_days": lookback,
            "models": ["linear", "markov"],
            "breakdowns": ["market", "conversions.market"],
        }
        in_file = Settings(database=database, **{**chosen, "compute": "sqlite"})
        import_sources(LakeWarehouse(lake), database)
        on_spark = Settings(database=f"{lake}/", **{**chosen, "compute": "spark", "spark": cluster})
        for days in first:
            assert outcome(on_spark, days) == outcome(in_file, days)
        assert_same_tables(database, lake)

        change(Shop.at(database, Path(folder)), rows)
        import_sources(LakeWarehouse(lake), database)
        assert differing(on_spark) == differing(in_file)
        for days in again:
            assert outcome(on_spark, days) == outcome(in_file, days)
        assert_same_tables(database, lake)


def test_what_duckdb_computed_is_not_late_for_spark_and_models_are_compared_alike(cluster: str, tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.db", days=10, end=date(2023, 9, 10), sessions=1_000, seed=3)
    import_sources(LakeWarehouse(tmp_path / "lake"), tmp_path / "sample.db")
    by_duckdb = Settings(database=f"{tmp_path / 'lake'}/", models=["linear", "markov"])
    by_spark = by_duckdb.model_copy(update={"compute": "spark", "spark": SecretStr(cluster)})
    days = Days("2023-09-01", "2023-09-10")
    assert outcome(by_duckdb, days) == ""

    assert [found for found in differing(by_spark).values() if found] == []
    one, other = (compare_models(settings, days).channels for settings in (by_duckdb, by_spark))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_every_table_and_file_of_the_sample_is_that_of_a_file(cluster: str, tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=3)

    assert_same_run(tmp_path / "sample.db", cluster, ATTRIBUTION_MODELS="all", ATTRIBUTION_BREAKDOWNS="market")


@pytest.mark.skipif(not CHALLENGE.exists(), reason=f"{CHALLENGE} is not there")
def test_every_table_and_file_of_the_challenge_is_that_of_a_file(cluster: str, tmp_path: Path) -> None:
    database = tmp_path / "challenge.db"
    database.write_bytes(CHALLENGE.read_bytes())

    assert_same_run(database, cluster, ATTRIBUTION_MODELS=",".join(MODELS))


def assert_same_run(database: Path, cluster: str, **environment: str) -> None:
    lake = database.parent / "lake"
    import_sources(LakeWarehouse(lake), database)
    on_spark = {"ATTRIBUTION_COMPUTE": "spark", "ATTRIBUTION_SPARK": cluster}
    files: list[dict[str, bytes]] = []
    for place, computed_by in ((str(database), {}), (f"{lake}/", on_spark)):
        exports, home = database.parent / f"exports {len(files)}", str(database.parent / f"home {len(files)}")
        run = Command(
            *("run", "--database", place, "--exports", exports),
            says=exports.with_suffix(".txt"),
            DAGSTER_HOME=home,
            **computed_by,
            **environment,
        )
        assert run.wait() == 0, run.says.read_text()
        files.append({str(path.relative_to(exports)): path.read_bytes() for path in exports.rglob("*.csv")})

    assert files[0] == files[1]
    assert_same_tables(database, lake)
