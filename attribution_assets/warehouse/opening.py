"""Opens the warehouse at a place."""

from __future__ import annotations

from attribution_assets.warehouse.duckdb.compute import Compute
from attribution_assets.warehouse.location import Location
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse
from attribution_assets.warehouse.views import AS_STORED, Reading
from attribution_assets.warehouse.warehouse import Warehouse


def warehouse_at(location: Location, *, compute: Compute = "auto", reading: Reading = AS_STORED) -> Warehouse:
    """The SQLite file or the lake at the place.

    `compute`: which engine runs the large queries of an SQLite file. `reading`: how the sources are read.
    """
    return SQLiteWarehouse(location.path, compute=compute, reading=reading)
