"""What the UI shows beside the days of funnel_report and product_funnel: the steps and the products, with their charts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from attribution_assets.analysis.funnel import drop_off, figures
from attribution_assets.assets.reporting import TOP_OF_CHART
from attribution_assets.catalog.funnel import FUNNEL_REPORT, PRODUCT_FUNNEL
from attribution_assets.orchestration.chart import first_of_range_chart
from attribution_assets.orchestration.io_managers import MetadataByDay
from attribution_assets.orchestration.markdown import tables
from attribution_assets.orchestration.shown import rows_of_days, rules_of
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse


def funnel_of_days(settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each day with sessions, how many reached each step and each level, what is lost between them, and a chart."""
    by_day = _by_day(warehouse, "funnel_of_days", "date", days)
    return {day: _funnel(settings, day, rows) if rows else rules_of(FUNNEL_REPORT, settings) for day, rows in by_day.items()}


def products_of_days(settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each day, how many products were viewed and bought, those that were bought most, and a chart of them."""
    shown: dict[str, dict[str, Any]] = {}
    for day, rows in _by_day(warehouse, "shown_products", "day", days).items():
        top = rows[:TOP_OF_CHART]
        lines = [
            {"channel": row["product"], "low": 0, "value": row["bought"], "high": max(row["viewed"], row["bought"])}
            for row in top
        ]
        cells = [[row["product"], f"{row['viewed']:,}", f"{row['added']:,}", f"{row['bought']:,}"] for row in top]
        shown[day] = {
            "products": len(rows),
            **(tables("top products", ["product", "viewed", "added", "bought"], cells) if top else {}),
            **({"chart": dg.MetadataValue.md(first_of_range_chart(f"{day}  bought, of views", lines))} if top else {}),
            **rules_of(PRODUCT_FUNNEL, settings),
        }
    return shown


def _funnel(settings: Settings, day: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    total = figures(settings.funnel_steps, rows)
    levels, lost = [*total["levels"].values()], drop_off(settings.funnel_steps, total)
    steps = [
        {"channel": step, "low": 0, "value": reached, "high": max(level, reached)}
        for (step, reached), level in zip(total["steps"].items(), levels, strict=True)
    ]
    cells = [
        [step["channel"], f"{step['value']:,}", f"{level:,}", "" if off["share"] is None else f"{off['share']:.1%}"]
        for step, level, off in zip(steps, levels, lost, strict=True)
    ]
    return {
        "sessions": total["sessions"],
        **tables("steps", ["step", "sessions", "or later", "lost before"], cells),
        "chart": dg.MetadataValue.md(first_of_range_chart(f"{day}  sessions", steps)),
        **rules_of(FUNNEL_REPORT, settings),
    }


def _by_day(warehouse: Warehouse, query: str, column: str, days: Days) -> dict[str, list[dict[str, Any]]]:
    by_day: dict[str, list[dict[str, Any]]] = {day: [] for day in days}
    for row in rows_of_days(warehouse, query, days):
        by_day[row[column]].append(row)
    return by_day
