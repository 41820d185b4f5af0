"""Stored data behind one interface: days, queries, the schema, CSV files; an SQLite file in sqlite/, a lake in lake/."""

from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.location import Location
from attribution_assets.warehouse.query import Frames, Query
from attribution_assets.warehouse.schema import SOURCES, Table, schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse
from attribution_assets.warehouse.warehouse import Warehouse

__all__ = ["SOURCES", "Days", "Frames", "Location", "Query", "SQLiteWarehouse", "Table", "Warehouse", "schema"]
