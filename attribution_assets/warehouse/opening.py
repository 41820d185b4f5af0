"""Opens the warehouse at a place."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, cast

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.duckdb.compute import Compute
from attribution_assets.warehouse.location import Location
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse
from attribution_assets.warehouse.views import AS_STORED, Reading
from attribution_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution_assets.warehouse.lake.database import LakeWarehouse
    from attribution_assets.warehouse.postgres.database import PostgresWarehouse

NEEDED = ("deltalake", "pyarrow")
"""What a lake needs besides the base install."""

NEEDED_IN_BUCKET = (*NEEDED, "boto3", "duckdb_extension_httpfs")
"""What a lake in a bucket needs."""

KEEP_DAYS = 7
"""For how many days a lake keeps files of earlier versions, unless another number is set."""


def warehouse_at(
    location: Location,
    *,
    compute: Compute | Literal["spark"] = "auto",
    reading: Reading = AS_STORED,
    keep_days: int = KEEP_DAYS,
    sources: str = "",
    spark: str = "",
) -> Warehouse:
    """The SQLite file, the lake or the schema on a PostgreSQL server at the place.

    `compute`: which engine runs the large queries of an SQLite file, or `spark`, which computes a lake on the cluster `spark`.
    `reading`: how the sources are read.
    `keep_days`: for how many days a lake keeps files of earlier versions. `sources`: where the sources of a lake lie if not in
    it, as ATTRIBUTION_SOURCES says it. Raises AttributionError for a lake or a server where the packages of its extra are
    missing.
    """
    if location.url:
        return server_at(location, reading)
    if location.is_lake:
        return lake_at(location, reading, keep_days, sources, spark if compute == "spark" else "")
    if compute == "spark":
        raise AttributionError(f"Spark computes a lake, and {location} is none.")
    return SQLiteWarehouse(location.path, compute=compute, reading=reading)


def server_at(location: Location, reading: Reading = AS_STORED) -> PostgresWarehouse:
    """The schema on the server. Raises AttributionError where the packages of the extra `postgres` are missing."""
    if not find_spec("psycopg"):
        raise AttributionError(f"{location} needs psycopg: pip install 'attribution_assets[postgres]'.")
    from attribution_assets.warehouse.postgres.database import PostgresWarehouse

    return PostgresWarehouse(location.given, reading=reading)


def lake_at(
    location: Location, reading: Reading = AS_STORED, keep_days: int = KEEP_DAYS, sources: str = "", spark: str = ""
) -> LakeWarehouse:
    """The lake at the place, computed on the cluster `spark` if one is named.

    Raises AttributionError where the packages of the extra `lake`, `s3` or `spark` are missing.
    """
    extra, needed = ("s3", NEEDED_IN_BUCKET) if location.bucket else ("lake", NEEDED)
    missing = [name for name in needed if not find_spec(name)]
    if missing:
        raise AttributionError(
            f"{location.folder} is a lake, which needs {' and '.join(missing)}: pip install 'attribution_assets[{extra}]'."
        )
    if spark:
        if not find_spec("pyspark"):
            raise AttributionError("Spark needs a client: pip install 'attribution_assets[spark]'.")
        from attribution_assets.warehouse.spark.database import SparkLakeWarehouse

        return SparkLakeWarehouse(location.folder, reading=reading, keep_days=keep_days, sources_at=sources, spark=spark)
    from attribution_assets.warehouse.lake.database import LakeWarehouse

    return LakeWarehouse(location.folder, reading=reading, keep_days=keep_days, sources_at=sources)


@contextmanager
def source_in_sqlite(warehouse: Warehouse, table: str, *, writes: bool) -> Iterator[SQLiteWarehouse]:
    """The database as an SQLite file, for what works on one: of a lake, the one source `table`, as `in_sqlite` gives it.

    Raises AttributionError for a server, whose tables have better ways to be filled.
    """
    if isinstance(warehouse, SQLiteWarehouse):
        yield warehouse
        return
    if warehouse.engine == "postgres":
        raise AttributionError(
            f"{table} in {warehouse.name} is filled by the server's own tools, such as psql's \\copy, and not by this command."
        )
    from attribution_assets.warehouse.lake.loading import in_sqlite

    with in_sqlite(cast("LakeWarehouse", warehouse), table, writes=writes) as file:
        yield file
