"""Tables and queries of PostgreSQL and MySQL servers: DuckDB's scanners fetch what the server itself writes as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attribution_assets.errors import AttributionError
from attribution_assets.importing.mapping import Importing
from attribution_assets.warehouse.duckdb.scanners import quoted
from attribution_assets.warehouse.duckdb.servers import Server

if TYPE_CHECKING:
    import duckdb

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

    quote: str
    text: str
    texts: Mapping[str, str]


POSTGRES = Dialect(
    quote='"',
    text="{}::text",
    texts={  # JSON has one form of them, whatever DateStyle and TimeZone say
        "DATE": "to_json({}) #>> '{{}}'",
        "TIMESTAMP": "to_json({}) #>> '{{}}'",
        INSTANT: "(to_json({} AT TIME ZONE 'UTC') #>> '{{}}') || 'Z'",
    },
)

MYSQL = Dialect(
    quote="`",
    text="CAST({} AS CHAR)",
    texts={
        "BLOB": "{}",
        "BOOLEAN": "{}",  # BIT(1)
        "FLOAT": "{}",  # MySQL writes six digits
        INSTANT: "concat({}, 'Z')",
    },
)

DIALECTS = {"postgres": POSTGRES, "mysql": MYSQL}
"""By the scanner of a server."""


@dataclass(frozen=True)
class FromServer:
    """What a mapping says to read from a server."""

    server: Server
    mapping: Importing

    @property
    def name(self) -> str:
        """The server as it may be printed."""
        return self.server.name

    @property
    def dialect(self) -> Dialect:
        """What kind of server it is."""
        return DIALECTS[self.server.scanner]

    def fetch(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Makes the table `file` of the rows, in an order of their own, every value as text. They are of one moment."""
        query, send = self._query(), self.server.execute
        self.server.attach(connection, "other")
        answer = f"FROM {self.server.scanner}_query('other', {{}})"
        described = send(connection, answer, f"SELECT * FROM (\n{query}\n) AS asked LIMIT 0").description
        types = {name: str(type_) for name, type_, *_ in described}
        if self.dialect is MYSQL and self.mapping.table:
            timestamps = TIMESTAMPS_OF_MYSQL.format(**_in_mysql(self.mapping.table))
            types |= {name: INSTANT for (name,) in send(connection, answer, timestamps).fetchall()}
        texts = ", ".join(self._text(name, type_) for name, type_ in types.items())
        made = f"CREATE TABLE file AS SELECT COLUMNS(*)::VARCHAR {answer} ORDER BY ALL"
        send(connection, made, f"SELECT {texts} FROM (\n{query}\n) AS asked")
        connection.execute("DETACH other")

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


def _quoted(table: str, quote: str) -> str:
    """A table, or `schema.table`."""
    return ".".join(quoted(part, quote) for part in table.split("."))


def _in_mysql(table: str) -> dict[str, str]:
    """The names of the table and of its schema as MySQL's literals, in which nothing can end them."""
    schema, _, name = table.rpartition(".")
    return {"table": f"X'{name.encode().hex()}'", "schema": f"X'{schema.encode().hex()}'" if schema else "database()"}
