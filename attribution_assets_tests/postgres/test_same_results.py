"""A schema on a server has the rows of an SQLite file, to the last bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.models import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, SQLiteWarehouse, schema
from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.command import Command
from attribution_assets_tests.importing.databases import Database
from attribution_assets_tests.lake.test_same_results import CHALLENGE, RANGES, bits, differing
from attribution_assets_tests.lakes import OURS
from attribution_assets_tests.servers import PostgresShop
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.any_database import a_database, change, computed, write
from attribution_assets_tests.warehouse.test_functions import groups_of_amounts, statement_of_sums


@pytest.fixture(autouse=True)
def server(postgres_server: Database) -> None:
    PostgresShop.server = postgres_server


def assert_same_tables(shop: PostgresShop) -> None:
    """The results in the schema are those in the file."""
    in_file = Shop.at(shop.database, shop.exports)
    for name in OURS:
        assert bits(shop.table(name)) == bits(in_file.table(name, ", ".join(schema()[name].column_names))), name


def outcome(settings: Settings, days: Days) -> str:
    """Computes all tables of the days. Returns why that stopped, without where."""
    try:
        computed(settings, days)
    except Exception as error:
        return str(error).replace(str(settings.database), "the database")
    return ""


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
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture],
    deadline=None,
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
        database = Path(folder) / "any.db"
        write(database, rows)
        shop = PostgresShop.at(database, Path(folder))
        chosen: dict[str, Any] = {
            "conversions": conversions,
            "spend_wins": spend_wins,
            "lookback_days": lookback,
            "models": ["linear", "markov"],
            "breakdowns": ["market", "conversions.market"],
        }
        in_file, on_server = (Settings(database=place, **chosen) for place in (database, shop.place))
        for days in first:
            assert outcome(on_server, days) == outcome(in_file, days)
        assert_same_tables(shop)

        change(Shop.at(database, Path(folder)), rows)
        shop.publish()
        assert differing(on_server) == differing(in_file)
        for days in again:
            assert outcome(on_server, days) == outcome(in_file, days)
        assert_same_tables(shop)


def test_every_table_and_file_of_the_sample_is_that_of_a_file(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=3)

    assert_same_run(tmp_path / "sample.db", ATTRIBUTION_MODELS="all", ATTRIBUTION_BREAKDOWNS="market")


@pytest.mark.skipif(not CHALLENGE.exists(), reason=f"{CHALLENGE} is not there")
def test_every_table_and_file_of_the_challenge_is_that_of_a_file(tmp_path: Path) -> None:
    database = tmp_path / "challenge.db"
    database.write_bytes(CHALLENGE.read_bytes())

    assert_same_run(database, ATTRIBUTION_MODELS=",".join(MODELS))


def test_ties_between_ids_in_mixed_case_fall_by_bytes_as_in_a_file(tmp_path: Path) -> None:
    shop = PostgresShop(tmp_path / "shop.db", tmp_path / "exports")
    for name in ("b", "A", "C", "a", "B"):  # 'A' < 'B' < 'C' < 'a' < 'b' by bytes; a < A < b < B < C by the server's locale
        shop.session(name, "anna", "2023-09-01 10:00:00", channel=f"of {name}")
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 10.0)
    days = Days("2023-09-01", "2023-09-01")
    for place in (shop.database, shop.place):
        computed(Settings(database=place), days)

    assert_same_tables(shop)
    assert [row[1] for row in shop.table("customer_journeys") if row[7]] == ["b"]


def test_sums_are_those_of_a_file_to_the_last_bit_whatever_their_sign(tmp_path: Path) -> None:
    shop = PostgresShop(tmp_path / "shop.db", tmp_path / "exports")
    statement = statement_of_sums(groups_of_amounts())

    with shop.warehouse.connect() as on_server, SQLiteWarehouse(shop.database).connect() as in_file:
        sums = on_server.execute(in_dialect(statement, "postgres"), {}).fetchall()
        assert sums == in_file.execute(statement).fetchall()
    assert sums[0] == (-0.1,)


def assert_same_run(database: Path, **environment: str) -> None:
    shop = PostgresShop.at(database, database.parent)
    files: list[dict[str, bytes]] = []
    for place in (str(database), shop.place):
        exports = database.parent / f"exports {len(files)}"
        home = str(database.parent / f"home {len(files)}")
        run = Command(
            "run", "--database", place, "--exports", exports, says=exports.with_suffix(".txt"), DAGSTER_HOME=home, **environment
        )
        assert run.wait() == 0, run.says.read_text()
        files.append({str(path.relative_to(exports)): path.read_bytes() for path in exports.rglob("*.csv")})

    assert files[0] == files[1]
    assert_same_tables(shop)
