"""The user's tables as every query reads them: the declared columns, and text byte for byte, whatever type was declared."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from typing import Literal

from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import engagement
from attribution_assets.warehouse.engagement import FLAGS
from attribution_assets.warehouse.schema import ALL_SOURCES, BESIDE, BROKEN_ROWS, Table, schema


@dataclass(frozen=True)
class Reading:
    """What the user has chosen about how sources are read.

    `conversions`: whose conversions count, those that were `tracked`, or those of the shop's `backend`. `currency`: that of the
    report; amounts in others are converted, if there are exchange_rates. `breakdowns`: columns of session_sources, or
    `conversions.column`, whose values reports are broken down by.
    """

    conversions: Literal["tracked", "backend"] = "tracked"
    currency: str = "EUR"
    breakdowns: tuple[str, ...] = ()


AS_STORED = Reading()

OF_CONVERSIONS = "conversions."
"""How the name of a dimension begins that is a column of conversions."""

BACKEND_COLUMNS = frozenset({"market", "currency"})
"""The columns by which conversions of the shop's backend can be broken down."""


STAND_INS: Mapping[str, tuple[str, Mapping[str, str]]] = {"ad_costs": ("api_adwords_costs", {"date": "event_date"})}
"""A table that is read as a source where that is missing, with the columns that have another name there."""

RATES = "exchange_rates"

AMOUNTS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "session_costs": (("cost",), ""),
    "conversions": (("revenue",), "conv_date"),
    "conversions_backend": (("revenue",), "conv_date"),
    "ad_costs": (("cost", "revenue"), "date"),
}
"""By source, its amounts and the column of their day; without one, the day is that of the session."""

TRACKED_COST = "SELECT session_id, cost FROM session_costs"
CLICK_COST = "SELECT session_id, cpc AS cost FROM session_sources WHERE cpc IS NOT NULL"
"""What sessions cost by the tracking, which ad spend is held against: of session_costs, or without it of the clicks."""

MADE_LATER = ("session_spend", "uncredited_conversion")
"""Tables of ours that reports may read, and that a file from before lacks: they are read as empty."""

TIMES = ("event_time", "conv_time")
"""The columns in which one instant has several spellings: 10:00:00.5 and 10:00:00.500."""

INDEXED = re.compile(r"(?<= \()[\w, ]+(?=\))")
"""The columns in the statement of a declared index."""


def add_views(connection: sqlite3.Connection, reading: Reading) -> None:
    """Puts a view before each source, under its name and for this connection alone; nothing is written to the file.

    What the view has is what counts. It has no column that the schema does not declare, so that a further one of the user's can
    stand for no other. Ids, channels, dates and times are text and are compared byte for byte, whatever type or collation is
    declared: 7 is '7', and 'Email' is not 'email'. Times have one spelling for one instant. A source that is missing has no
    view, but for session_costs, which has no rows then if there are ad_costs. A column that is missing is NULL, for queries
    that can do without it; engagement flags that are missing follow from other columns. The connection also gets the views of
    BROKEN_ROWS, and those of MADE_LATER that are missing.
    """
    [(declared,)] = connection.execute("SELECT group_concat(type || ' ' || name || ' ' || sql, ';') FROM main.sqlite_master")
    if (declared, reading) not in _VIEWS:
        _VIEWS[declared, reading] = _views(connection, reading)
    connection.executescript(_VIEWS[declared, reading])


_VIEWS: dict[tuple[str | None, Reading], str] = {}
"""By what a file declares, the statements that make the views: every command opens many connections to one file."""


def _views(connection: sqlite3.Connection, reading: Reading) -> str:
    views, lacking = {}, frozenset[str]()
    for source in (schema()[name] for name in ALL_SOURCES):
        if read := columns_as_read(connection, source):
            expressions = {column.name: f"CAST(NULL AS {column.type})" for column in source.columns} | read
            if source.name == "session_sources":
                lacking = lacking_flags(read)
                expressions |= engagement.derived(read)
            expressions |= converted(connection, source, reading.currency)
            select = select_as_read(f"main.{stored_as(connection, source)[0]}", expressions)
            if _is_read_whole(connection, source, read):
                select = f"WITH kept AS MATERIALIZED ({select}) SELECT * FROM kept"
            views[source.name] = select
    views |= views_of_broken_rows(lacking)
    views |= {name: _no_rows(schema()[name]) for name in MADE_LATER if not is_table(connection, name)}
    for name in (beside for source in views.keys() & BESIDE.keys() for beside in BESIDE[source] if beside not in views):
        views[name] = _no_rows(schema()[name])
    if views.keys() >= {"ad_costs", "session_sources"}:
        views["tracked_cost"] = TRACKED_COST if "session_costs" in views else CLICK_COST
        views.setdefault("session_costs", _no_rows(schema()["session_costs"]))
    if "conversions" in views:
        views["tracked_conversion"] = views["conversions"]
    if views.keys() >= {"conversions", "conversions_backend"}:
        views["reconciled_conversion"] = read_sql("reconciled_conversion")
        if reading.conversions == "backend":
            views["conversions"] = read_sql("true_conversion")
    if reading.breakdowns:
        views |= _views_of_dimensions(connection, reading)
    return create_views(views)


def _views_of_dimensions(connection: sqlite3.Connection, reading: Reading) -> dict[str, str]:
    """The views `session_dimension` and `conversion_dimension`: a row per session or conversion and dimension, with its value.

    Of a session, a dimension of conversions has the value ''. What is NULL, empty or missing is `(none)`.
    """
    of_backend = reading.conversions == "backend"
    of_sessions = {
        name: "''" if name.startswith(OF_CONVERSIONS) else _value(_declared(connection, "session_sources"), name)
        for name in reading.breakdowns
    }
    columns = BACKEND_COLUMNS if of_backend else _declared(connection, "conversions")
    of_conversions = {
        name: _value(columns, name.removeprefix(OF_CONVERSIONS))
        for name in reading.breakdowns
        if name.startswith(OF_CONVERSIONS)
    }
    sessions = columns_as_read(connection, schema()["session_sources"])
    conversions = {} if of_backend else columns_as_read(connection, schema()["conversions"])
    return {
        "session_dimension": _dimensions(
            "main.session_sources",
            {name: sessions.get(name, "NULL") for name in ("session_id", "event_date", "user_id", "channel_name")},
            of_sessions,
        ),
        "conversion_dimension": _dimensions(
            "temp.conversions" if of_backend else "main.conversions",
            {name: conversions.get(name, name) for name in ("conv_id", "conv_date")},
            of_conversions,
        ),
    }


def _dimensions(table: str, columns: Mapping[str, str], values: Mapping[str, str]) -> str:
    """The SELECT of these columns, by name their expressions, and a dimension with its value, by name its expression."""
    read = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    if not values:
        return f"SELECT {read}, NULL AS dimension, NULL AS value FROM {table} WHERE 0"
    names = " UNION ALL ".join(f"SELECT '{name}' AS name" for name in values)
    cases = " ".join(f"WHEN '{name}' THEN {expression}" for name, expression in values.items())
    value = f"CASE dimension.name {cases} END"
    return f"SELECT {read}, dimension.name AS dimension, {value} AS value FROM {table} CROSS JOIN ({names}) AS dimension"


def _value(declared: Container[str], column: str) -> str:
    """The expression of a column's value as text."""
    return f"""coalesce(nullif(CAST("{column}" AS text), ''), '(none)')""" if column.lower() in declared else "'(none)'"


def converted(connection: sqlite3.Connection, source: Table, currency: str) -> dict[str, str]:
    """The expressions of amounts and their currency, where exchange_rates can convert them by the rate of their day; else none.

    What has no rate stays as it is.
    """
    name, renamed = stored_as(connection, source)
    declared, day = AMOUNTS.get(source.name, ((), ""))
    there = _declared(connection, name)
    amounts = [amount for amount in declared if amount in there]
    if not _declared(connection, RATES) or not amounts or "currency" not in there:
        return {}
    in_session = f"(SELECT event_date FROM main.session_sources WHERE session_sources.session_id = {name}.session_id)"
    rate = (
        f"(SELECT min(rates.rate) FROM main.{RATES} AS rates WHERE rates.currency = {name}.currency "
        f"AND rates.date = {f'{name}.{renamed.get(day, day)}' if day else in_session} "
        "AND typeof(rates.rate) IN ('integer', 'real') AND rates.rate > 0)"
    )

    def is_other(amount: str) -> str:
        return f"{name}.currency <> '{currency}' AND typeof({name}.{amount}) IN ('integer', 'real')"

    return {
        **{
            amount: f"CASE WHEN {is_other(amount)} THEN coalesce({name}.{amount} * {rate}, {name}.{amount}) "
            f"ELSE {name}.{amount} END"
            for amount in amounts
        },
        "currency": f"CASE WHEN {is_other(amounts[0])} AND {rate} IS NOT NULL THEN '{currency}' ELSE {name}.currency END",
    }


def _no_rows(table: Table) -> str:
    return f"SELECT {', '.join(f'CAST(NULL AS {column.type}) AS {column.name}' for column in table.columns)} WHERE 0"


def create_views(views: Mapping[str, str]) -> str:
    """The script that creates each view for this connection alone."""
    return "".join(f"CREATE TEMP VIEW {name} AS {select}\n;\n" for name, select in views.items())


def lacking_flags(columns: Collection[str]) -> frozenset[str]:
    """The engagement flags that are not among the columns of session_sources, and so follow from others."""
    return frozenset(FLAGS).difference(columns)


def without_flags(statement: str, lacking: Collection[str]) -> str:
    """The statement with 1 in place of these engagement flags."""
    return re.sub(rf"\b({'|'.join(sorted(lacking))})\b", "1", statement) if lacking else statement


def views_of_broken_rows(lacking: Collection[str] = ()) -> dict[str, str]:
    """By name, the SELECT of each of the views of BROKEN_ROWS, with the declared columns of their source as they are stored.

    They have the rows that meet the condition of the index `<source>_broken` as it is declared, and those of
    `<source>_not_ascii` whose text cannot be decoded: these indexes find them. The source may be a view, or missing: only who
    reads the view needs it. `lacking` are engagement flags that session_sources does not have.
    """
    views = {}
    for view, name in BROKEN_ROWS.items():
        source = schema()[name]
        broken, not_ascii = (
            source.indexes[f"{name}_{which}"].partition("WHERE")[2].strip() for which in ("broken", "not_ascii")
        )
        decodes = " AND ".join(f"decodes(CAST({column} AS blob))" for column in re.findall(r"(\w+) GLOB", not_ascii))
        columns = (f"{without_flags(column, lacking)} AS {column}" for column in source.column_names)
        broken = without_flags(broken, lacking)
        rows = f"SELECT {', '.join(columns)} FROM main.{name} WHERE"
        views[view] = f"{rows} ({broken}) UNION ALL {rows} ({not_ascii}) AND ({broken}) IS NOT TRUE AND NOT ({decodes})"
    return views


def columns_as_read(connection: sqlite3.Connection, source: Table) -> dict[str, str]:
    """For each declared column that the source has, the expression that is read instead of it, which its indexes have too.

    A text column of a table without a collation is read as it is.
    """
    name, renamed = stored_as(connection, source)
    declared = _declared(connection, name)
    plain = is_table(connection, name) and not collations(connection, name)
    stored = {column: renamed.get(column.name, column.name) for column in source.columns}
    return {
        column.name: _as_read(column.type, name, declared[name.lower()], plain)
        for column, name in stored.items()
        if name.lower() in declared
    }


def stored_as(connection: sqlite3.Connection, source: Table) -> tuple[str, Mapping[str, str]]:
    """The table or view of the file that is read as the source, and the columns that have another name there."""
    stand_in = STAND_INS.get(source.name)
    if not stand_in or _declared(connection, source.name):
        return source.name, {}
    return stand_in


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


def _as_read(type_: str, name: str, declared: str, plain: bool) -> str:
    """By SQLite's rule, text is what a column keeps as text whose type contains one of three words, and not INT."""
    if type_ != "text":
        return name
    if "INT" not in declared and re.search("CHAR|CLOB|TEXT", declared):
        return name if plain else f"{name} COLLATE BINARY"
    return f"CAST({name} AS text) COLLATE BINARY"


def _is_read_whole(connection: sqlite3.Connection, source: Table, read: Mapping[str, str]) -> bool:
    """Whether the source is a view that finds rows only by reading all of them. Then SQLite reads them once for a query."""
    stored, _ = stored_as(connection, source)
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
