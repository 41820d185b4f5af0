"""One text, every engine: what a file of sql/ needs to be a statement of SQLite, DuckDB, PostgreSQL or Spark."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Literal

from attribution_assets.warehouse.spark import dialect as spark

Engine = Literal["sqlite", "duckdb", "postgres", "spark"]

LARGEST = "1e15"
"""An amount beyond it is a mistake; up to it, `exact_total` keeps every cent."""


def _is_no_amount(x: str) -> str:
    return f"(typeof({x}) NOT IN ('integer', 'real') OR abs({x}) > {LARGEST})"


def _is_wrong_amount(x: str) -> str:
    return f"(typeof({x}) NOT IN ('integer', 'real', 'null') OR abs({x}) > {LARGEST})"


def _is_broken_event(session_id: str, event_type: str, created_at: str) -> str:
    day = f"substr(coalesce({created_at}, ''), 1, 10)"
    return (
        f"(coalesce({session_id}, '') = '' OR coalesce({event_type}, '') = '' "
        f"OR coalesce({created_at}, '') NOT GLOB "
        "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]*' "
        f"OR date({day}, '+0 days') IS NOT {day} "
        f"OR substr({created_at}, 12, 2) > '23' OR (length({created_at}) > 19 "
        f"AND ({created_at} NOT GLOB '???????????????????.?*' OR substr({created_at}, 21) GLOB '*[^0-9]*')))"
    )


def _values(*columns: str) -> str:
    return f"digest(CAST(group_concat({' || '.join(f'quote({column})' for column in columns)}) AS blob))"


def _hashes(*columns: str) -> str:
    row = f"hash({', '.join(columns)})"
    return f"CAST(bit_xor({row}) AS text) || '-' || CAST(sum({row}) AS text)"


def _hashes_of_text(*columns: str) -> str:
    row = f"hashtextextended(CAST(ROW({', '.join(columns)}) AS text), 0)"
    return f"CAST(bit_xor({row}) AS text) || '-' || CAST(pg_catalog.sum({row}) AS text)"


def _first_of(x: str, table: str, condition: str, *order: str) -> str:
    return f"(SELECT {x} FROM {table} WHERE {condition} ORDER BY {', '.join(order)} LIMIT 1)"


def _days_from(first: str, last: str) -> str:
    return (
        f"(WITH RECURSIVE calendar (day) AS (SELECT {first} UNION ALL "
        f"SELECT days_before(day, -1) FROM calendar WHERE day < {last}) SELECT day FROM calendar) AS days_from"
    )


def _series_of_days(first: str, last: str) -> str:
    """DuckDB would compute the bounds again for each step of a recursion."""
    begin, end = f"CAST({first} AS date)", f"CAST({last} AS date)"
    series = f"generate_series({begin}, greatest({begin}, {end}), INTERVAL 1 DAY)"
    return f"(SELECT strftime(day, '%Y-%m-%d') AS day FROM (SELECT unnest({series}) AS day) AS series) AS days_from"


PASSED = r"""--[^\n]*|'[^']*'|"[^"]*\""""
"""Comments, strings and quoted names, in which nothing is a call."""

Expansion = Callable[..., str]

EXPANSIONS: Mapping[Engine, Mapping[str, Expansion]] = {
    "sqlite": {
        "is_date": lambda x: f"coalesce(date({x}, '+0 days') = {x}, 0)",
        "is_no_date": lambda x: f"coalesce(date({x}, '+0 days') <> {x}, 1)",
        "is_number": lambda x: f"typeof({x}) IN ('integer', 'real')",
        "is_no_amount": _is_no_amount,
        "is_wrong_amount": _is_wrong_amount,
        "is_wrong_count": lambda x: f"({_is_wrong_amount(x)} OR {x} <> CAST({x} AS integer))",
        "is_no_flag": lambda x: f"({x} NOT IN (0, 1) OR {x} IS NULL)",
        "is_broken_event": _is_broken_event,
        "is_utf8": lambda x: f"decodes(CAST({x} AS blob))",
        "matches": lambda x, form: f"has_form(CAST({x} AS blob), {form})",
        "type_of": lambda x: f"typeof({x})",
        "rounded": lambda x, digits: f"round({x}, {digits})",
        "seconds_of": lambda x: f"CAST(strftime('%s', substr({x}, 1, 19)) AS bigint)",
        "names_in": lambda names: f"json_each({names})",
        "is_among": lambda x, names: f"CASE WHEN {x} IS NOT NULL THEN {x} IN (SELECT value FROM json_each({names})) END",
        "days_from": _days_from,
        "in_order": lambda x, between, *_order: f"group_concat({x}, {between})",
        "reached_in_order": lambda position, time, condition: f"steps_in_order({position}, {time}) FILTER (WHERE {condition})",
        "of_a_result": lambda column, day: f"(SELECT {column} FROM ihc_results WHERE conv_date = {day} LIMIT 1)",
        "first_of": _first_of,
        "implied": lambda _condition: "true",
        "row_digest": _values,
    },
    "duckdb": {
        "is_among": lambda x, names: f"CASE WHEN {x} IS NOT NULL THEN {x} IN (SELECT value FROM names_in({names})) END",
        "days_from": _series_of_days,
        "reached_in_order": lambda position, time, condition: (
            f"coalesce(list_reduce(list({position} ORDER BY {time}, {position}) "
            f"FILTER (WHERE {condition} AND {position} IS NOT NULL AND {time} IS NOT NULL), "
            "lambda reached, step: CASE WHEN step = reached + 1 THEN step ELSE reached END, 0), 0)"
        ),
        "in_order": lambda x, between, *order: f"string_agg({x}, {between} ORDER BY {', '.join(order)})",
        "of_a_result": lambda column, day: (
            f"(SELECT arg_min({column}, (conv_id, session_id)) FROM ihc_results WHERE conv_date = {day})"
        ),
        "first_of": lambda x, table, condition, *order: (
            f"(SELECT first({x} ORDER BY {', '.join(order)}) FROM {table} WHERE {condition})"
        ),
        "implied": lambda _condition: "true",
        "row_digest": _hashes,
    },
    "postgres": {
        "exact_total": lambda x: f"total_of(pg_catalog.sum(whole_units({x})), pg_catalog.sum(parts_of_unit({x})))",
        "names_in": lambda names: (
            f'(SELECT place - 1 AS key, value COLLATE "C" AS value FROM jsonb_array_elements_text(CAST({names} AS jsonb)) '
            "WITH ORDINALITY AS each (value, place)) AS names_in"
        ),
        "is_among": lambda x, names: f"jsonb_exists(CAST({names} AS jsonb), {x})",
        "days_from": _days_from,
        "in_order": lambda x, between, *order: f"string_agg({x}, {between} ORDER BY {', '.join(order)})",
        "reached_in_order": lambda position, time, condition: (
            f"last_step({position} ORDER BY {time}, {position}) FILTER (WHERE {condition} AND {time} IS NOT NULL)"
        ),
        "of_a_result": lambda column, day: (
            f"(SELECT {column} FROM ihc_results WHERE conv_date = {day} ORDER BY conv_id, session_id LIMIT 1)"
        ),
        "first_of": _first_of,
        "implied": lambda _condition: "true",
        "row_digest": _hashes_of_text,
    },
    "spark": spark.EXPANSIONS,
}
"""By engine, what stands there for a call of our functions: the name, and from its arguments the text.

Those that an engine has no expansion for are its functions, or `warehouse.functions` makes them. SQLite's are spelled as in
the conditions of its partial indexes, or these would find nothing.

Of a value x: `is_date(x)` it is a day written YYYY-MM-DD, `is_no_date(x)` it is none, as NULL is; `is_number(x)`;
`is_no_amount(x)` it is no number, too large, or NULL; `is_wrong_amount(x)` and `is_wrong_count(x)` it is given, but no amount,
or no whole number; `is_no_flag(x)` it is neither 0 nor 1; `is_utf8(x)`; `matches(x, form)` the regular expression is that of
all of it; `type_of(x)`: text, integer, real, blob or null. `is_broken_event(session_id, event_type, created_at)`: the event
belongs to no session, step or time.

`rounded(x, digits)`: half away from 0. `seconds_of(time)`: since 1970, of YYYY-MM-DD HH:MM:SS. `names_in(names)`: a table of
the texts in a JSON array, `value`, and their place from 0, `key`. `is_among(x, names)`: x is one of them, NULL where x is.
`days_from(first, last)`: a table of the days, `day`, and of the first in any case. `of_a_result(column, day)`: of the first
result of the day.
`first_of(x, table, condition, order, ...)`: of the first row that meets the condition: SQLite finds it by an index, and DuckDB,
which would compare each row outside with all of the table, by grouping. `implied(condition)`: it follows from the others, and
tells Spark what of files it need not read. The others find the rows without it, and SQLite would take a worse range with it.

Aggregates: `in_order(x, between, order, ...)`: the texts one after another; the rows have to come in the order that is given.
`reached_in_order(position, time, condition)`: of the rows that meet it, the last of the positions 1, 2, 3 ... that was reached
at the time of the one before or later; 0 without the first. `row_digest(a, b, ...)`: text that differs for other rows, compared
within one database alone.
"""


@cache
def in_dialect(text: str, engine: Engine) -> str:
    """The statement for the engine: calls of our functions that this engine does not have are written out."""
    expansions = EXPANSIONS[engine]
    call = re.compile(rf"{PASSED}|\b({'|'.join(expansions)})\(")
    parts, end = [], 0
    while found := call.search(text, end):
        if not found[1]:
            parts.append(text[end : found.end()])
            end = found.end()
            continue
        *arguments, close = _ends_of_arguments(text, found.end())
        starts = [found.end(), *(comma + 1 for comma in arguments)]
        given = (text[start:stop].strip() for start, stop in zip(starts, [*arguments, close], strict=True))
        parts += [text[end : found.start()], expansions[found[1]](*(in_dialect(argument, engine) for argument in given))]
        end = close + 1
    return "".join([*parts, text[end:]])


def _ends_of_arguments(text: str, start: int) -> Iterator[int]:
    """Where the arguments of a call end that begin there: at each comma, and at the parenthesis that closes the call."""
    depth = 0
    for found in re.compile(rf"{PASSED}|[(),]").finditer(text, start):
        if found[0] == "(":
            depth += 1
        elif found[0] == ")" and depth:
            depth -= 1
        elif found[0] == ")":
            yield found.start()
            return
        elif found[0] == "," and not depth:
            yield found.start()
