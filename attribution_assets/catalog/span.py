"""Which days there are: the first and the last one that can run, those with results, and today."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

from attribution_assets.catalog.sources import SOURCES
from attribution_assets.catalog.table import DailyTable
from attribution_assets.catalog.tables import sources_read, tables
from attribution_assets.errors import AttributionError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Warehouse
from attribution_assets.warehouse.days import gaps, is_date, shift

DAYS_WITHOUT_A_DATABASE = 90

SHORTEST_STRETCH = 30
"""Days without data belong to a stretch only if there are more of them than this, however short the lookback is."""


def first_day(settings: Settings) -> str:
    """ATTRIBUTION_START_DATE. If unset, the earliest date in the database; if there is no readable date, 90 days ago.

    Results count as well as sources: after source rows are deleted, the days of their results must remain, to be cleared.
    """
    if settings.start_date:
        return settings.start_date.isoformat()
    try:
        with settings.warehouse.at_one_state() as warehouse:
            days = [
                warehouse.first_date(source.name, source.day_column, source.has_times)
                for source in SOURCES
                if source.day_column
            ]
            results = days_of(warehouse, tables(settings))
    except AttributionError:  # the graph loads all the same; a run says what is wrong
        days, results = [], None
    days += [results.first] if results else []
    return min(filter(None, days), default=shift(today(), -DAYS_WITHOUT_A_DATABASE))


def last_day(settings: Settings) -> str:
    """The newest day that has ended: yesterday (UTC), or ATTRIBUTION_END_DATE if that is earlier."""
    yesterday = date.fromisoformat(today()) - timedelta(days=1)
    return min(settings.end_date or yesterday, yesterday).isoformat()


def final_on(settings: Settings, day: str) -> str:
    """The last day whose conversions can still be credited to sessions of this day."""
    return shift(day, settings.lookback_days)


def is_final(settings: Settings, day: str) -> bool:
    """Whether the report of this day, if there is one, can no longer change: all conversions that can reach it can have run."""
    return final_on(settings, day) <= last_day(settings)


def today() -> str:
    """The current UTC date."""
    return datetime.now(UTC).date().isoformat()


def days_of(warehouse: Warehouse, entries: Iterable[DailyTable]) -> Days | None:
    """From the first to the last day that has rows in one of the tables; None where there are none, or no tables yet.

    Days that a table keeps, and files, do not count.
    """
    spans = [span for table in _stored(entries) if (span := warehouse.span(table.name, table.day_column))]
    return Days(min(span.first for span in spans), max(span.last for span in spans)) if spans else None


def _stored(entries: Iterable[DailyTable]) -> Iterator[DailyTable]:
    return (table for table in entries if not (table.is_kept or table.csv_of))


def days_with_data(settings: Settings, entries: Collection[DailyTable], days: Days) -> set[str]:
    """Those of the days that have a row of one of the tables or of a source that they read."""
    read = [source for source in sources_read(entries) if source.day_column]
    columns = {source.name: (source.day_column, source.has_times) for source in read}
    columns |= {table.name: (table.day_column, False) for table in _stored(entries)}
    warehouse = settings.warehouse
    return {
        day
        for name, (column, has_times) in columns.items()
        for day in warehouse.rows_by_day(name, column, days, has_times)
        if is_date(day)
    }


def stretches_without_data(settings: Settings, days: Days, with_data: Iterable[str]) -> list[Days]:
    """The stretches of more than a lookback of days without data: no conversion reaches over one. In order."""
    return gaps(days, with_data, max(settings.lookback_days, SHORTEST_STRETCH))


def computed_days(warehouse: Warehouse, settings: Settings, table: DailyTable) -> Days | None:
    """From the first to the last day with results of the job that makes the table; None where there are none.

    Tables that need a choice or a source are looked at apart from the others: these may have come later.
    """
    of_job = [other for other in tables(settings) if other.job == table.job]
    together = [other for other in of_job if (other.only_with, other.needs) == (table.only_with, table.needs)]
    return days_of(warehouse, of_job if table.is_sparse else together)
