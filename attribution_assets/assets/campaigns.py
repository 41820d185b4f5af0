"""What the UI shows beside the days of campaign_performance: sums and rates, all customers, and a chart of their revenue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from attribution_assets.analysis.campaigns import ratio, total
from attribution_assets.assets.reporting import TOP_OF_CHART
from attribution_assets.catalog.campaigns import CAMPAIGN_PERFORMANCE
from attribution_assets.formats import number
from attribution_assets.orchestration.chart import first_of_range_chart
from attribution_assets.orchestration.io_managers import MetadataByDay
from attribution_assets.orchestration.markdown import tables
from attribution_assets.orchestration.shown import rows_of_days, rules_of
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse

FIGURES = ("rows", "revenue", "conversions", "impressions", "clicks")
RATES = {
    "CTR": ("clicks", "impressions"),
    "conversions per revenue": ("conversions", "revenue"),
    "conversions per click": ("conversions", "clicks"),
}
"""By name, the two figures whose quotient is the rate."""


def campaigns_of_days(settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each day, the sums and rates of all campaigns, its customers in a table, and the chart of those with most revenue."""
    customers: dict[str, list[Mapping[str, Any]]] = {day: [] for day in days}
    for row in rows_of_days(warehouse, "shown_campaigns", days):
        customers[row["day"]].append(row)
    rules = rules_of(CAMPAIGN_PERFORMANCE, settings)
    return {day: {**(_shown(day, of_day) if of_day else {}), **rules} for day, of_day in customers.items()}


def _shown(day: str, customers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    figures = {name: total(customers, name) for name in FIGURES}
    rates = {name: ratio(figures[first], figures[second]) for name, (first, second) in RATES.items()}
    rows = [
        [
            row["customer"],
            *(number(row["revenue"]) if name == "revenue" else _whole(row[name]) for name in FIGURES),
            *(_rate(ratio(row[first], row[second])) for first, second in RATES.values()),
        ]
        for row in customers
    ]
    return {
        **{name: round(value, 2) for name, value in figures.items() if value is not None},
        **{name: round(value, 6) for name, value in rates.items() if value is not None},
        **tables("customers", ["customer", *FIGURES, *RATES], rows),
        "chart": _chart(day, customers),
    }


def _whole(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _chart(day: str, customers: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """The revenue of the first customers. One that is negative or unknown has no bar."""
    lengths = {row["customer"]: max(0.0, row["revenue"] or 0.0) for row in customers[:TOP_OF_CHART]}
    bars = [{"channel": name, "low": 0.0, "value": length, "high": length} for name, length in lengths.items()]
    return dg.MetadataValue.md(first_of_range_chart(f"{day}  revenue", bars))
