"""Which days an `attribution run` attributes, sums and reports, what it leaves out, and what the IHC API would be sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from attribution_assets.catalog.table import ATTRIBUTE, CAMPAIGNS, FUNNEL, RECONCILE, REPORT, SUM, Job, Part
from attribution_assets.catalog.tables import (
    MAIN_SOURCE,
    PARTS,
    TABLES,
    parts,
    query_of,
    sources_read,
    tables_of,
    tables_of_part,
    tables_without_sources,
    without_sources,
)
from attribution_assets.errors import AttributionError, NotFoundError, NotReadyError
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
class JobDays:
    """The days of a job, without what is left out, as unbroken ranges: a run for each."""

    job: Job
    ranges: tuple[Days, ...]


@dataclass(frozen=True)
class RunPlan:
    """What a run does: its parts, the days of each job in order, and notes.

    `attribution`: the plan of that part, if it is among them. `without`: by part that could be run and is not, for lack of
    sources, what the database lacks.
    """

    parts: tuple[Part, ...]
    jobs: tuple[JobDays, ...]
    attribution: Plan | None
    without: Mapping[Part, tuple[str, ...]]
    notes: tuple[str, ...]

    @property
    def days(self) -> Days:
        """From the first to the last day of all jobs."""
        ranges = [days for of_job in self.jobs for days in of_job.ranges]
        return Days(min(days.first for days in ranges), max(days.last for days in ranges))


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

    def jobs(self, settings: Settings) -> Iterator[JobDays]:
        """The days of each job that makes something."""
        report = self.report_days
        for job, days in ((ATTRIBUTE, self.conversion_days), (SUM, self.cost_days), (REPORT, report), (RECONCILE, report)):
            if tables_of(settings, job):
                yield JobDays(job, tuple(self.ranges(days)))


def plan_parts(settings: Settings, start: str | None, end: str | None, chosen: Sequence[str] = ()) -> RunPlan:
    """The plan of a run of the chosen parts; unset, of all whose sources are there. Writes nothing.

    Raises AttributionError where a chosen part lacks a source, and for what `plan_run` raises it for. NotFoundError for an
    unknown part.
    """
    unknown = [part for part in chosen if part not in PARTS]
    if unknown:
        raise NotFoundError(f"There is no group {unknown[0]!r} to run. Choose from {', '.join(PARTS)}.")
    there, lacking = parts(settings), without_sources(settings)
    for part in (part for part in PARTS if part in chosen and part not in there):
        raise NotReadyError(f"{part} cannot be run: {settings.database} has no {' and no '.join(lacking[part])}.")
    asked = tuple(part for part in there if not chosen or part in chosen)
    empty = {} if start else {part: why for part in asked if (why := _why_empty(settings, part))}
    taken = tuple(part for part in asked if part not in empty)
    if not taken:
        raise NotReadyError(empty[asked[0]])
    attribution = plan_run(settings, start, end) if "attribution" in taken else None
    planned = [*attribution.jobs(settings)] if attribution else []
    notes = [*attribution.notes] if attribution else [*settings.warehouse.notes_on_sources()]
    notes += [f"{part} is left out. {why}" for part, why in empty.items()]
    if "funnel" in taken and not attribution:
        notes += _undated_orders(settings)
    for job in (FUNNEL, CAMPAIGNS):
        if job.part in taken:
            ranges, without_data = _days_of_part(settings, job.part, start, end)
            planned.append(JobDays(job, ranges))
            notes += _outside_partitions(settings, job.part)
            notes += [f"{job.part}: {gap} ({len(gap):,} days) have no rows and are left out." for gap in without_data]
    return RunPlan(taken, tuple(planned), attribution, {} if chosen else lacking, tuple(notes))


def _why_empty(settings: Settings, part: Part) -> str:
    """Why there are no days of a part to run, in a sentence; an empty text, if there are some."""
    of_part = tables_of_part(settings, part)
    if days_of(settings.warehouse, of_part):
        return ""
    [source] = [source for source in sources_read(of_part) if source.name == MAIN_SOURCE[part]]
    if settings.warehouse.first_date(source.name, source.day_column, source.has_times):
        return ""
    if part == "attribution":
        return _nothing_to_attribute(settings)
    return f"The table {source.name} in {settings.database} has no row with a date. Fill it first."


def _undated_orders(settings: Settings) -> list[str]:
    """A line, if there are orders that belong to no day. A run of attribution says so itself."""
    if "conversions" not in settings.present:
        return []
    [undated] = settings.warehouse.rows(Query("undated_orders", is_lenient=True))
    count = undated["orders"]
    return [f"{count:,} conversions without a date of the form YYYY-MM-DD are not in the report."] if count else []


def _days_of_part(
    settings: Settings, part: Part, start: str | None, end: str | None
) -> tuple[tuple[Days, ...], Sequence[Days]]:
    """The days of a part that has one job, as unbroken ranges, and the stretches without data that are left out."""
    warehouse, of_part = settings.warehouse, tables_of_part(settings, part)
    first, last = first_day(settings), last_day(settings)
    for day in filter(None, (start, end)):
        _check_partition(day, first, last)
    computed = days_of(warehouse, of_part)
    dated = [source for source in sources_read(of_part) if source.day_column]
    if start is None:
        starts = [warehouse.first_date(source.name, source.day_column, source.has_times) for source in dated]
        starts += [computed.first] if computed else []
        begin = max(first, min(filter(None, starts), default=first))
    else:
        begin = start
    if end is None:
        ends = [warehouse.last_date(source.name, source.day_column, last, source.has_times) for source in dated]
        ends += [computed.last] if computed else []
        end = max(min(max(filter(None, ends), default=begin), last), begin)
    if begin > last:
        raise AttributionError(
            f"The first day with rows for {part} is {begin}, after the last day that can run, {last}. "
            "A day can run once it has ended, if it is within ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE."
        )
    days = Days(begin, end)
    if start is not None:
        return (days,), ()
    left_out = stretches_without_data(settings, days, days_with_data(settings, of_part, days))
    return tuple(without(days, left_out)), left_out


def _outside_partitions(settings: Settings, part: Part) -> Iterator[str]:
    """A line for each side of the partitions on which the part's main source has rows, whose days cannot run."""
    first, last = first_day(settings), last_day(settings)
    outside = {
        f"before {first}, the first day,": Days("0001-01-01", shift(first, -1)),
        f"after {last}, the last day that can run,": Days(shift(last, 1), "9999-12-31"),
    }
    [source] = [source for source in sources_read(tables_of_part(settings, part)) if source.name == MAIN_SOURCE[part]]
    for where, days in outside.items():
        if rows := settings.warehouse.rows_by_day(source.name, source.day_column, days, source.has_times):
            yield f"{sum(rows.values()):,} rows of {source.name} {where} are not in the report."


def _check_partition(day: str, first: str, last: str) -> None:
    if not first <= day <= last:
        raise NotFoundError(
            f"{day} is outside the partitions, {first} to {last}. "
            "Choose days within them, or change them with ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE."
        )


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
    of_part = tables_of_part(settings, "attribution")
    reported = days_of(warehouse, [table for table in of_part if table.day_of == "session"])

    everything = start is None
    if end is None:
        ends = [start or first, sources["last_day"] or first, *(span.last for span in (attributed, reported) if span)]
        ends += filter(
            None,
            [warehouse.last_date(source.name, source.day_column, last) for source in sources_read(of_part) if source.optional],
        )
        end = max(day for day in ends if day <= last or day == start)
    if start is None:
        start = max(first, min(filter(None, [sources["first_conversion_day"], attributed and attributed.first, end])))
    for day in (start, end):
        _check_partition(day, first, last)
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
    with_data = days_with_data(settings, of_part, report_days)
    left_out = stretches_without_data(settings, report_days, with_data)
    _stop_if_sparse(settings, report_days, without(report_days, left_out), with_data)
    notes += [f"{gap} ({len(gap):,} days) have no sessions, conversions or results and are left out." for gap in left_out]
    return Plan(days, report_days, report_days, tuple(left_out), tuple(notes))


def notes_on_engagement(settings: Settings) -> list[str]:
    """A line for each rule that gave sessions their engagement flags; none where all came with them, or there are none."""
    if "attribution" not in parts(settings):
        return []
    rules = settings.warehouse.rows(Query("engagement_rules", is_lenient=True))
    return [engagement.in_words(row["engagement_rule"], row["sessions"]) for row in rules]


def prepared_plan(settings: Settings, start: str | None, end: str | None, chosen: Sequence[str] = ()) -> RunPlan:
    """The plan of `plan_parts`, and the database brought up to the schema. Where there is no plan, nothing is written."""
    plan, before = plan_parts(settings, start, end, chosen), settings.warehouse.meta()
    settings.warehouse.prepare()
    if settings.warehouse.meta() == before:
        return plan
    return plan_parts(settings, start, end, chosen)  # an upgrade can show results that could not be read before


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
    redistribution = settings.redistribution_in_use
    return Account(settings.ihc_api_url, settings.ihc_conv_type_id or "", redistribution)
