"""channel_reporting and channel_reporting_csv: what each channel cost and earned on each day."""

from collections.abc import Iterator

import dagster as dg

from attribution_assets.assets.daily import column_schema, daily_asset
from attribution_assets.automation import restated
from attribution_assets.checks import source_check_specs, source_checks
from attribution_assets.io_managers import SQLiteIOManager
from attribution_assets.partitions import conversions_in_reach, run_days
from attribution_assets.queries import reporting_query
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Query


def reporting_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """channel_reporting and channel_reporting_csv."""
    lookback = settings.lookback_days

    @daily_asset(
        partitions,
        column_schema("channel_reporting"),
        "date",
        deps=[
            dg.AssetDep("attribution_customer_journey", partition_mapping=conversions_in_reach(lookback)),
            "session_sources",
            "session_costs",
            "conversions",
        ],
        automation_condition=restated(settings, lookback),
        check_specs=source_check_specs("channel_reporting"),
        group_name="reporting",
        kinds={"sqlite", "sql"},
        description=(
            "One row per channel and day: what the day's sessions cost, and the orders (ihc) and revenue (ihc_revenue) "
            "credited to them by conversions on that day or later. Partition: the date of the sessions. Provisional until "
            f"{lookback} days later: restated when a conversion of the next {lookback} days changes, or the day's sessions or "
            "costs do."
        ),
    )
    def channel_reporting(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[Query]]:
        query = reporting_query(settings, run_days(context))
        yield from source_checks(query, io_manager.warehouse)
        yield dg.Output(query)

    @daily_asset(
        partitions,
        column_schema(
            "channel_reporting",
            dg.TableColumn("CPO", "real", "cost per order: cost / ihc; empty without an order"),
            dg.TableColumn("ROAS", "real", "return on ad spend: ihc_revenue / cost; empty without a cost"),
        ),
        "date",
        deps=["channel_reporting"],
        automation_condition=restated(settings),
        group_name="reporting",
        kinds={"csv"},
        io_manager_key="csv_io_manager",
        description=(
            "channel_reporting with cost per order (CPO) and return on ad spend (ROAS) as CSV files: one per day, and one with "
            "all days so far. Partition: the date of the sessions. Restated when channel_reporting changes."
        ),
    )
    def channel_reporting_csv() -> Query:
        return Query("channel_reporting_csv")

    return [channel_reporting, channel_reporting_csv]
