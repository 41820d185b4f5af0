"""What a run changes, and what it leaves alone: ranges, single days, late and moved conversions."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import dagster as dg
import pytest

from attribution_assets.analysis.plan import plan_run
from attribution_assets.catalog.span import first_day
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import SOURCES
from attribution_assets.warehouse.days import shift
from attribution_assets_tests.support import Shop

LOOKBACK = 3


def run(
    shop: Shop, instance: dg.DagsterInstance, start: str | None, end: str | None = None, lookback_days: int = LOOKBACK
) -> None:
    """What `attribution run --start START --end END` does, in process; without an end, of one day; without both, of all."""
    plan = plan_run(shop.settings(lookback_days=lookback_days), start, end or start)
    days, costs, report = plan.conversion_days, plan.cost_days, plan.report_days
    shop.attribute(instance, days.first, days.last, lookback_days=lookback_days)
    shop.sum_costs(instance, costs.first, costs.last, lookback_days=lookback_days)
    shop.report(instance, report.first, report.last, lookback_days=lookback_days)


def busy_shop(folder: Path) -> Shop:
    """Ten days in which anna and ben come every day and buy on three of them."""
    folder.mkdir(exist_ok=True)
    shop = Shop(folder / "shop.db", folder / "exports")
    for day in range(1, 11):
        for user, channel in (("anna", "Email"), ("ben", "Ads")):
            shop.session(f"{user}{day}", user, f"2023-09-{day:02} 10:00:00", channel, cost=day / 7)
    for day in (4, 5, 9):
        shop.conversion(f"anna-buys-{day}", "anna", f"2023-09-{day:02} 12:00:00", day * 1.1)
    shop.conversion("ben-buys", "ben", "2023-09-07 09:00:00", 33.3)
    return shop


def test_a_range_equals_its_single_days_in_whatever_order_they_come(
    tmp_path: Path, instance: dg.DagsterInstance, long: bool
) -> None:
    whole = busy_shop(tmp_path / "whole")
    run(whole, instance, "2023-09-04", "2023-09-07")

    for order in permutations(range(4, 8)) if long else [(6, 4, 7, 5)]:  # in which later days come first, and earlier ones
        single = busy_shop(tmp_path / f"single {order}")
        for day in order:
            run(single, instance, f"2023-09-{day:02}")

        assert single.results() == whole.results(), order
        assert single.csv_bytes() == whole.csv_bytes(), order


def test_a_late_conversion_changes_the_reports_of_its_lookback_and_of_no_other_day(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    shop = busy_shop(tmp_path / "shop")
    run(shop, instance, "2023-09-01", "2023-09-10")
    before = dict(shop.csv_bytes())

    shop.conversion("late", "ben", "2023-09-08 23:00:00", 12.0)
    run(shop, instance, "2023-09-08")

    changed = {name for name, content in shop.csv_bytes().items() if before[name] != content}
    days = {f"{report}/2023-09-0{day}.csv" for report in ("channel_report", "channel_reporting") for day in (5, 6, 7, 8)}
    assert changed == days | {"channel_report.csv", "channel_reporting.csv"}


def test_a_session_counts_from_the_lookback_days_date_until_just_before_the_conversion(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    for name, at in {
        "too old": "2023-09-01 23:59:59",
        "oldest": "2023-09-02 00:00:00",
        "last second": "2023-09-05 11:59:59",
        "same second": "2023-09-05 12:00:00",
        "later": "2023-09-05 12:00:01",
    }.items():
        shop.session(name, "u", at)
    shop.session("other user", "v", "2023-09-04 10:00:00")
    shop.conversion("c", "u", "2023-09-05 12:00:00")

    shop.attribute(instance, "2023-09-05", lookback_days=3)

    assert shop.table("customer_journeys", "session_id, conversion") == [("last second", 1), ("oldest", 0)]


@pytest.mark.every_warehouse
def test_a_session_at_the_conversions_second_counts_where_the_setting_says_so(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("before", "u", "2023-09-05 11:00:00")
    shop.session("same second", "u", "2023-09-05 12:00:00")
    shop.session("later", "u", "2023-09-05 12:00:01")
    shop.conversion("c", "u", "2023-09-05 12:00:00")

    shop.attribute(instance, "2023-09-05", include_converting_session=True)

    assert shop.table("customer_journeys", "session_id, conversion") == [("before", 0), ("same second", 1)]


@pytest.mark.every_warehouse
def test_a_lookback_of_zero_days_reaches_to_the_days_start(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("yesterday", "u", "2023-09-04 23:59:59")
    shop.session("today", "u", "2023-09-05 00:00:00")
    shop.conversion("c", "u", "2023-09-05 12:00:00", 10)

    run(shop, instance, "2023-09-05", lookback_days=0)

    assert shop.table("channel_reporting", "date, ihc, ihc_revenue") == [("2023-09-05", 1.0, 10.0)]


@pytest.mark.every_warehouse
def test_a_session_before_two_conversions_is_credited_for_both_and_costs_once(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("s", "u", "2023-09-01 10:00:00", cost=2.5)
    shop.conversion("first", "u", "2023-09-01 12:00:00", 10)
    shop.conversion("second", "u", "2023-09-03 12:00:00", 20)

    run(shop, instance, "2023-09-01", "2023-09-03")

    assert shop.table("channel_reporting") == [("Email", "2023-09-01", 2.5, 2.0, 30.0)]


@pytest.mark.parametrize(
    "order", [("2023-09-02", "2023-09-04"), ("2023-09-04", "2023-09-02")], ids=["old day first", "new day first"]
)
def test_a_conversion_that_moved_to_another_day_moves_in_all_tables(
    shop: Shop, instance: dg.DagsterInstance, order: tuple[str, str]
) -> None:
    shop.session("old", "u", "2023-08-31 10:00:00")  # within the lookback of 09-02, not of 09-04
    shop.session("both", "u", "2023-09-02 10:00:00")
    shop.conversion("c", "u", "2023-09-02 12:00:00", 10)
    run(shop, instance, "2023-09-02", "2023-09-04")

    shop.execute("UPDATE conversions SET conv_date = '2023-09-04'")
    for day in order:
        run(shop, instance, day)

    for table in ("customer_journeys", "ihc_results", "attribution_customer_journey"):
        assert shop.table(table, "conv_id, session_id, conv_date") == [("c", "both", "2023-09-04")]
    assert shop.table("channel_reporting", "date, ihc, ihc_revenue") == [
        ("2023-08-31", 0.0, 0.0),
        ("2023-09-02", 1.0, 10.0),
    ]


@pytest.mark.parametrize("order", [("2023-09-05", "2023-08-20"), ("2023-08-20", "2023-09-05"), ("2023-08-20",)])
def test_a_conversion_that_moved_to_where_it_has_no_session_leaves_its_old_day(
    shop: Shop, instance: dg.DagsterInstance, order: tuple[str, ...]
) -> None:
    shop.session("far earlier", "other", "2023-08-18 10:00:00")
    shop.session("before", "u", "2023-09-04 10:00:00")
    shop.conversion("c", "u", "2023-09-05 12:00:00", 10)
    run(shop, instance, "2023-09-05")

    shop.execute("UPDATE conversions SET conv_date = '2023-08-20'")
    for day in order:
        run(shop, instance, day)

    assert [shop.table(table) for table in ("customer_journeys", "ihc_results", "attribution_customer_journey")] == [[]] * 3


@pytest.mark.every_warehouse
def test_a_run_of_all_days_clears_the_days_whose_sources_are_gone(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("first", "u", "2023-09-01 10:00:00")
    shop.session("moves", "v", "2023-09-09 10:00:00")
    shop.conversion("deleted", "u", "2023-09-02 12:00:00", 10)
    shop.conversion("moves far", "v", "2023-09-10 12:00:00", 20)
    run(shop, instance, "2023-09-02", "2023-09-10")

    shop.execute("DELETE FROM session_sources WHERE session_id = 'first'")
    shop.execute("DELETE FROM conversions WHERE conv_id = 'deleted'")
    shop.execute("UPDATE session_sources SET event_date = '2023-10-09' WHERE session_id = 'moves'")
    shop.execute("UPDATE conversions SET conv_date = '2023-10-10' WHERE conv_id = 'moves far'")
    run(shop, instance, None, None)

    assert shop.table("attribution_customer_journey") == [("moves far", "moves", 1.0, "2023-10-10")]
    assert shop.table("channel_costs", "date, sessions") == [("2023-10-09", 1)]
    assert shop.table("channel_reporting", "date, ihc_revenue") == [("2023-10-09", 20.0)]


def test_a_run_of_all_partitions_leaves_what_lies_before_them(shop: Shop, instance: dg.DagsterInstance) -> None:
    for day in (1, 2):
        shop.session(f"s{day}", "u", f"2023-09-0{day} 10:00:00")
        shop.conversion(f"c{day}", "u", f"2023-09-0{day} 12:00:00", 10)
    run(shop, instance, "2023-09-01", "2023-09-02")
    before = shop.table("ihc_results")

    shop.attribute(instance, "2023-09-02", start_date="2023-09-02", end_date="2023-09-02")

    assert shop.table("ihc_results") == before


@pytest.mark.every_warehouse
def test_a_deleted_conversion_leaves_all_tables_when_its_day_runs_again(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("s", "u", "2023-09-01 10:00:00", cost=1.0)
    shop.conversion("c", "u", "2023-09-02 12:00:00", 10)
    run(shop, instance, "2023-09-02")

    shop.execute("DELETE FROM conversions")
    shop.conversion("other", "nobody", "2023-09-02 12:00:00")
    run(shop, instance, "2023-09-02")

    assert shop.results() == {
        "customer_journeys": [],
        "ihc_results": [],
        "attribution_customer_journey": [],
        "channel_costs": [("2023-09-01", "Email", 1, 1.0)],
        "channel_reporting": [("Email", "2023-09-01", 1.0, 0.0, 0.0)],
        "channel_report": [("2023-09-01", "Email", 1.0, 0.0, 0.0, None, 0.0, "ihc", None, "EUR", "2023-09-04")],
    }


def test_a_table_from_before_conv_date_existed_is_taken_over(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("s1", "u", "2023-09-01 10:00:00")
    shop.session("s2", "v", "2023-09-01 10:00:00", "Ads")
    shop.conversion("kept", "u", "2023-09-01 12:00:00", 10)
    shop.conversion("run again", "v", "2023-09-02 12:00:00", 20)
    shop.execute(
        "CREATE TABLE attribution_customer_journey "
        "(conv_id text NOT NULL, session_id text NOT NULL, ihc real NOT NULL, PRIMARY KEY (conv_id, session_id))"
    )
    shop.execute("INSERT INTO attribution_customer_journey VALUES ('kept', 's1', 1), ('run again', 'gone', 1)")

    shop.attribute(instance, "2023-09-02")

    assert shop.table("attribution_customer_journey", "conv_id, session_id, ihc, conv_date") == [
        ("kept", "s1", 1.0, "2023-09-01"),
        ("run again", "s2", 1.0, "2023-09-02"),
    ]


def test_credit_from_before_its_journey_was_kept_is_refused_by_its_report_until_it_is_attributed_again(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.session("s", "u", "2023-09-01 10:00:00")
    shop.conversion("kept", "u", "2023-09-01 12:00:00", 10)
    shop.conversion("other", "v", "2023-09-02 12:00:00", 20)
    shop.warehouse.prepare()
    shop.execute("INSERT INTO attribution_customer_journey VALUES ('kept', 's', 1, '2023-09-01')")

    with pytest.raises(
        AttributionError, match=r"channel_reporting was written but failed a check.*orders, reported 0, of_sources 1"
    ):
        run(shop, instance, "2023-09-02")
    run(shop, instance, None)

    assert shop.table("channel_reporting") == [("Email", "2023-09-01", 0.0, 1.0, 10.0)]


def test_a_run_of_all_days_sums_the_costs_of_all_its_report_days_and_one_of_some_days_those_alone(shop: Shop) -> None:
    for day in (1, 5):
        shop.session(f"s{day}", "u", f"2023-09-0{day} 10:00:00")
    shop.conversion("c", "u", "2023-09-05 12:00:00")
    shop_settings = shop.settings(lookback_days=LOOKBACK)

    everything, some = plan_run(shop_settings, None, None), plan_run(shop_settings, "2023-09-05", "2023-09-05")

    assert str(everything.cost_days) == str(everything.report_days) == "2023-09-02 to 2023-09-05"
    assert (str(some.cost_days), str(some.report_days)) == ("2023-09-05", "2023-09-02 to 2023-09-05")


@pytest.mark.every_warehouse
def test_a_run_of_all_days_reaches_costs_that_were_never_reported(shop: Shop) -> None:
    shop.conversion("c", "u", "2023-09-05 12:00:00")
    shop.warehouse.prepare()
    shop.execute("INSERT INTO channel_costs VALUES ('2023-08-01', 'Email', 1, 2)")
    shop_settings = shop.settings(lookback_days=LOOKBACK)

    assert first_day(shop_settings) == "2023-08-01"
    assert str(plan_run(shop_settings, None, None).cost_days) == "2023-08-01 to 2023-09-05"


@pytest.mark.parametrize("source", SOURCES)
def test_days_with_results_are_there_to_be_cleared_when_a_source_is_gone(shop: Shop, source: str) -> None:
    shop.warehouse.prepare()
    shop.execute("INSERT INTO channel_costs VALUES ('2023-08-01', 'Email', 1, 2)")
    shop.execute(f"DROP TABLE {source}")

    assert first_day(shop.settings()) == "2023-08-01"


def test_report_days_are_clipped_to_the_first_partition(shop: Shop) -> None:
    shop.session("s", "u", "2023-09-05 10:00:00")
    shop.conversion("c", "u", "2023-09-06 12:00:00")
    shop_settings = shop.settings(lookback_days=90)

    plan = plan_run(shop_settings, None, None)

    assert (plan.conversion_days.first, plan.conversion_days.last) == ("2023-09-06", "2023-09-06")
    assert plan.report_days.first == first_day(shop_settings) == "2023-09-05"
    assert shift(plan.report_days.first, 1) == plan.report_days.last
