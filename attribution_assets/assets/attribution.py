"""ihc_results and attribution_customer_journey: who gets the credit for each conversion."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from attribution_assets.catalog.queries import attribution_query
from attribution_assets.ihc.parameters import OUTPUTS
from attribution_assets.orchestration.automation import restated
from attribution_assets.orchestration.daily import column_schema, daily_asset
from attribution_assets.orchestration.io_managers.sqlite import Described
from attribution_assets.orchestration.partitions import run_days
from attribution_assets.orchestration.resources import IHCResource
from attribution_assets.orchestration.shown import facts
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Frames

if TYPE_CHECKING:
    import pandas as pd

MODEL_READS = ("timestamp", "channel_label", "holder_engagement", "closer_engagement")


class IHCResultsConfig(dg.Config):
    """What a run of ihc_results may be told."""

    refresh: bool = Field(False, description="Ask the IHC API for every journey anew, also those it has been paid for.")


def attribution_assets(settings: Settings, partitions: dg.DailyPartitionsDefinition) -> list[dg.AssetsDefinition]:
    """ihc_results and attribution_customer_journey."""

    @daily_asset(
        partitions,
        column_schema("ihc_results"),
        "conv_date",
        automation_condition=restated(settings, "ihc_results"),
        group_name="attribution",
        kinds={"sqlite", "numpy"},
        lineage={
            **{column: f"customer_journeys.{column}" for column in ("conv_id", "session_id", "conv_date")},
            **dict.fromkeys(OUTPUTS, " ".join(f"customer_journeys.{column}" for column in MODEL_READS)),
            "backend": "",
            "parameters": "",
        },
        description=(
            "One row per conversion and session of its journey: how far the session started the journey (initializer), kept it "
            "going (holder) and closed it (closer), from 0 to 1, and the three weighed together (ihc). Each row names the "
            "model and the parameters that say so.\n\n"
            "A day is the date of the conversions. Restated when its journeys or the model change."
        ),
    )
    def ihc_results(
        context: dg.AssetExecutionContext, config: IHCResultsConfig, customer_journeys: Frames, ihc: IHCResource
    ) -> Described:
        def rows() -> "Iterator[pd.DataFrame]":
            told = yield from ihc.answer(customer_journeys, refresh=config.refresh)
            context.add_asset_metadata({f"{name} (whole run)": count for name, count in told.items()})

        return Described(Frames(rows()), partial(facts, "shown_ihc_results", settings))

    @daily_asset(
        partitions,
        column_schema("attribution_customer_journey"),
        "conv_date",
        deps=["ihc_results"],
        automation_condition=restated(settings, "attribution_customer_journey"),
        group_name="attribution",
        kinds={"sqlite", "sql"},
        sql="attribution_customer_journey",
        lineage={
            **{column: f"ihc_results.{column}" for column in ("conv_id", "session_id", "conv_date")},
            "ihc": "ihc_results.ihc",
        },
        description=(
            "One row per conversion and session of its journey: the share of the order that the session has earned. The "
            "shares of an order sum to exactly 1, so none is lost and none counts twice.\n\n"
            "A day is the date of the conversions. Restated when ihc_results changes."
        ),
    )
    def attribution_customer_journey(context: dg.AssetExecutionContext) -> Described:
        query = attribution_query(run_days(context))
        return Described(query, partial(facts, "shown_attribution_customer_journey", settings))

    return [ihc_results, attribution_customer_journey]
