"""Which days an `attribution run` attributes, sums and reports, what it leaves out, and what the IHC API would be sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from attribution_assets.analysis.checking import check_parameters, run_check
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS, NO_USER_IS_A_PLACEHOLDER
from attribution_assets.catalog.checks import ROWS_HAVE_A_DAY
from attribution_assets.catalog.span import (
    computed_days,
    days_of,
    days_with_data,
    first_day,
    last_day,
    stretches_without_data,
)
from attribution_assets.catalog.tables import TABLES, query_of, sources_read, tables, tables_without_sources
from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.ihc import Redistribution
from attribution_assets.ihc.ledger import Account, Ledger
from attribution_assets.ihc.service import Limits, estimate
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, engagement, schema
from attribution_assets.warehouse.days import shift, without

MANY_DAYS = 1_000
"""A run of more days than this is stopped if few of them have rows, unless it was told where to start."""

FEW = 0.1
"""The share of a plan's days that must have rows."""


@dataclass(frozen=True)
class Plan:
    """The conversion days to attribute, the days whose costs to sum, the report days they affect, and notes on odd rows.

    `left_out`: stretches of these days that have neither rows nor results, which nothing is computed for.
    """

    conversion_days: Days
    cost_days: Days
    report_days: Days
    left_out: tuple[Days, ...]
    notes: tuple[str, ...]

    def ranges(self, days: Days) -> list[Days]:
        """The days without what is left out, as unbroken ranges: a run for each."""
        return without(days, self.left_out)


def plan_run(settings: Settings, start: str | None, end: str | None) -> Plan:
    """The days of a run from `start` to `end`, both included. Writes nothing.

    If unset, they are the first conversion and the last day with a row of a source, extended to all days with results:
    if a source row was deleted or moved, its results are removed too. Without `start`, long stretches without data are left
    out.

    Raises NotFoundError for days outside the partitions, and AttributionError for a database without conversions, for a
    reversed range, and without `start` for many days of which few have rows.
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
    notes = [*warehouse.notes_on_sources(), *notes_on_engagement(settings)]
    attributed = computed_days(warehouse, settings, CUSTOMER_JOURNEYS)
    reported = days_of(warehouse, [table for table in tables(settings) if table.day_of == "session"])

    everything = start is None
    if end is None:
        ends = [start or first, sources["last_day"] or first, *(span.last for span in (attributed, reported) if span)]
        ends += filter(
            None,
            [warehouse.last_date(source.name, source.day_column, last) for source in sources_read(settings) if source.optional],
        )
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
    notes += _left_out(settings)
    reach = shift(start, -settings.lookback_days)
    first_report = min(reach, reported.first) if everything and reported else reach
    report_days = Days(max(first, first_report), end)
    notes += _notes(sources, first, last)
    if not everything:
        return Plan(days, days, report_days, (), tuple(notes))
    with_data = days_with_data(settings, report_days)
    left_out = stretches_without_data(settings, report_days, with_data)
    _stop_if_sparse(settings, report_days, without(report_days, left_out), with_data)
    notes += [f"{gap} ({len(gap):,} days) have no sessions, conversions or results and are left out." for gap in left_out]
    return Plan(days, report_days, report_days, tuple(left_out), tuple(notes))


def notes_on_engagement(settings: Settings) -> list[str]:
    """A line for each rule that gave sessions their engagement flags; none where all came with them."""
    rules = settings.warehouse.rows(Query("engagement_rules", is_lenient=True))
    return [engagement.in_words(row["engagement_rule"], row["sessions"]) for row in rules]


def prepared_plan(settings: Settings, start: str | None, end: str | None) -> Plan:
    """The plan of `plan_run`, and the database brought up to the schema. Where there is no plan, nothing is written."""
    plan, before = plan_run(settings, start, end), settings.warehouse.meta()
    settings.warehouse.prepare()
    if settings.warehouse.meta() == before:
        return plan
    return plan_run(settings, start, end)  # an upgrade can show results that could not be read before


def _stop_if_sparse(settings: Settings, report_days: Days, ranges: list[Days], with_data: set[str]) -> None:
    """Raises AttributionError if nearly all of a great many days would be computed for nothing."""
    planned = sum(map(len, ranges))
    if planned <= MANY_DAYS or len(with_data) >= planned * FEW:
        return
    bounds = {"first_day": report_days.first, "last_day": report_days.last}
    rows = [row["row"] for row in settings.warehouse.rows(Query("earliest_rows", bounds))]
    raise AttributionError(
        f"The run would compute {planned:,} days from {report_days.first} to {report_days.last}, but only "
        f"{len(with_data):,} of them have rows. The earliest are {', '.join(rows)}. If their dates are wrong, correct them or "
        "set ATTRIBUTION_START_DATE to a later day; if not, give --start."
    )


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


def _left_out(settings: Settings) -> list[str]:
    """A line for each table that the settings ask for and the sources do not allow."""
    lacking = tables_without_sources(settings)
    return [
        f"{table.name} is left out: the database has no {' and no '.join(lacking[table.name])}."
        for table in TABLES
        if table.only_with and table.name in lacking
    ]


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
