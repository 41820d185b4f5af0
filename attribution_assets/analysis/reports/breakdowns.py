"""The reports of what is behind a channel: by the columns that the user chose, and by campaign and market."""

from __future__ import annotations

from math import fsum

from attribution_assets.analysis.reports.form import Answer, Asked, Column, Page, Report, credited, of_days, stored
from attribution_assets.analysis.reports.overview import basis_of, report_cells
from attribution_assets.catalog.breakdowns import BREAKDOWN_REPORTING, SESSION_REPORT
from attribution_assets.catalog.tables import names, tables, tables_without_sources
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query

BASES = ("session", "conversion")
"""By whose date orders and revenue count; the first one where nobody says."""


def breakdowns(settings: Settings, asked: Asked) -> Answer:
    """By dimension, value and channel the figures of the days asked for; within a dimension, what earns most comes first."""
    date_basis = asked.values.get("date_basis", BASES[0])
    if date_basis not in BASES:
        raise AttributionError(f"{date_basis!r} is no date_basis. Choose from {', '.join(BASES)}.")
    _check_in_graph(settings, BREAKDOWN_REPORTING.name)
    return _breakdowns(settings, asked)


@of_days(BREAKDOWN_REPORTING)
def _breakdowns(settings: Settings, asked: Asked, days: Days) -> Answer:
    date_basis = asked.values.get("date_basis", BASES[0])
    cells = report_cells(settings, asked.model, days)
    bounds = {"first_day": days.first, "last_day": days.last, "model": asked.model, "date_basis": date_basis}
    rows = settings.warehouse.rows(Query("breakdown_totals", bounds))
    basis = basis_of(settings, asked.model, days, cells)
    about = credited(settings, days, basis) if date_basis == "session" else {"days": days, "basis": basis}
    return Answer([{**row, "date_basis": date_basis} for row in rows], **about)


def sessions(settings: Settings, asked: Asked) -> Answer:
    """By channel, campaign and market the sessions of the days asked for, and the conversions that came right after them."""
    _check_in_graph(settings, SESSION_REPORT.name)
    return _sessions(settings, asked)


@of_days(SESSION_REPORT)
def _sessions(settings: Settings, asked: Asked, days: Days) -> Answer:
    rows = settings.warehouse.rows(Query("session_totals", {"first_day": days.first, "last_day": days.last}))
    count, cost = sum(row["sessions"] for row in rows), fsum(row["cost"] for row in rows)
    total = {
        "channel": "total",
        "sessions": count,
        "conversions": sum(row["conversions"] for row in rows),
        "revenue": fsum(row["revenue"] for row in rows),
        "cost": cost,
        "cpc": cost / count if count else None,
    }
    return Answer(rows, total=total, **credited(settings, days, {"currency": settings.currency}))


def _check_in_graph(settings: Settings, name: str) -> None:
    """Raises NotReadyError, with what switches it on, where the table is not in the graph."""
    if name in names(tables(settings)):
        return
    if lacking := tables_without_sources(settings).get(name):
        raise NotReadyError(f"{name} needs {' and '.join(lacking)}, which {settings.database} does not have.")
    raise NotReadyError(
        f"{name} is switched off. Name columns in ATTRIBUTION_BREAKDOWNS, such as campaign_id,market, then run all days."
    )


BREAKDOWNS_REPORT = Report(
    "breakdown_reporting",
    "Breakdowns",
    "What is behind each channel, by the columns of ATTRIBUTION_BREAKDOWNS. The values of each column add up to the channel; "
    "columns do not add up to each other. Users are not counted here: one who comes on two days would count twice.",
    (
        stored("breakdown_reporting", "dimension", "text"),
        stored("breakdown_reporting", "value", "text"),
        stored("breakdown_reporting", "channel", "text"),
        Column("sessions", "count", "how many sessions have the value"),
        Column("cost", "amount", "marketing cost of the sessions"),
        stored("breakdown_reporting", "CPC", "amount", heading="CPC"),
        stored("breakdown_reporting", "orders", "number"),
        stored("breakdown_reporting", "revenue", "amount"),
        stored("breakdown_reporting", "CPO", "amount", heading="CPO"),
        stored("breakdown_reporting", "ROAS", "number", heading="ROAS"),
        stored("breakdown_reporting", "conversion_rate", "share"),
        stored("breakdown_reporting", "date_basis", "text"),
    ),
    breakdowns,
    filters=("dimension", "value", "channel", "date_basis"),
    by_model=True,
)

SESSIONS_REPORT = Report(
    "session_report",
    "Sessions by campaign and market",
    "How many sessions each campaign brought in each market, what they cost, and the conversions that came right after one of "
    "them. No model is behind it. Users are not counted here: one who comes on two days would count twice.",
    (
        stored("session_report", "channel", "text"),
        stored("session_report", "campaign_id", "text", heading="campaign"),
        stored("session_report", "market", "text"),
        stored("session_report", "sessions", "count"),
        stored("session_report", "conversions", "count"),
        stored("session_report", "revenue", "amount"),
        stored("session_report", "cost", "amount"),
        stored("session_report", "CPC", "amount", heading="CPC"),
    ),
    sessions,
    filters=("channel", "campaign_id", "market"),
)

BREAKDOWNS_PAGE = Page("breakdowns", "Breakdowns", "What is behind a channel?", (BREAKDOWNS_REPORT, SESSIONS_REPORT))
