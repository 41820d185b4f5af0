"""Local times in UTC, by the rules of zoneinfo, which are looked up once for each local hour that occurs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    import duckdb

LAST_OF_HOUR = timedelta(minutes=59, seconds=59)

WITH_OFFSETS = (
    "(SELECT timed.* REPLACE (coalesce(_utc, _local - to_seconds(_offset)) AS _utc), "
    "_local IS NOT NULL AND _offset IS NULL AS _missing_time FROM timed ASOF LEFT JOIN zone ON timed._local >= zone._from)"
)
"""The table `timed`, once `add` was called: with `_utc` for every local time that exists, `_missing_time` for the others."""


class Rule(NamedTuple):
    """What holds for local times from one on: how many seconds they are ahead of UTC, or None where they do not exist."""

    offset: int | None
    is_repeated: bool


def add(connection: duckdb.DuckDBPyConnection, time_zone: str) -> tuple[int, int]:
    """Makes the table `zone` for the local times in `timed`, and counts those that do not exist and those that occur twice.

    A time that occurs twice is taken for the first.
    """
    connection.execute("CREATE TABLE zone (_from TIMESTAMP, _offset INTEGER, _is_repeated BOOLEAN)")
    rules: list[tuple[datetime, Rule]] = [(datetime.min, Rule(0, is_repeated=False))]
    for local, rule in _rules(connection, ZoneInfo(time_zone)) if time_zone != "UTC" else ():
        if rules[-1][1] != rule:
            rules.append((local, rule))
    connection.executemany("INSERT INTO zone VALUES (?, ?, ?)", [[local, *rule] for local, rule in rules])
    [(nonexistent, repeated)] = connection.execute(
        "SELECT count(*) FILTER (_offset IS NULL), count(*) FILTER (_is_repeated) "
        "FROM timed ASOF JOIN zone ON timed._local >= zone._from"
    ).fetchall()
    return nonexistent, repeated


def _rules(connection: duckdb.DuckDBPyConnection, zone: ZoneInfo) -> Iterator[tuple[datetime, Rule]]:
    """The rule of each local hour that occurs; where it changes within the hour, that of each second that occurs."""
    for hour in _occurring(connection, "hour"):
        first, last = rule_at(zone, hour), rule_at(zone, hour + LAST_OF_HOUR)
        if first == last and not first.is_repeated and first.offset is not None:
            yield hour, first
        else:
            for second in _occurring(connection, "second", hour):
                yield second, rule_at(zone, second)


def _occurring(connection: duckdb.DuckDBPyConnection, unit: str, hour: datetime | None = None) -> list[datetime]:
    within = "_local IS NOT NULL" if hour is None else f"date_trunc('hour', _local) = TIMESTAMP '{hour}'"
    rows = connection.execute(f"SELECT DISTINCT date_trunc('{unit}', _local) AS time FROM timed WHERE {within} ORDER BY 1")
    return [time for (time,) in rows.fetchall()]


def rule_at(zone: ZoneInfo, local: datetime) -> Rule:
    """What holds for a local time."""
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    offset = first.utcoffset() or timedelta()
    try:
        exists = first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local
    except OverflowError:  # in the first or last hours of the calendar
        exists = True
    if not exists:
        return Rule(None, is_repeated=False)
    return Rule(int(offset.total_seconds()), is_repeated=first.utcoffset() != second.utcoffset())
