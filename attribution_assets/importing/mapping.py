"""The mapping from a file's columns to those of a source table: the TOML as data, with its errors in words."""

from __future__ import annotations

import codecs
import difflib
import tomllib
import zoneinfo
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from attribution_assets.errors import AttributionError, NotFoundError

READY = Path(__file__).with_name("mappings")
"""The folder with the mappings that come with the package."""

Format = Literal["csv", "parquet", "jsonl", "sqlite"]

FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True)
class FileColumn:
    """The value is that of a column of the file. Without an `optional` one, the file says nothing of it."""

    name: str
    optional: bool = False


@dataclass(frozen=True)
class Expression:
    """The value is that of an SQL expression of DuckDB over the file's columns."""

    sql: str


@dataclass(frozen=True)
class Constant:
    """The value is the same in every row."""

    value: str


@dataclass(frozen=True)
class Timestamp:
    """The value is the UTC date or time of one point in time: ISO, or seconds, milli- or microseconds since 1970."""

    of: FileColumn | Expression | Constant


Value = FileColumn | Expression | Constant | Timestamp


@dataclass(frozen=True)
class Importing:
    """How a file is read, and what becomes of its columns.

    `table` or `query` is what a server is asked for. `where` is a condition on the columns in DuckDB's SQL; rows that do not
    meet it are left out. `columns` is None where names alone decide. `channels` is the file with the rules for channels, None
    for those that come along. `said_in` is the mapping's file, as errors name it.
    """

    said_in: str = ""
    format: Format | None = None
    table: str | None = None
    query: str | None = None
    where: str | None = None
    delimiter: str | None = None
    decimal_comma: bool = False
    encoding: str = "utf-8"
    time_zone: str = "UTC"
    columns: Mapping[str, Value] | None = field(default=None)
    channels: Path | None = None


def read_mapping(name_or_file: str) -> Importing:
    """The mapping in a TOML file, or the one of this name that comes with the package.

    Raises NotFoundError where there is neither, and AttributionError for what the mapping cannot mean.
    """
    file = Path(name_or_file)
    if not file.is_file():
        ready = {path.stem: path for path in sorted(READY.glob("*.toml"))}
        if name_or_file not in ready:
            there_are = f" There are {', '.join(ready)}." if ready else ""
            raise NotFoundError(f"There is no mapping {name_or_file}: neither a file nor one that comes along.{there_are}")
        file = ready[name_or_file]
    return _mapping(file, read_toml(file))


def read_toml(file: Path) -> dict[str, Any]:
    """What a TOML file says. Raises AttributionError where it is none, or cannot be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AttributionError(f"{file} is no TOML: {error}.") from error
    except OSError as error:
        raise AttributionError(f"{file} cannot be read: {error.strerror}.") from error


def table_in(said_in: object, told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table of this name, empty where there is none. Raises AttributionError where it is something else."""
    table = told.get(name, {})
    if not isinstance(table, dict):
        raise AttributionError(f"{said_in}: {name} is {table!r}, but it is a table. Write [{name}] and its keys below.")
    return table


def check_keys(said_in: object, where: str, told: Iterable[str], known: Collection[str], of: str = "a mapping") -> None:
    """Raises AttributionError for a key that means nothing."""
    for key in told:
        if key not in known:
            raise AttributionError(f"{said_in}: there is no {where}{key} in {of}. {closest(key, known)}")


def closest(name: str, among: Collection[str]) -> str:
    """The sentence that names the one that may have been meant, or all there are."""
    by_lower = {each.lower(): each for each in among}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f"Did you mean {by_lower[found[0]]}?" if found else f"There are {', '.join(among)}."


def _mapping(file: Path, told: Mapping[str, Any]) -> Importing:
    said_in = str(file)
    check_keys(file, "", told, ("source", "csv", "columns", "time_zone", "channels"))
    source, of_csv, columns = (table_in(file, told, name) for name in ("source", "csv", "columns"))
    check_keys(file, "source.", source, ("format", "table", "query", "where"))
    if "table" in source and "query" in source:
        raise AttributionError(f"{said_in}: source.table and source.query exclude each other. Leave one of them out.")
    check_keys(file, "csv.", of_csv, ("delimiter", "decimal_comma", "encoding"))
    return Importing(
        said_in=said_in,
        format=_format(said_in, source.get("format")),
        table=_text(said_in, "table", source.get("table"), 'It is a table of a server, such as "orders" or "shop.orders".'),
        query=_text(said_in, "query", source.get("query"), 'It is a query for a server, such as "SELECT * FROM orders".'),
        where=_text(said_in, "where", source.get("where"), "It is a condition in SQL, such as \"Status <> 'test'\"."),
        delimiter=_delimiter(said_in, of_csv.get("delimiter")),
        decimal_comma=_flag(said_in, of_csv.get("decimal_comma", False)),
        encoding=_encoding(said_in, of_csv.get("encoding", "utf-8")),
        time_zone=_time_zone(said_in, told.get("time_zone", "UTC")),
        columns={name: _value(said_in, name, value) for name, value in columns.items()} if "columns" in told else None,
        channels=_channels(file, told["channels"]) if "channels" in told else None,
    )


def _format(said_in: str, told: Any) -> Format | None:
    for known in FORMATS:
        if told == known:
            return known
    if told is not None:
        raise AttributionError(f"{said_in}: source.format is {told!r}. It is one of {', '.join(FORMATS)}.")
    return None


def _text(said_in: str, name: str, told: Any, hint: str) -> str | None:
    if told is not None and (not isinstance(told, str) or not told.strip()):
        raise AttributionError(f"{said_in}: source.{name} is {told!r}. {hint}")
    return told


def _delimiter(said_in: str, told: Any) -> str | None:
    if told is None:
        return None
    if not isinstance(told, str) or len(told) != 1 or told in '"\r\n' or not told.isascii():
        raise AttributionError(f'{said_in}: csv.delimiter is {told!r}. It is one character, such as ";" or "\\t".')
    return told


def _flag(said_in: str, told: Any) -> bool:
    if not isinstance(told, bool):
        raise AttributionError(f"{said_in}: csv.decimal_comma is {told!r}. It is true or false.")
    return told


def _encoding(said_in: str, told: Any) -> str:
    try:
        return codecs.lookup(told).name
    except (LookupError, TypeError) as error:
        raise AttributionError(
            f'{said_in}: csv.encoding is {told!r}, which is no encoding. Write one such as "windows-1252" or "utf-16".'
        ) from error


def _time_zone(said_in: str, told: Any) -> str:
    try:
        return zoneinfo.ZoneInfo(told).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise AttributionError(
            f'{said_in}: time_zone is {told!r}, which is no time zone. Write one such as "Europe/Berlin".'
        ) from error


def _channels(file: Path, told: Any) -> Path:
    """The file with the rules, which the mapping names as seen from its own folder."""
    if not isinstance(told, str) or not told:
        raise AttributionError(f'{file}: channels is {told!r}. It is a file with rules, such as "channels.toml".')
    return file.parent / told


def _value(said_in: str, column: str, told: Any) -> Value:
    match told:
        case str():
            return FileColumn(told)
        case {"optional": str(name)} if len(told) == 1:
            return FileColumn(name, optional=True)
        case {"expr": str(sql)} if len(told) == 1:
            return Expression(sql)
        case {"value": bool(value)} if len(told) == 1:
            return Constant(str(int(value)))
        case {"value": str() | int() | float() as value} if len(told) == 1:
            return Constant(str(value))
        case {"timestamp": str(name)} if len(told) == 1:
            return Timestamp(FileColumn(name))
        case {"timestamp": {"expr": str(sql)}} if len(told) == 1:
            return Timestamp(Expression(sql))
    raise AttributionError(
        f'{said_in}: columns.{column} is {told!r}. Write "column", {{ optional = "column" }}, {{ expr = "SQL" }}, '
        '{ value = "constant" } or { timestamp = "column" }.'
    )
