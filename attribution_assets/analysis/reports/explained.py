"""The reports of why a number is what it is: from a cell of the report to its conversions, from a conversion to its journey."""

from __future__ import annotations

from math import fsum

from attribution_assets.analysis.explain import Explanation, explain_cell, explain_conversion, why_no_credit
from attribution_assets.analysis.report import basis
from attribution_assets.analysis.reports.form import Answer, Asked, Column, Link, Page, Report, Row, credited
from attribution_assets.analysis.reports.overview import CELLS
from attribution_assets.formats import number
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days


def cell(settings: Settings, asked: Asked) -> Answer:
    """The conversions credited to the sessions of `channel` on the day `date`; those that bring most revenue first."""
    day, channel = asked.values["date"], asked.values["channel"]
    explanation = explain_cell(settings, day, channel)
    rows = explanation.shown["conversions"]
    cost = f"The sessions of {channel} on {day} cost {number(explanation.shown['cost'])}."
    return Answer(
        rows,
        total={"conv_id": "total", **_sums(rows)},
        notes=(cost, *_said(asked, explanation)),
        **credited(settings, Days(day, day), basis(settings, explanation.conversion_days)),
    )


def journey(settings: Settings, asked: Asked) -> Answer:
    """The sessions before the conversion `conversion`, in order of time, and what each is credited with."""
    explanation = explain_conversion(settings, asked.values["conversion"])
    found = explanation.shown
    rows = found["sessions"]
    placed = f"{found['conv_id']}, {found['conv_date']} {found['conv_time']}, revenue {number(found['revenue'])}"
    why = why_no_credit(found)
    return Answer(
        rows,
        days=explanation.conversion_days,
        basis=basis(settings, explanation.conversion_days),
        total={"timestamp": "total", **_sums(rows)} if rows else None,
        notes=(f"{placed}: {why}." if why else f"{placed}.", *_said(asked, explanation)),
    )


def _sums(rows: list[Row]) -> dict[str, float]:
    return {name: fsum(row[name] or 0.0 for row in rows) for name in ("orders", "revenue")}


def _said(asked: Asked, explanation: Explanation) -> tuple[str, ...]:
    """Whose credit this is where another model's was asked for, and why it may not explain the number."""
    other = f"This is the credit of ihc. That of {asked.model} is in the table model_attribution."
    return (*([other] if asked.model != "ihc" else []), *filter(None, [explanation.doubt]))


def _chosen(asked: Asked) -> tuple[Report, ...]:
    if "conversion" in asked.values:
        return (JOURNEY,)
    return (CELL,) if {*CELL.requires} <= asked.values.keys() else (CELLS,)


CELL = Report(
    "cell",
    "Conversions behind a number",
    "The conversions that the sessions of a channel on a day are credited with, by the model ihc. They add up to its orders "
    "and revenue.",
    (
        Column("conv_id", "text", "the conversion", link=Link("why", {"conversion": "conv_id"}), heading="conversion"),
        Column("session_id", "text", "session of the channel that led to it", heading="session"),
        Column("conversion_revenue", "amount", "revenue of the whole conversion"),
        Column("orders", "credit", "share of the conversion that the session is credited with"),
        Column("revenue", "amount", "this share of the revenue"),
    ),
    cell,
    requires=("date", "channel"),
    has_days=False,
)

JOURNEY = Report(
    "journey",
    "Sessions before a conversion",
    "The sessions of a buyer before the conversion, in order of time, and what the model ihc credits each of them with.",
    (
        Column("timestamp", "text", "date and time of the session, UTC", heading="time"),
        Column("channel", "text", "traffic channel of the session"),
        Column("initializer", "credit", "its share in having begun the journey", True),
        Column("holder", "credit", "its share in having kept the buyer interested", True),
        Column("closer", "credit", "its share in having led to the order", True),
        Column("orders", "credit", "share of the conversion that the session is credited with", True),
        Column("revenue", "amount", "this share of the revenue", True),
        Column("session_id", "text", "the session", heading="session"),
    ),
    journey,
    requires=("conversion",),
    has_days=False,
)

WHY = Page("why", "Why", "Why this number?", (CELLS, CELL, JOURNEY), chosen=_chosen)
