"""customer_journeys: the sessions that came before each conversion."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from attribution_assets.catalog.queries import journeys_query
from attribution_assets.orchestration.checks import source_check_specs, source_checks
from attribution_assets.orchestration.daily import column_schema, daily_asset
from attribution_assets.orchestration.io_managers import SQLiteIOManager
from attribution_assets.orchestration.io_managers.sqlite import Described
from attribution_assets.orchestration.partitions import run_days
from attribution_assets.orchestration.shown import facts
from attribution_assets.settings import Settings


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
        sql="customer_journeys",
        lineage={
            "conv_id": "conversions.conv_id",
            "session_id": "session_sources.session_id",
            "conv_date": "conversions.conv_date",
            "timestamp": "session_sources.event_date session_sources.event_time",
            "channel_label": "session_sources.channel_name",
            "holder_engagement": "session_sources.holder_engagement",
            "closer_engagement": "session_sources.closer_engagement",
            "conversion": "session_sources.event_date session_sources.event_time",
            "impression_interaction": "session_sources.impression_interaction",
        },
        description=(
            f"One row per conversion and session of the same user before it, at most {settings.lookback_days} days back: what "
            "led to an order. An order without such a session has no row; each day shows how many there are and what "
            "they were worth.\n\n"
            "A day is the date of the conversions. Restated when the day's conversions or their users' sessions change."
        ),
    )
    def customer_journeys(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[Described]]:
        query = journeys_query(settings, run_days(context))
        yield from source_checks(query, io_manager.warehouse)
        yield dg.Output(Described(query, partial(facts, "shown_customer_journeys", settings)))

    return [customer_journeys]
