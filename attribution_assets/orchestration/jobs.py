"""The three jobs: what a run over conversion days materializes, over days of sessions, and over report days."""

import dagster as dg

attribution_job = dg.define_asset_job(
    "attribute_conversions",
    dg.AssetSelection.groups("attribution"),
    description="Attributes the conversions of the days: journeys, IHC results, shares.",
)

costs_job = dg.define_asset_job(
    "sum_costs",
    dg.AssetSelection.assets("channel_costs"),
    description="Sums the costs of the days' sessions by channel.",
)

reporting_job = dg.define_asset_job(
    "report_channels",
    dg.AssetSelection.groups("reporting") - dg.AssetSelection.assets("channel_costs"),
    description="Rebuilds the channel report of the days, as table and CSV.",
)
