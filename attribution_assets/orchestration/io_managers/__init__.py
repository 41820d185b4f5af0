"""The Dagster faces of warehouse/: IO managers for tables and for CSV files."""

from attribution_assets.orchestration.io_managers.csv_files import CSVFilesIOManager
from attribution_assets.orchestration.io_managers.sqlite import SQLiteIOManager

__all__ = ["CSVFilesIOManager", "SQLiteIOManager"]
