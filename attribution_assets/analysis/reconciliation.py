"""`attribution reconcile` without its terminal: the tracking against the shop's backend, and ad spend against sessions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from typing import TYPE_CHECKING, Any

from attribution_assets.catalog.reconciliation import CONVERSION_RECONCILIATION, RECONCILIATION, SPEND_RECONCILIATION
from attribution_assets.catalog.table import DailyTable
from attribution_assets.catalog.tables import names, tables_without_sources
from attribution_assets.errors import NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.warehouse import named

EVER = Days("0001-01-01", "9999-12-31")

if TYPE_CHECKING:
    import pandas as pd

Rows = list[dict[str, Any]]


def reconcile(settings: Settings, start: str | None, end: str | None) -> dict[str, Any]:
    """What does not agree in the sources from `start` to `end`, or on all days, ready for JSON. Needs no run; writes nothing.

    `conversions`: per date and market the columns of conversion_reconciliation. `spend`: per date and campaign those of
    spend_reconciliation. `outliers`: days with unusually many or few conversions in the tracking. `totals`: the sums of both
    parts, None for a part that is missing. `notes`: what a missing part needs.

    Raises NotReadyError if neither part can be had, and AttributionError for rows that cannot be read.
    """
    days = Days(start or EVER.first, end or EVER.last)
    lacking = {name: of for name, of in tables_without_sources(settings).items() if name in names(RECONCILIATION)}
    notes = [f"There is no {' and no '.join(missing)} for {name}." for name, missing in lacking.items()]
    conversions, spend = ([] if table.name in lacking else differences(settings, table, days) for table in RECONCILIATION)
    if len(notes) == len(RECONCILIATION):
        raise NotReadyError(
            f"There is nothing to reconcile in {settings.database}. {' '.join(notes)} "
            "Add what sql/optional_sources.sql declares."
        )
    return {
        "currency": settings.currency,
        "conversions": conversions,
        "spend": spend,
        "outliers": unusual_days(settings, days),
        "totals": {
            **totals(CONVERSION_RECONCILIATION, conversions),
            **totals(SPEND_RECONCILIATION, spend),
            "match_rate": match_rate(conversions),
        },
        "notes": notes,
    }


def as_frame(found: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of both parts one below the other, with their name in the column `section`; empty where a part has no column."""
    import pandas as pd

    rows = [{"section": section, **row} for section in ("conversions", "spend") for row in found[section]]
    return pd.DataFrame(rows, dtype=object)


def differences(settings: Settings, table: DailyTable, days: Days) -> Rows:
    """The rows that the table of the group reconciliation would have for the days now."""
    bounds = {"first_day": days.first, "last_day": days.last, "currency": settings.currency}
    query = Query(table.name, bounds, table.guards, is_lenient=table.is_lenient)
    with settings.warehouse.rows_of(query) as cursor:
        return [*named(cursor)]


def unusual_days(settings: Settings, days: Days) -> Rows:
    """Those of the days with unusually many or few tracked conversions, as of sql/check_days_are_usual.sql."""
    if "conversions" not in settings.present:
        return []
    bounds = {"first_day": days.first, "last_day": days.last}
    return settings.warehouse.rows(Query("check_days_are_usual", bounds, is_lenient=True))


def totals(table: DailyTable, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The sums of the table's figures; None without rows, or where no row has a figure."""
    figures = [column for column in table.columns if column.type != "text" and column.name != "match_rate"]
    values = {column: [row[column.name] for row in rows if row[column.name] is not None] for column in figures}
    return {
        column.name: None if not of_column else fsum(of_column) if column.type == "real" else sum(of_column)
        for column, of_column in values.items()
    }


def match_rate(conversions: Sequence[Mapping[str, Any]]) -> float | None:
    """The share of the backend's conversions in these rows that were tracked, as in conversion_reconciliation."""
    backend, missing = (sum(row[name] for row in conversions) for name in ("backend", "missing"))
    return (backend - missing) / backend if backend else None
