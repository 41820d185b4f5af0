"""From sources to CSV: a golden shop whose answer one checks by head, and the real challenge database."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from attribution_assets.definitions import build_assets, build_resources
from attribution_assets_tests.support import EVEN, SHARED, Shop

CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"
RANGE = ("2023-08-29", "2023-09-07")

GOLDEN = """\
channel_name,date,cost,ihc,ihc_revenue,CPO,ROAS
"Ads, paid",2023-09-01,2.250000,1.000000,100.000000,2.250000,44.444444
Direct,2023-09-01,0.000000,1.000000,50.500000,0.000000,
"Ads, paid",2023-09-02,0.750000,0.000000,0.000000,,0.000000
Email,2023-09-03,0.000000,0.000000,0.000000,,
Newsletter,2023-09-03,1.000000,0.500000,10.000000,2.000000,10.000000
Social,2023-09-03,3.000000,0.500000,10.000000,6.000000,3.333333
"""


@pytest.fixture
def golden_shop(shop: Shop) -> Shop:
    """Three journeys: one session each for a and b; c has two, of which the first starts and the last closes it."""
    shop.session("a1", "anna", "2023-09-01 10:00:00", "Ads, paid", cost=2.25)
    shop.session("a2", "anna", "2023-09-02 15:00:00", "Ads, paid", cost=0.75)  # after the conversion: cost, no credit
    shop.session("b1", "ben", "2023-09-01 11:00:00", "Direct", cost="missing")
    shop.session("c1", "cleo", "2023-09-03 08:00:00", "Newsletter", cost=1.0, holder=0)
    shop.session("c2", "cleo", "2023-09-03 09:00:00", "Social", cost=3.0, holder=0)
    shop.session("d1", "dora", "2023-09-03 09:00:00", "Email", cost=None)  # never buys
    shop.conversion("a", "anna", "2023-09-02 12:00:00", 100)
    shop.conversion("b", "ben", "2023-09-01 12:00:00", 50.5)
    shop.conversion("c", "cleo", "2023-09-04 12:00:00", 20)
    shop.conversion("z", "zoe", "2023-09-04 13:00:00", 999)  # no session: no channel gets it
    return shop


@pytest.mark.every_warehouse
def test_the_golden_shop_gives_the_golden_csv(golden_shop: Shop, instance: dg.DagsterInstance, tmp_path: Path) -> None:
    even = tmp_path / "even.json"
    even.write_text(EVEN)

    golden_shop.attribute(instance, "2023-09-01", "2023-09-04", ihc_parameters=str(even))
    golden_shop.report(instance, "2023-09-01", "2023-09-04", ihc_parameters=str(even))

    assert (golden_shop.exports / "channel_reporting.csv").read_text() == GOLDEN
    assert (
        sum((golden_shop.exports / "channel_reporting" / f"2023-09-0{day}.csv").read_text().count("\n") for day in (1, 2, 3))
        == 9
    )
    assert (golden_shop.exports / "channel_reporting" / "2023-09-04.csv").read_text() == GOLDEN.splitlines()[0] + "\n"


def test_every_row_of_ihc_results_says_which_model_and_parameters_gave_it(
    golden_shop: Shop, instance: dg.DagsterInstance
) -> None:
    golden_shop.attribute(instance, "2023-09-01", "2023-09-02")
    golden_shop.attribute(instance, "2023-09-04", ihc_parameters="alternative")

    assert golden_shop.table("ihc_results", "conv_id, session_id, backend, parameters") == [
        ("a", "a1", "embedded", "challenge"),
        ("b", "b1", "embedded", "challenge"),
        ("c", "c1", "embedded", "alternative"),
        ("c", "c2", "embedded", "alternative"),
    ]


@pytest.mark.every_warehouse
def test_one_day_runs_in_process_with_dagster_materialize(golden_shop: Shop, instance: dg.DagsterInstance) -> None:
    settings = golden_shop.settings()

    result = dg.materialize(
        build_assets(settings), partition_key="2023-09-01", resources=build_resources(settings), instance=instance
    )

    assert result.success
    assert golden_shop.table("channel_reporting", "channel_name, cost, ihc, ihc_revenue") == [
        ("Ads, paid", 2.25, 0.0, 0.0),
        ("Direct", 0.0, 1.0, 50.5),
    ]


def test_each_day_of_a_range_run_shows_its_own_row_count(golden_shop: Shop, instance: dg.DagsterInstance) -> None:
    golden_shop.attribute(instance, "2023-09-01", "2023-09-04")

    result = golden_shop.report(instance, "2023-09-01", "2023-09-04")

    rows = {
        event.partition: event.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("channel_reporting")
    }
    assert rows == {"2023-09-01": 2, "2023-09-02": 1, "2023-09-03": 3, "2023-09-04": 0}


@pytest.mark.every_warehouse
def test_a_run_twice_gives_the_same_rows_and_the_same_bytes(golden_shop: Shop, instance: dg.DagsterInstance) -> None:
    results = []
    for _ in range(2):
        golden_shop.attribute(instance, "2023-09-01", "2023-09-04")
        golden_shop.report(instance, "2023-09-01", "2023-09-04")
        results.append((golden_shop.results(), golden_shop.csv_bytes()))

    assert results[0] == results[1]


def test_sums_do_not_depend_on_the_order_in_which_source_rows_were_stored(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    costs = [0.1, 0.2, 0.3, 1e9, 0.7, -1e9]  # these add up to other bits in another order
    stored = []
    for name, order in (("up.db", range(6)), ("down.db", reversed(range(6)))):
        shop = Shop(tmp_path / name, tmp_path / f"{name}-exports")
        for i in order:
            shop.session(f"s{i}", "u", f"2023-09-01 10:00:0{i}", cost=costs[i])
        shop.conversion("c", "u", "2023-09-01 11:00:00")
        shop.attribute(instance, "2023-09-01")
        shop.report(instance, "2023-09-01")
        stored.append(shop.table("channel_reporting"))

    assert stored[0] == stored[1]


def test_sources_may_be_views_of_the_users_own_tables(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("s", "u", "2023-09-01 10:00:00", cost=5)
    shop.conversion("c", "u", "2023-09-01 11:00:00", 20)
    for source in ("session_sources", "session_costs", "conversions"):
        shop.execute(f"ALTER TABLE {source} RENAME TO my_{source}")
        shop.execute(f"CREATE VIEW {source} AS SELECT * FROM my_{source}")

    shop.attribute(instance, "2023-09-01")
    shop.report(instance, "2023-09-01")

    assert shop.table("channel_reporting") == [("Email", "2023-09-01", 5.0, 1.0, 20.0)]


def test_sources_may_be_generated_columns_in_names_of_another_case(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("s", "u", "2023-09-01 10:00:00", cost=5)
    shop.execute("DROP TABLE conversions")
    shop.execute(
        "CREATE TABLE Conversions (Conv_ID text PRIMARY KEY, user_id text, at text, revenue real,"
        " conv_date text AS (substr(at, 1, 10)), conv_time text AS (substr(at, 12)))"
    )
    shop.execute("INSERT INTO Conversions VALUES ('c', 'u', '2023-09-01 11:00:00', 20)")

    shop.attribute(instance, "2023-09-01")
    shop.report(instance, "2023-09-01")

    assert shop.table("channel_reporting") == [("Email", "2023-09-01", 5.0, 1.0, 20.0)]


def test_a_session_that_was_paid_for_twice_in_a_view_costs_the_sum_and_counts_once(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.session("s", "u", "2023-09-01 10:00:00", cost=5)
    shop.conversion("c", "u", "2023-09-01 11:00:00", 20)
    shop.execute("ALTER TABLE session_costs RENAME TO invoices")
    shop.execute("CREATE VIEW session_costs AS SELECT * FROM invoices UNION ALL SELECT session_id, 2.0 FROM invoices")

    shop.attribute(instance, "2023-09-01")
    shop.report(instance, "2023-09-01")

    assert shop.table("channel_reporting") == [("Email", "2023-09-01", 7.0, 1.0, 20.0)]


def test_ids_that_are_numbers_join_with_and_without_types(shop: Shop, instance: dg.DagsterInstance) -> None:
    for source, columns in {
        "session_sources": "session_id integer, user_id integer, event_date, event_time, channel_name, "
        "holder_engagement, closer_engagement, impression_interaction",
        "session_costs": "session_id integer, cost",
        "conversions": "conv_id integer, user_id integer, conv_date, conv_time, revenue",
    }.items():
        shop.execute(f"DROP TABLE {source}")
        shop.execute(f"CREATE TABLE {source} ({columns})")
    shop.session("1", "7", "2023-09-01 10:00:00", cost=5)
    shop.conversion("2", "7", "2023-09-01 11:00:00", 20)

    shop.attribute(instance, "2023-09-01")
    shop.report(instance, "2023-09-01")
    assert shop.table("channel_reporting") == [("Email", "2023-09-01", 5.0, 1.0, 20.0)]

    shop.execute("ALTER TABLE conversions RENAME TO typed")
    shop.execute("CREATE TABLE conversions (conv_id, user_id, conv_date, conv_time, revenue)")
    shop.execute("INSERT INTO conversions SELECT * FROM typed")
    shop.execute("DROP TABLE typed")

    shop.attribute(instance, "2023-09-01")

    assert shop.table("customer_journeys", "conv_id, session_id") == [("2", "1")]


@pytest.mark.skipif(not CHALLENGE.exists(), reason="shared/real/challenge/challenge.db is not there")
@pytest.mark.parametrize(
    ("include_converting_session", "rows", "conversions", "revenue"),
    [(False, 3703, 1940, 111_721.66), (True, 3709, 1946, 112_062.07)],
)
def test_the_challenge_database_gives_its_known_figures(
    tmp_path: Path,
    instance: dg.DagsterInstance,
    include_converting_session: bool,
    rows: int,
    conversions: int,
    revenue: float,
) -> None:
    shop = Shop.at(tmp_path / "copy.db", tmp_path / "exports")
    shop.database.write_bytes(CHALLENGE.read_bytes())

    shop.attribute(instance, *RANGE, include_converting_session=include_converting_session)
    shop.report(instance, *RANGE, include_converting_session=include_converting_session)

    [(journey_rows, journeys)] = shop.execute("SELECT count(*), count(DISTINCT conv_id) FROM customer_journeys")
    [(report_rows, cost, ihc, ihc_revenue)] = shop.execute(
        "SELECT count(*), sum(cost), sum(ihc), sum(ihc_revenue) FROM channel_reporting"
    )
    [(worst,)] = shop.execute(
        "SELECT max(abs(ihc - 1)) FROM (SELECT sum(ihc) AS ihc FROM attribution_customer_journey GROUP BY conv_id)"
    )
    lines = (shop.exports / "channel_reporting.csv").read_text().splitlines()[1:]
    assert (journey_rows, journeys, report_rows) == (rows, conversions, 150)
    assert (cost, ihc, ihc_revenue) == pytest.approx((293_876.849, conversions, revenue), abs=0.001)
    assert worst < 1e-9
    assert sum(line.split(",")[-2] == "" for line in lines) == 39
    assert sum(line.split(",")[-1] == "" for line in lines) == 39
