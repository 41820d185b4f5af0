"""The days as Dagster sees them: one daily partition for all assets, and the lookback as a partition mapping."""

from __future__ import annotations

import dagster as dg

from attribution_assets.catalog.span import first_day
from attribution_assets.catalog.table import DailyTable
from attribution_assets.catalog.tables import later_days
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import shift


def daily_partitions(settings: Settings) -> dg.DailyPartitionsDefinition:
    """UTC days from the first one (see `first_day`) to yesterday, or to ATTRIBUTION_END_DATE if that is earlier."""
    return dg.DailyPartitionsDefinition(
        start_date=first_day(settings),
        end_date=shift(settings.end_date.isoformat(), 1) if settings.end_date else None,  # Dagster excludes the end
        timezone="UTC",
    )


def dependency(table: DailyTable, upstream: str, lookback_days: int) -> dg.AssetDep:
    """The table's dependency on a source or table: day D reads days D to D + lookback where those are days of conversions."""
    later = later_days(table, upstream, lookback_days) if upstream not in table.reads else 0  # sources have no partitions
    return dg.AssetDep(
        upstream, partition_mapping=dg.TimeWindowPartitionMapping(start_offset=0, end_offset=later) if later else None
    )


def days_of_run(context: dg.AssetExecutionContext) -> Days:
    """The days of the run, one or a range. Raises AttributionError where there are none."""
    return Days.of(context.partition_keys)
