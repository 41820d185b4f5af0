"""A lake has the rows of an SQLite file, to the last bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.analysis.late_data import compared_tables
from attribution_assets.catalog.tables import query_of
from attribution_assets.errors import AttributionError
from attribution_assets.models import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.loading import import_sources
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.command import Command
from attribution_assets_tests.lakes import OURS, rows_of
from attribution_assets_tests.support import SHARED, Shop
from attribution_assets_tests.warehouse.any_database import a_database, change, computed, write

CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"

RANGES = [Days("2023-09-01", "2023-09-02"), Days("2023-09-03", "2023-09-03"), Days("2023-09-04", "2023-09-08")]


def bits(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, sorted; a floating number as its bits."""
    exactly = (tuple(value.hex() if isinstance(value, float) else value for value in row) for row in rows)
    return sorted(exactly, key=repr)


def assert_same_tables(database: Path, lake: Path) -> None:
    shop = Shop.at(database, database.parent)
    for name in OURS:
        assert bits(rows_of(lake, schema()[name])) == bits(shop.table(name, ", ".join(schema()[name].column_names))), name


def outcome(settings: Settings, days: Days) -> str:
    """Computes all tables of the days. Returns why that stopped, without where."""
    try:
        computed(settings, days)
    except AttributionError as error:
        return str(error).replace(str(settings.database.path), "the database")
    return ""


def differing(settings: Settings) -> dict[str, set[str]]:
    """By table that late data is looked for in, the days whose rows are others now."""
    days = Days(RANGES[0].first, RANGES[-1].last)
    return {
        table.name: settings.warehouse.differing_days(
            schema()[table.name], table.day_column, days, query_of(settings, table, days)
        )
        for table in compared_tables(settings)
    }


@hypothesis.given(
    rows=a_database(),
    first=st.permutations(RANGES),
    again=st.permutations(RANGES),
    conversions=st.sampled_from(["tracked", "backend"]),
    spend_wins=st.sampled_from(["platform", "session"]),
    lookback=st.sampled_from([1, 3, 90]),
)
@hypothesis.settings(
    max_examples=3,
    phases=[hypothesis.Phase.generate],  # a smaller one would take minutes to find
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
def test_every_table_is_that_of_a_file_whatever_the_order_of_the_days_and_after_late_data(
    rows: dict[str, list[tuple[Any, ...]]],
    first: list[Days],
    again: list[Days],
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
        in_file = Settings(database=database, compute="sqlite", **chosen)
        import_sources(LakeWarehouse(lake), database)
        in_lake = Settings(database=f"{lake}/", **chosen)
        for days in first:
            assert outcome(in_lake, days) == outcome(in_file, days)
        assert_same_tables(database, lake)

        change(Shop.at(database, Path(folder)), rows)
        import_sources(LakeWarehouse(lake), database)
        assert differing(in_lake) == differing(in_file)
        for days in again:
            assert outcome(in_lake, days) == outcome(in_file, days)
        assert_same_tables(database, lake)


def test_every_table_and_file_of_the_sample_is_that_of_a_file(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=3)

    assert_same_run(tmp_path / "sample.db", tmp_path / "lake", ATTRIBUTION_MODELS="all", ATTRIBUTION_BREAKDOWNS="market")


@pytest.mark.skipif(not CHALLENGE.exists(), reason=f"{CHALLENGE} is not there")
def test_every_table_and_file_of_the_challenge_is_that_of_a_file(tmp_path: Path) -> None:
    database = tmp_path / "challenge.db"
    database.write_bytes(CHALLENGE.read_bytes())

    assert_same_run(database, tmp_path / "lake", ATTRIBUTION_MODELS=",".join(MODELS))


def assert_same_run(database: Path, lake: Path, **environment: str) -> None:
    import_sources(LakeWarehouse(lake), database)
    files: list[dict[str, bytes]] = []
    for place in (str(database), f"{lake}/"):
        exports = database.parent / f"exports {len(files)}"
        home = str(database.parent / f"home {len(files)}")
        run = Command(
            "run", "--database", place, "--exports", exports, says=exports.with_suffix(".txt"), DAGSTER_HOME=home, **environment
        )
        assert run.wait() == 0, run.says.read_text()
        files.append({str(path.relative_to(exports)): path.read_bytes() for path in exports.rglob("*.csv")})

    assert files[0] == files[1]
    assert_same_tables(database, lake)
