"""ihc_results and attribution_customer_journey: who gets the credit for each conversion."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd
from pydantic import Field

from attribution_assets.assets.daily import column_schema, daily_asset
from attribution_assets.automation import restated
from attribution_assets.partitions import run_days
from attribution_assets.queries import attribution_query
from attribution_assets.resources import IHCResource
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Frames, Query


class IHCResultsConfig(dg.Config):
    """What a run of ihc_results may be told."""

    refresh: bool = Field(False, description="Ask the IHC API for every journey anew, also those it has been paid for.")


def attribution_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """ihc_results and attribution_customer_journey."""

    @daily_asset(
        partitions,
        column_schema("ihc_results"),
        "conv_date",
        automation_condition=restated(settings),
        group_name="attribution",
        kinds={"sqlite", "numpy"},
        description=(
            "One row per conversion and session of its journey: how far the session started (initializer), kept going "
            "(holder) and closed (closer) it, the three weighed together (ihc), and which model with which parameters "
            "says so. Partition: the date of the conversion. Restated when its journeys or the model change."
        ),
    )
    def ihc_results(
        context: dg.AssetExecutionContext, config: IHCResultsConfig, customer_journeys: Frames, ihc: IHCResource
    ) -> Frames:
        def rows() -> Iterator[pd.DataFrame]:
            told = yield from ihc.answer(customer_journeys, refresh=config.refresh)
            context.add_asset_metadata({f"{name} (whole run)": count for name, count in told.items()})

        return Frames(rows())

    @daily_asset(
        partitions,
        column_schema("attribution_customer_journey"),
        "conv_date",
        deps=["ihc_results"],
        automation_condition=restated(settings),
        group_name="attribution",
        kinds={"sqlite", "sql"},
        description=(
            "One row per conversion and session of its journey: the session's share of the conversion. The shares of a "
            "conversion sum to exactly 1. Partition: the date of the conversion. Restated when ihc_results changes."
        ),
    )
    def attribution_customer_journey(context: dg.AssetExecutionContext) -> Query:
        return attribution_query(run_days(context))

    return [ihc_results, attribution_customer_journey]
