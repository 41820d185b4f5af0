"""What the UI shows beside the days of channel_reporting: money, all channels, their chart, and whether the day is final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from attribution_assets.analysis.report import totals
from attribution_assets.catalog.reporting import CHANNEL_REPORTING
from attribution_assets.catalog.span import final_on, is_final
from attribution_assets.formats import number
from attribution_assets.orchestration.chart import channel_chart
from attribution_assets.orchestration.io_managers import MetadataByDay
from attribution_assets.orchestration.markdown import SHOWN_AT_ONCE, tables
from attribution_assets.orchestration.shown import rows_of_days, rules_of
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse

TOP_OF_CHART = 12
AMOUNTS = ("cost", "orders", "revenue", "CPO", "ROAS")

Channel = Mapping[str, Any]
"""`channel`, `cost`, `orders`, `revenue`, `CPO` and `ROAS`, the last two None where they are undefined."""


def report_of_days(settings: Settings, warehouse: Warehouse, days: Days) -> MetadataByDay:
    """For each report day, its totals, all its channels, their chart, and the day after which it is final."""
    channels: dict[str, list[Channel]] = {day: [] for day in days}
    for row in rows_of_days(warehouse, "shown_channels", days):
        channels[row["day"]].append(row)
    rules = rules_of(CHANNEL_REPORTING, settings)
    shown: dict[str, dict[str, Any]] = {}
    for day, of_day in channels.items():
        total = _total("total", of_day)
        shown[day] = {
            **{amount: round(total[amount], 2) for amount in AMOUNTS if total[amount] is not None},
            **_tables([*of_day, total]),
            "chart": _chart(day, of_day),
            "final after": final_on(settings, day),
            "final": is_final(settings, day),
            **rules,
        }
    return shown


def _top(channels: Sequence[Channel], count: int) -> list[Channel]:
    """The first channels, and the others as one."""
    if len(channels) <= count + 1:
        return list(channels)
    others = channels[count:]
    return [*channels[:count], _total(f"{len(others)} others", others)]


def _total(name: str, channels: Sequence[Channel]) -> Channel:
    return {"channel": name, **totals(channels)}


def _chart(day: str, channels: Sequence[Channel]) -> dg.MarkdownMetadataValue:
    """As many of the first channels as can be shown at once, and the others as one."""
    charts = (channel_chart(day, _top(channels, count)) for count in range(TOP_OF_CHART, 0, -1))
    chart = next((chart for chart in charts if len(chart) < SHOWN_AT_ONCE), None)
    return dg.MetadataValue.md(chart or channel_chart(day, _top(channels, TOP_OF_CHART)))


def _tables(channels: Sequence[Channel]) -> dict[str, dg.MarkdownMetadataValue]:
    rows = [[row["channel"], *(number(row[amount]) for amount in AMOUNTS)] for row in channels]
    return tables("channels", ["channel", *AMOUNTS], rows)
