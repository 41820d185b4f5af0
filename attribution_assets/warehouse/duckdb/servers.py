"""PostgreSQL and MySQL servers at a URL: attached to DuckDB, with errors that have no password."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.duckdb.scanners import first_line, literal, load

if TYPE_CHECKING:
    import duckdb

PASSWORDS = ("PGPASSWORD", "MYSQL_PWD")
"""The environment variables that the scanners read a password from."""

SCANNERS = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql"}
"""By the scheme of a URL, the scanner that reads such servers, which is also the name of our extra."""

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

URL = re.compile(
    rf"(?P<scheme>{'|'.join(SCANNERS)})://"
    r"((?P<user>[^:@/?#]*)(:(?P<password>[^:@/?#]*))?@)?(?P<host>[^@/?#]*)(?P<path>/[^@?#]*)?(\?(?P<more>[^#]*))?"
)


def is_server(source: str) -> bool:
    """Whether it is the URL of a server, and not a file."""
    return source.partition("://")[0] in SCANNERS and "://" in source


def shown(source: str) -> str:
    """The source as it may be printed: of a URL neither the password nor what comes after its path."""
    if not is_server(source):
        return source
    part = _parts(source)
    return f"{part['scheme']}://{part['user']}{'@' if part['user'] else ''}{part['host']}{part['path']}"


def has_password(source: str) -> bool:
    """Whether it is the URL of a server, with a password in it."""
    if not is_server(source):
        return False
    part = _parts(source)
    return bool(part["password"] or any("pass" in name for name, _ in parse_qsl(part["more"])))


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
    """The server at a URL, which may hold a password. Raises AttributionError for a URL that is none."""

    url: str = field(repr=False)

    def __post_init__(self) -> None:
        """Verifies the URL."""
        _parts(self.url)

    @property
    def name(self) -> str:
        """The server as it may be printed."""
        return shown(self.url)

    @property
    def scanner(self) -> str:
        """The scanner that reads it: postgres or mysql."""
        return SCANNERS[_parts(self.url)["scheme"]]

    @property
    def schema(self) -> str:
        """The schema whose tables are read: public, or of MySQL the database."""
        return "public" if self.scanner == "postgres" else unquote(_parts(self.url)["path"].removeprefix("/"))

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
        url = _parts(self.url)
        told = [url["password"], *(value for name, value in parse_qsl(url["more"]) if "pass" in name)]
        for password in (*told, *map(unquote, told), *(os.environ.get(name, "") for name in PASSWORDS)):
            reason = reason.replace(password, "***") if password else reason
        return first_line(reason)
