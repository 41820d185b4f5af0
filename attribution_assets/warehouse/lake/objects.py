"""Where a lake lies: a folder on a disk, or a folder in a bucket of an S3 object store. Few other places know which."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO
from uuid import uuid4

from attribution_assets.errors import AttributionError, BusyError
from attribution_assets.warehouse.duckdb.scanners import load_extension

if TYPE_CHECKING:
    import duckdb
    from pyarrow.fs import FileSystem
    from types_boto3_s3 import S3Client

FORM = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<key>(?:/(?!\.+/|\.+$)[\w.-]+)*)/*", re.ASCII)
"""How the URL of a folder in a bucket is written: in letters that need no encoding, and without a user or a password."""

ENDPOINT = re.compile(r"https?://[^/@?#\s]+")
"""How the URL of another store than AWS is written."""

OTHER_REGION = "us-east-1"
"""The region, where the environment names none."""

LONGEST_HEADER = 2**20
"""In how many bytes of a CSV file in a bucket its first line has to end."""

TRIES, SECONDS = 4, 20
"""How often a request to a store is tried, and how long one may take."""

DAYS = "="
"""What the names of a partitioned table's files have, and those of its log have not: before the day."""


@dataclass(frozen=True)
class InBucket:
    """A folder or an object in a bucket, with the little of a `Path` that a lake asks for.

    Its methods raise AttributionError where the store does not do what is asked, and FileNotFoundError for a missing object.
    """

    bucket: str
    key: str = ""
    tag: str = field(default="", compare=False, repr=False)
    """What tells the content of an object from another, if it was listed."""

    @classmethod
    def of(cls, url: str) -> Self:
        """The folder at the URL. Raises AttributionError for one that is written otherwise; it does not repeat it."""
        if not (parts := FORM.fullmatch(url)):
            raise AttributionError(
                "The URL of the lake is not s3://BUCKET/FOLDER, in letters, digits and any of _ . -. Keys are read from "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY alone, and no other parameters are taken"
            )
        return cls(parts["bucket"], parts["key"].removeprefix("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}".rstrip("/")

    def __truediv__(self, name: str) -> InBucket:
        return InBucket(self.bucket, f"{self.key}/{name}".lstrip("/"))

    @property
    def name(self) -> str:
        """The last part of its name; of a whole bucket, the bucket's."""
        return self.key.rpartition("/")[2] or self.bucket

    @property
    def parent(self) -> InBucket:
        """The folder that it lies in."""
        return InBucket(self.bucket, self.key.rpartition("/")[0])

    @property
    def suffix(self) -> str:
        """The end of its name, from the last point on."""
        return Path(self.name).suffix

    def iterdir(self) -> Iterator[InBucket]:
        """What lies in the folder: one request for each thousand names."""
        return self.listed(until="/")

    def listed(self, until: str) -> Iterator[InBucket]:
        """The objects below the folder, each with its tag. Of names that have `until` below it, what is before it, once."""
        with self._plain_errors() as store:
            pages = store.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.key}/".lstrip("/"), Delimiter=until):
                for prefix in page.get("CommonPrefixes", []):
                    yield InBucket(self.bucket, prefix["Prefix"].removesuffix("/"))
                for entry in page.get("Contents", []):
                    yield InBucket(self.bucket, entry["Key"], f"{entry['ETag']} {entry['LastModified'].isoformat()}")

    def is_dir(self) -> bool:
        """Whether anything lies in the folder."""
        return any(True for _ in self.iterdir())

    def is_file(self) -> bool:
        """Whether there is such an object."""
        if self.tag:
            return True
        try:
            with self._plain_errors() as store:
                store.head_object(Bucket=self.bucket, Key=self.key)
        except FileNotFoundError:
            return False
        return True

    def open(self, encoding: str, newline: str | None = None) -> TextIO:
        """The beginning of a text, as far as a header can reach."""
        return TextIOWrapper(BytesIO(self._bytes(LONGEST_HEADER)), encoding=encoding, newline=newline)

    def read_text(self, encoding: str) -> str:
        """The whole text."""
        return self._bytes().decode(encoding)

    def write_text(self, text: str) -> None:
        """Writes the text, at once or not at all."""
        with self._plain_errors() as store:
            store.put_object(Bucket=self.bucket, Key=self.key, Body=text.encode())

    def _bytes(self, most: int | None = None) -> bytes:
        with self._plain_errors() as store, closing(store.get_object(Bucket=self.bucket, Key=self.key)["Body"]) as body:
            return body.read(most)

    @property
    def storage_options(self) -> dict[str, str]:
        """What delta-rs is told besides the keys, which it reads from the environment itself.

        A commit is an object that must not be there yet, whatever else the environment says.
        """
        access = Access.of_environment(str(self))
        return {
            "aws_region": access.region,
            "aws_conditional_put": "etag",
            **({"aws_endpoint_url": access.endpoint} if access.endpoint else {}),
            **({"aws_allow_http": "true"} if access.is_plain else {}),
        }

    def add_to_duckdb(self, duck: duckdb.DuckDBPyConnection) -> None:
        """Lets DuckDB read the bucket, with a secret in its memory. What it has read of a file is kept: none ever changes."""
        access = Access.of_environment(str(self))
        load_extension(duck, "httpfs")
        duck.execute("SET GLOBAL allow_persistent_secrets = false")  # of the user's files, which may know other keys
        duck.execute("SET GLOBAL enable_external_file_cache = true")
        duck.execute("SET GLOBAL enable_http_metadata_cache = true")
        chosen = {"KEY_ID": access.key, "SECRET": access.secret, "SESSION_TOKEN": access.token, "REGION": access.region}
        if access.endpoint:
            chosen |= {"ENDPOINT": access.endpoint.partition("://")[2], "URL_STYLE": "path"}
        given = {name: value for name, value in chosen.items() if value}
        listed = ", ".join(f"{name} ${name.lower()}" for name in given)
        duck.execute(
            f"CREATE SECRET (TYPE s3, USE_SSL {str(not access.is_plain).lower()}, {listed})",
            {name.lower(): value for name, value in given.items()},
        )

    @contextmanager
    def _plain_errors(self) -> Iterator[S3Client]:
        """The store. Its own errors may have the id of a key, so that none of them is a cause."""
        from botocore.exceptions import BotoCoreError, ClientError

        access = Access.of_environment(str(self))
        store = access.endpoint or f"AWS in {access.region}"
        try:
            yield _client(access)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("404", "NoSuchKey"):
                raise FileNotFoundError(f"There is no {self}.") from None
            if code == "NoSuchBucket":
                raise AttributionError(f"There is no bucket {self.bucket} at {store}. Make it, or name another.") from None
            raise AttributionError(f"{store} refuses {self} to the key in AWS_ACCESS_KEY_ID: {code}.") from None
        except BotoCoreError as error:
            raise BusyError(f"{store} does not answer: {without_keys(str(error))}") from None


Place = Path | InBucket
"""A folder or a file on a disk or in a bucket."""


@dataclass(frozen=True)
class Access:
    """What the environment says of the store: its keys, its region, and its endpoint if it is not AWS."""

    key: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(repr=False)
    region: str
    endpoint: str

    @classmethod
    def of_environment(cls, place: str = "The lake") -> Self:
        """Reads the environment. Raises AttributionError where it has no keys, or an endpoint that is none."""
        given = os.environ.get
        key, secret = given("AWS_ACCESS_KEY_ID", ""), given("AWS_SECRET_ACCESS_KEY", "")
        if not (key and secret):
            raise AttributionError(f"{place} needs keys. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment.")
        endpoint = given("AWS_ENDPOINT_URL", "").rstrip("/")
        if endpoint and not ENDPOINT.fullmatch(endpoint):
            raise AttributionError("AWS_ENDPOINT_URL is not the URL of a store. Write https://HOST or http://HOST:PORT.")
        region = given("AWS_REGION") or given("AWS_DEFAULT_REGION") or OTHER_REGION
        return cls(key, secret, given("AWS_SESSION_TOKEN", ""), region, endpoint)

    @property
    def is_plain(self) -> bool:
        """Whether the store is asked without encryption."""
        return self.endpoint.startswith("http://")


def entries(folder: Place) -> list[Place]:
    """What lies in the folder; nothing where there is none."""
    try:
        return [*folder.iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def listing(folder: Place) -> Callable[[Place], list[Place]]:
    """As `entries`, of the folder and those in it. A bucket is asked once, and says nothing of a partitioned table's files."""
    if not isinstance(folder, InBucket):
        return entries
    found: dict[Place, dict[str, Place]] = {}
    for entry in folder.listed(until=DAYS):
        inner = entry
        while inner != folder and inner.name not in found.setdefault(inner.parent, {}):
            found[inner.parent][inner.name] = inner
            inner = inner.parent
    return lambda within: [*found.get(within, {}).values()]


def file_system(place: Place) -> tuple[FileSystem, str]:
    """Arrow's file system of the place, and what it calls the place there."""
    from pyarrow.fs import LocalFileSystem, S3FileSystem

    if not isinstance(place, InBucket):
        return LocalFileSystem(), str(place)
    access = Access.of_environment(str(place))
    store = S3FileSystem(
        access_key=access.key,
        secret_key=access.secret,
        session_token=access.token or None,
        region=access.region,
        endpoint_override=access.endpoint.partition("://")[2] or None,
        scheme="http" if access.is_plain else "https",
    )
    return store, f"{place.bucket}/{place.key}"


def tag_of(file: Place) -> str:
    """What tells the content of the file from an earlier one, as it was listed: when it was written."""
    return file.tag if isinstance(file, InBucket) else str(file.stat().st_mtime_ns)


def write_text(file: Place, text: str) -> None:
    """Writes the text, at once or not at all. Folders on the way are made."""
    if isinstance(file, InBucket):
        file.write_text(text)
        return
    unfinished = file.with_name(f".{file.name}.{uuid4().hex}")
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def storage_options(folder: Place) -> dict[str, str] | None:
    """What delta-rs is told of the place of a table; nothing of one on a disk."""
    return folder.storage_options if isinstance(folder, InBucket) else None


def cause(folder: Place, error: Exception) -> Exception | None:
    """The error as the cause of a plainer one; none of a store, which may have the id of a key."""
    return None if isinstance(folder, InBucket) else error


def without_keys(text: str) -> str:
    """What a library says, without keys of the environment."""
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID"):
        if key := os.environ.get(name):
            text = text.replace(key, "***")
    return text


@lru_cache(maxsize=4)
def _client(access: Access) -> S3Client:
    """The store, whose connections are kept."""
    from boto3.session import Session
    from botocore.config import Config

    session = Session(access.key, access.secret, access.token or None, access.region)
    config = Config(
        s3={"addressing_style": "path" if access.endpoint else "virtual"},
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        connect_timeout=SECONDS,
        read_timeout=SECONDS,
    )
    return session.client("s3", endpoint_url=access.endpoint or None, config=config)
