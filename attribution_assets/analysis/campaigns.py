"""What ad platforms say of campaigns over any range of days: rates, distributions, sums and means of what they report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from math import fsum
from typing import Any

from attribution_assets.analysis.report import basis, provisional_days
from attribution_assets.catalog.campaigns import CAMPAIGN_PERFORMANCE, OF_CAMPAIGNS, PLATFORM_CLAIMS
from attribution_assets.catalog.span import days_of
from attribution_assets.catalog.tables import query_of, tables
from attribution_assets.errors import NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.days import shift
from attribution_assets.warehouse.warehouse import named

RESULTS = "campaign_results"
"""The source, whose rows are what the platforms say."""

OF_ROWS = ("status", "type", "category")
"""The columns whose values say of which rows the means are."""

CONVERSION = {"type": "CONVERSION"}
"""The rows whose means are asked for, unless others are."""

Row = Mapping[str, Any]
"""A row of sql/campaign_totals.sql: `customer_id`, `status`, `type`, `category`, and sums of the rows that have them."""

Rows = list[dict[str, Any]]


def campaigns(
    settings: Settings, start: str | None = None, end: str | None = None, kept: Mapping[str, str] = CONVERSION
) -> dict[str, Any]:
    """The analyses of the days from `start` to `end`, or of all days with results, ready for JSON. Writes nothing.

    `start`, `end`, what `analyses` gives for campaign_performance, and `claims`. Raises NotReadyError where no run has written
    any results, and AttributionError for a reversed range.
    """
    days = reported_days(settings, start, end)
    rows = totals_of(settings, days)
    return {"start": days.first, "end": days.last, **analyses(rows, kept), "claims": claims(settings, days)}


def campaigns_now(
    settings: Settings, start: str | None = None, end: str | None = None, kept: Mapping[str, str] = CONVERSION
) -> dict[str, Any]:
    """The same without `claims`, of the rows that are in campaign_results now, whether a run has seen them or not.

    After a run, both give the same. Raises NotReadyError where there are no rows, and AttributionError for a reversed range and
    for rows that a run would refuse.
    """
    warehouse, day_column = settings.warehouse, CAMPAIGN_PERFORMANCE.day_column
    first, last = warehouse.first_date(RESULTS, day_column), warehouse.last_date(RESULTS, day_column, date.max.isoformat())
    if first is None or last is None:
        raise NotReadyError(f"{settings.database} has no rows of {RESULTS}. Import them with `attribution import {RESULTS}`.")
    days = _reaching(first, last, start, end)
    query = replace(
        query_of(settings, CAMPAIGN_PERFORMANCE, days), name="campaign_totals", computed=(CAMPAIGN_PERFORMANCE.name,)
    )
    with warehouse.rows_of(query) as cursor:
        rows = [*named(cursor)]
    return {"start": days.first, "end": days.last, **analyses(rows, kept)}


def analyses(rows: Sequence[Row], kept: Mapping[str, str] = CONVERSION) -> dict[str, Any]:
    """What the functions of this module give for the rows.

    `conversion_rate`, `status_distribution`, `status_totals`, `category_type`, `top_category_type`, and `filtered`, the means
    of the rows `kept`. Without rows there are none in it, and None for what would be one.
    """
    by_category_type = sums(rows, "category", "type")
    return {
        "conversion_rate": conversion_rates(rows),
        "status_distribution": sums(rows, "status", "type", "category"),
        "status_totals": sums(rows, "status"),
        "category_type": by_category_type,
        "top_category_type": _first(by_category_type, "conversions", max),
        "filtered": means(rows, kept),
    }


def totals_of(settings: Settings, days: Days) -> Rows:
    """The rows of sql/campaign_totals.sql of the days; none where only claims have been computed."""
    has_performance = settings.warehouse.has(CAMPAIGN_PERFORMANCE.name)
    return settings.warehouse.rows(_of_days("campaign_totals", days)) if has_performance else []


def reported_days(settings: Settings, start: str | None, end: str | None) -> Days:
    """The days from `start` to `end`; where one is unset, from the first or to the last day with results or claims.

    Raises NotReadyError where there are none, and AttributionError for a reversed range.
    """
    computed = days_of(settings.warehouse, OF_CAMPAIGNS)
    if computed is None:
        what = (
            "Run `attribution run` first."
            if RESULTS in settings.present
            else "Import campaign_results with `attribution import`, then run `attribution run`."
        )
        raise NotReadyError(f"{settings.database} has no results of campaigns. {what}")
    return _reaching(computed.first, computed.last, start, end)


def claims(settings: Settings, days: Days) -> dict[str, Any] | None:
    """What platforms claim for the days, and what the sessions of the days are credited with; None where nothing is claimed.

    `campaigns`: by `campaign_id` the sums of platform_claims, and their ratios, None where these are undefined. With them: by
    what credit is computed, as of `analysis.report.basis`, and from which day on later conversions can still add to it.
    """
    in_graph = {table.name for table in tables(settings)}
    if PLATFORM_CLAIMS.name not in in_graph or not settings.warehouse.has(PLATFORM_CLAIMS.name):
        return None
    provisional = provisional_days(settings, days)
    return {
        **basis(settings, Days(days.first, shift(days.last, settings.lookback_days))),
        "provisional_from": provisional.first if provisional else None,
        "campaigns": settings.warehouse.rows(_of_days("claims_of_campaigns", days)),
    }


def conversion_rates(rows: Sequence[Row]) -> dict[str, Any]:
    """`customers`: by customer the `revenue`, the `conversions`, and as `conversion_rate` conversions / revenue.

    `highest` and `lowest`: the customer with that rate; of several, the first by name. A rate is None without revenue, or
    without a number of conversions, and is then neither.
    """
    customers = [
        {
            "customer_id": row["customer_id"],
            "revenue": row["revenue"],
            "conversions": row["conversions"],
            "conversion_rate": ratio(row["conversions"], row["revenue"]),
        }
        for row in sums(rows, "customer_id")
    ]
    return {
        "customers": customers,
        "highest": _first(customers, "conversion_rate", max),
        "lowest": _first(customers, "conversion_rate", min),
    }


def sums(rows: Iterable[Row], *names: str) -> Rows:
    """For each combination of what these columns hold, by name: `revenue`, `conversions` (None if unknown) and `rows`."""
    return [
        {
            **dict(zip(names, key, strict=True)),
            "revenue": total(group, "revenue"),
            "conversions": total(group, "conversions"),
            "rows": total(group, "rows"),
        }
        for key, group in _groups(rows, *names)
    ]


def means(rows: Iterable[Row], kept: Mapping[str, str] = CONVERSION) -> Rows:
    """By customer, of the rows with these values in these columns: the means per row, and how many `rows` there are.

    `average_revenue` and `average_conversions` are means of the rows that have the number; None if none has.
    """
    of_kept = [row for row in rows if all(row[name] == value for name, value in kept.items())]
    return [
        {
            "customer_id": customer,
            "average_revenue": ratio(total(group, "revenue"), total(group, "rows_with_revenue")),
            "average_conversions": ratio(total(group, "conversions"), total(group, "rows_with_conversions")),
            "rows": total(group, "rows"),
        }
        for (customer,), group in _groups(of_kept, "customer_id")
    ]


def kept_for(values: Mapping[str, str]) -> dict[str, str]:
    """Of which rows the means are where these values are asked for: of the type CONVERSION, unless of another."""
    return {name: value for name in OF_ROWS if (value := {**CONVERSION, **values}.get(name)) is not None}


def ratio(number: float | None, by: float | None) -> float | None:
    """The quotient; None if it is undefined."""
    return number / by if number is not None and by else None


def total(rows: Iterable[Row], name: str) -> float | None:
    """The sum of the rows that have the number, whole if they are; None if none has."""
    values = [row[name] for row in rows if row[name] is not None]
    if not values:
        return None
    return sum(values) if all(isinstance(value, int) for value in values) else fsum(values)


def _reaching(first: str, last: str, start: str | None, end: str | None) -> Days:
    """From `start` to `end`; where one is unset, from the first or to the last day, as far as that is no reversed range."""
    return Days(start or min(first, end or first), end or max(last, start or last))


def _of_days(query: str, days: Days) -> Query:
    return Query(query, {"first_day": days.first, "last_day": days.last})


def _groups(rows: Iterable[Row], *names: str) -> list[tuple[tuple[str, ...], list[Row]]]:
    """The rows by what these columns hold, in the order of that."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in names), []).append(row)
    return sorted(groups.items(), key=lambda group: group[0])


def _first(rows: Iterable[dict[str, Any]], name: str, best: Callable[..., dict[str, Any]]) -> dict[str, Any] | None:
    """The first of the rows that are best by a number, of those that have it; None if none has."""
    known = [row for row in rows if row[name] is not None]
    return best(known, key=lambda row: row[name]) if known else None
