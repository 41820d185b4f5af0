"""The SQLite file, its schema, queries and days: everything about stored data that does not need Dagster."""

from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.query import Frames, Query
from attribution_assets.warehouse.schema import SOURCES, Table, schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse

__all__ = ["SOURCES", "Days", "Frames", "Query", "SQLiteWarehouse", "Table", "schema"]
