"""The rows of `raw` as those of a source table: values cast strictly, times in UTC, and what is wrong with a row in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from attribution_assets.errors import AttributionError
from attribution_assets.importing import zones
from attribution_assets.importing.channel_rules import SHIPPED, ChannelRules, read_rules
from attribution_assets.importing.channels import COLUMNS, channels_of
from attribution_assets.importing.mapping import Constant, Expression, FileColumn, Importing, Timestamp, Value, closest
from attribution_assets.importing.reading import PROBLEM, ROW, Source
from attribution_assets.warehouse import engagement
from attribution_assets.warehouse.duckdb.scanners import first_line, literal, quoted
from attribution_assets.warehouse.engagement import ACTIVITY, FLAGS
from attribution_assets.warehouse.schema import Column, Table

DAY_AND_TIME: dict[str, tuple[str, str | None]] = {
    "session_sources": ("event_date", "event_time"),
    "conversions": ("conv_date", "conv_time"),
    "conversions_backend": ("conv_date", None),
    "ad_costs": ("date", None),
    "exchange_rates": ("date", None),
    "campaign_results": ("date", None),
    "events": ("created_at", "created_at"),
}
"""By table, the columns with the day of a row and, where it has one, its time. One column may have both."""

REPLACED_TOGETHER = {"campaign_results": ("customer_id", "date")}
"""By table without a key, the columns by which its rows are replaced: all at once."""

LARGEST = 1e15
"""No number is larger: up to it, a sum of amounts has its cents."""

NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"
WITH_COMMA = r"[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?"
WHOLE = r"[+-]?\d{1,15}(\.0*)?"
DAY = r"\d{4}-\d\d-\d\d"
TIME = r"(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?"
OFFSET = r"Z|z|UTC|[+-][01]\d(?::?[0-5]\d)?"
INSTANT = rf"^({DAY})[T ]({TIME}) ?({OFFSET})?$"
EPOCH = r"\d{9,16}(\.\d+)?"

SECONDS_BELOW, MILLISECONDS_BELOW = "1e11", "1e14"
"""Numbers since 1970 below these are seconds, until the year 5138, and milliseconds, from 1973 on."""


def key_of(table: Table) -> tuple[str, ...]:
    """The columns that tell the table's rows apart in an import; none where equal rows all count.

    Of conversions these are more than its key, so that an id that was tracked twice can be seen.
    """
    return (*table.key, "user_id", "conv_date") if table.name == "conversions" else table.key


@dataclass(frozen=True)
class TypedRows:
    """The table `typed` of DuckDB: the number of each row, its values as the source table has them, and its problem.

    `_problem` is empty in sound rows, which have each key once, if there is one. `columns` are those that the mapping gives,
    what follows from them, and those of the key. `given` are those that replace what is stored. `derived` are those that follow
    from others, and defaults. A table that lacks the `unneeded` does not get them: they are NULL in all rows.
    """

    source: Source
    table: Table
    columns: tuple[str, ...]
    given: tuple[str, ...]
    derived: frozenset[str]
    unneeded: frozenset[str]
    nonexistent_times: int
    repeated_times: int

    @cached_property
    def broken(self) -> int:
        """How many rows cannot be read."""
        [[count]] = self.source.connection.execute(f"SELECT count(*) FROM typed WHERE {PROBLEM} <> ''").fetchall()
        return int(count)

    def problems(self, most: int) -> list[str]:
        """The first broken rows, by number, with what is wrong."""
        rows = self.source.connection.execute(
            f"SELECT {ROW}, {PROBLEM} FROM typed WHERE {PROBLEM} <> '' ORDER BY {ROW} LIMIT {most}"
        )
        return [f"row {row} {problem}" for row, problem in rows.fetchall()]

    def broken_rows(self) -> Iterator[tuple[Any, ...]]:
        """The cells of the broken rows as they stand in the file, each row with its problem at the end."""
        cells = ", ".join(f"raw.{quoted(name)}::VARCHAR" for name in self.source.columns)
        rows = self.source.connection.execute(
            f"SELECT {cells}, typed.{PROBLEM} FROM typed JOIN raw USING ({ROW}) WHERE typed.{PROBLEM} <> '' ORDER BY {ROW}"
        )
        while batch := rows.fetchmany(10_000):
            yield from batch

    def stage(self) -> None:
        """Writes the sound rows into the table `rows` of the source's SQLite file, and lets go of it."""
        columns = ", ".join(self.columns)
        self.source.connection.execute(
            f"CREATE TABLE staging.rows AS SELECT {columns} FROM typed WHERE {PROBLEM} = '' ORDER BY {ROW}"
        )
        self.source.connection.execute("DETACH staging")


def typed_rows(source: Source, table: Table, mapping: Importing) -> TypedRows:
    """The source's rows for the table. Raises AttributionError for columns that are missing, unknown or cannot be computed."""
    rules = read_rules(mapping.channels or SHIPPED) if table.name == "session_sources" else None
    values = _values_of(source, table, mapping, rules)
    connection = source.connection
    where = (
        f"WHERE {PROBLEM} IS NOT NULL OR ({_checked(source, mapping, 'source.where', mapping.where)})" if mapping.where else ""
    )
    as_text = ", ".join(f"({_sql(source, mapping, name, value)})::VARCHAR AS {name}" for name, value in values.items())
    try:
        connection.execute(f"CREATE TABLE given AS SELECT {ROW}, {PROBLEM}, {as_text} FROM raw {where}")
    except source.error as error:
        raise AttributionError(
            f"{mapping.said_in}: an expression cannot be computed for a row: {first_line(error)} "
            "TRY_CAST gives NULL where CAST fails."
        ) from error
    cast = _Casting(table, values, mapping)
    by_rules = rules if "channel_name" not in values else None
    rows = _with_channel(source, values, by_rules) if by_rules else "given"
    connection.execute(f"CREATE TABLE timed AS SELECT *, {cast.local} AS _local, {cast.utc} AS _utc FROM {rows}")
    connection.execute("DROP TABLE given")
    nonexistent, repeated = zones.add(connection, mapping.time_zone)
    derived, defaults = _derived(table, cast)
    if by_rules:
        derived["channel_name"] = "_channel"
    made = {*values, *derived}
    columns = [column for column in table.columns if column.name in made or column.name in key_of(table)]
    typed = ", ".join(f"{derived.get(column.name) or cast.value(column)} AS {column.name}" for column in columns)
    problems = ", ".join(f"CASE {cast.problem(column)} END" for column in columns if column.name in values)
    connection.execute(
        f"CREATE TABLE typed AS SELECT {ROW}, coalesce({PROBLEM}, concat_ws(', ', {problems})) AS {PROBLEM}, {typed} "
        f"FROM {zones.WITH_OFFSETS}"
    )
    connection.execute("DROP TABLE timed")
    if key_of(table):
        _settle_twice(source, table, [column.name for column in columns])
    names = tuple(column.name for column in columns)
    return TypedRows(
        source,
        table,
        names,
        given=tuple(name for name in names if name in made - defaults),
        derived=frozenset(derived),
        unneeded=frozenset(name for name, sql in derived.items() if sql == engagement.NOTHING),
        nonexistent_times=nonexistent,
        repeated_times=repeated,
    )


def _derived(table: Table, cast: _Casting) -> tuple[dict[str, str], frozenset[str]]:
    """By column, the expression of what follows from other columns; and those that are defaults, and replace no value."""
    if table.name != "session_sources":
        return {}, frozenset()
    names = (*FLAGS, *ACTIVITY, engagement.RULE)
    told = {column.name: cast.value(column) for column in table.columns if column.name in names and column.name in cast.values}
    derived = engagement.derived(told)
    is_known = told.keys() & {"holder_engagement", *ACTIVITY}
    return derived, frozenset({"impression_interaction"} & derived.keys() if is_known else derived)


def _with_channel(source: Source, values: Mapping[str, Value], rules: ChannelRules) -> str:
    """The table `given` with the channel of each row, by the rules, as _channel."""
    beginnings = {"referrer": "regexp_extract(referrer, '^[^/]*(?:/[^/]*){0,2}')", "click_id": "split_part(click_id, '=', 1)"}
    cells = [f"coalesce({beginnings.get(name, name)}, '')" if name in values else "''" for name in COLUMNS]
    traffic = source.connection.execute(f"SELECT DISTINCT {', '.join(cells)} FROM given ORDER BY ALL").fetchall()
    lists = [*map(list, zip(*traffic, strict=True)), channels_of(traffic, rules)] if traffic else [[]] * (len(COLUMNS) + 1)
    columns = ", ".join(f"unnest(?::VARCHAR[]) AS _{name}" for name in (*COLUMNS, "channel"))
    source.connection.execute(f"CREATE TABLE channels AS SELECT {columns}", lists)
    same = " AND ".join(f"channels._{name} = {cell}" for name, cell in zip(COLUMNS, cells, strict=True))
    return f"(SELECT given.*, channels._channel FROM given JOIN channels ON {same})"


# -- what the mapping means for this file -----------------------------------------------------------------------------


def _values_of(source: Source, table: Table, mapping: Importing, rules: ChannelRules | None) -> dict[str, Value]:
    """By column of the table, where its values come from."""
    day, time = DAY_AND_TIME.get(table.name, ("", None))
    in_file = {name.lower(): name for name in source.columns}
    if mapping.columns is None:
        values: dict[str, Value] = {
            column.name: FileColumn(in_file[column.name]) for column in table.columns if column.name in in_file
        }
        if rules and (kinds := [kind for kind in rules.click_ids if kind in in_file]):
            values.setdefault("click_id", Expression(_click_id({kind: quoted(in_file[kind]) for kind in kinds})))
    else:
        names = [column.name for column in table.columns]
        for name in mapping.columns:
            if name not in names:
                raise AttributionError(f"{mapping.said_in}: {table.name} has no column {name}. {closest(name, names)}")
        values = {
            name: value
            for name, value in mapping.columns.items()
            if not (isinstance(value, FileColumn) and value.optional and value.name.lower() not in in_file)
        }
        if time and isinstance(values.get(day), Timestamp):
            values.setdefault(time, values[day])
    told = values.get(day)
    if day == time and told is not None and not isinstance(told, Timestamp):
        values[day] = Timestamp(told)
    for name, value in values.items():
        if isinstance(value, Timestamp) and not day:
            raise AttributionError(f"{mapping.said_in}: columns.{name} is a timestamp, but {table.name} has no dates.")
        if isinstance(value, Timestamp) and (
            name not in (day, time) or values.get(day) != value or values.get(time or day) != value
        ):
            raise AttributionError(
                f"{mapping.said_in}: columns.{name} is a timestamp, which gives {day}{f' and {time} alike' if time else ''} "
                f"of {table.name}. Say it for {day} alone."
            )
    if mapping.channels and (not rules or "channel_name" in values):
        raise AttributionError(
            f"{mapping.said_in}: channels names rules, but they are for session_sources without a channel_name. "
            "Leave out one of them."
        )
    follows = {*FLAGS, *(["channel_name"] if values.keys() & set(COLUMNS) else [])}
    for column in table.columns:
        if not column.optional and column.name not in values and column.name not in follows:
            likely = closest(column.name, source.columns) if source.columns else "It has no columns."
            raise AttributionError(
                f"{source.name} has no column for {column.name} of {table.name}. {likely} "
                f'Say it in a mapping: {column.name} = "COLUMN".'
            )
    return values


def _click_id(columns: Mapping[str, str]) -> str:
    """The first click id of a row, with its kind, by the column of each kind."""
    each = (f"{literal(kind + '=')} || nullif({column}::VARCHAR, '')" for kind, column in columns.items())
    return f"coalesce({', '.join(each)})"


def _sql(source: Source, mapping: Importing, name: str, value: Value) -> str:
    """The expression over `raw` that gives the value, as text."""
    match value:
        case Timestamp(of):
            return _sql(source, mapping, name, of)
        case Constant(constant):
            return literal(constant)
        case FileColumn(column):
            found = [each for each in source.columns if each == column] or [
                each for each in source.columns if each.lower() == column.lower()
            ]
            if not found:
                raise AttributionError(f"{source.name} has no column {column}. {closest(column, source.columns)}")
            if column.lower() in source.twice:
                raise AttributionError(f"{source.name} has the column {column} twice. Rename one of them in the file.")
            return quoted(found[0])
        case Expression(sql):
            return _checked(source, mapping, name, sql)


def _checked(source: Source, mapping: Importing, name: str, sql: str) -> str:
    """An expression of the mapping, on lines of its own. Raises AttributionError where it is none over the file's columns."""
    try:
        source.connection.execute(f"SELECT ({sql}\n)::VARCHAR FROM raw LIMIT 0")
    except source.error as error:
        raise AttributionError(
            f"{mapping.said_in}: the expression of {name} cannot be computed: {first_line(error)}"
        ) from error
    return f"{sql}\n"


# -- values and problems ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Casting:
    """The SQL that makes the values of a table from the text in `given`, and that says what is wrong with it."""

    table: Table
    values: dict[str, Value]
    mapping: Importing

    @property
    def _day(self) -> str | None:
        return DAY_AND_TIME[self.table.name][0] if self.table.name in DAY_AND_TIME else None

    @property
    def _time(self) -> str | None:
        return DAY_AND_TIME[self.table.name][1] if self.table.name in DAY_AND_TIME else None

    @property
    def _is_instant(self) -> bool:
        """Whether the day is that of a point in time, and not a day as such."""
        return bool(self._day) and (bool(self._time) or isinstance(self.values[str(self._day)], Timestamp))

    @property
    def _instant(self) -> str:
        if isinstance(self.values[str(self._day)], Timestamp):
            return f"trim({self._day})"
        return f"trim({self._day}) || ' ' || trim({self._time})"

    @property
    def local(self) -> str:
        """The point in time, where it is local time: without an offset."""
        if not self._is_instant:
            return "NULL::TIMESTAMP"
        parts = self._parts
        return f"CASE WHEN {parts}.zone = '' THEN {self._as_told} END"

    @property
    def utc(self) -> str:
        """The point in time, where it is told with an offset or counted since 1970."""
        if not self._is_instant:
            return "NULL::TIMESTAMP"
        number = f"TRY_CAST({self._instant} AS DECIMAL(38, 6))"
        micros = (
            f"CASE WHEN {number} < {SECONDS_BELOW} THEN {number} * 1000000 "
            f"WHEN {number} < {MILLISECONDS_BELOW} THEN {number} * 1000 ELSE {number} END"
        )
        zone = f"{self._parts}.zone"
        past_the_hour = f"CASE WHEN length({zone}) > 3 THEN right({zone}, 2)::INTEGER ELSE 0 END"
        minutes = f"(substr({zone}, 2, 2)::INTEGER * 60 + {past_the_hour})"
        return (
            f"CASE WHEN regexp_full_match({self._instant}, {literal(EPOCH)}) THEN make_timestamp(floor({micros})::BIGINT) "
            f"WHEN {zone} IN ('Z', 'z', 'UTC') THEN {self._as_told} "
            f"WHEN {zone} <> '' THEN {self._as_told} - to_minutes(CASE WHEN {zone}[1] = '-' THEN -1 ELSE 1 END * {minutes}) END"
        )

    @property
    def _parts(self) -> str:
        return f"regexp_extract({self._instant}, {literal(INSTANT)}, ['day', 'time', 'zone'])"

    @property
    def _as_told(self) -> str:
        day = f"{self._parts}.day"
        return f"CASE WHEN {day} >= '0001' THEN TRY_CAST({day} || ' ' || {self._parts}.time AS TIMESTAMP) END"

    def value(self, column: Column) -> str:
        """The value of a column, in its declared type; NULL where there is none or it cannot be read."""
        name = column.name
        if name not in self.values:
            return f"NULL::{'VARCHAR' if column.type == 'text' else 'DOUBLE'}"
        if name == self._time:
            form = "%Y-%m-%d %H:%M:%S" if name == self._day else "%H:%M:%S"
            fraction = "CASE WHEN microsecond(_utc) % 1000000 = 0 THEN '' ELSE rtrim(strftime(_utc, '.%f'), '0') END"
            return f"strftime(_utc, '{form}') || {fraction}"
        if name == self._day:
            return "strftime(_utc, '%Y-%m-%d')" if self._is_instant else f"CASE WHEN {_is_day(name)} THEN trim({name}) END"
        if column.type == "real":
            return f"CASE WHEN {self._is_number(name)} THEN TRY_CAST({self._plain_number(name)} AS DOUBLE) END"
        if column.type == "integer":
            return f"CASE WHEN {self._is_whole(name)} THEN CAST(CAST({self._plain_number(name)} AS DOUBLE) AS BIGINT) END"
        return f"nullif({name}, '')"

    def problem(self, column: Column) -> str:
        """The branches of a CASE that say what is wrong with the text of a column."""
        name = column.name
        shown = f"'{name} ' || {_shown(name)}"
        missing = [f"WHEN coalesce(trim({name}), '') = '' THEN 'has no {name}'"] if column.required else []
        return " ".join(
            [*missing, *(f"WHEN {wrong} THEN {why}" for wrong, why in self._wrong(column, shown))] or ["WHEN false THEN ''"]
        )

    def _wrong(self, column: Column, shown: str) -> Iterator[tuple[str, str]]:
        name = column.name
        if name == self._day and isinstance(self.values[name], Timestamp):
            yield "_missing_time", self._nonexistent(f"{_shown(name)}")
            yield "_utc IS NULL", f"{shown} || ' is no point in time: YYYY-MM-DD HH:MM:SS, or seconds since 1970'"
            yield f"NOT {_within_years('_utc')}", f"{shown} || ' is out of range'"
        elif name == self._day:
            yield f"NOT {_is_day(name)}", f"{shown} || ' is no day: YYYY-MM-DD'"
            if self._is_instant:
                yield f"_utc IS NOT NULL AND NOT {_within_years('_utc')}", f"{shown} || ' is out of range'"
        elif name == self._time:
            if isinstance(self.values[name], Timestamp):
                return
            yield "_missing_time", self._nonexistent(f"{_shown(str(self._day))} || ' ' || {_shown(name)}")
            yield (
                f"NOT regexp_full_match(trim({name}), {literal(f'{TIME} ?({OFFSET})?')})",
                f"{shown} || ' is no time: HH:MM:SS'",
            )
        elif column.type == "real":
            comma = self._has_comma(name)
            hint = " with a decimal comma" if comma else ""
            yield f"trim({name}) <> '' AND NOT ({self._is_number(name)})", f"{shown} || ' is no number{hint}'"
        elif column.type == "integer":
            yield f"trim({name}) <> '' AND NOT ({self._is_whole(name)})", f"{shown} || ' is no whole number'"
            if name in FLAGS:
                yield f"{self.value(column)} NOT IN (0, 1)", f"{shown} || ' is neither 0 nor 1'"

    def _nonexistent(self, shown: str) -> str:
        return f"{shown} || {literal(f' does not exist in {self.mapping.time_zone}: clocks were put forward')}"

    def _has_comma(self, name: str) -> bool:
        return self.mapping.decimal_comma and isinstance(self.values[name], FileColumn)

    def _plain_number(self, name: str) -> str:
        """The number as DuckDB reads it."""
        if name in FLAGS:
            return f"CASE lower(trim({name})) WHEN 'true' THEN '1' WHEN 'false' THEN '0' ELSE trim({name}) END"
        return f"replace(replace(trim({name}), '.', ''), ',', '.')" if self._has_comma(name) else f"trim({name})"

    def _is_number(self, name: str) -> str:
        form = f"regexp_full_match(trim({name}), {literal(WITH_COMMA if self._has_comma(name) else NUMBER)})"
        return f"({form} AND abs(TRY_CAST({self._plain_number(name)} AS DOUBLE)) <= {LARGEST}) IS TRUE"

    def _is_whole(self, name: str) -> str:
        comma = f"regexp_full_match(trim({name}), {literal(WITH_COMMA)}) AND " if self._has_comma(name) else ""
        return f"({comma}regexp_full_match({self._plain_number(name)}, {literal(WHOLE)})) IS TRUE"


def _shown(name: str) -> str:
    """The text of a cell in a message: short, and on one line."""
    return f"'''' || replace(replace(left({name}, 40), chr(10), ' '), chr(13), ' ') || ''''"


def _is_day(name: str) -> str:
    day = f"CASE WHEN regexp_full_match(trim({name}), {literal(DAY)}) THEN TRY_CAST(trim({name}) AS DATE) END"
    return f"(({day}) >= DATE '0001-01-01') IS TRUE"


def _within_years(timestamp: str) -> str:
    return f"{timestamp} BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"


def _settle_twice(source: Source, table: Table, columns: Sequence[str]) -> None:
    """Keeps the first of rows that are equal; rows of one key with other values are broken, all of them."""
    connection = source.connection
    key = ", ".join(key_of(table))
    connection.execute(
        f"CREATE TABLE twice AS SELECT {key}, min({ROW}) AS _first FROM typed WHERE {PROBLEM} = '' "
        "GROUP BY ALL HAVING count(*) > 1"
    )
    same_key = " AND ".join(f"typed.{name} IS NOT DISTINCT FROM twice.{name}" for name in key_of(table))
    values = ", ".join(f"{name} := typed.{name}" for name in columns)
    connection.execute(
        f"CREATE TABLE again AS SELECT typed.{ROW}, _first, struct_pack({values}) AS _values "
        f"FROM typed JOIN twice ON {same_key} WHERE {PROBLEM} = ''"
    )
    connection.execute(
        "CREATE TABLE differing AS SELECT _first, min(_row) FILTER (_row <> _first) AS _second FROM again "
        "GROUP BY _first HAVING count(DISTINCT _values) > 1"
    )
    words = literal(f"has the {', '.join(key_of(table))} of row ")
    connection.execute(
        f"UPDATE typed SET {PROBLEM} = {words} || CASE WHEN typed.{ROW} = _first THEN _second ELSE _first END "
        "|| ' and other values' FROM again JOIN differing USING (_first) WHERE typed._row = again._row"
    )
    connection.execute(
        f"DELETE FROM typed USING again WHERE typed.{ROW} = again.{ROW} AND again.{ROW} <> _first AND {PROBLEM} = ''"
    )
