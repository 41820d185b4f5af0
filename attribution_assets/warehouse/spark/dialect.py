"""What stands in Spark for a call of our functions: expressions of its own alone, so that no function has to be made."""

from __future__ import annotations

from collections.abc import Callable, Mapping

UNITS = "1152921504606846976"
"""2^60, the parts of 1 that `exact_total` counts."""

END = r"\z"
"""The end of a regular expression that is all of the text: `$` also stands before a line's end."""

DATE = (
    "^([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))"
    "|([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)-02-29)" + END
)
"""The form of every day, those of leap years in the second line: a cast would take five times as long."""

CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]+)?" + END
NUMBER = r"^\s*[-+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][-+]?[0-9]+)?\s*" + END
WHOLE_TYPES = r"^(tinyint|smallint|int|bigint|boolean|decimal[(][0-9]+,0[)])" + END
REAL_TYPES = "^(float|double|decimal)"


def _as_text(x: str) -> str:
    return f"CAST({x} AS string)"


def _number_of(x: str) -> str:
    return f"CASE WHEN {_as_text(x)} RLIKE '{NUMBER}' THEN try_cast({_as_text(x)} AS double) END"


def _has_form(x: str, form: str) -> str:
    """NULL has none. Sail looks for the form once, and twice where the answer, and not the text, is made to be no NULL."""
    return f"(coalesce({x}, '') RLIKE '{form}')"


def _is_date(x: str) -> str:
    return f"({_has_form(x, DATE)} AND coalesce({x}, '') >= '0001')"


def _is_no_amount(x: str) -> str:
    return f"coalesce(NOT abs({_number_of(x)}) <= 1e15, true)"


def _is_no_flag(x: str) -> str:
    return (
        f"CASE WHEN typeof({x}) = 'boolean' THEN {x} IS NULL WHEN {_as_text(x)} IN ('0', '1') THEN false "
        f"ELSE coalesce({_number_of(x)} NOT IN (0, 1), true) END"
    )


def _is_broken_event(session_id: str, event_type: str, created_at: str) -> str:
    return (
        f"(coalesce({session_id}, '') = '' OR coalesce({event_type}, '') = '' "
        f"OR NOT {_has_form(created_at, f'^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {CLOCK}')} "
        f"OR NOT {_is_date(f'substr({created_at}, 1, 10)')})"
    )


def _days_before(day: str, n: str) -> str:
    shifted = f"date_sub(try_cast({day} AS date), CAST({n} AS int))"
    return (
        f"CASE WHEN {_is_date(day)} THEN "
        f"CAST(least(greatest({shifted}, CAST('0001-01-01' AS date)), CAST('9999-12-31' AS date)) AS string) END"
    )


def _exact_total(x: str) -> str:
    """Whole numbers and parts of 1 are added up apart: in one sum, they would have more digits than a decimal."""
    number = f"CASE WHEN abs(CAST({x} AS double)) <= 9e18 THEN CAST({x} AS double) END"
    units_of = f"CAST({number} AS bigint)"  # towards 0: the rest is exact, also of -0.1
    whole = f"sum(CAST({units_of} AS decimal(38, 0)))"
    parts = f"sum(CAST(CAST(floor(({number} - {units_of}) * {UNITS}.0) AS bigint) AS decimal(38, 0)))"
    one = f"CAST({UNITS} AS decimal(38, 0))"
    units = f"CAST({whole} * {one} + {parts} AS decimal(38, 0))"
    size = f"abs({units})"
    rest = f"CAST({size} % {one} AS decimal(38, 0))"
    return (
        f"coalesce(CAST(sign({units}) AS double) * (CAST(CAST(({size} - {rest}) / {one} AS decimal(38, 0)) AS double) "
        f"+ CAST({rest} AS double) / {UNITS}.0), 0.0)"
    )


def _reached_in_order(position: str, time: str, condition: str) -> str:
    counts = f"{condition} AND {position} IS NOT NULL AND {time} IS NOT NULL"
    seen = f"collect_list(CASE WHEN {counts} THEN struct({time} AS at, {position} AS place) END)"
    return (
        f"aggregate(array_sort({seen}), CAST(0 AS bigint), "
        "(reached, step) -> CASE WHEN step.place = reached + 1 THEN CAST(step.place AS bigint) ELSE reached END)"
    )


def _rounded(x: str, digits: str) -> str:
    number = f"CAST({x} AS double)"
    written = f"try_cast(format_string('%.15g', {number}) AS decimal(38, 16))"
    small = f"CAST({number} AS decimal(38, 16))"  # which Sail does not write so
    return f"CAST(round(CASE WHEN abs({number}) < 0.001 THEN {small} ELSE {written} END, {digits}) AS double)"


def _type_of(x: str) -> str:
    return (
        f"CASE WHEN {x} IS NULL THEN 'null' WHEN typeof({x}) RLIKE '{WHOLE_TYPES}' THEN 'integer' "
        f"WHEN typeof({x}) RLIKE '{REAL_TYPES}' THEN 'real' WHEN typeof({x}) = 'binary' THEN 'blob' ELSE 'text' END"
    )


def _quote(x: str) -> str:
    """As SQLite spells it."""
    text = _as_text(x)
    number = f"try_cast({text} AS double)"
    plain = f"trim(TRAILING '0' FROM CAST(try_cast({text} AS decimal(38, 18)) AS string))"
    plain = f"CASE WHEN {plain} LIKE '%.' THEN {plain} || '0' ELSE {plain} END"
    scientific = f"replace(regexp_replace(format_string('%.14e', {number}), '0*e', 'e'), '.e', '.0e')"
    return f"""CASE {_type_of(x)}
        WHEN 'null' THEN 'NULL'
        WHEN 'integer' THEN CASE {text} WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE {text} END
        WHEN 'real' THEN CASE
            WHEN isnan({number}) THEN 'nan'
            WHEN {number} = 0 OR abs({number}) >= 1e-4 AND abs({number}) < 1e15 THEN {plain}
            ELSE {scientific}
        END
        WHEN 'blob' THEN 'X''' || hex({text}) || ''''
        ELSE '''' || replace({text}, '''', '''''') || ''''
    END"""


def _row_digest(*columns: str) -> str:
    row = f"xxhash64({', '.join(f'coalesce({_as_text(column)}, chr(1))' for column in columns)})"
    return f"CAST(bit_xor({row}) AS string) || '-' || CAST(sum(CAST({row} AS decimal(38, 0))) AS string)"


def _is_wrong_amount(x: str) -> str:
    """Only columns that are declared to be numbers are asked, and read as such: none has to be looked for in text."""
    return f"({x} IS NOT NULL AND {x} NOT BETWEEN -1e15 AND 1e15)"


EXPANSIONS: Mapping[str, Callable[..., str]] = {
    "days_before": _days_before,
    "days_from": lambda first, last: (
        "(SELECT CAST(day AS string) AS day FROM "
        f"(SELECT explode(sequence(CAST({first} AS date), greatest(CAST({first} AS date), CAST({last} AS date)))) AS day)) "
        "AS days_from"
    ),
    "exact_total": _exact_total,
    "first_of": lambda x, table, condition, *order: (
        f"(SELECT min_by({x}, struct({', '.join(order)})) FROM {table} WHERE {condition})"
    ),
    "group_of": lambda channel, groups: f"coalesce(from_json({groups}, 'map<string,string>')[{channel}], {channel})",
    "implied": lambda condition: f"({condition})",
    "in_order": lambda x, between, *order: f"listagg({x}, {between}) WITHIN GROUP (ORDER BY {', '.join(order)})",
    "is_among": lambda x, names: f"CASE WHEN {x} IS NOT NULL THEN array_contains(from_json({names}, 'array<string>'), {x}) END",
    "is_broken_event": _is_broken_event,
    "is_date": _is_date,
    "is_no_amount": _is_no_amount,
    "is_no_date": lambda x: f"(NOT {_is_date(x)})",
    "is_no_flag": _is_no_flag,
    "is_number": lambda x: f"coalesce(abs({_number_of(x)}) < CAST('infinity' AS double), false)",
    "is_time": lambda x: _has_form(x, f"^{CLOCK}"),
    "is_utf8": lambda _x: "true",
    "is_wrong_amount": _is_wrong_amount,
    "is_wrong_count": lambda x: f"({_is_wrong_amount(x)} OR coalesce({x} % 1, 0) <> 0)",
    "matches": lambda x, form: f"({x} RLIKE concat('^(?:', {form}, '){END}'))",
    "names_in": lambda names: (
        f"(SELECT pos AS key, col AS value FROM posexplode(from_json({names}, 'array<string>'))) AS names_in"
    ),
    "number_of": _number_of,
    "of_a_result": lambda column, day: (
        f"(SELECT min_by({column}, struct(conv_id, session_id)) FROM ihc_results WHERE conv_date = {day})"
    ),
    "quote": _quote,
    "reached_in_order": _reached_in_order,
    "rounded": _rounded,
    "row_digest": _row_digest,
    "rtrim": lambda x, characters: f"trim(TRAILING {characters} FROM {x})",
    "seconds_of": lambda time: f"unix_seconds(try_cast(substr({time}, 1, 19) AS timestamp))",
    "type_of": _type_of,
}
"""As in `warehouse.dialect`. `is_direct` and `spelling`, which only Python can say, are functions of a session."""
