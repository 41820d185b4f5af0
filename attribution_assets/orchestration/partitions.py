"""The days as Dagster sees them: one daily partition for all assets, and the attribution window as a partition mapping."""

from __future__ import annotations

import dagster as dg

from attribution_assets.catalog.span import first_day
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import shift

LEARNED_ONCE = ("channel_values",)
"""The assets whose days stay as they were computed, whatever becomes of their inputs."""


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """UTC days from the first one (see `first_day`) to yesterday, or to ATTRIBUTION_END_DATE if that is earlier."""
    return dg.DailyPartitionsDefinition(
        start_date=first_day(settings),
        end_date=shift(settings.end_date.isoformat(), 1) if settings.end_date else None,  # Dagster excludes the end
        timezone="UTC",
    )


def conversions_in_reach(lookback_days: int) -> dg.TimeWindowPartitionMapping:
    """A report of day D reads the attributions of conversion days D to D + lookback: those its sessions can belong to."""
    return dg.TimeWindowPartitionMapping(start_offset=0, end_offset=lookback_days)


def inputs(settings: Settings) -> dict[str, dict[str, int]]:
    """By asset in the order of the graph: those that it is restated after, with how many of their later days it reads.

    Day D follows days D to D + that many. What else an asset reads is restated together with one of these.
    """
    of_models = {
        "channel_values": {"customer_journeys": 0},
        "model_attribution": {"attribution_customer_journey": 0, "channel_values": 0},
        "model_reporting": {"model_attribution": settings.lookback_days, "channel_costs": 0},
    }
    return {
        "customer_journeys": {},
        "ihc_results": {"customer_journeys": 0},
        "attribution_customer_journey": {"ihc_results": 0},
        "channel_costs": {},
        "channel_reporting": {"attribution_customer_journey": settings.lookback_days, "channel_costs": 0},
        "channel_reporting_csv": {"channel_reporting": 0},
        **(of_models if settings.models else {}),
    }


def run_days(context: dg.AssetExecutionContext) -> Days:
    """The days of the run, one or a range. Raises AttributionError where there are none."""
    return Days.of(context.partition_keys)
