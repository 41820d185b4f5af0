"""What an SQLite file has of the sources, and whether each of their ids stands there once."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path

from attribution_assets.warehouse.query import Query
from attribution_assets.warehouse.schema import Table, schema
from attribution_assets.warehouse.sources import Present, check_present, counted_by_id, id_twice
from attribution_assets.warehouse.sqlite.views import columns_as_read
from attribution_assets.warehouse.views import Reading


def check_sources(connection: sqlite3.Connection, path: Path, reading: Reading, query: Query) -> None:
    """Raises AttributionError where a source table that the query reads is missing or lacks a column that it needs."""
    present = Present(path, partial(columns_of, connection), lambda name: columns_as_read(connection, schema()[name]).keys())
    check_present(present, reading, query)


def check_ids(connection: sqlite3.Connection, path: Path, query: Query) -> None:
    """Raises AttributionError where a row of a source table that the query reads would count more than once."""
    for source in counted_by_id(query):
        _check_ids(connection, path, source)


def _check_ids(connection: sqlite3.Connection, path: Path, source: Table) -> None:
    """Raises AttributionError for rows that would count more than once.

    Looks at rows only where the source does not declare that the id is unique as text, as in a view.
    """
    key = source.key[0]
    columns = connection.execute(
        "SELECT lower(name), upper(type), pk FROM pragma_table_xinfo(?, 'main')", (source.name,)
    ).fetchall()
    unique = connection.execute(
        "SELECT (SELECT group_concat(lower(name)) FROM pragma_index_info(i.name, 'main')) "
        "FROM pragma_index_list(?, 'main') AS i WHERE i.\"unique\" AND NOT i.partial",
        (source.name,),
    ).fetchall()
    one_type = any(column == key and type_ and "BLOB" not in type_ for column, type_, _ in columns)  # else both 7 and '7' fit
    if one_type and ((key,) in unique or [column for column, _, pk in columns if pk] == [key]):
        return
    twice = connection.execute(
        f"SELECT {key}, count(*) FROM {source.name} WHERE {key} IS NOT NULL GROUP BY {key} HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if twice:
        has_truth = source.name == "conversions" and bool(columns_of(connection, "conversions_backend"))
        raise id_twice(source, path, twice, has_truth=has_truth)


def columns_of(connection: sqlite3.Connection, table: str) -> list[str]:
    """The table's or view's columns in lower case, as SQLite compares them; none where it does not exist."""
    columns = connection.execute("SELECT lower(name) FROM pragma_table_xinfo(?, 'main') WHERE hidden <> 1", (table,))
    return [name for (name,) in columns]
