"""The metadata that the UI shows for each day of a table: the row of a query, and the rules that the day was computed by."""

from __future__ import annotations

from typing import Any

from attribution_assets.catalog.table import DailyTable
from attribution_assets.orchestration.io_managers import MetadataByDay
from attribution_assets.settings import Settings
from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import Days, Query, Warehouse


def row_of_day(table: DailyTable, settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each day, the columns of its row in sql/shown_<table>.sql under their names there, and the rules.

    If there is no such file, only the rules.
    """
    query = f"shown_{table.name}"
    has_query = (sql_folder() / f"{query}.sql").exists()
    of_days = {row.pop("day"): row for row in rows_of_days(warehouse, query, days)} if has_query else {}
    rules = rules_of(table, settings)
    return {day: {**of_days.get(day, {}), **rules} for day in days}


def rows_of_days(warehouse: Warehouse, query: str, days: Days) -> list[dict[str, Any]]:
    """The rows of a file of sql/ that needs nothing but the days."""
    return warehouse.rows(Query(query, {"first_day": days.first, "last_day": days.last}))


def rules_of(table: DailyTable, settings: Settings) -> dict[str, Any]:
    """The rules by which the table's rows are computed, with the hash of the settings that determine them; none, if none do."""
    match table.job.part:
        case "attribution":
            rules = f"lookback {settings.lookback_days} days"
        case "funnel":
            rules = f"steps {', '.join(settings.funnel_steps)} ({settings.funnel_order})"
        case "campaigns":
            return {}
    return {"settings": f"{rules}, hash {table.settings_hash(settings)}"}
