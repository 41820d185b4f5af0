"""What runs by itself: which days the conditions request, and which days late data makes the sensor request."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from attribution_assets.analysis import late_data
from attribution_assets.analysis.late_data import compared_tables, search
from attribution_assets.models import MODELS
from attribution_assets.orchestration import automation
from attribution_assets.orchestration.automation import automation_sensor, command_lock, is_command_at_work
from attribution_assets.orchestration.history import COMMAND_TAG, range_tags, tagged_days
from attribution_assets.warehouse import SOURCES, Days
from attribution_assets.warehouse.days import unbroken_ranges
from attribution_assets_tests.automated import Automated, september
from attribution_assets_tests.history import History
from attribution_assets_tests.support import definitions

AFTER_A_REPORT = ("channel_reporting_csv", "channel_report", "channel_report_csv")
REPORTS = ("channel_reporting", *AFTER_A_REPORT)


# -- conditions ---------------------------------------------------------------------------------------------------------


def test_nothing_is_requested_of_a_graph_that_was_never_run(automated: Automated) -> None:
    assert automated.conditions_request() == {}


def test_an_attributed_day_requests_the_reports_of_its_lookback(automated: Automated) -> None:
    automated.attribute("2023-09-08")

    assert automated.conditions_request() == dict.fromkeys(REPORTS, september(5, 6, 7, 8))


def test_a_day_attributed_again_requests_the_reports_of_its_lookback_again(computed: Automated) -> None:
    computed.attribute("2023-09-08")

    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5, 6, 7, 8))


def test_a_range_requests_the_reports_from_its_first_days_lookback_to_its_last_day(automated: Automated) -> None:
    automated.attribute("2023-09-06", "2023-09-08")

    assert automated.conditions_request() == dict.fromkeys(REPORTS, september(3, 4, 5, 6, 7, 8))


def test_report_days_before_the_first_partition_are_not_requested(automated: Automated) -> None:
    automated.attribute("2023-09-02")

    assert automated.conditions_request() == dict.fromkeys(REPORTS, september(1, 2))


def test_reports_that_are_newer_than_their_inputs_are_left_alone(computed: Automated) -> None:
    assert computed.conditions_request() == {}


def test_a_plain_run_of_all_assets_for_one_day_requests_the_report_days_that_it_left_out(computed: Automated) -> None:
    computed.materialize("2023-09-08")

    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5, 6, 7))


@pytest.mark.parametrize("state", ["automated", "computed"])
def test_a_day_whose_costs_were_summed_requests_its_own_report(state: str, request: pytest.FixtureRequest) -> None:
    automated: Automated = request.getfixturevalue(state)
    automated.sum_costs("2023-09-05", "2023-09-06")

    assert automated.conditions_request() == dict.fromkeys(REPORTS, september(5, 6))


def test_a_report_that_summed_missing_costs_itself_requests_only_what_follows_it(automated: Automated) -> None:
    automated.attribute("2023-09-08")
    automated.rerun("channel_reporting", "2023-09-05", "2023-09-08")

    assert automated.conditions_request() == dict.fromkeys(AFTER_A_REPORT, september(5, 6, 7, 8))


def test_new_journeys_request_all_that_follows_in_one_tick(computed: Automated) -> None:
    computed.materialize("2023-09-08", "customer_journeys")

    assert computed.conditions_request() == {
        "ihc_results": ["2023-09-08"],
        "attribution_customer_journey": ["2023-09-08"],
        **dict.fromkeys(REPORTS, september(5, 6, 7, 8)),
    }


def test_what_comes_after_a_report_within_one_tick_is_not_lost(computed: Automated) -> None:
    computed.report("2023-09-05", "2023-09-08")
    computed.attribute("2023-09-08")

    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5, 6, 7, 8))


def test_a_tick_between_the_runs_of_the_command_requests_nothing(automated: Automated) -> None:
    automated.attribute("2023-09-08")

    with command_lock(automated.instance):
        assert automated.conditions_request() == {}


def test_reports_wait_until_the_conversion_days_at_work_are_attributed(computed: Automated) -> None:
    computed.attribute("2023-09-08")
    run = unfinished_run(computed, "attribute_conversions", range_tags(Days("2023-09-06", "2023-09-06")))
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(7, 8))

    computed.instance.report_run_failed(run)
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5, 6, 7, 8))


def test_a_report_waits_until_the_costs_at_work_are_summed(computed: Automated) -> None:
    computed.sum_costs("2023-09-05", "2023-09-06")
    run = unfinished_run(computed, "sum_costs", range_tags(Days("2023-09-06", "2023-09-06")))
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5))

    computed.instance.report_run_failed(run)
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5, 6))


def test_a_day_that_failed_is_not_requested_until_its_inputs_come_again(computed: Automated) -> None:
    computed.attribute("2023-09-08")
    computed.shop.execute("UPDATE conversions SET revenue = 'much' WHERE conv_id = 'buys10'")  # read by reports from 07 on
    succeeded = [computed.materialize(day, "channel_reporting").success for day in september(5, 6, 7, 8)]
    assert succeeded == [True, True, False, False]
    assert computed.conditions_request() == dict.fromkeys(AFTER_A_REPORT, september(5, 6))

    computed.shop.execute("UPDATE conversions SET revenue = 2 WHERE conv_id = 'buys10'")
    assert computed.conditions_request() == dict.fromkeys(AFTER_A_REPORT, september(5, 6))

    computed.attribute("2023-09-10")
    assert computed.conditions_request()["channel_reporting"] == september(7, 8, 9, 10)


def test_a_day_that_a_blocking_check_refused_holds_its_reports_back_until_it_is_right(computed: Automated) -> None:
    reports = (computed.shop.table("channel_reporting"), computed.shop.csv_bytes())
    computed.shop.execute("DELETE FROM ihc_results WHERE conv_id = 'buys8'")
    assert not computed.rerun("attribution_customer_journey", "2023-09-08").success

    assert computed.conditions_request() == {}
    assert (computed.shop.table("channel_reporting"), computed.shop.csv_bytes()) == reports

    computed.attribute("2023-09-08")
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5, 6, 7, 8))


def test_a_refused_day_holds_back_no_other_day_of_its_run(computed: Automated) -> None:
    computed.shop.execute("DELETE FROM ihc_results WHERE conv_id = 'buys5'")
    assert not computed.rerun("attribution_customer_journey", "2023-09-05", "2023-09-10").success

    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(6, 7, 8, 9, 10))


def test_a_report_is_held_back_by_every_refused_day_in_its_reach(computed: Automated) -> None:
    computed.shop.execute("DELETE FROM ihc_results WHERE conv_id = 'buys5'")
    assert not computed.rerun("attribution_customer_journey", "2023-09-05").success
    computed.attribute("2023-09-06")

    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(6))


def test_costs_that_a_blocking_check_refused_hold_back_the_report_of_their_day_alone(computed: Automated) -> None:
    computed.shop.execute(  # a writer that goes wrong
        "CREATE TRIGGER wrong AFTER INSERT ON channel_costs WHEN new.date = '2023-09-08' BEGIN "
        "UPDATE channel_costs SET cost = 9 WHERE date = new.date; END"
    )
    assert not computed.rerun("channel_costs", "2023-09-07", "2023-09-09").success
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(7, 9))

    computed.shop.execute("DROP TRIGGER wrong")
    computed.sum_costs("2023-09-08")
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(7, 8, 9))


def test_the_files_of_right_days_follow_a_report_that_was_refused_for_another_day(computed: Automated) -> None:
    computed.shop.execute("DELETE FROM customer_journeys WHERE session_id = 'anna8'")  # its credit is stored
    assert not computed.rerun("channel_reporting", "2023-09-08", "2023-09-10").success

    assert computed.conditions_request() == dict.fromkeys(AFTER_A_REPORT, september(9, 10))


def test_sources_that_were_broken_for_a_time_refuse_nothing_that_was_computed_before(computed: Automated) -> None:
    computed.rerun("customer_journeys", "2023-09-08")
    computed.shop.execute("UPDATE conversions SET conv_time = 'noon' WHERE conv_id = 'buys9'")
    assert not computed.rerun("customer_journeys", "2023-09-08", "2023-09-09").success
    computed.shop.execute("UPDATE conversions SET conv_time = '12:00:00' WHERE conv_id = 'buys9'")

    assert computed.conditions_request()["ihc_results"] == ["2023-09-08"]


def test_the_sensors_are_on_and_the_schedule_is_off_by_default(automated: Automated) -> None:
    defs = definitions(automated.settings)

    assert defs.resolve_sensor_def("restate").default_status == dg.DefaultSensorStatus.RUNNING
    assert defs.resolve_sensor_def("late_data").default_status == dg.DefaultSensorStatus.RUNNING
    assert defs.resolve_schedule_def("yesterday").default_status == dg.DefaultScheduleStatus.STOPPED


# -- late data ----------------------------------------------------------------------------------------------------------


def test_late_data_of_days_that_were_never_computed_requests_nothing(automated: Automated) -> None:
    assert automated.late_data_requests() == {}


def test_a_late_session_of_a_buyer_requests_the_conversion_days_whose_journeys_it_joins_and_its_own_days_costs(
    computed: Automated,
) -> None:
    computed.shop.session("late", "anna", "2023-09-05 11:00:00", "Ads")

    assert computed.late_data_requests() == {
        "attribute_conversions": september(5, 6, 7, 8),
        "sum_costs": ["2023-09-05"],
    }


@pytest.mark.parametrize("cost", [3.0, 0.0, None, "missing"])
def test_a_late_session_in_no_journey_requests_the_costs_of_its_own_day(computed: Automated, cost: object) -> None:
    computed.shop.session("late", "ben", "2023-09-05 11:00:00", cost=cost)

    assert computed.late_data_requests() == {"sum_costs": ["2023-09-05"]}


def test_a_changed_cost_requests_the_costs_of_its_own_day(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")

    assert computed.late_data_requests() == {"sum_costs": ["2023-09-05"]}


def test_a_late_session_requests_the_costs_of_a_reported_day_that_had_none_to_sum(automated: Automated) -> None:
    automated.attribute("2023-09-10")
    automated.report("2023-09-07", "2023-09-12")  # sums the costs of the days that have sessions, to the 10th
    assert automated.late_data_requests() == {}

    automated.shop.session("late", "ben", "2023-09-12 11:00:00", cost=3.0)

    assert automated.late_data_requests() == {"sum_costs": ["2023-09-12"]}


def test_a_session_of_nobody_that_moved_requests_the_costs_of_both_days(computed: Automated) -> None:
    computed.shop.session("late", "ben", "2023-09-05 11:00:00")
    computed.late_data()
    computed.sum_costs("2023-09-05")
    computed.report("2023-09-05")
    assert computed.late_data_requests() == {}

    computed.shop.execute("UPDATE session_sources SET event_date = '2023-09-07' WHERE session_id = 'late'")

    assert computed.late_data_requests() == {"sum_costs": september(5, 7)}


def test_costs_that_were_summed_again_by_themselves_leave_nothing_late(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")
    computed.late_data()
    computed.sum_costs("2023-09-05")
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(5))
    computed.report("2023-09-05")

    assert computed.late_data_requests() == {}
    assert computed.conditions_request() == {}
    assert computed.shop.table("channel_reporting", "date, cost")[4] == ("2023-09-05", 7.0)


def test_costs_that_a_report_summed_wrong_are_late_until_they_are_right(automated: Automated) -> None:
    automated.attribute("2023-09-05")
    automated.shop.execute(  # a cost that comes between the sum and its proof
        "CREATE TRIGGER meanwhile AFTER INSERT ON channel_costs BEGIN "
        "UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'; END"
    )
    assert not automated.rerun("channel_reporting", "2023-09-05").success
    automated.shop.execute("DROP TRIGGER meanwhile")

    assert automated.late_data_requests() == {"sum_costs": september(5)}

    automated.sum_costs("2023-09-05")
    assert "2023-09-05" in automated.conditions_request()["channel_reporting"]
    automated.report("2023-09-05")
    assert automated.shop.table("channel_reporting", "date, cost") == [("2023-09-05", 7.0)]
    assert automated.late_data_requests() == {}


def test_a_report_from_before_its_costs_were_kept_follows_them_once_they_are_summed(computed: Automated) -> None:
    computed.instance.wipe_assets([dg.AssetKey("channel_costs")])
    computed.shop.execute("DROP TABLE channel_costs")

    assert computed.late_data_requests() == {"sum_costs": september(*range(1, 11))}

    computed.sum_costs("2023-09-01", "2023-09-10")
    assert computed.conditions_request() == dict.fromkeys(REPORTS, september(*range(1, 11)))


def test_a_changed_revenue_requests_the_reports_of_its_days_lookback(computed: Automated) -> None:
    computed.shop.execute("UPDATE conversions SET revenue = 11 WHERE conv_id = 'buys8'")

    assert computed.late_data_requests() == {"report_channels": september(5, 6, 7, 8)}


def test_a_changed_revenue_requests_its_whole_lookback_also_where_one_session_has_all_the_credit(automated: Automated) -> None:
    automated.shop.session("ben8", "ben", "2023-09-08 09:00:00")
    automated.shop.conversion("ben buys", "ben", "2023-09-08 12:00:00", 10.0)
    automated.attribute("2023-09-01", "2023-09-10")
    automated.report("2023-09-01", "2023-09-10")
    automated.late_data()

    automated.shop.execute("UPDATE conversions SET revenue = 11 WHERE conv_id = 'ben buys'")

    assert automated.late_data_requests() == {"report_channels": september(5, 6, 7, 8)}


def test_reports_that_follow_a_late_conversion_day_are_not_requested_beside_it(computed: Automated) -> None:
    computed.shop.conversion("late", "anna", "2023-09-08 23:00:00", 5.0)
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna6'")

    assert computed.late_data_requests() == {"attribute_conversions": ["2023-09-08"], "sum_costs": ["2023-09-06"]}


def test_a_late_conversion_requests_its_day(computed: Automated) -> None:
    computed.shop.conversion("late", "anna", "2023-09-05 23:00:00", 5.0)

    assert computed.late_data_requests() == {"attribute_conversions": ["2023-09-05"]}


def test_a_deleted_conversion_requests_its_day(computed: Automated) -> None:
    computed.shop.execute("DELETE FROM conversions WHERE conv_id = 'buys8'")

    assert computed.late_data_requests() == {"attribute_conversions": ["2023-09-08"]}


def test_a_moved_conversion_requests_both_days(computed: Automated) -> None:
    computed.shop.execute("UPDATE conversions SET conv_date = '2023-09-06' WHERE conv_id = 'buys8'")

    assert computed.late_data_requests() == {"attribute_conversions": september(6, 8)}


def test_a_session_of_another_channel_requests_the_conversion_days_that_it_belongs_to_and_its_own_days_costs(
    computed: Automated,
) -> None:
    computed.shop.execute("UPDATE session_sources SET channel_name = 'Ads' WHERE session_id = 'anna8'")

    assert computed.late_data_requests() == {
        "attribute_conversions": september(8, 9, 10),
        "sum_costs": ["2023-09-08"],
    }


def test_neighbouring_late_days_are_one_run_and_others_runs_of_their_own(computed: Automated) -> None:
    for day in (3, 4, 8):
        computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = ?", f"anna{day}")

    requests = computed.late_data().run_requests or []

    assert [tagged_days(request.tags) for request in requests] == [september(3, 4), september(8)]


def test_the_same_rows_loaded_in_another_order_request_nothing(computed: Automated) -> None:
    for table in ("session_sources", "session_costs", "conversions"):
        rows = computed.shop.table(table)
        computed.shop.execute(f"DELETE FROM {table}")
        for row in reversed(rows):
            computed.shop.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(row))})", *row)

    assert computed.late_data_requests() == {}


def test_late_data_is_not_looked_for_while_nothing_was_written(computed: Automated) -> None:
    computed.late_data()  # the one before wrote down what it had seen

    assert computed.late_data_skips() == "The database has not changed."


def test_late_data_requests_a_run_once_also_where_it_fails(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 'much' WHERE session_id = 'anna5'")

    [first] = computed.late_data().run_requests or []
    assert not computed.materialize("2023-09-05", "channel_costs").success
    computed.cursor = None
    [second] = computed.late_data().run_requests or []

    assert second.run_key == first.run_key


def test_late_data_that_returns_after_a_run_is_requested_anew(computed: Automated) -> None:
    keys = []
    for cost in (7, 1, 7):
        computed.shop.execute("UPDATE session_costs SET cost = ? WHERE session_id = 'anna5'", cost)
        [request] = computed.late_data().run_requests or []
        computed.sum_costs("2023-09-05")
        computed.report("2023-09-05")
        keys.append(request.run_key)

    assert len(set(keys)) == 3


def test_after_its_run_late_data_is_found_right(computed: Automated) -> None:
    computed.shop.session("late", "anna", "2023-09-05 11:00:00", "Ads")
    days = computed.late_data_requests()
    computed.attribute(days["attribute_conversions"][0], days["attribute_conversions"][-1])
    computed.sum_costs(*days["sum_costs"])
    reports = computed.conditions_request()["channel_reporting"]
    computed.report(reports[0], reports[-1])

    assert computed.late_data_requests() == {}
    assert computed.conditions_request() == {}


def test_a_day_attributed_while_its_sources_were_others_for_a_time_is_requested(computed: Automated) -> None:
    computed.shop.session("mistake", "anna", "2023-09-05 11:00:00", "Ads")
    computed.attribute("2023-09-05")
    computed.shop.execute("DELETE FROM session_sources WHERE session_id = 'mistake'")
    computed.shop.execute("DELETE FROM session_costs WHERE session_id = 'mistake'")

    assert computed.late_data_requests() == {"attribute_conversions": ["2023-09-05"]}


def test_a_day_whose_costs_were_summed_while_they_were_others_for_a_time_is_requested(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")
    computed.sum_costs("2023-09-05")
    computed.shop.execute("UPDATE session_costs SET cost = 1 WHERE session_id = 'anna5'")

    assert computed.late_data_requests() == {"sum_costs": ["2023-09-05"]}


def test_reports_that_broken_sources_stopped_are_requested_once_they_are_mended(computed: Automated) -> None:
    computed.shop.session("anna11", "anna", "2023-09-11 10:00:00", cost=1.0)
    computed.shop.conversion("buys11", "anna", "2023-09-11 12:00:00", 10.0)
    computed.shop.execute("UPDATE conversions SET revenue = '1,5' WHERE conv_id = 'buys10'")
    computed.late_data()
    computed.attribute("2023-09-11")
    assert not computed.rerun("channel_reporting", "2023-09-08", "2023-09-11").success
    assert "channel_reporting" not in computed.conditions_request()

    computed.shop.execute("UPDATE conversions SET revenue = 10.0 WHERE conv_id = 'buys10'")

    assert computed.late_data_requests() == {"report_channels": september(8, 9, 10)}


def test_costs_that_broken_sources_stopped_are_requested_once_they_are_mended(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = '1,5' WHERE session_id = 'anna10'")
    computed.late_data()
    assert not computed.rerun("channel_costs", "2023-09-10").success

    computed.shop.execute("UPDATE session_costs SET cost = 1.5 WHERE session_id = 'anna10'")

    assert computed.late_data_requests() == {"sum_costs": ["2023-09-10"]}


@pytest.mark.parametrize("column", ["session_id", "channel_name", "holder_engagement"])
def test_a_source_of_other_types_is_not_late(automated: Automated, column: str) -> None:
    automated.shop.execute("ALTER TABLE session_sources RENAME TO loaded")
    automated.shop.execute("UPDATE loaded SET session_id = rowid, channel_name = 7")
    automated.shop.execute("UPDATE session_costs SET session_id = rowid")
    columns = ["session_id", "user_id", "event_date", "event_time", "channel_name", "holder_engagement", "closer_engagement"]
    kind = "text" if column == "holder_engagement" else "integer"
    typed = [f"CAST({name} AS {kind}) AS {name}" if name == column else name for name in [*columns, "impression_interaction"]]
    automated.shop.execute(f"CREATE TABLE session_sources AS SELECT {', '.join(typed)} FROM loaded")
    automated.attribute("2023-09-01", "2023-09-10")
    automated.report("2023-09-01", "2023-09-10")

    assert automated.late_data_requests() == {}


def test_late_data_does_not_wait_for_another_writer(computed: Automated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_data, "WAIT_SECONDS", 0.05)
    computed.shop.execute("UPDATE session_costs SET cost = 1.0 WHERE session_id = 'anna5'")
    computed.attribute("2023-09-05")
    computed.report("2023-09-02", "2023-09-05")

    with closing(sqlite3.connect(computed.shop.database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert "stayed locked" in computed.late_data_skips()

    assert computed.late_data_skips().endswith("every result matches the sources.")


def test_late_data_waits_for_the_runs_at_work(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")
    run = unfinished_run(computed)

    assert "Runs are in progress" in computed.late_data_skips()

    computed.instance.report_run_failed(run)
    assert computed.late_data_requests() == {"sum_costs": ["2023-09-05"]}


def test_late_data_waits_for_the_command(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")

    with command_lock(computed.instance):
        assert "is in progress" in computed.late_data_skips()

    assert computed.late_data_requests() == {"sum_costs": ["2023-09-05"]}


def test_what_a_killed_command_left_under_way_does_not_hold_late_data_back(computed: Automated) -> None:
    computed.shop.execute("UPDATE session_costs SET cost = 7 WHERE session_id = 'anna5'")
    run = unfinished_run(computed, tags=COMMAND_TAG)
    pool = computed.instance.event_log_storage
    pool.set_concurrency_slots("database", 1)
    pool.claim_concurrency_slot("database", run.run_id, "channel_reporting")
    assert pool.get_concurrency_info("database").active_run_ids == {run.run_id}

    assert computed.late_data_requests() == {"sum_costs": ["2023-09-05"]}

    ended = computed.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status == dg.DagsterRunStatus.FAILURE
    assert pool.get_concurrency_info("database").active_run_ids == set()


def test_no_command_begins_while_what_killed_ones_left_is_ended(computed: Automated, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []
    monkeypatch.setattr(automation, "end_killed_commands", lambda instance: held.append(is_command_at_work(instance)))

    computed.late_data()

    assert held == [True]


def unfinished_run(automated: Automated, job: str = "report_channels", tags: dict[str, str] | None = None) -> dg.DagsterRun:
    definition = definitions(automated.settings).resolve_job_def(job)
    run = automated.instance.create_run_for_job(definition, tags=tags)
    automated.instance.report_dagster_event(dg.DagsterEvent(dg.DagsterEventType.PIPELINE_START.value, job), run.run_id)
    return run


def test_a_search_that_runs_out_of_time_says_where_to_go_on(computed: Automated) -> None:
    days = dict.fromkeys(september(*range(1, 11)), 1)
    events = {table.name: days for table in compared_tables(computed.settings)}
    computed.choices["end_date"] = "2023-12-31"

    late, next_day = search(computed.settings, Days("2023-09-01", "2023-12-31"), events, seconds=0)

    assert (bool(late), next_day) == (False, "2023-10-02")


def test_what_an_earlier_version_has_seen_is_looked_at_again(computed: Automated) -> None:
    computed.shop.execute("DROP TABLE seen_days")
    computed.shop.execute("DELETE FROM attribution_meta")
    computed.shop.execute(
        "CREATE TABLE seen_days (date text PRIMARY KEY, "
        "sessions text, costs text, conversions text, attribution text, report text)"
    )
    computed.shop.session("late", "anna", "2023-09-05 11:00:00", cost=1.0)

    assert computed.late_data_requests() == {"attribute_conversions": september(5, 6, 7, 8), "sum_costs": september(5)}


def test_a_new_history_looks_at_a_database_of_an_earlier_version(automated: Automated) -> None:
    automated.shop.execute(
        "CREATE TABLE seen_days (date text PRIMARY KEY, "
        "sessions text, costs text, conversions text, attribution text, report text)"
    )

    assert "every result" in automated.late_data_skips()
    assert {part for _, part, _ in automated.shop.table("seen_days")} == {*SOURCES} | {
        table.name for table in compared_tables(automated.settings)
    }


def test_late_data_without_a_database_says_what_is_missing(automated: Automated) -> None:
    automated.shop.database.unlink()

    assert "There is no database" in automated.late_data_skips()


# -- both together ------------------------------------------------------------------------------------------------------

CHANGES = (
    "INSERT OR IGNORE INTO session_sources VALUES ('late{n}', '{user}', '{day}', '11:00:00', 'Ads', 1, 0, 0)",
    "DELETE FROM session_sources WHERE session_id = 'anna{n}'",
    "UPDATE session_sources SET event_date = '{day}' WHERE session_id = 'anna{n}'",
    "UPDATE session_sources SET user_id = '{user}' WHERE session_id = 'anna{n}'",
    "UPDATE session_sources SET channel_name = 'Renamed' WHERE session_id = 'anna{n}'",
    "UPDATE session_sources SET holder_engagement = 0 WHERE session_id = 'anna{n}'",
    "UPDATE session_sources SET session_id = 'renamed{n}' WHERE session_id = 'anna{n}'",
    "INSERT OR REPLACE INTO session_costs VALUES ('anna{n}', 7.7)",
    "DELETE FROM session_costs WHERE session_id = 'anna{n}'",
    "INSERT OR IGNORE INTO conversions VALUES ('late{n}', '{user}', '{day}', '18:00:00', 50.05)",
    "DELETE FROM conversions WHERE conv_id = 'buys{n}'",
    "UPDATE conversions SET conv_date = '{day}' WHERE conv_id = 'buys{n}'",
    "UPDATE conversions SET revenue = -3.3 WHERE conv_id = 'buys{n}'",
    "UPDATE conversions SET user_id = '{user}' WHERE conv_id = 'buys{n}'",
    "UPDATE conversions SET conv_time = '09:00:00' WHERE conv_id = 'buys{n}'",
)


def test_whatever_changed_automation_ends_with_the_tables_and_files_of_a_rebuild(
    tmp_path: Path, memory: History, long: bool
) -> None:
    days = ("2023-09-01", "2023-09-13")
    for seed in range(40) if long else (1,):
        chance = random.Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        automated = Automated.of_ten_days(folder, memory.empty())
        automated.choices |= {"lookback_days": chance.choice([0, 1, 3]), "models": MODELS if seed % 2 else ()}
        automated.attribute(*days)
        automated.sum_costs(*days)
        automated.report(*days)
        automated.late_data()
        for _ in range(2):
            for statement in chance.sample(CHANGES, 3):
                n, user, day = chance.randint(1, 10), chance.choice(["anna", "ben"]), f"2023-09-{chance.randint(1, 13):02}"
                automated.shop.execute(statement.format(n=n, user=user, day=day))
            run_what_is_requested(automated)
        rebuilt = Automated(automated.shop.copy_sources(folder / "rebuilt", learned=True), memory.empty())
        rebuilt.choices = automated.choices
        rebuilt.attribute(*days)
        rebuilt.sum_costs(*days)
        rebuilt.report(*days)

        assert automated.shop.results() == rebuilt.shop.results(), seed
        assert automated.shop.csv_bytes() == rebuilt.shop.csv_bytes(), seed


def run_what_is_requested(automated: Automated) -> None:
    """Ticks, and the runs that they request, until there are no more."""
    for _ in range(12):
        late, due = automated.late_data_requests(), automated.conditions_request()
        for days in unbroken_ranges(late.get("attribute_conversions", [])):
            automated.attribute(days.first, days.last)
        for days in unbroken_ranges(late.get("sum_costs", [])):
            automated.sum_costs(days.first, days.last)
        reports = {*due.get("channel_reporting", []), *due.get("model_reporting", []), *late.get("report_channels", [])}
        for days in unbroken_ranges(reports):
            automated.report(days.first, days.last)
        if not late and not due:
            return
    pytest.fail("automation does not come to rest")


def test_runs_for_late_data_and_runs_that_follow_say_why(computed: Automated) -> None:
    computed.shop.session("late", "anna", "2023-09-06 11:00:00", "Ads", cost=1)

    requests = computed.late_data().run_requests or []

    assert {request.job_name: request.tags["because"] for request in requests}["sum_costs"] == (
        "sessions of 2023-09-06 changed"
    )
    assert automation_sensor().run_tags["because"] == "an input was computed again"
