"""A picture of channels as markdown: an SVG within the link itself, small enough for the Dagster UI to show it at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from math import floor, log10
from typing import Any
from urllib.parse import quote

from attribution_assets.orchestration.markdown import SHOWN_AT_ONCE

LINE, LABELS, BARS = 20, 200, 200
"""Pixels: the height of a line, the width of the names with their ROAS, the length of the scale."""

LEFT = LABELS + 6
"""Pixels: where the scale begins."""

LETTERS = 25
"""How many letters of a name fit."""

COST, REVENUE = "chocolate", "slateblue"

INK = "gray"
"""The colour of letters and lines. The picture is transparent; its colours stand out from a white and from a dark page."""

ROUND = (1, 2, 3, 4, 6, 8, 10)
"""Where a scale may end, times a power of ten: each of them has a round half."""

UNQUOTED = " '/:;=,.-"
"""The characters that need no quoting in a markdown link in angle brackets."""


def channel_chart(title: str, channels: Sequence[Mapping[str, Any]]) -> str:
    """One line per channel, in the order given: its name, its ROAS as a number, its cost and revenue as bars of one scale.

    `title`: a few words above the names, such as the day. Of each channel: `channel`, `cost`, `revenue` and `ROAS` (None
    where it is undefined). A negative amount has no bar.
    """
    end = scale_end(row[amount] for row in channels for amount in ("cost", "revenue"))
    legend = f"cost <tspan fill='{REVENUE}'>revenue</tspan>"
    scale = BARS / end
    drawn = f"{_bars(channels, 'cost', scale, COST, LINE + 6)}{_bars(channels, 'revenue', scale, REVENUE, LINE + 13)}"
    labels = [f"{title}  ROAS", *(_label(row["channel"], row["ROAS"]) for row in channels)]
    return _picture("Cost, revenue and ROAS by channel", labels, end, legend, drawn)


def range_chart(title: str, channels: Sequence[Mapping[str, Any]]) -> str:
    """One line per channel, in the order given: its name, a number, from its lowest to its highest a bar, the number a mark.

    Of each channel: `channel`, `low`, `value` and `high`, 0 or more.
    """
    end = scale_end(row["high"] for row in channels)
    scale = BARS / end
    middles = [LINE * (i + 1) + 10 for i in range(len(channels))]
    bars = "".join(
        f"M{LEFT + round(scale * row['low'])} {y}h{max(1, round(scale * (row['high'] - row['low'])))}"
        for y, row in zip(middles, channels, strict=True)
    )
    marks = "".join(f"M{LEFT + round(scale * row['value'])} {y - 6}v12" for y, row in zip(middles, channels, strict=True))
    drawn = f"<path stroke='{COST}' stroke-width='7' d='{bars}'/><path stroke='{REVENUE}' stroke-width='2' d='{marks}'/>"
    return _picture(title, [title, *(_label(row["channel"], row["value"]) for row in channels)], end, "", drawn)


def first_of_range_chart(title: str, channels: Sequence[Mapping[str, Any]]) -> str:
    """The chart of the first channels, as many as the UI shows at once."""
    charts = (range_chart(title, channels[:count]) for count in range(len(channels), 1, -1))
    return next((chart for chart in charts if len(chart) < SHOWN_AT_ONCE), range_chart(title, channels[:1]))


def scale_end(amounts: Iterable[float]) -> float:
    """The smallest round number that no amount exceeds; 1 if none is above 0."""
    highest = max(amounts, default=0.0)
    if highest <= 0:
        return 1.0
    power = 10.0 ** floor(log10(highest))
    return next(power * step for step in ROUND if power * step >= highest * (1 - 1e-9))


def _picture(name: str, labels: Sequence[str], end: float, legend: str, drawn: str) -> str:
    """Labels on the left, and on the right what is drawn, with lines at 0, half and end of the scale, which is named."""
    height = LINE * len(labels)
    end_of_scale = f"<tspan x='{LEFT + BARS - 16}' fill='{INK}'>{end:,.6g}</tspan>"
    lines = f"M{LEFT} {LINE}v{height}m{BARS // 2} 0v-{height}m{BARS // 2} 0v{height}"
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{LEFT + BARS + 40}' height='{height}' "
        f"style='font:12px/{LINE}px sans-serif;white-space:pre;text-align:right;color:{INK}'>"
        f"<foreignObject width='{LABELS}' height='{height}'><div xmlns='http://www.w3.org/1999/xhtml'>"
        f"{escape(chr(10).join(labels), quote=False)}</div></foreignObject><path stroke='{INK}' d='{lines}'/>{drawn}"
        f"<text x='{LEFT}' y='14' fill='{COST}'>{legend}{end_of_scale}</text></svg>"
    )
    return f"![{escape(name)}](<data:image/svg+xml,{quote(svg, safe=UNQUOTED)}>)"


def _label(channel: str, roas: float | None) -> str:
    """Name and number, numbers below each other: a space is half as wide as a digit."""
    name = channel if len(channel) <= LETTERS else f"{channel[: LETTERS - 1]}…"
    number = "" if roas is None else f"{roas:,}" if isinstance(roas, int) else f"{roas:,.2f}"
    return f"{name}{'  ' * max(1, 7 - len(number))}{number}"


def _bars(channels: Sequence[Mapping[str, Any]], amount: str, scale: float, colour: str, top: int) -> str:
    lengths = [round(scale * row[amount]) for row in channels]
    lines = "".join(f"M{LEFT} {top + LINE * i}h{length}" for i, length in enumerate(lengths) if length > 0)
    return f"<path stroke='{colour}' stroke-width='7' d='{lines}'/>"
