"""Stored data: days, queries, the schema as data, CSV files; the SQLite file in sqlite/ and DuckDB in duckdb/; no Dagster."""

from attribution_assets.warehouse.days import Days
from attribution_assets.warehouse.query import Frames, Query
from attribution_assets.warehouse.schema import SOURCES, Table, schema
from attribution_assets.warehouse.sqlite.database import SQLiteWarehouse

__all__ = ["SOURCES", "Days", "Frames", "Query", "SQLiteWarehouse", "Table", "schema"]
