"""The report of the paths that lead to conversions: which, how long they are and take, and which channels assist."""

from __future__ import annotations

from attribution_assets.analysis.reports.form import Answer, Asked, Page, Report, stored
from attribution_assets.analysis.reports.models import kept
from attribution_assets.analysis.reports.overview import OTHER_SETTINGS
from attribution_assets.settings import Settings


def paths(settings: Settings, asked: Asked) -> Answer:
    """The stored table path_report, of the days that it was computed for."""
    rows, days = kept(settings, asked, "path_report", "paths")
    rules = dict.fromkeys(row["rules"] for row in rows)
    is_other = {*rules} != {str(settings.model_rules.path)}
    parameters = "; ".join([*rules, *([OTHER_SETTINGS] if is_other else [])])
    return Answer(rows, days, {"parameters": parameters, "currency": settings.currency})


PATH_REPORT = Report(
    "path_report",
    "Paths",
    "The hundred paths with the most conversions, how many sessions and days buyers take, and which channels end or assist "
    "journeys. Of the days of conversions that were reported last, as they were then.",
    (
        stored("path_report", "section", "text"),
        stored("path_report", "item", "text"),
        stored("path_report", "place", "count"),
        stored("path_report", "journeys", "count"),
        stored("path_report", "conversions", "count"),
        stored("path_report", "revenue", "amount"),
        stored("path_report", "rate", "share"),
        stored("path_report", "assisted", "count"),
    ),
    paths,
    filters=("section",),
    on_request=True,
)

PATHS = Page("paths", "Paths", "Which paths lead to orders?", (PATH_REPORT,))
