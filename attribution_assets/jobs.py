"""The two jobs: what a run over conversion days materializes, and what a run over report days does."""

import dagster as dg

attribution_job = dg.define_asset_job(
    "attribute_conversions",
    dg.AssetSelection.groups("attribution"),
    description="Attributes the conversions of the days: journeys, IHC results, shares.",
)

reporting_job = dg.define_asset_job(
    "report_channels",
    dg.AssetSelection.groups("reporting"),
    description="Rebuilds the channel report of the days, as table and CSV.",
)
