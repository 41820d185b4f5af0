"""channel_costs: what the sessions of a day cost by channel, and what a report makes of it."""

from __future__ import annotations

import dagster as dg
import pytest

from attribution_assets.errors import AttributionError
from attribution_assets_tests.support import Shop

DAY = "2023-09-02"
REPORTED = ("2023-09-01", "2023-09-03")


@pytest.fixture
def sold(shop: Shop) -> Shop:
    """Anna buys on 2023-09-02 after a session on the day before; on 2023-09-03 nothing happens."""
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Email", cost=2)
    shop.session("s2", "ben", f"{DAY} 10:00:00", "Ads", cost=3)
    shop.conversion("c1", "anna", f"{DAY} 12:00:00", 100)
    return shop


def materialized(result: dg.ExecuteInProcessResult, asset: str) -> dict[str | None, object]:
    """The days of the asset that the run materialized, each with its number of rows."""
    return {
        event.partition: event.materialization.metadata["dagster/partition_row_count"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


# -- the rows ----------------------------------------------------------------------------------------------------------


def test_the_sessions_of_a_day_are_counted_and_their_costs_added_up_by_channel(
    shop: Shop, instance: dg.DagsterInstance
) -> None:
    shop.session("a1", "anna", f"{DAY} 00:00:00", "Ads", cost=0.25)
    shop.session("a2", "anna", f"{DAY} 23:59:59", "Ads", cost=2)
    shop.session("b1", "ben", f"{DAY} 12:00:00", "Email", cost=1.5)
    shop.session("before", "ben", "2023-09-01 23:59:59", "Email", cost=10)
    shop.session("after", "ben", "2023-09-03 00:00:00", "Email", cost=20)

    shop.sum_costs(instance, DAY, start_date="2023-09-01")

    assert shop.table("channel_costs") == [(DAY, "Ads", 2, 2.25), (DAY, "Email", 1, 1.5)]


def test_several_costs_of_one_session_add_up_and_it_counts_once(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("s", "anna", f"{DAY} 10:00:00", "Ads", cost=1)
    shop.execute("ALTER TABLE session_costs RENAME TO invoices")
    shop.execute(
        "CREATE VIEW session_costs AS SELECT * FROM invoices UNION ALL VALUES ('s', 0.25), ('s', NULL), ('s', 0.5), ('gone', 9)"
    )

    shop.sum_costs(instance, DAY)

    assert shop.table("channel_costs") == [(DAY, "Ads", 1, 1.75)]


def test_a_session_without_a_cost_counts_and_costs_nothing(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("none", "anna", f"{DAY} 10:00:00", "Direct", cost="missing")
    shop.session("null", "anna", f"{DAY} 11:00:00", "Email", cost=None)
    shop.session("paid", "anna", f"{DAY} 12:00:00", "Ads", cost=1)
    shop.session("unpaid", "anna", f"{DAY} 13:00:00", "Ads", cost="missing")

    shop.sum_costs(instance, DAY)

    assert shop.table("channel_costs") == [(DAY, "Ads", 2, 1.0), (DAY, "Direct", 1, 0.0), (DAY, "Email", 1, 0.0)]


def test_a_day_summed_again_has_the_costs_of_now_and_other_days_stay(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.sum_costs(instance, *REPORTED)
    sold.execute("UPDATE session_costs SET cost = 50")
    sold.execute("UPDATE session_sources SET channel_name = 'TV' WHERE session_id = 's2'")

    sold.sum_costs(instance, DAY)

    assert sold.table("channel_costs") == [("2023-09-01", "Email", 1, 2.0), (DAY, "TV", 1, 50.0)]


# -- the report of them ------------------------------------------------------------------------------------------------


def test_a_report_whose_costs_were_never_summed_sums_them_first_and_records_them_as_materialized(
    sold: Shop, instance: dg.DagsterInstance
) -> None:
    sold.attribute(instance, DAY, lookback_days=1)

    result = sold.report(instance, *REPORTED, lookback_days=1)

    assert sold.table("channel_costs") == [("2023-09-01", "Email", 1, 2.0), (DAY, "Ads", 1, 3.0)]
    assert sold.table("channel_reporting") == [("Ads", DAY, 3.0, 0.0, 0.0), ("Email", "2023-09-01", 2.0, 1.0, 100.0)]
    assert materialized(result, "channel_costs") == {"2023-09-01": 1, DAY: 1}
    assert materialized(result, "channel_reporting") == {"2023-09-01": 1, DAY: 1, "2023-09-03": 0}


def test_costs_that_a_report_sums_show_what_a_run_of_their_own_would_show(sold: Shop, instance: dg.DagsterInstance) -> None:
    def shown(result: dg.ExecuteInProcessResult) -> dict[str, dg.MetadataValue]:
        [event] = [
            event.materialization
            for event in result.all_events
            if event.is_step_materialization and (event.asset_key, event.partition) == (dg.AssetKey("channel_costs"), DAY)
        ]
        return {name: value for name, value in event.metadata.items() if name in {"sessions", "cost", "settings"}}

    by_the_report = shown(sold.report(instance, *REPORTED))

    assert (by_the_report["sessions"].value, by_the_report["cost"].value) == (1, 3.0)
    assert by_the_report == shown(sold.sum_costs(instance, DAY))


def test_costs_that_a_report_sums_are_proved_like_others(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.warehouse.prepare()
    sold.execute(
        "CREATE TRIGGER lost AFTER INSERT ON channel_costs BEGIN UPDATE channel_costs SET cost = 0 WHERE rowid = NEW.rowid; END"
    )

    with pytest.raises(AttributionError, match=r"channel_costs was written but failed .* 2 channels on a day of 2023-09-01 to"):
        sold.report(instance, *REPORTED)

    assert sold.table("channel_reporting") == []


def test_a_broken_session_of_another_day_does_not_stop_the_costs(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.execute("UPDATE session_sources SET holder_engagement = 'no' WHERE event_date = '2023-09-01'")

    sold.sum_costs(instance, DAY)

    assert sold.table("channel_costs") == [(DAY, "Ads", 1, 3.0)]


def test_a_report_sums_no_costs_that_were_summed_before(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.sum_costs(instance, DAY)
    sold.execute("UPDATE session_costs SET cost = 50")

    result = sold.report(instance, *REPORTED)

    assert materialized(result, "channel_costs") == {"2023-09-01": 1}
    assert sold.table("channel_reporting", "date, cost") == [("2023-09-01", 50.0), (DAY, 3.0)]


def test_missing_costs_of_broken_sources_stop_the_report_before_it_writes(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.warehouse.prepare()
    sold.execute("INSERT INTO channel_reporting VALUES ('old', ?, 1, 2, 3)", DAY)
    sold.execute("UPDATE session_costs SET cost = '3 Euro' WHERE session_id = 's2'")

    with pytest.raises(AttributionError, match=r"channel_costs was not written.*'s2' has cost '3 Euro', which is not a number"):
        sold.report(instance, *REPORTED)

    assert sold.table("channel_costs") == []
    assert sold.table("channel_reporting") == [("old", DAY, 1.0, 2.0, 3.0)]


def test_a_report_has_the_costs_of_its_days_only_after_these_were_summed_again(
    sold: Shop, instance: dg.DagsterInstance
) -> None:
    sold.report(instance, *REPORTED)
    sold.execute("UPDATE session_costs SET cost = 50 WHERE session_id = 's2'")

    sold.report(instance, *REPORTED)
    assert sold.table("channel_reporting", "date, cost") == [("2023-09-01", 2.0), (DAY, 3.0)]

    sold.sum_costs(instance, DAY)
    sold.report(instance, *REPORTED)
    assert sold.table("channel_reporting", "date, cost") == [("2023-09-01", 2.0), (DAY, 50.0)]


def test_a_report_made_again_reads_no_session_and_no_session_cost(sold: Shop, instance: dg.DagsterInstance) -> None:
    sold.attribute(instance, DAY, lookback_days=1)
    sold.sum_costs(instance, *REPORTED, lookback_days=1)
    sold.report(instance, *REPORTED, lookback_days=1)
    before = sold.results(), sold.csv_bytes()
    sold.execute("UPDATE session_sources SET session_id = 'other ' || session_id, channel_name = 'X', event_time = 'noon'")
    sold.execute("DELETE FROM session_costs")

    sold.report(instance, *REPORTED, lookback_days=1)

    assert (sold.results(), sold.csv_bytes()) == before


def test_credit_stands_at_the_channel_and_day_that_its_session_has_in_the_journey(
    sold: Shop, instance: dg.DagsterInstance
) -> None:
    sold.attribute(instance, DAY, lookback_days=1)
    sold.execute("UPDATE session_sources SET channel_name = 'TV', event_date = ? WHERE session_id = 's1'", DAY)

    sold.report(instance, *REPORTED, lookback_days=1, start_date="2023-09-01")

    assert sold.table("channel_reporting") == [
        ("Ads", DAY, 3.0, 0.0, 0.0),
        ("Email", "2023-09-01", 0.0, 1.0, 100.0),  # as it was attributed
        ("TV", DAY, 2.0, 0.0, 0.0),  # as it is summed now
    ]
