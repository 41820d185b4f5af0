"""Tables and queries of PostgreSQL and MySQL servers: DuckDB's scanners fetch what the server itself writes as text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from attribution_assets.errors import AttributionError
from attribution_assets.importing.duck import first_line, literal, load, quoted
from attribution_assets.importing.mapping import Importing

if TYPE_CHECKING:
    import duckdb

PASSWORDS = ("PGPASSWORD", "MYSQL_PWD")
"""The environment variables that the scanners read a password from."""

INSTANT = "TIMESTAMP WITH TIME ZONE"
"""DuckDB's name for a point in time, which is written in UTC with a Z."""

TIMESTAMPS_OF_MYSQL = (
    "SELECT column_name FROM information_schema.columns "
    "WHERE table_schema = {schema} AND table_name = {table} AND data_type = 'timestamp'"
)
"""The points in time of a table: DuckDB's scanner tells them from no DATETIME, which has no zone."""


@dataclass(frozen=True)
class Dialect:
    """How a kind of server quotes names and writes values as text, none of them shortened.

    `texts` are the exceptions, by the type that DuckDB knows the column by. What stays as it is becomes text in DuckDB.
    """

    scanner: str
    quote: str
    text: str
    texts: Mapping[str, str]
    settings: tuple[str, ...] = ()


POSTGRES = Dialect(
    scanner="postgres",
    quote='"',
    text="{}::text",
    texts={  # JSON has one form of them, whatever DateStyle and TimeZone say
        "DATE": "to_json({}) #>> '{{}}'",
        "TIMESTAMP": "to_json({}) #>> '{{}}'",
        INSTANT: "(to_json({} AT TIME ZONE 'UTC') #>> '{{}}') || 'Z'",
    },
)

MYSQL = Dialect(
    scanner="mysql",
    quote="`",
    text="CAST({} AS CHAR)",
    texts={
        "BLOB": "{}",
        "BOOLEAN": "{}",  # BIT(1)
        "FLOAT": "{}",  # MySQL writes six digits
        INSTANT: "concat({}, 'Z')",
    },
    settings=("mysql_session_time_zone = '+00:00'", "mysql_tinyint1_as_boolean = false"),
)

DIALECTS = {"postgresql": POSTGRES, "postgres": POSTGRES, "mysql": MYSQL}
"""By the scheme of a URL."""

URL = re.compile(
    rf"(?P<scheme>{'|'.join(DIALECTS)})://"
    r"((?P<user>[^:@/?#]*)(:(?P<password>[^:@/?#]*))?@)?(?P<host>[^@/?#]*)(?P<path>/[^@?#]*)?(\?(?P<more>[^#]*))?"
)


def is_server(source: str) -> bool:
    """Whether it is the URL of a server, and not a file."""
    return source.partition("://")[0] in DIALECTS and "://" in source


def shown(source: str) -> str:
    """The source as it may be printed: of a URL neither the password nor what comes after its path."""
    if not is_server(source):
        return source
    part = _parts(source)
    return f"{part['scheme']}://{part['user']}{'@' if part['user'] else ''}{part['host']}{part['path']}"


def _parts(url: str) -> dict[str, str]:
    """The parts of the URL, each empty where there is none. What the error says has nothing of a password."""
    found = URL.fullmatch(url)
    if not found:
        raise AttributionError(
            "The URL of the server is not SCHEME://USER:PASSWORD@HOST/DATABASE. Write :, @, /, ? and # within a user or a "
            "password as %3A, %40, %2F, %3F and %23."
        )
    return found.groupdict(default="")


@dataclass(frozen=True)
class Server:
    """What a mapping says to read from the server at a URL."""

    url: str
    mapping: Importing

    @property
    def name(self) -> str:
        """The server as it may be printed."""
        return shown(self.url)

    @property
    def dialect(self) -> Dialect:
        """What kind of server it is."""
        return DIALECTS[_parts(self.url)["scheme"]]

    def fetch(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Makes the table `file` of the rows, in an order of their own, every value as text. They are of one moment."""
        query, scanner = self._query(), self.dialect.scanner
        try:
            load(connection, scanner)
        except ModuleNotFoundError as error:
            raise AttributionError(
                f"{self.name} is read with the extra {scanner}. Install it: pip install 'attribution_assets[{scanner}]'."
            ) from error
        for setting in self.dialect.settings:
            connection.execute(f"SET {setting}")
        self._send(connection, f"ATTACH {{}} AS other (TYPE {scanner}, READ_ONLY)", self.url)
        answer = f"FROM {scanner}_query('other', {{}})"
        described = self._send(connection, answer, f"SELECT * FROM (\n{query}\n) AS asked LIMIT 0").description
        types = {name: str(type_) for name, type_, *_ in described}
        if self.dialect is MYSQL and self.mapping.table:
            timestamps = TIMESTAMPS_OF_MYSQL.format(**_in_mysql(self.mapping.table))
            types |= {name: INSTANT for (name,) in self._send(connection, answer, timestamps).fetchall()}
        texts = ", ".join(self._text(name, type_) for name, type_ in types.items())
        made = f"CREATE TABLE file AS SELECT COLUMNS(*)::VARCHAR {answer} ORDER BY ALL"
        self._send(connection, made, f"SELECT {texts} FROM (\n{query}\n) AS asked")
        connection.execute("DETACH other")

    def _send(self, connection: duckdb.DuckDBPyConnection, statement: str, sent: str) -> duckdb.DuckDBPyConnection:
        """Executes the statement with what is sent to the server in its place. Errors do not repeat it."""
        import duckdb

        try:
            return connection.execute(statement.format(literal(sent)))
        except duckdb.Error as error:
            _, _, reason = str(error).partition(f'"{sent}": ')
            raise AttributionError(f"{self.name} cannot be read: {self._without_passwords(reason or str(error))}") from error

    def _query(self) -> str:
        if self.mapping.query:
            return self.mapping.query.strip().rstrip(";")
        if self.mapping.table:
            return f"SELECT * FROM {_quoted(self.mapping.table, self.dialect.quote)}"
        raise AttributionError(
            f'{self.name} is a server. Say source.table = "TABLE" or source.query = "SELECT …" in a mapping: --mapping FILE.'
        )

    def _text(self, column: str, type_: str) -> str:
        name = quoted(column, self.dialect.quote)
        return f"{self.dialect.texts.get(type_, self.dialect.text).format(name)} AS {name}"

    def _without_passwords(self, reason: str) -> str:
        url = _parts(self.url)
        told = [url["password"], *(value for name, value in parse_qsl(url["more"]) if "pass" in name)]
        for password in (*told, *map(unquote, told), *(os.environ.get(name, "") for name in PASSWORDS)):
            reason = reason.replace(password, "***") if password else reason
        return first_line(reason)


def _quoted(table: str, quote: str) -> str:
    """A table, or `schema.table`."""
    return ".".join(quoted(part, quote) for part in table.split("."))


def _in_mysql(table: str) -> dict[str, str]:
    """The names of the table and of its schema as MySQL's literals, in which nothing can end them."""
    schema, _, name = table.rpartition(".")
    return {"table": f"X'{name.encode().hex()}'", "schema": f"X'{schema.encode().hex()}'" if schema else "database()"}
