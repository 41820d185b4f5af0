"""Which days an `attribution run` attributes, sums and reports, what it leaves out, and what the IHC API would be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attribution_assets.analysis.checking import check_parameters, run_check
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS, NO_USER_IS_A_PLACEHOLDER
from attribution_assets.catalog.checks import ROWS_HAVE_A_DAY
from attribution_assets.catalog.span import computed_days, days_of, first_day, last_day
from attribution_assets.catalog.tables import query_of, tables
from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.ihc import Redistribution
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.service import Limits, estimate
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, schema
from attribution_assets.warehouse.days import shift


@dataclass(frozen=True)
class Plan:
    """The conversion days to attribute, the days whose costs to sum, the report days they affect, and notes on odd rows."""

    conversion_days: Days
    cost_days: Days
    report_days: Days
    notes: tuple[str, ...]


def plan_run(settings: Settings, start: str | None, end: str | None) -> Plan:
    """The days of a run from `start` to `end`, both included; brings the database up to the schema.

    If unset, they are the first conversion and the last day with a session or conversion, extended to all days with results:
    if a source row was deleted or moved, its results are removed too.

    Raises NotFoundError for days outside the partitions, and AttributionError for a database without conversions and for a
    reversed range.
    """
    warehouse = settings.warehouse
    first, last = first_day(settings), last_day(settings)
    [sources] = warehouse.rows(Query("source_span", {"first_day": first, "last_day": last}))
    if sources["first_conversion_day"] is None:
        raise AttributionError(_nothing_to_attribute(settings))
    if first > last or (start is None and end is None and sources["first_conversion_day"] > last):
        first_conversion = max(first, sources["first_conversion_day"])
        raise AttributionError(
            f"The first conversion is on {first_conversion}, after the last day that can run, {last}. "
            "A day can run once it has ended, if it is within ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE."
        )
    notes = warehouse.prepare()
    attributed = computed_days(warehouse, settings, CUSTOMER_JOURNEYS)
    reported = days_of(warehouse, [table for table in tables(settings) if table.day_of == "session"])

    everything = start is None
    if end is None:
        ends = [start or first, sources["last_day"] or first, *(span.last for span in (attributed, reported) if span)]
        end = max(day for day in ends if day <= last or day == start)
    if start is None:
        start = max(first, min(filter(None, [sources["first_conversion_day"], attributed and attributed.first, end])))
    for day in (start, end):
        if not first <= day <= last:
            raise NotFoundError(
                f"{day} is outside the partitions, {first} to {last}. "
                "Choose days within them, or change them with ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE."
            )
    days = Days(start, end)
    parameters = check_parameters(settings, CUSTOMER_JOURNEYS, days)
    placeholder = run_check(warehouse, CUSTOMER_JOURNEYS.name, NO_USER_IS_A_PLACEHOLDER, parameters)
    if placeholder.offending:
        notes.append(placeholder.sentence)
    reach = shift(start, -settings.lookback_days)
    first_report = min(reach, reported.first) if everything and reported else reach
    report_days = Days(max(first, first_report), end)
    return Plan(days, report_days if everything else days, report_days, (*notes, *_notes(sources, first, last)))


def _nothing_to_attribute(settings: Settings) -> str:
    """Why no conversion has a day: there is none, or their dates are no days."""
    of_conversions = [row for row in settings.warehouse.rows(Query(ROWS_HAVE_A_DAY.query)) if row["source"] == "conversions"]
    if not of_conversions:
        return f"The table conversions in {settings.database} has no row, so there is nothing to attribute. Fill it first."
    forms = "; ".join(
        f"{row['rows']:,} with {row['date_form']}, such as {row['examples']}. {row['remedy'].rstrip('.')}"
        for row in of_conversions
    )
    return f"No row of conversions in {settings.database} has a date that is a day, written YYYY-MM-DD: {forms}."


def _notes(sources: Mapping[str, Any], first: str, last: str) -> list[str]:
    """A line for each kind of source rows that belong to no day of the partitions."""
    kinds = {
        "earlier_{}": f"before {first}, the first day,",
        "later_{}": f"after {last}, the last day that can run,",
        "{}_without_date": "without a date of the form YYYY-MM-DD",
    }
    counts = {what: (sources[kind.format("sessions")], sources[kind.format("conversions")]) for kind, what in kinds.items()}
    return [
        f"{sessions:,} sessions and {conversions:,} conversions {what} are not in the report."
        for what, (sessions, conversions) in counts.items()
        if sessions or conversions
    ]


def estimate_plan(settings: Settings, plan: Plan) -> dict[str, Any]:
    """What the IHC API would be sent for the plan's conversions, ready for JSON; sends nothing, and needs no key.

    The counts are those of `attribution_assets.ihc.service.estimate`.
    """
    counts = estimate(
        settings.warehouse.stream_query(
            query_of(settings, CUSTOMER_JOURNEYS, plan.conversion_days), schema()["customer_journeys"]
        ),
        ihc_account(settings),
        Ledger(settings.ihc_ledger),
        Limits(settings.ihc_max_journeys, settings.ihc_max_sessions),
        settings.ihc_long_journeys,
    )
    return {"start": plan.conversion_days.first, "end": plan.conversion_days.last, **counts}


def ihc_account(settings: Settings) -> Account:
    """The account under which the ledger keeps the answers for these settings."""
    redistribution = Redistribution.load(settings.ihc_redistribution) if settings.ihc_redistribution else None
    return Account(settings.ihc_api_url, settings.ihc_conv_type_id or "", redistribution)
