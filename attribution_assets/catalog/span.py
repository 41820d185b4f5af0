"""Which days there are: the first and the last one that can run, and today."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from attribution_assets.errors import AttributionError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Query
from attribution_assets.warehouse.days import shift

DAYS_WITHOUT_A_DATABASE = 90


def first_day(settings: Settings) -> str:
    """ATTRIBUTION_START_DATE; unset, the earliest date in the database; without a readable one, 90 days ago.

    Results count as well as sources: where a source is gone, its results' days must still be there to be cleared.
    """
    if settings.start_date:
        return settings.start_date.isoformat()
    warehouse = settings.warehouse
    days: list[str | None] = []
    for name in ("earliest_day", "result_span"):
        try:
            _, [row] = warehouse.fetch(Query(name))
        except AttributionError:  # the graph loads all the same; a run says what is wrong
            continue
        days += row[:3]
    return min(filter(None, days), default=shift(today(), -DAYS_WITHOUT_A_DATABASE))


def last_day(settings: Settings) -> str:
    """The newest day that has ended: yesterday (UTC), or ATTRIBUTION_END_DATE if that is earlier."""
    yesterday = date.fromisoformat(today()) - timedelta(days=1)
    return min(settings.end_date or yesterday, yesterday).isoformat()


def today() -> str:
    """The current UTC date."""
    return datetime.now(UTC).date().isoformat()
