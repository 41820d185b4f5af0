"""The schema step on a PostgreSQL server: makes our schema, functions and tables, and notes the version and an id."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.postgres.connection import Driver, PostgresConnection, StoredTable, as_statement, quoted
from attribution_assets.warehouse.postgres.functions import FUNCTIONS, OF_POSTGRES
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, META, Table, schema

VERSION = 1
"""The version of our tables on a server that this package knows."""

TYPES: Mapping[str, str] = {"text": 'text COLLATE "C"', "integer": "bigint", "real": "double precision"}
"""Declared type in our schema -> that of a column on the server. Text is compared and sorted byte for byte."""

STEP = 7_239_514
"""The advisory lock of the schema step, of which one runs at a time."""


def meta_of(driver: Driver, within: str, ours: Mapping[str, StoredTable]) -> dict[str, str]:
    """The rows of attribution_meta in the schema, value by key; empty before the first schema step."""
    if META not in ours:
        return {}
    return dict(driver.execute(f"SELECT key, value FROM {quoted(within)}.{META}").fetchall())


def one_at_a_time(driver: Driver) -> None:
    """Waits, in a transaction, for whoever makes tables or functions: the server's IF NOT EXISTS does not."""
    driver.execute("SELECT pg_advisory_xact_lock(%s)", [STEP])


def make_functions(driver: Driver, within: str) -> None:
    """Makes the schema and our functions in it, where they are missing or of another version, and notes which these are."""
    with driver.transaction():
        one_at_a_time(driver)
        if not driver.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [within]).fetchone():
            driver.execute(f"CREATE SCHEMA {quoted(within)}")
        driver.execute(f"SET LOCAL search_path = {quoted(within)}, pg_catalog")
        for statement in FUNCTIONS:
            driver.execute(statement)
        driver.execute(_create(schema()[META]))
        _note(driver, "functions", OF_POSTGRES)


def make_tables(connection: PostgresConnection, place: str) -> None:
    """Makes our tables and their indexes where they are missing, and notes the version and the database's id.

    The id is a random UUID, made once. Raises AttributionError where a table under one of our names is not ours.
    """
    driver = connection.driver
    with driver.transaction():
        one_at_a_time(driver)
        for table in (table for name, table in schema().items() if name not in {*ALL_SOURCES, *FURTHER}):
            if found := connection.ours.get(table.name):
                _check_ours(driver, place, table, found)
            else:
                make_table(driver, table)
        driver.execute(f"INSERT INTO {META} VALUES ('database_id', %s) ON CONFLICT DO NOTHING", [str(uuid.uuid4())])
        _note(driver, "schema_version", str(VERSION))


def make_table(driver: Driver, table: Table) -> None:
    """Makes the table and its indexes where it is missing."""
    driver.execute(_create(table))
    for create in table.indexes.values():
        driver.execute(as_statement(re.sub("INDEX (?!IF)", "INDEX IF NOT EXISTS ", create)))


def _create(table: Table) -> str:
    columns = [
        f"{quoted(column.name)} {TYPES[column.type]}{' NOT NULL' if column.required else ''}" for column in table.columns
    ]
    key = f"PRIMARY KEY ({', '.join(map(quoted, table.key))})"
    return f"CREATE TABLE IF NOT EXISTS {table.name} ({', '.join([*columns, key])})"


def _note(driver: Driver, key: str, value: str) -> None:
    driver.execute(
        f"INSERT INTO {META} VALUES (%s, %s) ON CONFLICT (key) DO UPDATE SET value = excluded.value "
        f"WHERE {META}.value <> excluded.value",
        [key, value],
    )


def _check_ours(driver: Driver, place: str, table: Table, found: StoredTable) -> None:
    """Raises AttributionError if a table with the name of one of ours cannot be that table."""
    wanted = {column.name: re.sub(" COLLATE.*", "", TYPES[column.type]) for column in table.columns}
    keys = driver.execute(
        "SELECT attname FROM pg_index, unnest(indkey) WITH ORDINALITY AS key (number, place) "
        "JOIN pg_attribute ON attnum = number WHERE indisprimary AND indrelid = CAST(%s AS regclass) "
        "AND attrelid = indrelid ORDER BY place",
        [found.place],
    )
    problem = ""
    if found.is_a not in "rp":
        problem = "is no table"
    elif lacking := [name for name in wanted if name not in found.columns]:
        problem = f"lacks {', '.join(lacking)}"
    elif other := [name for name, type_ in wanted.items() if found.columns[name] != type_]:
        problem = f"has another type of {', '.join(other)}"
    elif tuple(key for (key,) in keys.fetchall()) != table.key:
        problem = f"lacks the primary key ({', '.join(table.key)})"
    if problem:
        raise AttributionError(
            f"{table.name} in {place} {problem}, so the pipeline cannot keep its results there. "
            f"Rename or drop it; the next run creates it. ALTER TABLE {table.name} RENAME TO {table.name}_of_others keeps its "
            "rows."
        )
