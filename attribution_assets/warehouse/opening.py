"""Opens the warehouse at a place."""

from __future__ import annotations

from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, cast

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse.duckdb.compute import Compute
from attribution_assets.warehouse.location import Location
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse
from attribution_assets.warehouse.views import AS_STORED, Reading
from attribution_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attribution_assets.warehouse.lake.database import LakeWarehouse

NEEDED = ("deltalake", "pyarrow")
"""What a lake needs besides the base install."""

KEEP_DAYS = 7
"""For how many days a lake keeps files of earlier versions, unless another number is set."""


def warehouse_at(
    location: Location,
    *,
    compute: Compute = "auto",
    reading: Reading = AS_STORED,
    keep_days: int = KEEP_DAYS,
    sources: str = "",
) -> Warehouse:
    """The SQLite file or the lake at the place.

    `compute`: which engine runs the large queries of an SQLite file. `reading`: how the sources are read.
    `keep_days`: for how many days a lake keeps files of earlier versions. `sources`: where the sources of a lake lie if not in
    it, as ATTRIBUTION_SOURCES says it. Raises AttributionError for a lake where the packages
    of the extra `lake` are missing.
    """
    return (
        lake_at(location, reading, keep_days, sources)
        if location.is_lake
        else SQLiteWarehouse(location.path, compute=compute, reading=reading)
    )


def lake_at(location: Location, reading: Reading = AS_STORED, keep_days: int = KEEP_DAYS, sources: str = "") -> LakeWarehouse:
    """The lake at the place. Raises AttributionError where the packages of the extra `lake` are missing."""
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        raise AttributionError(
            f"{location.path} is a lake, which needs {' and '.join(missing)}: pip install 'attribution_assets[lake]'."
        )
    from attribution_assets.warehouse.lake.database import LakeWarehouse

    return LakeWarehouse(location.path, reading=reading, keep_days=keep_days, sources_at=sources)


@contextmanager
def source_in_sqlite(warehouse: Warehouse, table: str, *, writes: bool) -> Iterator[SQLiteWarehouse]:
    """The database as an SQLite file, for what works on one: of a lake, the one source `table`, as `in_sqlite` gives it."""
    if isinstance(warehouse, SQLiteWarehouse):
        yield warehouse
        return
    from attribution_assets.warehouse.lake.loading import in_sqlite

    with in_sqlite(cast("LakeWarehouse", warehouse), table, writes=writes) as file:
        yield file
