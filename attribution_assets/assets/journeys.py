"""customer_journeys: the sessions that came before each conversion."""

import dagster as dg

from attribution_assets.assets.daily import column_schema, daily_asset
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
        group_name="attribution",
        kinds={"sqlite", "sql"},
        description=(
            "One row per conversion and session of the same user before it, no further back than the lookback. "
            "Partition: the date of the conversion. Restated when the day's conversions or their users' sessions change."
        ),
    )
    def customer_journeys(context: dg.AssetExecutionContext) -> Query:
        return journeys_query(settings, run_days(context))

    return [customer_journeys]
