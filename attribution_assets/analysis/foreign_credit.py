"""Credit that others have computed, such as an agency: whether it can be right, by the sources alone."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from attribution_assets.analysis.checking import SHOWN, Finding
from attribution_assets.catalog.checks import OF_FOREIGN_CREDIT
from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.sqlite.database import as_sqlite, readable
from attribution_assets.warehouse.sqlite.sources import check_sources, columns_of

if TYPE_CHECKING:
    from attribution_assets.warehouse.lake.database import LakeWarehouse
    from attribution_assets.warehouse.postgres.database import PostgresWarehouse

COLUMNS = ("conv_id", "session_id", "ihc")

TOLERANCE_PER_SESSION = 0.00005
"""By how much a conversion's credit may differ from 1, for each of its sessions: it is often rounded to four places."""

QUERY = Query("check_foreign_credit", {"tolerance_per_session": TOLERANCE_PER_SESSION}, is_lenient=True)

DAYS = (
    "SELECT coalesce(min(conv_date), '0001-01-01'), coalesce(max(conv_date), '9999-12-31') FROM conversions "
    "WHERE {day} = conv_date AND conv_id IN (SELECT conv_id FROM attribution_customer_journey)"
)
"""The first and last day of the conversions that are credited, among those with a real date."""

Row = tuple[Any, ...]


def check_foreign_credit(settings: Settings, table_or_file: str) -> list[Finding]:
    """What each demand on credit finds in a table of the database, or in a CSV file, of conv_id, session_id and ihc.

    Writes nothing and needs no run. Raises NotFoundError where there is neither such a table nor such a file, and
    AttributionError where a column is missing.
    """
    find = _in_file if settings.database.is_file else _elsewhere
    days, rows = find(settings, table_or_file)
    findings = []
    for check in OF_FOREIGN_CREDIT:
        broken = [
            {"conv_id": conv_id, "session_id": session_id, "value": user_id if number is None else number}
            for demand, conv_id, session_id, number, user_id in rows
            if demand == check.name
        ]
        sentence = f"{len(broken):,} {check.noun}{'' if len(broken) == 1 else 's'} {check.broken}" if broken else check.demand
        findings.append(Finding(table_or_file, check, days, len(broken), broken[:SHOWN], sentence, []))
    return findings


def _elsewhere(settings: Settings, table_or_file: str) -> tuple[Days, list[Row]]:
    """The days of the conversions, and the query's rows; of credit that is no number, the text that is given."""
    warehouse = cast("LakeWarehouse | PostgresWarehouse", settings.warehouse.here)
    with warehouse.with_credit(QUERY, table_or_file, COLUMNS) as cursor:
        [(first, last)] = cursor.execute(DAYS.format(day="days_before(conv_date, 0)")).fetchall()
        rows = cursor.execute(QUERY.text_in(warehouse.engine), QUERY.parameters).fetchall()
        asked = "SELECT conv_id, session_id, given FROM credit_of_others WHERE ihc IS NULL AND given IS NOT NULL"
        texts = {(conv_id, session_id): given for conv_id, session_id, given in cursor.execute(asked)}
    told = (
        (demand, conv_id, session_id, _told(demand, number, texts.get((conv_id, session_id))), user_id)
        for demand, conv_id, session_id, number, user_id in rows
    )
    return Days(first, last), sorted(told, key=lambda row: (row[1] or "", row[2] or ""))


def _told(demand: str, number: float | None, text: str | None) -> float | int | str | None:
    """The number as SQLite tells it: a count is whole, and credit that is no number is what is given."""
    if demand == "credit_is_a_share" and number is None:
        return text
    return int(number) if demand == "touchpoints_stand_once" and number else number


def _in_file(settings: Settings, table_or_file: str) -> tuple[Days, list[Row]]:
    """The days of the conversions, and the query's rows."""
    file = Path(table_or_file)
    warehouse = as_sqlite(settings.warehouse)
    with warehouse.connect() as connection:
        check_sources(connection, warehouse.path, settings.reading, QUERY)
        connection.text_factory = readable
        if columns_of(connection, table_or_file):
            _stand_in_table(connection, warehouse.path, table_or_file)
        elif file.is_file():
            _stand_in_file(connection, file)
        else:
            raise NotFoundError(f"{settings.database} has no table {table_or_file}, and there is no such CSV file.")
        [(first, last)] = connection.execute(DAYS.format(day="date(conv_date, '+0 days')"))
        return Days(first, last), connection.execute(QUERY.text, QUERY.parameters).fetchall()


def _stand_in_table(connection: sqlite3.Connection, database: Path, table: str) -> None:
    """Has the connection read the table as attribution_customer_journey."""
    if missing := [column for column in COLUMNS if column not in columns_of(connection, table)]:
        raise AttributionError(f"{table} in {database} has no column {', '.join(missing)}. Credit has {', '.join(COLUMNS)}.")
    quoted = table.replace('"', '""')
    connection.execute(
        "CREATE TEMP VIEW attribution_customer_journey AS "
        f'SELECT CAST(conv_id AS text) AS conv_id, CAST(session_id AS text) AS session_id, ihc FROM main."{quoted}"'
    )


def _stand_in_file(connection: sqlite3.Connection, file: Path) -> None:
    """Has the connection read the file as attribution_customer_journey."""
    connection.execute("CREATE TEMP TABLE attribution_customer_journey (conv_id text, session_id text, ihc numeric)")
    with file.open(newline="", encoding="utf-8-sig") as opened:
        reader = csv.DictReader(opened)
        if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
            raise AttributionError(f"{file} has no column {', '.join(missing)}. Credit has {', '.join(COLUMNS)}.")
        connection.executemany("INSERT INTO attribution_customer_journey VALUES (?, ?, ?)", _cells(reader))


def _cells(rows: csv.DictReader[str]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(row[column] or None for column in COLUMNS)
