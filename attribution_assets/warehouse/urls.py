"""URLs of database servers, which may hold a password: what they name, and how they may be printed."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, unquote

from attribution_assets.errors import AttributionError

URL = re.compile(r"([a-zA-Z][\w+.-]+)://")
"""How a URL begins. What follows may hold a password, so it is never shown."""

SERVERS = {"postgresql": "postgres", "postgres": "postgres", "mysql": "mysql"}
"""By the scheme of a URL, the kind of server, which is also the name of our extra."""

BUCKET = "s3"
"""The scheme of the URL of a folder in a bucket."""

PASSWORDS = ("PGPASSWORD", "MYSQL_PWD")
"""The environment variables that drivers read a password from."""

CLUSTER = re.compile(r"(?P<shown>sc://[A-Za-z0-9_.-]+(:\d{1,5})?)(/(?P<more>(;[\w-]+=[^;\s]+)*))?")
"""A cluster of Spark. What follows the port are parameters, of which one may be a token."""

PARTS = re.compile(
    rf"(?P<scheme>{'|'.join(SERVERS)})://"
    r"((?P<user>[^:@/?#]*)(:(?P<password>[^:@/?#]*))?@)?(?P<host>[^@/?#]*)(?P<path>/[^@?#]*)?(\?(?P<more>[^#]*))?"
)

SCHEMA = "schema"
"""The parameter of a URL that names the schema of our tables; drivers do not know it."""


def is_server(source: str) -> bool:
    """Whether it is the URL of a server, and not a file."""
    return source.partition("://")[0] in SERVERS and "://" in source


def parts_of(url: str) -> dict[str, str]:
    """The parts of the URL, each empty where there is none: scheme, user, password, host, path, more.

    Raises AttributionError for what is no such URL; it says nothing of a password.
    """
    found = PARTS.fullmatch(url)
    if not found:
        raise AttributionError(
            "The URL of the server is not SCHEME://USER:PASSWORD@HOST/DATABASE. Write :, @, /, ? and # within a user or a "
            "password as %3A, %40, %2F, %3F and %23."
        )
    return found.groupdict(default="")


def shown(source: str) -> str:
    """The source as it may be printed: of a URL neither the password nor what comes after its path, but for the schema."""
    if source.startswith("sc:"):
        cluster = CLUSTER.fullmatch(source)
        return cluster["shown"] if cluster else "sc://…"
    if not is_server(source):
        return source
    part = parts_of(source)
    schema = "".join(f"?{SCHEMA}={quote(value, safe='')}" for name, value in parse_qsl(part["more"]) if name == SCHEMA)
    return f"{part['scheme']}://{part['user']}{'@' if part['user'] else ''}{part['host']}{part['path']}{schema}"


def has_password(source: str) -> bool:
    """Whether it is the URL of a server with a password in it, or of a cluster with anything beside its host."""
    if source.startswith("sc:"):
        cluster = CLUSTER.fullmatch(source)
        return not cluster or bool(cluster["more"])
    if not is_server(source):
        return False
    part = parts_of(source)
    return bool(part["password"] or any("pass" in name for name, _ in parse_qsl(part["more"])))


def database_of(url: str) -> str:
    """The name of the database on the server; empty if the URL names none."""
    return unquote(parts_of(url)["path"].removeprefix("/"))


def schema_of(url: str) -> str | None:
    """The schema that the URL names; None if it names none."""
    return dict(parse_qsl(parts_of(url)["more"])).get(SCHEMA)


def without_schema(url: str) -> str:
    """The URL as drivers know it."""
    plain, _, more = url.partition("?")
    others = "&".join(part for part in more.split("&") if part and part.partition("=")[0] != SCHEMA)
    return f"{plain}?{others}" if others else plain


def without_passwords(url: str, reason: str) -> str:
    """What a driver says, without passwords of the URL and the environment."""
    part = parts_of(url)
    told = [part["password"], *(value for name, value in parse_qsl(part["more"]) if "pass" in name)]
    for password in (*told, *map(unquote, told), *(os.environ.get(name, "") for name in PASSWORDS)):
        reason = reason.replace(password, "***") if password else reason
    return reason
