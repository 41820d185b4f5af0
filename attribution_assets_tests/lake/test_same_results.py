"""A lake has the rows of an SQLite file, to the last bit."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.analysis.late_data import compared_tables, search
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

RANGES = [Days("2023-09-01", "2023-09-03"), Days("2023-09-04", "2023-09-08")]


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
    max_examples=2,
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


LATE = {
    "nothing": "SELECT 1",
    "a late session": "INSERT INTO session_sources "
    "(session_id, user_id, event_date, event_time, channel_name, holder_engagement, closer_engagement, impression_interaction) "
    "VALUES ('late', 'anna', '2023-09-03', '09:00:00', 'Ads', 1, 1, 0)",
    "a session of another day": "UPDATE session_sources SET event_date = '2023-09-02' WHERE session_id = 's5'",
    "a session of another user": "UPDATE session_sources SET user_id = 'ben' WHERE session_id = 's5'",
    "a session in another market": "UPDATE session_sources SET market = 'AT' WHERE session_id = 's5'",
    "a session less": "DELETE FROM session_sources WHERE session_id = 's5'",
    "another cost": "UPDATE session_costs SET cost = 2.0 WHERE session_id = 's5'",
    "a cost without a value": "UPDATE session_costs SET cost = NULL WHERE session_id = 's5'",
    "a cost less": "DELETE FROM session_costs WHERE session_id = 's5'",
    "another revenue": "UPDATE conversions SET revenue = 11.0 WHERE conv_id = 'c5'",
    "a conversion of another day": "UPDATE conversions SET conv_date = '2023-09-07' WHERE conv_id = 'c5'",
    "a conversion less": "DELETE FROM conversions WHERE conv_id = 'c5'",
    "ad spend": "INSERT INTO ad_costs (date, campaign_id, channel_name, cost) VALUES ('2023-09-05', 'brand', 'Ads', 3.0)",
    "a late event": "INSERT INTO events VALUES ('e', 's5', 'anna', 'add_to_cart', '2023-09-05 10:01:00', NULL, NULL, NULL)",
}
"""What changes after the days were computed: a statement for the file with the sources."""


share_what_was_searched = pytest.mark.xdist_group("searched")  # one process computes and searches it


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file and a lake of the same shop, of which all is computed, and a search has found it right."""
    folder = tmp_path_factory.mktemp("searched")
    shop = Shop(folder / "shop.db", folder / "exports")
    shop.add_optional_sources()
    for day in range(1, 9):
        shop.session(f"s{day}", "anna", f"2023-09-{day:02} 10:00:00", cost=1.0)
        shop.conversion(f"c{day}", "anna", f"2023-09-{day:02} 12:00:00", 10.0)
    import_sources(LakeWarehouse(folder / "lake"), shop.database)
    for settings in in_both(folder):
        computed(settings, Days("2023-09-01", "2023-09-08"))
        assert late_days(settings) == {}
    return folder


def in_both(folder: Path) -> list[Settings]:
    chosen: dict[str, Any] = {"lookback_days": 3, "breakdowns": ["market"]}
    return [Settings(database=place, **chosen) for place in (folder / "shop.db", f"{folder / 'lake'}/")]


def late_days(settings: Settings) -> dict[str, Any]:
    """What a search over two ranges of days finds late, where every table has all days, and remembers to be right."""
    days = Days("2023-08-05", "2023-09-08")
    events = {table.name: dict.fromkeys(Days("2023-09-01", days.last), 1) for table in compared_tables(settings)}
    late, _ = search(settings, days, events, remember_right_days=True)
    return {table: of_table for table, of_table in late.days.items() if of_table}


@share_what_was_searched
@pytest.mark.sampled(5)
@pytest.mark.parametrize("change", LATE.values(), ids=LATE.keys())
def test_the_search_of_a_lake_finds_the_late_days_of_a_file(searched: Path, tmp_path: Path, change: str) -> None:
    folder = copytree(searched, tmp_path / "copy")
    Shop.at(folder / "shop.db", folder).execute(change)
    import_sources(LakeWarehouse(folder / "lake"), folder / "shop.db")

    in_file, in_lake = map(late_days, in_both(folder))

    assert in_lake == in_file
    assert bool(in_lake) == (change != LATE["nothing"])


@share_what_was_searched
def test_the_search_of_a_lake_reads_sources_again_only_when_they_have_changed(searched: Path, tmp_path: Path) -> None:
    folder = copytree(searched, tmp_path / "copy")
    noted = folder / "lake" / "_attribution" / "digests" / "digest_conversions.json"
    _, in_lake = in_both(folder)
    late_days(in_lake)
    first = noted.stat()

    late_days(in_lake)
    second = noted.stat()
    import_sources(LakeWarehouse(folder / "lake"), folder / "shop.db")
    late_days(in_lake)

    assert second == first
    assert noted.stat() != second


@share_what_was_searched
def test_the_search_of_a_lake_finds_what_changed_in_a_file_of_the_same_name_and_size(searched: Path, tmp_path: Path) -> None:
    lake = copytree(searched, tmp_path / "copy") / "lake"
    rmtree(lake / "conversions")
    rows = [f"c{day},anna,2023-09-{day:02},12:00:00,10.0\n" for day in range(1, 9)]
    conversions = lake / "conversions.csv"
    conversions.write_text("conv_id,user_id,conv_date,conv_time,revenue\n" + "".join(rows))
    _, in_lake = in_both(lake.parent)
    before = late_days(in_lake)
    conversions.write_text(
        conversions.read_text().replace("c5,anna,2023-09-05,12:00:00,10.0", "c5,anna,2023-09-05,12:00:00,11.0")
    )

    assert before == {}
    assert late_days(in_lake)["channel_reporting"]["2023-09-05"] == "revenue of 2023-09-05 changed"


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
