"""The summary of a run: the report of its days by channel, and what is credited to no channel."""

from __future__ import annotations

from typing import Any

from attribution_assets.analysis.plan import Plan
from attribution_assets.catalog.span import first_day
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Query
from attribution_assets.warehouse.csv_files import CSVFiles


def summary(settings: Settings, plan: Plan) -> dict[str, Any]:
    """The report days by channel, the conversions credited to no channel, and the CSV file's path, ready for JSON."""
    warehouse = settings.warehouse
    conversion_days = {"first_day": plan.conversion_days.first, "last_day": plan.conversion_days.last}
    report_days = {"first_day": plan.report_days.first, "last_day": plan.report_days.last}
    [without_session] = warehouse.rows(Query("conversions_without_session", conversion_days))
    reach: dict[str, str | int] = {"first_partition": first_day(settings), "lookback_days": settings.lookback_days}
    [before_first_day] = warehouse.rows(Query("credit_before_first_day", {**conversion_days, **reach}))
    return {
        "start": plan.conversion_days.first,
        "end": plan.conversion_days.last,
        "report_start": plan.report_days.first,
        "report_end": plan.report_days.last,
        "channels": warehouse.rows(Query("channel_totals", report_days)),
        "conversions_without_session": without_session,
        "credit_before_first_day": before_first_day,
        "csv": str(CSVFiles(settings.exports, "channel_reporting").whole),
        "notes": list(plan.notes),
    }
