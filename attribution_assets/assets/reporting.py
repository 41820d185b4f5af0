"""channel_costs, channel_reporting and channel_reporting_csv: what each channel cost and earned on each day."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from attribution_assets.analysis.checking import run_check, stop_if_failed
from attribution_assets.catalog.checks import checks_of
from attribution_assets.catalog.queries import costs_query, reporting_query
from attribution_assets.orchestration.automation import restated
from attribution_assets.orchestration.checks import source_check_specs, source_checks
from attribution_assets.orchestration.daily import column_schema, daily_asset
from attribution_assets.orchestration.io_managers import SQLiteIOManager
from attribution_assets.orchestration.io_managers.sqlite import Described, shown_if_known
from attribution_assets.orchestration.partitions import conversions_in_reach, run_days
from attribution_assets.orchestration.shown import facts, report_facts
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.days import unbroken_ranges


def reporting_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """channel_costs, channel_reporting and channel_reporting_csv."""
    lookback = settings.lookback_days

    @daily_asset(
        partitions,
        column_schema("channel_costs"),
        "date",
        deps=["session_sources", "session_costs"],
        check_specs=source_check_specs("channel_costs"),
        group_name="reporting",
        kinds={"sqlite", "sql"},
        sql="channel_costs",
        lineage={
            "date": "session_sources.event_date",
            "channel_name": "session_sources.channel_name",
            "sessions": "session_sources.session_id",
            "cost": "session_costs.cost",
        },
        description=(
            "One row per channel and day: how many sessions the channel had on that day, and what they cost. Every session "
            "counts once, credited or not.\n\n"
            "A day is the date of the sessions. Restated when the day's sessions or costs change."
        ),
    )
    def channel_costs(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[Described]]:
        query = costs_query(settings, run_days(context))
        yield from source_checks(query, io_manager.warehouse)
        yield dg.Output(Described(query, partial(facts, "shown_channel_costs", settings)))

    @daily_asset(
        partitions,
        column_schema("channel_reporting"),
        "date",
        deps=[
            dg.AssetDep("attribution_customer_journey", partition_mapping=conversions_in_reach(lookback)),
            dg.AssetDep("customer_journeys", partition_mapping=conversions_in_reach(lookback)),
            "channel_costs",
            "conversions",
        ],
        automation_condition=restated(settings, "channel_reporting"),
        check_specs=source_check_specs("channel_reporting"),
        group_name="reporting",
        kinds={"sqlite", "sql"},
        sql="channel_reporting",
        lineage={
            "channel_name": "channel_costs.channel_name customer_journeys.channel_label",
            "date": "channel_costs.date customer_journeys.timestamp",
            "cost": "channel_costs.cost",
            "ihc": "attribution_customer_journey.ihc",
            "ihc_revenue": "attribution_customer_journey.ihc conversions.revenue",
        },
        description=(
            "One row per channel and day: what the channel's sessions of that day cost, and the orders (ihc) and revenue "
            "(ihc_revenue) that they have earned so far, on that day or later.\n\n"
            f"A day is the date of the sessions. It is provisional for {lookback} days: an order of {lookback} days later can "
            f"still be credited to it. Restated when a conversion of the next {lookback} days changes, or the day's costs do."
        ),
    )
    def channel_reporting(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[Described]]:
        days = run_days(context)
        query = reporting_query(settings, days)
        yield from source_checks(query, io_manager.warehouse)
        sum_missing_costs(context, settings, io_manager.warehouse, days)
        yield dg.Output(Described(query, partial(report_facts, settings)))

    @daily_asset(
        partitions,
        column_schema(
            "channel_reporting",
            dg.TableColumn("CPO", "real", "cost per order: cost / ihc; empty without an order"),
            dg.TableColumn("ROAS", "real", "return on ad spend: ihc_revenue / cost; empty without a cost"),
        ),
        "date",
        deps=["channel_reporting"],
        automation_condition=restated(settings, "channel_reporting_csv"),
        group_name="reporting",
        kinds={"csv"},
        io_manager_key="csv_io_manager",
        sql="channel_reporting_csv",
        lineage={
            **{column: f"channel_reporting.{column}" for column in schema()["channel_reporting"].column_names},
            "CPO": "channel_reporting.cost channel_reporting.ihc",
            "ROAS": "channel_reporting.ihc_revenue channel_reporting.cost",
        },
        description=(
            "The report for spreadsheets and other programs: channel_reporting with cost per order (CPO) and return on ad "
            "spend (ROAS) as CSV files, one per day, and one with all days so far.\n\n"
            "A day is the date of the sessions. Restated when channel_reporting changes."
        ),
    )
    def channel_reporting_csv() -> Query:
        return Query("channel_reporting_csv")

    return [channel_costs, channel_reporting, channel_reporting_csv]


def sum_missing_costs(context: dg.AssetExecutionContext, settings: Settings, warehouse: SQLiteWarehouse, days: Days) -> None:
    """Materializes channel_costs of those of the days that have sessions and no costs yet, checked and shown as in a run.

    A backfill of conversion days reaches back to reports whose costs nobody has asked for; without them, spend would be lost.
    What was written is recorded also where it is wrong, so that the search for late data finds it.
    Raises AttributionError where the costs do not add up.
    """
    _, rows = warehouse.fetch(Query("days_without_costs", {"first_day": days.first, "last_day": days.last}))
    for missing in unbroken_ranges(day for (day,) in rows):
        context.log.info(f"channel_costs of {missing} were missing: summing them first.")
        query = costs_query(settings, missing)
        counts = warehouse.replace_days(schema()["channel_costs"], "date", missing, query)
        shown = shown_if_known(
            partial(facts, "shown_channel_costs", settings), warehouse, "channel_costs", missing, context.log
        )
        for day, count in counts.items():
            metadata = {"dagster/partition_row_count": count, **shown.get(day, {})}
            context.log_event(dg.AssetMaterialization("channel_costs", partition=day, metadata=metadata))
        stop_if_failed(run_check(warehouse, check, query.parameters) for check in checks_of("channel_costs", before=False))
