"""The user's tables as every query reads them: the declared columns, and text byte for byte, whatever type was declared."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

from attribution_assets.warehouse.schema import BROKEN_ROWS, SOURCES, Column, Table, schema

TIMES = ("event_time", "conv_time")
"""The columns in which one instant has several spellings: 10:00:00.5 and 10:00:00.500."""

INDEXED = re.compile(r"(?<= \()[\w, ]+(?=\))")
"""The columns in the statement of a declared index."""


def add_views(connection: sqlite3.Connection) -> None:
    """Puts a view before each source, under its name and for this connection alone; nothing is written to the file.

    What the view has is what counts. It has no column that the schema does not declare, so that a further one of the user's can
    stand for no other. Ids, channels, dates and times are text and are compared byte for byte, whatever type or collation is
    declared: 7 is '7', and 'Email' is not 'email'. Times have one spelling for one instant. A source that is missing has no
    view. The connection also gets the views of BROKEN_ROWS.
    """
    for source in (schema()[name] for name in SOURCES):
        if read := columns_as_read(connection, source):
            select = select_as_read(f"main.{source.name}", read)
            if _is_read_whole(connection, source, read):
                select = f"WITH kept AS MATERIALIZED ({select}) SELECT * FROM kept"
            connection.execute(f"CREATE TEMP VIEW {source.name} AS {select}")
    add_views_of_broken_rows(connection)


def add_views_of_broken_rows(connection: sqlite3.Connection) -> None:
    """Adds the views of BROKEN_ROWS, with the declared columns of their source as they are stored.

    They have the rows that meet the condition of the index `<source>_broken` as it is declared, and those of
    `<source>_not_ascii` whose text cannot be decoded: these indexes find them. The source may be a view, or missing: only who
    reads the view needs it.
    """
    for view, name in BROKEN_ROWS.items():
        source = schema()[name]
        broken, not_ascii = (
            source.indexes[f"{name}_{which}"].partition("WHERE")[2].strip() for which in ("broken", "not_ascii")
        )
        decodes = " AND ".join(f"decodes(CAST({column} AS blob))" for column in re.findall(r"(\w+) GLOB", not_ascii))
        rows = f"SELECT {', '.join(source.column_names)} FROM main.{name} WHERE"
        connection.execute(
            f"CREATE TEMP VIEW {view} AS {rows} ({broken}) "
            f"UNION ALL {rows} ({not_ascii}) AND ({broken}) IS NOT TRUE AND NOT ({decodes})"
        )


def columns_as_read(connection: sqlite3.Connection, source: Table) -> dict[str, str]:
    """For each declared column that the source has, the expression that is read instead of it, which its indexes have too.

    A text column of a table without a collation is read as it is.
    """
    asked = "SELECT lower(name), upper(type) FROM pragma_table_xinfo(?, 'main') WHERE hidden <> 1"
    declared = dict(connection.execute(asked, (source.name,)))
    plain = is_table(connection, source.name) and not collations(connection, source.name)
    return {
        column.name: _as_read(column, declared[column.name.lower()], plain)
        for column in source.columns
        if column.name.lower() in declared
    }


def indexes_of(connection: sqlite3.Connection, source: Table) -> dict[str, str]:
    """The statements that make the declared indexes of a source table, by name, on its columns as they are read.

    If nothing of the user's finds a row by the key as it is read, the statement of one that does is among them.
    """
    read = columns_as_read(connection, source)
    statements = {
        name: INDEXED.sub(lambda columns: ", ".join(read[column] for column in columns[0].split(", ")), create, count=1)
        for name, create in source.indexes.items()
    }
    key = source.key[0]
    by_key = f"{source.name}_by_{key}"
    if read[key] != key or not _is_found_by(connection, source.name, key, by_key):
        statements[by_key] = f"CREATE INDEX {by_key} ON {source.name} ({read[key]})"
    return statements


def select_as_read(table: str, read: Mapping[str, str]) -> str:
    """The SELECT of these columns, by name the expression of each, in the dialect of SQLite and DuckDB.

    A time of day gets its shortest spelling: without zeros, and a point, at the end of its fraction.
    """
    columns = [
        f"CASE WHEN instr({read_as}, '.') > 0 THEN rtrim(rtrim({read_as}, '0'), '.') ELSE {read_as} END AS {name}"
        if name in TIMES
        else f"{read_as} AS {name}"
        for name, read_as in read.items()
    ]
    return f"SELECT {', '.join(columns)} FROM {table}"


def collations(connection: sqlite3.Connection, table: str) -> list[str]:
    """The names of the collations in the declaration of a table of the user's, but for BINARY."""
    found = connection.execute(
        "SELECT sql FROM main.sqlite_master WHERE lower(name) = ? AND type = 'table'", (table,)
    ).fetchone()
    names = re.findall(r"\bcollate\s+[\"'`\[]?(\w+)", found[0], re.IGNORECASE) if found else []
    return sorted({name.upper() for name in names} - {"BINARY"})


def is_table(connection: sqlite3.Connection, name: str) -> bool:
    """Whether the file has a table of this name, and not a view."""
    asked = "SELECT 1 FROM main.sqlite_master WHERE lower(name) = ? AND type = 'table'"
    return connection.execute(asked, (name,)).fetchone() is not None


def _as_read(column: Column, declared: str, plain: bool) -> str:
    """By SQLite's rule, text is what a column keeps as text whose type contains one of three words, and not INT."""
    if column.type != "text":
        return column.name
    if "INT" not in declared and re.search("CHAR|CLOB|TEXT", declared):
        return column.name if plain else f"{column.name} COLLATE BINARY"
    return f"CAST({column.name} AS text) COLLATE BINARY"


def _is_read_whole(connection: sqlite3.Connection, source: Table, read: Mapping[str, str]) -> bool:
    """Whether the source is a view that finds rows only by reading all of them. Then SQLite reads them once for a query."""
    if is_table(connection, source.name):
        return False
    leading = (column for create in source.indexes.values() for column in INDEXED.findall(create)[0].split(", ")[:1])
    lookups = {source.key[0], *leading} & {*read}
    plans = (
        connection.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM main.{source.name} WHERE {read[column]} = ''").fetchall()
        for column in sorted(lookups)
    )
    return any(step.startswith("SCAN") for plan in plans for *_, step in plan)


def _is_found_by(connection: sqlite3.Connection, table: str, column: str, ours: str) -> bool:
    """Whether the primary key of the table or one of its indexes, but for the one that is ours, begins with the column."""
    asked = (
        "SELECT 1 FROM pragma_table_xinfo(:table, 'main') WHERE lower(name) = :column AND pk = 1 "
        "UNION SELECT 1 FROM pragma_index_list(:table, 'main') AS list, pragma_index_info(list.name, 'main') AS info "
        "WHERE list.name <> :ours AND NOT list.partial AND info.seqno = 0 AND lower(info.name) = :column"
    )
    return connection.execute(asked, {"table": table, "column": column, "ours": ours}).fetchone() is not None
