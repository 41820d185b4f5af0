"""The assets of all daily tables: the entries of the catalog, with the Python functions that some of them need."""

from __future__ import annotations

from functools import partial

import dagster as dg

from attribution_assets.assets.attribution import ihc_results
from attribution_assets.assets.campaigns import campaigns_of_days
from attribution_assets.assets.funnel import funnel_of_days, products_of_days
from attribution_assets.assets.models import channel_values, model_attribution, models_of_days, values_of_days
from attribution_assets.assets.reporting import report_of_days
from attribution_assets.catalog.tables import tables
from attribution_assets.orchestration.daily import daily_asset
from attribution_assets.orchestration.partitions import daily_partitions
from attribution_assets.settings import Settings

BODIES = {body.__name__: body for body in (ihc_results, channel_values, model_attribution)}
"""By table, the function that computes its rows, where the catalog says `is_python`."""

SHOWN = {
    "campaign_performance": campaigns_of_days,
    "channel_reporting": report_of_days,
    "channel_values": values_of_days,
    "funnel_report": funnel_of_days,
    "model_reporting": models_of_days,
    "product_funnel": products_of_days,
}
"""By table, what the UI shows beside its days, where that is more than a row of a query."""


def daily_assets(settings: Settings) -> list[dg.AssetsDefinition]:
    """An asset for each daily table in the graph."""
    partitions = daily_partitions(settings)
    return [
        daily_asset(
            table,
            settings,
            partitions,
            body=BODIES[table.name] if table.is_python else None,
            shown=partial(SHOWN[table.name], settings) if table.name in SHOWN else None,
        )
        for table in tables(settings)
    ]
