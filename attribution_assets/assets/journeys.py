"""customer_journeys: the sessions that came before each conversion."""

from collections.abc import Iterator

import dagster as dg

from attribution_assets.assets.daily import column_schema, daily_asset
from attribution_assets.checks import source_check_specs, source_checks
from attribution_assets.io_managers import SQLiteIOManager
from attribution_assets.partitions import run_days
from attribution_assets.queries import journeys_query
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Query


def journey_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """customer_journeys."""

    @daily_asset(
        partitions,
        column_schema("customer_journeys"),
        "conv_date",
        deps=["session_sources", "conversions"],
        check_specs=source_check_specs("customer_journeys"),
        group_name="attribution",
        kinds={"sqlite", "sql"},
        description=(
            "One row per conversion and session of the same user before it, no further back than the lookback. "
            "Partition: the date of the conversion. Restated when the day's conversions or their users' sessions change."
        ),
    )
    def customer_journeys(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[Query]]:
        query = journeys_query(settings, run_days(context))
        yield from source_checks(query, io_manager.warehouse)
        yield dg.Output(query)

    return [customer_journeys]
