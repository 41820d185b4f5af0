"""The user's tables as every query reads them, whatever the engine: the declared columns, and text byte for byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Container, Mapping
from dataclasses import dataclass
from typing import Literal

from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import engagement
from attribution_assets.warehouse.engagement import FLAGS
from attribution_assets.warehouse.schema import ALL_SOURCES, BESIDE, Column, Table, schema


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

UNUSUAL_COST = "SELECT session_id, cost FROM session_costs WHERE is_wrong_amount(cost)"
"""The view of the costs that are no amounts: in SQLite, the index session_costs_unusual finds them."""

MADE_LATER = ("session_spend", "uncredited_conversion")
"""Tables of ours that reports may read, and that a file from before lacks: they are read as empty."""

TIMES = ("event_time", "conv_time")
"""The columns in which one instant has several spellings: 10:00:00.5 and 10:00:00.500."""

DAYS = ("event_date", "conv_date", "date")
"""The columns whose values are days."""


@dataclass(frozen=True)
class Stored:
    """The tables of a database, as the views before its sources read them.

    `place`: of a table, what stands for it in FROM, with its name before its columns. `declared`: of a table, the declared type
    of each column, by its name in lower case; none where it does not exist. `as_read`: of a table, a declared column and its
    name there, the expression that is read. `select`: of a source, the expressions of its columns and their SELECT, what stands
    for that. `broken`: the views of BROKEN_ROWS, without these flags.
    """

    place: Callable[[str], str]
    declared: Callable[[str], Mapping[str, str]]
    as_read: Callable[[str, Column, str], str]
    select: Callable[[Table, Mapping[str, str], str], str]
    broken: Callable[[Collection[str]], Mapping[str, str]]

    def stands_for(self, source: Table) -> tuple[str, Mapping[str, str]]:
        """The table or view of the file that is read as the source, and the columns that have another name there."""
        stand_in = STAND_INS.get(source.name)
        if not stand_in or self.declared(source.name):
            return source.name, {}
        return stand_in

    def columns(self, source: Table, before: str = "") -> dict[str, str]:
        """For each declared column that the source has, the expression that is read instead of it.

        `before` stands before its name there.
        """
        name, renamed = self.stands_for(source)
        declared = self.declared(name)
        stored = {column: renamed.get(column.name, column.name) for column in source.columns}
        return {
            column.name: self.as_read(name, column, before + stored_name)
            for column, stored_name in stored.items()
            if stored_name.lower() in declared
        }

    def converted(self, source: Table, currency: str) -> dict[str, str]:
        """The expressions of amounts and their currency, where exchange_rates can convert them by the rate of their day.

        None where they cannot. What has no rate stays as it is.
        """
        name, _ = self.stands_for(source)
        declared, day = AMOUNTS.get(source.name, ((), ""))
        there = self.columns(source, f"{name}.")
        rates = self.columns(schema()[RATES], f"{RATES}.")
        amounts = [amount for amount in declared if amount in there]
        if not rates or not amounts or "currency" not in there:
            return {}
        sessions = self.columns(schema()["session_sources"], "session_sources.")
        of_day, from_rates = f"{rates['date']} = {there.get(day)}", self.place(RATES)
        if not day:
            of_day = f"{sessions.get('session_id')} = {there.get('session_id')}"
            from_rates += f" JOIN {self.place('session_sources')} ON {rates['date']} = {sessions.get('event_date')}"
        rate = (
            f"(SELECT min({rates['rate']}) FROM {from_rates} WHERE {rates['currency']} = {there['currency']} "
            f"AND {of_day} AND is_number({rates['rate']}) AND {rates['rate']} > 0)"
        )

        def is_other(amount: str) -> str:
            return f"{there['currency']} <> '{currency}' AND is_number({there[amount]})"

        return {
            **{
                amount: f"CASE WHEN {is_other(amount)} THEN coalesce({there[amount]} * {rate}, {there[amount]}) "
                f"ELSE {there[amount]} END"
                for amount in amounts
            },
            "currency": f"CASE WHEN {is_other(amounts[0])} AND {rate} IS NOT NULL THEN '{currency}' "
            f"ELSE {there['currency']} END",
        }


def views_of(stored: Stored, reading: Reading) -> dict[str, str]:
    """By name, the SELECT of each view before the sources, in an order in which they can be made.

    What a view has is what counts. It has no column that the schema does not declare, so that a further one of the user's can
    stand for no other. Ids, channels, dates and times are text and are compared byte for byte, whatever type or collation is
    declared: 7 is '7', and 'Email' is not 'email'. Times have one spelling for one instant. A source that is missing has no
    view, but for session_costs, which has no rows then if there are ad_costs. A column that is missing is NULL, for queries
    that can do without it; engagement flags that are missing follow from other columns. There are also the views of
    BROKEN_ROWS, and those of MADE_LATER that are missing.
    """
    views, lacking = {}, frozenset[str]()
    for source in (schema()[name] for name in ALL_SOURCES):
        if read := stored.columns(source):
            expressions = {column.name: no_value(column) for column in source.columns} | read
            if source.name == "session_sources":
                lacking = lacking_flags(read)
                expressions |= engagement.derived(read)
            expressions |= stored.converted(source, reading.currency)
            select = select_as_read(stored.place(stored.stands_for(source)[0]), expressions)
            views[source.name] = stored.select(source, read, select)
    views |= stored.broken(lacking)
    views |= {name: _no_rows(schema()[name]) for name in MADE_LATER if not stored.declared(name)}
    for name in (beside for source in views.keys() & BESIDE.keys() for beside in BESIDE[source] if beside not in views):
        views[name] = _no_rows(schema()[name])
    if views.keys() >= {"ad_costs", "session_sources"}:
        views["tracked_cost"] = TRACKED_COST if "session_costs" in views else CLICK_COST
        views.setdefault("session_costs", _no_rows(schema()["session_costs"]))
    if "session_costs" in views:
        views["unusual_cost"] = UNUSUAL_COST
    if "conversions" in views:
        views["tracked_conversion"] = views["conversions"]
    if views.keys() >= {"conversions", "conversions_backend"}:
        views["reconciled_conversion"] = read_sql("reconciled_conversion")
        if reading.conversions == "backend":
            del views["conversions"]
            views["conversions"] = read_sql("true_conversion")
    if reading.breakdowns:
        views |= _views_of_dimensions(stored, reading)
    return views


def _views_of_dimensions(stored: Stored, reading: Reading) -> dict[str, str]:
    """The views `session_dimension` and `conversion_dimension`: a row per session or conversion and dimension, with its value.

    Of a session, a dimension of conversions has the value ''. What is NULL, empty or missing is `(none)`.
    """
    of_backend = reading.conversions == "backend"
    of_sessions = {
        name: "''" if name.startswith(OF_CONVERSIONS) else _value(stored.declared("session_sources"), name)
        for name in reading.breakdowns
    }
    columns = BACKEND_COLUMNS if of_backend else stored.declared("conversions")
    of_conversions = {
        name: _value(columns, name.removeprefix(OF_CONVERSIONS))
        for name in reading.breakdowns
        if name.startswith(OF_CONVERSIONS)
    }
    sessions = stored.columns(schema()["session_sources"])
    conversions = {} if of_backend else stored.columns(schema()["conversions"])
    return {
        "session_dimension": _dimensions(
            stored.place("session_sources"),
            {name: sessions.get(name, "NULL") for name in ("session_id", "event_date", "user_id", "channel_name")},
            of_sessions,
        ),
        "conversion_dimension": _dimensions(
            "conversions" if of_backend else stored.place("conversions"),
            {name: conversions.get(name, name) for name in ("conv_id", "conv_date")},
            of_conversions,
        ),
    }


def _dimensions(table: str, columns: Mapping[str, str], values: Mapping[str, str]) -> str:
    """The SELECT of these columns, by name their expressions, and a dimension with its value, by name its expression."""
    read = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    if not values:
        return f"SELECT {read}, CAST(NULL AS text) AS dimension, CAST(NULL AS text) AS value FROM {table} WHERE 1 = 0"
    names = " UNION ALL ".join(f"SELECT '{name}' AS name" for name in values)
    cases = " ".join(f"WHEN '{name}' THEN {expression}" for name, expression in values.items())
    value = f"CASE dimension.name {cases} END"
    return f"SELECT {read}, dimension.name AS dimension, {value} AS value FROM {table} CROSS JOIN ({names}) AS dimension"


def _value(declared: Container[str], column: str) -> str:
    """The expression of a column's value as text."""
    return f"""coalesce(nullif(CAST("{column}" AS text), ''), '(none)')""" if column.lower() in declared else "'(none)'"


def no_value(column: Column) -> str:
    """The expression of a column that is missing."""
    return f"CAST(NULL AS {TYPES[column.type]})"


TYPES = {"text": "text", "integer": "bigint", "real": "double"}
"""Declared type in our schema -> what every engine calls a type of the same values."""


def _no_rows(table: Table) -> str:
    return f"SELECT {', '.join(f'{no_value(column)} AS {column.name}' for column in table.columns)} WHERE 1 = 0"


@dataclass(frozen=True)
class StoredColumn:
    """A column of a source: what `type_of` says of its values, and its expressions as it is stored, and as it is read."""

    kind: str
    stored: str
    read: str


def broken_rows(place: str, source: Table, columns: Mapping[str, StoredColumn], lacking: Collection[str]) -> str:
    """The SELECT of the rows that cannot be attributed or valued: as they are stored, but for dates and times.

    They meet the condition of the index `<source>_broken` in SQLite. `columns`: those that the source has. `lacking`:
    engagement flags that follow from others.
    """
    kinds = {column.name: columns[column.name].kind if column.name in columns else "null" for column in source.columns}
    value = {name: column.read if name in (*DAYS, *TIMES) else column.stored for name, column in columns.items()}
    value = {column.name: no_value(column) for column in source.columns} | dict.fromkeys(lacking, "1") | value
    read = ", ".join(f"{value[column.name]} AS {column.name}" for column in source.columns if not column.optional)

    def is_no(column: str, *wanted: str) -> str:
        if kinds[column] in {*wanted, "null"}:
            return "false" if "null" in wanted else f"{value[column]} IS NULL"
        return f"{column} IS NOT NULL" if "null" in wanted else "true"

    def is_empty(column: str) -> str:
        return f"CAST({value[column]} AS text) = ''"

    if source.name == "session_sources":
        broken = [
            is_no("session_id", "text", "integer"),
            is_empty("session_id"),
            is_no("user_id", "text", "integer", "null"),
            is_no("channel_name", "text", "integer", "real"),
            f"NOT is_date({value['event_date']})",
            f"NOT is_time({value['event_time']})",
            *(f"is_no_flag({value[flag]})" for flag in FLAGS if flag not in lacking),
        ]
    else:
        broken = [
            *(is_no(column, "text", "integer") for column in ("conv_id", "user_id")),
            *(is_empty(column) for column in ("conv_id", "user_id")),
            f"NOT is_date({value['conv_date']})",
            f"NOT is_time({value['conv_time']})",
            f"is_no_amount({value['revenue']})",
        ]
    return f"SELECT {read} FROM {place} WHERE {' OR '.join(broken)}"


def columns_there(
    source: Table, types: Mapping[str, str], kind: Callable[[str], str], as_read: Callable[[Column, str, str], str]
) -> dict[str, StoredColumn]:
    """The declared columns that the source has, which are stored as they are; `types` has the type of each."""
    return {
        column.name: StoredColumn(kind(types[column.name]), column.name, as_read(column, column.name, types[column.name]))
        for column in source.columns
        if column.name in types
    }


def lacking_flags(columns: Collection[str]) -> frozenset[str]:
    """The engagement flags that are not among the columns of session_sources, and so follow from others."""
    return frozenset(FLAGS).difference(columns)


def without_flags(statement: str, lacking: Collection[str]) -> str:
    """The statement with 1 in place of these engagement flags."""
    return re.sub(rf"\b({'|'.join(sorted(lacking))})\b", "1", statement) if lacking else statement


def select_as_read(table: str, read: Mapping[str, str]) -> str:
    """The SELECT of these columns, by name the expression of each.

    A time of day gets its shortest spelling: without zeros, and a point, at the end of its fraction.
    """
    columns = [f"{shortest(read_as) if name in TIMES else read_as} AS {name}" for name, read_as in read.items()]
    return f"SELECT {', '.join(columns)} FROM {table}"


def shortest(time: str) -> str:
    """The expression of a time of day in its shortest spelling."""
    return f"CASE WHEN instr({time}, '.') > 0 THEN rtrim(rtrim({time}, '0'), '.') ELSE {time} END"
