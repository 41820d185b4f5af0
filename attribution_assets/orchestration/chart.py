"""A picture of channels as markdown: an SVG within the link itself, small enough for the Dagster UI to show it at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

LINE, LABELS, BARS = 20, 200, 200
"""Pixels: the height of a line, the width of the names with their ROAS, the length of the longest bar."""

LETTERS = 25
"""How many letters of a name fit."""

COST, REVENUE = "darkgray", "slateblue"

UNQUOTED = " '/:;=,.-"
"""The characters that need no quoting in a markdown link in angle brackets."""


def channel_chart(title: str, channels: Sequence[Mapping[str, Any]]) -> str:
    """One line per channel, in the order given: its name, its ROAS as a number, its cost and revenue as bars of one scale.

    `title`: a few words above the names, such as the days. Of each channel: `channel`, `cost`, `revenue` and `ROAS` (None
    where it is undefined). A negative amount has no bar.
    """
    scale = BARS / max([1e-9, *(row[amount] for row in channels for amount in ("cost", "revenue"))])
    labels = "\n".join([f"{title}  ROAS", *(_label(row["channel"], row["ROAS"]) for row in channels)])
    height = LINE * (len(channels) + 1)
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{LABELS + BARS + 10}' height='{height}' "
        f"style='background:white;font:12px/{LINE}px sans-serif'><foreignObject width='{LABELS}' height='{height}'>"
        "<div xmlns='http://www.w3.org/1999/xhtml' style='white-space:pre;text-align:right'>"
        f"{escape(labels, quote=False)}</div></foreignObject>"
        f"{_bars(channels, 'cost', scale, COST, LINE + 6)}{_bars(channels, 'revenue', scale, REVENUE, LINE + 13)}"
        f"<text x='{LABELS + 6}' y='14' fill='{COST}'>cost <tspan fill='{REVENUE}'>revenue</tspan></text></svg>"
    )
    return f"![Cost, revenue and ROAS by channel](<data:image/svg+xml,{quote(svg, safe=UNQUOTED)}>)"


def range_chart(title: str, channels: Sequence[Mapping[str, Any]]) -> str:
    """One line per channel, in the order given: its name, a number, from its lowest to its highest a bar, the number a mark.

    Of each channel: `channel`, `low`, `value` and `high`, 0 or more.
    """
    scale = BARS / max([1e-9, *(row["high"] for row in channels)])
    labels = "\n".join([title, *(_label(row["channel"], row["value"]) for row in channels)])
    height = LINE * (len(channels) + 1)
    left = LABELS + 6
    middles = [LINE * (i + 1) + 10 for i in range(len(channels))]
    bars = "".join(
        f"M{left + round(scale * row['low'])} {y}h{max(1, round(scale * (row['high'] - row['low'])))}"
        for y, row in zip(middles, channels, strict=True)
    )
    marks = "".join(f"M{left + round(scale * row['value'])} {y - 6}v12" for y, row in zip(middles, channels, strict=True))
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{LABELS + BARS + 10}' height='{height}' "
        f"style='background:white;font:12px/{LINE}px sans-serif'><foreignObject width='{LABELS}' height='{height}'>"
        "<div xmlns='http://www.w3.org/1999/xhtml' style='white-space:pre;text-align:right'>"
        f"{escape(labels, quote=False)}</div></foreignObject>"
        f"<path stroke='{COST}' stroke-width='7' d='{bars}'/><path stroke='{REVENUE}' stroke-width='2' d='{marks}'/></svg>"
    )
    return f"![{escape(title)}](<data:image/svg+xml,{quote(svg, safe=UNQUOTED)}>)"


def _label(channel: str, roas: float | None) -> str:
    """Name and number, numbers below each other: a space is half as wide as a digit."""
    name = channel if len(channel) <= LETTERS else f"{channel[: LETTERS - 1]}…"
    number = "" if roas is None else f"{roas:,.2f}"
    return f"{name}{'  ' * max(1, 7 - len(number))}{number}"


def _bars(channels: Sequence[Mapping[str, Any]], amount: str, scale: float, colour: str, top: int) -> str:
    lengths = [round(scale * row[amount]) for row in channels]
    lines = "".join(f"M{LABELS + 6} {top + LINE * i}h{length}" for i, length in enumerate(lengths) if length > 0)
    return f"<path stroke='{colour}' stroke-width='7' d='{lines}'/>"
