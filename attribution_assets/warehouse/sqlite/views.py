"""The views before the sources of an SQLite file, and the indexes that serve them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Mapping
from functools import cache
from types import MappingProxyType

from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.schema import BROKEN_ROWS, Column, Table, schema
from attribution_assets.warehouse.views import Reading, Stored, lacking_flags, no_value, views_of, without_flags

INDEXED = re.compile(r"(?<= \()[\w, ]+(?=\))")
"""The columns in the statement of a declared index."""


def add_views(connection: sqlite3.Connection, reading: Reading) -> None:
    """Puts a view before each source, under its name and for this connection alone; nothing is written to the file."""
    [(declared,)] = connection.execute("SELECT group_concat(type || ' ' || name || ' ' || sql, ';') FROM main.sqlite_master")
    if (declared, reading) not in _VIEWS:
        _VIEWS[declared, reading] = create_views(views_of(stored_in(connection), reading))
    connection.executescript(_VIEWS[declared, reading])


_VIEWS: dict[tuple[str | None, Reading], str] = {}
"""By what a file declares, the statements that make the views: every command opens many connections to one file."""


def stored_in(connection: sqlite3.Connection) -> Stored:
    """The tables of the file. Its indexes have the expressions that are read, too."""

    @cache
    def declared(table: str) -> Mapping[str, str]:
        return _declared(connection, table)

    @cache
    def is_plain(table: str) -> bool:
        return is_table(connection, table) and not collations(connection, table)

    def as_read(table: str, column: Column, name: str) -> str:
        """By SQLite's rule, text is what a column keeps as text whose type contains one of three words, and not INT."""
        if column.type != "text":
            return name
        type_ = declared(table)[name.rpartition(".")[2].lower()]
        if "INT" not in type_ and re.search("CHAR|CLOB|TEXT", type_):
            return name if is_plain(table) else f"{name} COLLATE BINARY"
        return f"CAST({name} AS text) COLLATE BINARY"

    def select(source: Table, read: Mapping[str, str], of: str) -> str:
        is_whole = _is_read_whole(connection, stored.stands_for(source)[0], source, read)
        return f"WITH kept AS MATERIALIZED ({of}) SELECT * FROM kept" if is_whole else of

    def broken(lacking: Collection[str]) -> dict[str, str]:
        missing = {name: {*schema()[name].column_names}.difference(declared(name), lacking) for name in BROKEN_ROWS.values()}
        return views_of_broken_rows(lacking, missing)

    stored = Stored("main.{}".format, declared, as_read, select, broken)
    return stored


def create_views(views: Mapping[str, str]) -> str:
    """The script that creates each view for this connection alone."""
    created = (f"CREATE TEMP VIEW {name} AS {in_dialect(select, 'sqlite')}\n;\n" for name, select in views.items())
    return "".join(created)


def views_of_broken_rows(
    lacking: Collection[str] = (), missing: Mapping[str, Collection[str]] = MappingProxyType({})
) -> dict[str, str]:
    """By name, the SELECT of each of the views of BROKEN_ROWS, with the declared columns of their source as they are stored.

    They have the rows that meet the condition of the index `<source>_broken` as it is declared, and those of
    `<source>_not_ascii` whose text cannot be decoded: these indexes find them. The source may be a view, or missing: only who
    reads the view needs it. `lacking` are engagement flags that session_sources does not have, `missing` by source the other
    columns that it does not have, which have no value.
    """
    views = {}
    for view, name in BROKEN_ROWS.items():
        source = schema()[name]
        broken, not_ascii = (
            source.indexes[f"{name}_{which}"].partition("WHERE")[2].strip() for which in ("broken", "not_ascii")
        )
        decodes = " AND ".join(f"decodes(CAST({column} AS blob))" for column in re.findall(r"(\w+) GLOB", not_ascii))
        there = {column.name: without_flags(column.name, lacking) for column in source.columns}
        there |= {column.name: no_value(column) for column in source.columns if column.name in missing.get(name, ())}
        columns = (f"{there[column]} AS {column}" for column in source.column_names)
        broken, not_ascii, decodes = (
            _without_columns(without_flags(condition, lacking), missing.get(name, ()))
            for condition in (broken, not_ascii, decodes)
        )
        rows = f"SELECT {', '.join(columns)} FROM main.{name} WHERE"
        views[view] = f"{rows} ({broken}) UNION ALL {rows} ({not_ascii}) AND ({broken}) IS NOT TRUE AND NOT ({decodes})"
    return views


def _without_columns(condition: str, missing: Collection[str]) -> str:
    """The condition with NULL in place of these columns."""
    return re.sub(rf"\b({'|'.join(sorted(missing))})\b", "NULL", condition) if missing else condition


def columns_as_read(connection: sqlite3.Connection, source: Table) -> dict[str, str]:
    """For each declared column that the source has, the expression that is read instead of it, which its indexes have too.

    A text column of a table without a collation is read as it is.
    """
    return stored_in(connection).columns(source)


def _declared(connection: sqlite3.Connection, table: str) -> dict[str, str]:
    """The declared type of each column, by its name in lower case; none where the table does not exist."""
    asked = "SELECT lower(name), upper(type) FROM pragma_table_xinfo(?, 'main') WHERE hidden <> 1"
    return dict(connection.execute(asked, (table,)))


def indexes_of(connection: sqlite3.Connection, source: Table) -> dict[str, str]:
    """The statements that make the declared indexes of a source table, by name, on those of its columns as they are read.

    If nothing of the user's finds a row by the key as it is read, the statement of one that does is among them.
    """
    read = columns_as_read(connection, source)
    lacking = lacking_flags(read) if source.name == "session_sources" else ()
    statements = {
        name: INDEXED.sub(
            lambda columns: ", ".join(read[column] for column in columns[0].split(", ")),
            without_flags(create, lacking),
            count=1,
        )
        for name, create in source.indexes.items()
        if {*INDEXED.findall(create)[0].split(", ")} <= read.keys()
    }
    for key in source.key[:1]:
        by_key = f"{source.name}_by_{key}"
        if read[key] != key or not _is_found_by(connection, source.name, key, by_key):
            statements[by_key] = f"CREATE INDEX {by_key} ON {source.name} ({read[key]})"
    return statements


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


def _is_read_whole(connection: sqlite3.Connection, stored: str, source: Table, read: Mapping[str, str]) -> bool:
    """Whether the source is a view that finds rows only by reading all of them. Then SQLite reads them once for a query."""
    if is_table(connection, stored):
        return False
    leading = (column for create in source.indexes.values() for column in INDEXED.findall(create)[0].split(", ")[:1])
    lookups = {*source.key[:1], *leading} & {*read}
    plans = (
        connection.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM main.{stored} WHERE {read[column]} = ''").fetchall()
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
