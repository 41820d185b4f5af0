"""The schema step: brings our own tables in an SQLite file up to the schema, and notes the version in the file."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Callable
from pathlib import Path

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.engagement import FLAGS
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, META, Table, schema
from attribution_assets.warehouse.sqlite.sources import columns_of
from attribution_assets.warehouse.sqlite.views import indexes_of


def _add_conv_date(connection: sqlite3.Connection, path: Path) -> None:
    """The date of the conversion, by which days are replaced, in tables from before they had it; taken from conversions."""
    objects = objects_of(connection)
    for table in ("customer_journeys", "ihc_results", "attribution_customer_journey"):
        columns = columns_of(connection, table)
        if objects.get(table) != "table" or "conv_id" not in columns or "conv_date" in columns:
            continue
        if "conversions" not in objects:
            raise AttributionError(
                f"{table} in {path} is from before conv_date existed, and there is no table conversions to take it from. "
                f"Add conversions, or drop {table}."
            )
        connection.execute(f"ALTER TABLE {table} ADD COLUMN conv_date text")
        connection.execute(
            f"UPDATE {table} AS t SET conv_date = (SELECT conv_date FROM conversions AS c WHERE c.conv_id = t.conv_id)"
        )


def forget_old_seen_days(connection: sqlite3.Connection, _: Path) -> None:
    """What late data has seen had a column for each source; now it has a row. The next search looks at every day again."""
    if "sessions" in columns_of(connection, "seen_days"):
        connection.execute("DROP TABLE seen_days")


Upgrade = Callable[[sqlite3.Connection, Path], None]
"""Changes tables that exist, if there is something left to do. Tables that are missing are made afterwards.

The connection has the views of `BROKEN_ROWS`: while a source of theirs is missing, SQLite renames no table and drops no column.
"""

UPGRADES: tuple[Upgrade, ...] = (_add_conv_date, forget_old_seen_days)
"""Number n, counted from 1, brings our tables from version n - 1 of the schema to n. New ones are added at the end."""

VERSION = len(UPGRADES)
"""The version of the schema that this package knows. A file from before there were versions has 0."""


def meta_of(connection: sqlite3.Connection) -> dict[str, str]:
    """The rows of attribution_meta, value by key; empty before the first schema step."""
    if not {"key", "value"} <= set(columns_of(connection, META)):
        return {}
    return dict(connection.execute(f"SELECT key, value FROM {META}"))


def version_of(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the schema of the file at `path`. Raises AttributionError for one that a newer package has made."""
    version = int(meta_of(connection).get("schema_version", 0))
    if version > VERSION:
        raise AttributionError(
            f"{path} has schema version {version}, but this package knows only {VERSION}. Upgrade attribution_assets."
        )
    return version


def is_up_to_date(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether `bring_up_to_date` would change nothing. Raises AttributionError for a file that cannot be brought there."""
    meta = meta_of(connection)
    is_noted = meta.get("schema_version") == str(VERSION) and "database_id" in meta
    return is_noted and not _missing(connection, path)


def bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    """Upgrades our tables, makes those that are missing and all indexes, and notes the version and the database's id.

    The caller holds the write lock, in a transaction. The id is a random UUID, made with the table and never changed: nothing
    else in the file is random. A copy of the file keeps it. Raises AttributionError where a table under one of our names is not
    ours, and for a file that a newer package has made.
    """
    for upgrade in UPGRADES[version_of(connection, path) :]:
        upgrade(connection, path)
    for statement in _missing(connection, path):
        connection.execute(statement)
    connection.execute(f"INSERT OR IGNORE INTO {META} VALUES ('database_id', ?)", (str(uuid.uuid4()),))
    connection.execute(f"INSERT OR REPLACE INTO {META} VALUES ('schema_version', ?)", (str(VERSION),))


def _missing(connection: sqlite3.Connection, path: Path) -> list[str]:
    """The statements that make the tables and indexes that the file lacks; source tables are only indexed."""
    objects = objects_of(connection)
    statements = []
    for table in (table for name, table in schema().items() if name not in FURTHER):
        there = columns_of(connection, table.name)
        lacking = [column for column in table.column_names if column.lower() not in there]
        if table.name in ALL_SOURCES:
            if objects.get(table.name) == "table" and not {*lacking}.difference(FLAGS):
                statements += _of_indexes(connection, table)
            continue
        if table.name not in objects:
            statements.append(table.create)
        else:
            _check_ours(connection, path, table, objects[table.name], lacking)
        statements += [create for name, create in table.indexes.items() if name not in objects]
    return statements


def _of_indexes(connection: sqlite3.Connection, source: Table) -> list[str]:
    """The statements that give a source table its indexes as it is read now: its types may have changed, or our version."""
    present = dict(connection.execute("SELECT lower(name), sql FROM main.sqlite_master WHERE type = 'index'").fetchall())
    statements = []
    for name, create in indexes_of(connection, source).items():
        if present.get(name) != create:
            statements += [f"DROP INDEX IF EXISTS main.{name}", create.replace("CREATE INDEX ", "CREATE INDEX main.", 1)]
    return statements


def _check_ours(connection: sqlite3.Connection, path: Path, table: Table, is_a: str, lacking: list[str]) -> None:
    """Raises AttributionError if an object with the name of one of our tables cannot be that table, or was made by others.

    The latter is asked of a file in which no run has noted itself: a run would replace the rows of others.
    """
    keys = connection.execute("SELECT lower(name) FROM pragma_table_info(?, 'main') WHERE pk ORDER BY pk", (table.name,))
    problem = ""
    if is_a != "table":
        problem = f"is a {is_a}"
    elif lacking:
        problem = f"lacks {', '.join(lacking)}"
    elif tuple(key for (key,) in keys) != table.key:
        problem = f"lacks the primary key ({', '.join(table.key)})"
    elif not meta_of(connection) and _form_of(connection, table.name) != _form_as_made(table):
        problem = "is none that the pipeline has made"
    if problem:
        other = f"{table.name}_of_others"
        is_credit = {"conv_id", "session_id", "ihc"} <= {*columns_of(connection, table.name)}
        raise AttributionError(
            f"{table.name} in {path} {problem}, so the pipeline cannot keep its results there. "
            f"Rename or drop it; the next run creates it. ALTER TABLE {table.name} RENAME TO {other} keeps its rows"
            + (f", and `attribution check --credit {other}` checks them." if is_credit else ".")
        )


def objects_of(connection: sqlite3.Connection) -> dict[str, str]:
    """Every table, view and index of the file by its name in lower case, with which of these it is."""
    return dict(connection.execute("SELECT lower(name), type FROM sqlite_master").fetchall())


def _form_of(connection: sqlite3.Connection, table: str) -> list[tuple[str, str, bool]]:
    """The name, type and NOT NULL of each column of a table of the file but conv_date, which is younger than the others."""
    asked = "SELECT lower(name), lower(type), \"notnull\" FROM pragma_table_info(?, 'main')"
    columns = connection.execute(asked, (table,)).fetchall()
    return [(name, type_, bool(required)) for name, type_, required in columns if name != "conv_date"]


def _form_as_made(table: Table) -> list[tuple[str, str, bool]]:
    columns = [(column.name.lower(), column.type, column.required) for column in table.columns]
    return [column for column in columns if column[0] != "conv_date"]
