"""PostgreSQL and MySQL servers at a URL, attached to DuckDB."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.duckdb.scanners import first_line, literal, load
from attribution_assets.warehouse.urls import SERVERS, database_of, parts_of, shown, without_passwords

if TYPE_CHECKING:
    import duckdb

SETTINGS = {
    "postgres": ("pg_experimental_filter_pushdown = false",),
    "mysql": (
        "mysql_session_time_zone = '+00:00'",
        "mysql_tinyint1_as_boolean = false",
        "mysql_query_timeout_enabled = false",
        "mysql_experimental_filter_pushdown = false",
        "mysql_aggregate_pushdown_enabled = false",
        "mysql_order_pushdown_enabled = false",
    ),
}
"""By scanner, how it reads. Nothing is compared by the server, whose collation may take 'Email' for 'email'."""


@dataclass(frozen=True)
class Server:
    """The server at a URL, which may hold a password. Raises AttributionError for a URL that is none."""

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        """Verifies the URL."""
        parts_of(self.url)

    @property
    def name(self) -> str:
        """The server as it may be printed."""
        return shown(self.url)

    @property
    def scanner(self) -> str:
        """The scanner that reads it: postgres or mysql."""
        return SERVERS[parts_of(self.url)["scheme"]]

    @property
    def schema(self) -> str:
        """The schema whose tables are read: public, or of MySQL the database."""
        return "public" if self.scanner == "postgres" else database_of(self.url)

    def attach(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        """Attaches the server under the name, to be read alone. Raises AttributionError without its extra."""
        try:
            load(connection, self.scanner)
        except ModuleNotFoundError as error:
            raise AttributionError(
                f"{self.name} is read with the extra {self.scanner}. "
                f"Install it: pip install 'attribution_assets[{self.scanner}]'."
            ) from error
        for setting in SETTINGS[self.scanner]:
            connection.execute(f"SET GLOBAL {setting}")  # of cursors, too
        self.execute(connection, f"ATTACH {{}} AS {name} (TYPE {self.scanner}, READ_ONLY)", self.url)

    def execute(self, connection: duckdb.DuckDBPyConnection, statement: str, sent: str) -> duckdb.DuckDBPyConnection:
        """Executes the statement with what is sent to the server in its place. Errors do not repeat it, nor has their cause."""
        import duckdb

        try:
            return connection.execute(statement.format(literal(sent)))
        except duckdb.Error as error:
            _, _, reason = str(error).partition(f'"{sent}": ')
            raise AttributionError(f"{self.name} cannot be read: {self.without_passwords(reason or str(error))}") from None

    def without_passwords(self, reason: str) -> str:
        """The first line of what the scanner says, without passwords of the URL and the environment."""
        return first_line(without_passwords(self.url, reason))
