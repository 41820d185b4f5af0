"""The functions that the files of sql/ use beyond SQL's own, for SQLite and for DuckDB: the same answer to the last bit.

What an engine would do slowly as a function of its own is written out in the text instead: see `warehouse.dialect`.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sqlite3
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from attribution_assets.formats import is_direct, spelling
from attribution_assets.warehouse.days import is_date, shift

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

UNITS = 2**60
"""The parts of 1 that `exact_total` counts: of a double of 0.01 or more it loses nothing, of a smaller one 1e-18 at most."""


class ExactTotal:
    """`exact_total(x)`: the sum of the numbers without NULLs, the same whatever their order.

    If all rows are NULL, it is 0.0. If there are no rows at all (only without GROUP BY), Python's sqlite3 returns NULL.

    A floating-point sum depends on the order of its terms, which differs between engines and threads. So each number is cut
    to whole units of 2^-60, and these are added up exactly.
    """

    def __init__(self) -> None:
        """Nothing added yet."""
        self.units = 0

    def step(self, number: object) -> None:
        """Adds a number. Anything else is ignored here, because the guards report it."""
        if isinstance(number, int | float) and math.isfinite(number):
            self.units += math.floor(number * float(UNITS))

    def finalize(self) -> float:
        """The sum."""
        whole, rest = divmod(abs(self.units), UNITS)
        return math.copysign(1, self.units) * (float(whole) + float(rest) / UNITS)


class StepsInOrder:
    """`steps_in_order(position, time)`: the last of the positions 1, 2, 3 ... reached after the one before. SQLite only."""

    def __init__(self) -> None:
        """No step yet."""
        self.seen: list[tuple[str, int]] = []

    def step(self, *row: Any) -> None:
        """Adds a position and its time, in any order."""
        position, time = row
        if position is not None and time is not None:
            self.seen.append((time, position))

    def finalize(self) -> int:
        """The last position."""
        reached = 0
        for _, position in sorted(self.seen):
            if position == reached + 1:
                reached = position
        return reached


def days_before(day: str | None, days: int) -> str | None:
    """`days_before(day, n)`: the date n days before the day, both as text. NULL if the day is not a date.

    As in `days.shift`, no earlier than year 1 and no later than year 9999: so the days of all time can be asked for.
    """
    return shift(day, -days) if day and is_date(day) else None


def group_of(channel: str | None, groups: str) -> str | None:
    """`group_of(channel, groups)`: the channel's group in the JSON object `groups`, or the channel itself if it has none."""
    return _groups(groups).get(channel or "", channel)


@cache
def _groups(text: str) -> dict[str, str]:
    groups: dict[str, str] = json.loads(text)
    return groups


def digest(data: bytes | None) -> str:
    """`digest(data)`: a hash of the bytes, 16 hexadecimal digits; empty for NULL. SQLite only.

    Bytes, since text of the user's may be no text in its encoding.
    """
    return "" if data is None else hashlib.sha256(data).hexdigest()[:16]


def decodes(encoding: str, data: bytes | None) -> bool:
    """`decodes(data)`: whether the bytes are text in the encoding of the database, as NULL is. SQLite only."""
    try:
        (data or b"").decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _has_form(encoding: str, data: bytes | None, pattern: str) -> bool | None:
    """`has_form(data, pattern)`: whether the regular expression is the form of all of the text in bytes. SQLite only."""
    return None if data is None else re.fullmatch(pattern, data.decode(encoding, "replace"), re.ASCII) is not None


def is_direct_channel(channel: str | None, direct_channels: str) -> bool:
    """`is_direct(channel, names)`: whether the channel is direct traffic, whose names are a JSON array."""
    return channel is not None and is_direct(channel, json.loads(direct_channels))


def spelling_of_channel(channel: str | None) -> str | None:
    """`spelling(channel)`: what two names of one channel have in common."""
    return None if channel is None else spelling(channel)


def add_to(connection: sqlite3.Connection) -> None:
    """Registers the functions with an SQLite connection."""
    connection.create_aggregate("exact_total", 1, ExactTotal)  # type: ignore[arg-type]  # typeshed wants step(*args)
    connection.create_aggregate("steps_in_order", 2, StepsInOrder)
    connection.create_function("days_before", 2, days_before, deterministic=True)
    connection.create_function("group_of", 2, group_of, deterministic=True)
    connection.create_function("digest", 1, digest, deterministic=True)
    [(encoding,)] = connection.execute("PRAGMA encoding")
    connection.create_function("decodes", 1, partial(decodes, encoding), deterministic=True)
    connection.create_function("has_form", 2, partial(_has_form, encoding), deterministic=True)
    connection.create_function("is_direct", 2, is_direct_channel, deterministic=True)
    connection.create_function("spelling", 1, spelling_of_channel, deterministic=True)


_UNITS_OF_SUM = f"sum(TRY_CAST(floor(CAST(x AS double) * {float(UNITS)!r}::double) AS hugeint))"
_WHOLE, _REST = (f"CAST(abs({_UNITS_OF_SUM}) {operator} {UNITS} AS double)" for operator in ("//", "%"))
_EXACT_TOTAL = f"coalesce(sign({_UNITS_OF_SUM}) * ({_WHOLE} + {_REST} / {float(UNITS)!r}::double), 0::double)"
_NUMBER = "number_of(x)"
_NUMBERS = r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN|DECIMAL\(.*|FLOAT|DOUBLE"
_AS_SQLITE_TAKES_IT = r"[\s\v]*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?[\s\v]*"
_MOMENT = r"(\d{4}-\d\d-\d\d) ([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?"
_REAL = "CAST(TRY_CAST(x AS double) AS varchar)"
for _form, _in_sqlite in ((r"^(-?\d)(\d{15})\.0$", r"\1.\2e+15"), (r"^(-?\d)e", r"\1.0e"), (r"(\.\d+?)0+e", r"\1e")):
    _REAL = f"regexp_replace({_REAL}, '{_form}', '{_in_sqlite}')"
IN_DUCKDB = (
    "SET default_null_order = 'sqlite'",
    f"""CREATE MACRO number_of(x) AS CASE
        WHEN regexp_full_match(typeof(x), '{_NUMBERS}') OR regexp_full_match(CAST(x AS varchar), '{_AS_SQLITE_TAKES_IT}')
        THEN TRY_CAST(x AS double)
    END""",
    f"CREATE MACRO exact_total(x) AS {_EXACT_TOTAL}",
    "CREATE MACRO group_of(channel, groups) AS coalesce(CAST(CAST(groups AS json) AS map(varchar, varchar))[channel], channel)",
    r"""CREATE MACRO is_date(x) AS
        coalesce(regexp_full_match(x, '\d{4}-\d\d-\d\d') AND x >= '0001' AND TRY_CAST(x AS date) IS NOT NULL, false)""",
    """CREATE MACRO days_before(day, n) AS
        CASE WHEN is_date(day) THEN strftime(
            least(greatest(TRY_CAST(day AS date) - CAST(n AS integer), DATE '0001-01-01'), DATE '9999-12-31'), '%Y-%m-%d'
        ) END""",
    "CREATE MACRO is_no_date(x) AS NOT is_date(x)",
    r"CREATE MACRO is_time(x) AS coalesce(regexp_full_match(x, '([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?'), false)",
    f"CREATE MACRO is_number(x) AS coalesce(isfinite({_NUMBER}), false)",
    f"CREATE MACRO is_no_amount(x) AS coalesce(NOT abs({_NUMBER}) <= 1e15, true)",
    "CREATE MACRO is_wrong_amount(x) AS x IS NOT NULL AND is_no_amount(x)",
    f"CREATE MACRO is_wrong_count(x) AS x IS NOT NULL AND (is_no_amount(x) OR {_NUMBER} <> trunc({_NUMBER}))",
    f"CREATE MACRO is_no_flag(x) AS coalesce({_NUMBER} NOT IN (0, 1), true)",
    f"""CREATE MACRO is_broken_event(session_id, event_type, created_at) AS
        coalesce(session_id, '') = '' OR coalesce(event_type, '') = ''
        OR coalesce(NOT regexp_full_match(created_at, '{_MOMENT}') OR NOT is_date(substr(created_at, 1, 10)), true)""",
    "CREATE MACRO is_utf8(x) AS true",
    r"""CREATE MACRO type_of(x) AS CASE
        WHEN x IS NULL THEN 'null'
        WHEN regexp_full_match(typeof(x), 'U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN|DECIMAL\(\d+,0\)') THEN 'integer'
        WHEN regexp_full_match(typeof(x), 'DOUBLE|FLOAT|DECIMAL.*') THEN 'real'
        WHEN typeof(x) = 'BLOB' THEN 'blob'
        ELSE 'text'
    END""",
    f"""CREATE MACRO quote(x) AS CASE type_of(x)
        WHEN 'null' THEN 'NULL'
        WHEN 'integer' THEN CAST(TRY_CAST(x AS hugeint) AS varchar)
        WHEN 'real' THEN {_REAL}
        WHEN 'blob' THEN 'X''' || hex(TRY_CAST(CAST(x AS varchar) AS blob)) || ''''
        ELSE '''' || replace(CAST(x AS varchar), '''', '''''') || ''''
    END""",
    "CREATE MACRO matches(x, pattern) AS regexp_full_match(x, pattern)",
    """CREATE MACRO rounded(x, digits) AS
        CAST(round(CAST(format('{:.15g}', CAST(x AS double)) AS decimal(38, 16)), digits) AS double)""",
    "CREATE MACRO seconds_of(x) AS CAST(epoch(TRY_CAST(substr(x, 1, 19) AS timestamp)) AS bigint)",
    """CREATE MACRO names_in(names) AS TABLE SELECT
        unnest(range(CAST(json_array_length(names) AS bigint))) AS key,
        unnest(CAST(CAST(names AS json) AS varchar[])) AS value""",
)
"""The statements that make the same functions in DuckDB, but for those that only Python can say."""

OF_DUCKDB = hashlib.sha256("\n".join(IN_DUCKDB).encode()).hexdigest()[:16]
"""What tells these functions from those of another version of this package."""


def add_to_duckdb(connection: DuckDBPyConnection) -> None:
    """Registers the functions with a DuckDB connection, for it and its cursors."""
    for statement in IN_DUCKDB:
        connection.execute(statement)
    connection.create_function("is_direct", is_direct_channel, ["varchar", "varchar"], "boolean")
    connection.create_function("spelling", spelling_of_channel, ["varchar"], "varchar")
