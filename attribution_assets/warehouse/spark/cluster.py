"""A Spark cluster: its sessions, how they are made, kept and lost, and its errors in one line."""

from __future__ import annotations

import atexit
import logging
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

import pyspark
from pyspark.errors import AnalysisException, PySparkException

from attribution_assets import formats
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import functions
from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.lake import delta
from attribution_assets.warehouse.lake.delta import first_line
from attribution_assets.warehouse.lake.objects import Place, file_system, write_text
from attribution_assets.warehouse.lake.opened import OpenedSources, Stored
from attribution_assets.warehouse.schema import ALL_SOURCES, FURTHER, schema
from attribution_assets.warehouse.spark.statement import as_statement
from attribution_assets.warehouse.spark.views import STORED, views_before
from attribution_assets.warehouse.urls import shown
from attribution_assets.warehouse.views import Reading

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.connect.session import SparkSession

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.timeType.enabled": "true",
    # in both, Spark 4.2 fails ("key not found: conv_id#12") at a subquery in a SELECT list over a UNION
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.PushProjectionThroughUnion",
}

TYPES = {"text": "string", "integer": "bigint", "real": "double"}
"""Declared type in our schema -> Spark's."""

KEPT = 4
"""How many sessions are kept for the next reader of the same sources."""

KEPT_FOR = 1800
"""For how many seconds: a server forgets a session that nobody used for an hour."""

SURE_FOR = 10
"""For how many seconds nobody asks a session whether its server still has it."""

MARK = "attribution.session"
"""The setting by which a session is known to be the one that was made."""

TRIES = 5
"""How often a call is tried again where the cluster does not answer: in all, it waits for some twenty seconds."""

NO_SECRETS = ("use_ssl", "user_id", "user_agent", "session_id", "grpc_max_message_size")
"""The parameters of a cluster's URL that may be told."""

LOST = re.compile("StatusCode.UNAVAILABLE|RETRIES_EXCEEDED|SESSION_CLOSED|SESSION_NOT_FOUND|SESSION_CHANGED")
"""What an error has where the cluster, or the session on it, is gone."""

SOURCES = frozenset({*ALL_SOURCES, *FURTHER})
"""What is read through a view of its own, made for whatever types it has."""


@dataclass(eq=False)
class Session:
    """A session of Spark in which the sources of one state have their views.

    `views`: by name, their SELECTs; `emptied`: those that are made without rows; `named`: the results that have a view, too.
    `has_package`: whether executors have this one; `shared`: the folders that they are known to see.
    `is_blind_to_partitions`: whether files that are named have no column of their partition, as on Sail, which reads Delta
    tables itself; None until it is known.
    """

    spark: SparkSession
    sources: OpenedSources
    views: dict[str, str] = field(default_factory=dict)
    emptied: set[str] = field(default_factory=set)
    named: dict[str, Stored] = field(default_factory=dict)
    used: float = field(default_factory=monotonic)
    has_package: bool = False
    shared: set[Place] = field(default_factory=set)
    is_blind_to_partitions: bool | None = None

    def activate(self) -> None:
        """Has PySpark ask this session about types and functions. Else it asks the first of the process, which may be lost."""
        type(self.spark)._default_session = self.spark
        type(self.spark)._active_session.session = self.spark

    def end(self) -> None:
        """Frees what the cluster keeps for it, if it answers at once."""
        self.spark.client.set_retry_policies([])
        with suppress(Exception):
            self.spark.stop()

    def is_there(self) -> bool:
        """Whether the server still has the session, and is not another one since."""
        if monotonic() - self.used < SURE_FOR:
            return True
        try:
            return self.spark.conf.get(MARK, "") == self.spark.session_id
        except PySparkException:
            return False

    def check_shared(self, folder: Place) -> None:
        """Raises AttributionError where executors do not see the folder as this machine does: what they write would be lost."""
        if folder in self.shared:
            return
        said, probe = str(uuid4()), folder / f"probe-{uuid4()}.txt"
        files, name = file_system(probe)
        try:
            write_text(probe, said)
            seen = [value for (value,) in self.spark.read.text(path_of(probe)).collect()]
        except AnalysisException:
            seen = []
        finally:
            files.delete_file(name)
        if seen != [said]:
            raise AttributionError(
                f"The executors of Spark do not see {folder} as this machine does. Mount the lake at one path everywhere."
            )
        self.shared.add(folder)

    def name_sources(self, reading: Reading) -> None:
        """Makes the views of the sources, and of what stands for one."""
        types = {}
        for stored in self.sources.stored.values():
            try:
                rows = self.rows_of(stored)
                types[stored.name.lower()] = {name.lower(): type_ for name, type_ in rows.dtypes}
            except AnalysisException as error:
                told = f"{stored.name} cannot be read by Spark: {first_line(error)}."
                raise AttributionError(f"{told} Write its files with one type for each column.") from None
            rows.createOrReplaceTempView(f"{STORED}{stored.name}")
            if stored.name not in SOURCES:
                self.view(stored.name, f"SELECT * FROM {STORED}{stored.name}")
        self.views = views_before(types, reading)
        for name, select in self.views.items():
            self.view(name, select)

    def empty_views(self) -> None:
        """Nobody looks any more through what is known to have no rows."""
        for name in self.sources.empty - self.emptied:
            self.view(name, f"SELECT * FROM ({self.views[name]}) AS of_source WHERE 1 = 0")
            self.emptied.add(name)

    def name_result(self, stored: Stored) -> None:
        """Makes the view of a result at its version."""
        if self.named.get(stored.name) != stored:
            self.rows_of(stored).createOrReplaceTempView(stored.name)
            self.named[stored.name] = stored

    def versions(self) -> dict[str, str]:
        """The version of Spark, that of the client, and the id of the application, where the cluster tells it."""
        application = self.spark.conf.get("spark.app.id", "")
        known = {"spark application": application} if application else {}
        return {"spark": self.spark.version, "spark client": pyspark.__version__, **known}

    def view(self, name: str, select: str) -> None:
        """Makes the view, or makes it anew."""
        self.spark.sql(as_statement(f"CREATE OR REPLACE TEMP VIEW {name} AS {in_dialect(select, 'spark')}"))

    def rows_of(self, stored: Stored) -> DataFrame:
        """The rows of a table at its version. Raises AttributionError for one that executors cannot read."""
        if stored.rows or any(file.suffix.lower() == ".csv" for file in stored.files):
            raise AttributionError(
                f"{stored.name} is not in Delta tables or Parquet files, which is all that Spark reads here. "
                "`attribution lake import` makes Delta tables of it."
            )
        if hidden := [str(file) for file in stored.files if file.name.startswith(("_", "."))]:
            raise AttributionError(f"Spark passes over {hidden[0]}: give it a name that begins with a letter.")
        if stored.version is None:
            return self.spark.read.option("mergeSchema", "true").parquet(*map(path_of, stored.files))
        found = delta.files_of(stored.folder, stored.version, stored.state)
        if not found.files:
            table = schema().get(stored.name)
            types = {column.name: TYPES[column.type] for column in table.columns} if table else {}
            empty = (f"CAST(NULL AS {types.get(name, 'string')}) AS `{name}`" for name in found.columns)
            return self.spark.sql(f"SELECT {', '.join(empty)} WHERE false")
        reader = self.spark.read.option("basePath", path_of(stored.folder)).option("mergeSchema", stored.name in SOURCES)
        if found.partitioned_by and self.is_blind_to_partitions is None:
            self.is_blind_to_partitions = not {*found.partitioned_by} <= {*reader.parquet(path_of(found.files[0])).columns}
        if found.partitioned_by and self.is_blind_to_partitions:
            rows = self.spark.read.format("delta").option("versionAsOf", str(stored.version)).load(path_of(stored.folder))
        else:
            rows = reader.parquet(*map(path_of, found.files))
        return rows.select(*(f"`{name}`" for name in found.columns))


def path_of(place: Place | str) -> str:
    """What Spark calls the place. Raises AttributionError for a name that its readers would take for a pattern."""
    path = re.sub("^s3://", "s3a://", str(place))
    if re.search(r"[*?\[\]{}\\]", path):
        raise AttributionError(f"Spark takes {path} for a pattern of names. Give it a name without * ? [ ] {{ }} and \\.")
    return path


_idle: list[tuple[str, Session]] = []
"""The sessions that nobody uses, each with its cluster, the last used at the end."""

_idle_lock = Lock()


@dataclass(frozen=True)
class Cluster:
    """The cluster at `sc://HOST:PORT`, whose parameters may hold a token."""

    remote: str = field(repr=False)

    @property
    def name(self) -> str:
        """The cluster as it may be printed."""
        return shown(self.remote)

    @contextmanager
    def session(self, sources: OpenedSources, reading: Reading) -> Iterator[Session]:
        """A session for one user at a time, in which the sources of this state have their views."""
        session, has_ended = self._kept(sources) or self._new(sources, reading), False
        try:
            session.activate()
            session.empty_views()
            yield session
        except PySparkException as error:
            has_ended = bool(LOST.search(str(error)))
            raise
        finally:
            session.end() if has_ended else self._keep(session)

    def _keep(self, session: Session) -> None:
        """Keeps the session for the next user, and ends the one that was used longest ago, if there are too many."""
        session.used = monotonic()
        with _idle_lock:
            _idle.append((self.remote, session))
            too_many = [_idle.pop(0) for _ in range(len(_idle) - KEPT)]
        for _, dropped in too_many:
            dropped.end()

    def _new(self, sources: OpenedSources, reading: Reading) -> Session:
        session = Session(self._connected(), sources)
        try:
            session.activate()
            self._prepare(session, reading)
        except BaseException:
            session.end()
            raise
        return session

    def _prepare(self, session: Session, reading: Reading) -> None:
        for name, value in {**SETTINGS, MARK: session.spark.session_id}.items():
            session.spark.conf.set(name, value)
        session.spark.udf.register("is_direct", functions.is_direct_channel, "boolean")
        session.spark.udf.register("spelling", functions.spelling_of_channel, "string")
        session.name_sources(reading)

    def _connected(self) -> SparkSession:
        """A new session."""
        _prepare_client()
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession

        session = SparkSession.builder.remote(self.remote).create()
        session.client.set_retry_policies([DefaultPolicy(max_retries=TRIES)])
        return session

    def in_words(self, error: PySparkException) -> AttributionError:
        """What the cluster says, in one line without a token."""
        text = str(error).replace(self.remote, self.name)
        for name, value in re.findall(r";([^=]+)=([^;]+)", self.remote):
            if name not in NO_SECRETS:
                text = text.replace(value, "***").replace(unquote(value), "***")
        if lacking := re.search(r"No module named '([\w.]+)'", text):
            return AttributionError(f"The executors of {self.name} have no Python package {lacking[1]}. Install it there.")
        if LOST.search(text):
            return AttributionError(f"The Spark cluster {self.name} does not answer. Run again once it does.")
        if found := re.search(r'details = "(.+?)"\n', text):
            text = found[1]
        if "from the Python worker" in text:  # the last line of its trace says why
            text = re.split(r"\n(?=\w)", text.strip())[-1]
        return AttributionError(f"{self.name}: {first_line(text)}.")

    def _kept(self, sources: OpenedSources) -> Session | None:
        def fits(entry: tuple[str, Session]) -> bool:
            remote, session = entry
            return remote == self.remote and session.sources is sources and monotonic() - session.used < KEPT_FOR

        with _idle_lock:
            found = next(filter(fits, reversed(_idle)), None)
            if not found:
                return None
            _idle.remove(found)
        _, session = found
        if session.is_there():
            return session
        session.end()
        return None


@atexit.register
def _end_sessions() -> None:
    """Frees what the cluster keeps for the sessions of this process, if it answers at once."""
    for _, session in _idle:
        session.end()
    _idle.clear()


@cache
def _prepare_client() -> None:
    """Has what executors need of this package sent to them with each function, and what errors say not said twice."""
    # PySpark takes a process whose main module has no file, as of `python -c`, for one that runs its doctests, and ends it.
    vars(sys.modules["__main__"]).setdefault("__file__", __file__)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    warnings.filterwarnings("ignore", r"\[RETRIES_EXCEEDED\]", UserWarning)
    from pyspark import cloudpickle
    from pyspark.sql import connect

    _ = connect  # which makes its logger
    logging.getLogger("pyspark.sql.connect.logging").setLevel(logging.CRITICAL)
    register: Any = cloudpickle.register_pickle_by_value
    for module in (formats, functions):
        register(module)
