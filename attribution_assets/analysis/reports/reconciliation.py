"""The reports of what does not agree in the sources: tracking and the shop's backend, ad spend and sessions, unusual days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from attribution_assets.analysis.reconciliation import differences, match_rate, totals, unusual_days
from attribution_assets.analysis.reports.form import Answer, Asked, Column, Report, of_days, stored
from attribution_assets.catalog.reconciliation import CONVERSION_RECONCILIATION, RECONCILIATION, SPEND_RECONCILIATION
from attribution_assets.catalog.reporting import CHANNEL_REPORT
from attribution_assets.catalog.table import DailyTable
from attribution_assets.catalog.tables import tables_without_sources
from attribution_assets.errors import NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days


def conversions(settings: Settings, asked: Asked) -> Answer:
    """By day and market the conversions that the tracking saw, held against those of the backend."""
    answer = _differences(settings, asked, CONVERSION_RECONCILIATION)
    return _with_total(answer, {**totals(CONVERSION_RECONCILIATION, answer.rows), "match_rate": match_rate(answer.rows)})


def spend(settings: Settings, asked: Asked) -> Answer:
    """By day and campaign what the platform charged, held against the campaign's sessions."""
    answer = _differences(settings, asked, SPEND_RECONCILIATION)
    return _with_total(answer, totals(SPEND_RECONCILIATION, answer.rows))


@of_days(CHANNEL_REPORT, *RECONCILIATION)
def unusual(settings: Settings, asked: Asked, days: Days) -> Answer:
    """The days with unusually many or few tracked conversions."""
    return Answer(unusual_days(settings, days), days)


def _differences(settings: Settings, asked: Asked, table: DailyTable) -> Answer:
    if lacking := tables_without_sources(settings).get(table.name):
        raise NotReadyError(f"{table.name} needs {' and '.join(lacking)}, which {settings.database} does not have.")

    @of_days(CHANNEL_REPORT, table)
    def answer(settings: Settings, _: Asked, days: Days) -> Answer:
        return Answer(differences(settings, table, days), days, {"currency": settings.currency})

    return answer(settings, asked)


def _with_total(answer: Answer, total: Mapping[str, Any]) -> Answer:
    return replace(answer, total={"date": "total", **total} if answer.rows else None)


CONVERSIONS = Report(
    "conversion_reconciliation",
    "Tracking against the backend",
    "The conversions that the tracking saw, held against those of the shop's backend, as both are now.",
    (
        stored("conversion_reconciliation", "date", "day"),
        stored("conversion_reconciliation", "market", "text"),
        stored("conversion_reconciliation", "tracked", "count"),
        stored("conversion_reconciliation", "backend", "count"),
        stored("conversion_reconciliation", "missing", "count"),
        stored("conversion_reconciliation", "only_tracked", "count"),
        stored("conversion_reconciliation", "tracked_twice", "count"),
        stored("conversion_reconciliation", "other_revenue", "count"),
        stored("conversion_reconciliation", "other_user", "count"),
        stored("conversion_reconciliation", "other_date", "count"),
        stored("conversion_reconciliation", "tracked_revenue", "amount"),
        stored("conversion_reconciliation", "backend_revenue", "amount"),
        stored("conversion_reconciliation", "match_rate", "share"),
    ),
    conversions,
    filters=("market",),
)

SPEND = Report(
    "spend_reconciliation",
    "Ad spend against sessions",
    "What ad platforms charged for each campaign, held against its sessions, as both are now.",
    (
        stored("spend_reconciliation", "date", "day"),
        stored("spend_reconciliation", "campaign_id", "text", heading="campaign"),
        stored("spend_reconciliation", "cost", "amount"),
        stored("spend_reconciliation", "clicks", "count"),
        stored("spend_reconciliation", "sessions", "count"),
        stored("spend_reconciliation", "session_cost", "amount"),
    ),
    spend,
    filters=("campaign_id",),
)

UNUSUAL_DAYS = Report(
    "unusual_days",
    "Unusual days",
    "Days with unusually many or few conversions, measured by the days shown and the four weeks before them.",
    (
        Column("date", "day", "day of the conversions"),
        Column("conversions", "count", "how many were tracked"),
        Column("least", "number", "how few are usual"),
        Column("most", "number", "how many are usual"),
    ),
    unusual,
)

OF_SOURCES = (CONVERSIONS, SPEND, UNUSUAL_DAYS)
"""For the page of data health."""
