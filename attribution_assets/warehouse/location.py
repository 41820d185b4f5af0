"""Where a database is: an SQLite file, the folder of a lake, on a disk or in a bucket, or a schema on a PostgreSQL server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import SecretStr

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.lake.objects import InBucket, Place
from attribution_assets.warehouse.urls import BUCKET, SERVERS, URL, database_of, schema_of, shown

MARKER = "attribution_lake.json"
"""The file that makes a folder a lake of ours."""


LONGEST_NAME = 63
"""How many bytes a name has on a PostgreSQL server: it cuts off what is longer."""

NO_URL = SecretStr("")
"""The URL of a file and of a folder."""


@dataclass(frozen=True)
class Location:
    """An SQLite file, the folder of a lake, or a PostgreSQL server.

    A lake is a folder that has our marker, or whose name is given with a slash at its end, or one in a `bucket`. A server has a
    `url`, which may hold a password. Neither of these two has a path.
    """

    path: Path = Path()
    is_lake: bool = False
    url: SecretStr = NO_URL
    bucket: InBucket | None = None

    @classmethod
    def of(cls, given: str | Path | Location) -> Self:
        """The place that a setting or an option names, absolute. Raises AttributionError for the URL of anything else."""
        text = given.given if isinstance(given, Location) else str(given)
        if url := URL.match(text):
            if url[1] == BUCKET:
                return cls(is_lake=True, bucket=InBucket.of(text))
            if SERVERS.get(url[1]) != "postgres":
                raise AttributionError(
                    f"The database cannot be at {url[1]}://.... Name an SQLite file, the folder of a lake, s3://BUCKET/FOLDER "
                    "or postgresql://USER:PASSWORD@HOST/DATABASE. `attribution import` reads tables from MySQL, too"
                )
            if not database_of(text):
                raise AttributionError(f"{shown(text)} names no database. Write postgresql://USER:PASSWORD@HOST/DATABASE")
            if len((schema_of(text) or "").encode()) > LONGEST_NAME:
                raise AttributionError(
                    f"{shown(text)} names a schema that is longer than PostgreSQL's names: {LONGEST_NAME} bytes"
                )
            return cls(url=SecretStr(text))
        try:
            path = Path(text).expanduser().absolute()
        except RuntimeError as error:
            raise AttributionError(f"{text} starts with the home folder of an unknown user.") from error
        return cls(path, text.endswith("/") or (path / MARKER).is_file())

    @property
    def is_file(self) -> bool:
        """Whether it is an SQLite file."""
        return not self.is_lake and not self.url

    @property
    def folder(self) -> Place:
        """The folder of a lake."""
        return self.bucket or self.path

    @property
    def given(self) -> str:
        """What names the place again, with the password of a URL."""
        return self.url.get_secret_value() or str(self)

    def __str__(self) -> str:
        """The place as it may be printed: the path, that of a lake with a slash at its end; or the URL without its password."""
        if self.url:
            return shown(self.given)
        if self.bucket:
            return str(self.bucket)
        return f"{self.path}/" if self.is_lake else str(self.path)

    @property
    def name(self) -> str:
        """The name of the file or folder, or of the database on a server, with its schema if the URL names one."""
        if not self.url:
            return self.folder.name
        return ".".join(filter(None, (database_of(self.given), schema_of(self.given))))
