"""What a statement reads, as SQLite reports it when it prepares the statement: tables, columns and parameters."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache

from attribution_assets.shipped import read_sql
from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.schema import empty_database, schema
from attribution_assets.warehouse.sqlite.views import create_views, views_of_broken_rows
from attribution_assets.warehouse.views import TRACKED_COST, UNUSUAL_COST


@dataclass(frozen=True)
class Reads:
    """What a statement reads.

    `tables`: the declared tables by name, each with the columns that the statement needs of it (none where it counts rows).
    `parameters`: the names of the parameters that need a value, without `$`.
    """

    tables: Mapping[str, frozenset[str]]
    parameters: frozenset[str]


@cache
def reads(text: str) -> Reads:
    """What the statement reads, found by preparing it in an empty database; comments and the form of a name do not matter.

    Raises sqlite3.Error for what is no statement over the declared tables.
    """
    columns: dict[str, set[str]] = defaultdict(set)
    parameters: dict[str, None] = defaultdict(lambda: None)  # SQLite asks for each one's value

    def note(action: int, table: str | None, column: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table and column:
            columns[table.lower()].add(column)
        return sqlite3.SQLITE_OK

    with closing(empty_database()) as connection:
        connection.executescript(
            create_views(
                {
                    **views_of_broken_rows(),
                    "tracked_conversion": "SELECT * FROM conversions",
                    "tracked_cost": TRACKED_COST,
                    "unusual_cost": UNUSUAL_COST,
                    "reconciled_conversion": read_sql("reconciled_conversion"),
                    "session_dimension": "SELECT session_id, event_date, user_id, channel_name, '' AS dimension, '' AS value "
                    "FROM session_sources",
                    "conversion_dimension": "SELECT conv_id, conv_date, '' AS dimension, '' AS value FROM conversions",
                }
            )
        )
        pages = dict(connection.execute("SELECT rootpage, tbl_name FROM sqlite_master"))
        connection.set_authorizer(note)
        program = connection.execute(f"EXPLAIN {in_dialect(text, 'sqlite')}", parameters).fetchall()
    for _, operation, _, page, database, *_ in program:  # a table may be read without a column: count(*), JOIN ... USING
        if operation == "OpenRead" and database == 0 and page in pages:
            _ = columns[pages[page]]
    declared = {name: frozenset(column.name for column in table.columns) for name, table in schema().items()}
    return Reads({name: declared[name] & found for name, found in columns.items() if name in declared}, frozenset(parameters))
