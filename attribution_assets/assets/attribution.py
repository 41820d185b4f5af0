"""How ihc_results is computed, the one table of the group attribution that is not computed by a query."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from attribution_assets.orchestration.resources import IHCResource
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Frames

if TYPE_CHECKING:
    import pandas as pd


class IHCResultsConfig(dg.Config):
    """The run config of ihc_results."""

    refresh: bool = Field(False, description="Ask the IHC API for every journey again, including those that were paid for.")


def ihc_results(
    context: dg.AssetExecutionContext,
    config: IHCResultsConfig,
    customer_journeys: Frames,
    ihc: IHCResource,
    settings: Settings,
) -> Frames:
    """The IHC results of the journeys, frame by frame, by the API or the embedded model."""
    if ihc.asks_for_parameters:
        ihc.lead_by(settings.parameters_in_use)
    if model := ihc.model():
        return customer_journeys.each(model)

    def rows() -> "Iterator[pd.DataFrame]":
        counts = yield from ihc.answer(customer_journeys, refresh=config.refresh)
        context.add_asset_metadata({f"{name} (whole run)": count for name, count in counts.items()})

    return Frames(rows())
