"""CSVFilesIOManager: an asset's rows as CSV files, one per day and one for all days."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.io_managers.sqlite import day_column, describe_days, read_days
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse
from attribution_assets.warehouse.csv_files import CSVFiles

if TYPE_CHECKING:
    import pandas as pd


class CSVFilesIOManager(dg.ConfigurableIOManager):
    """Writes the answer of a Query over all days: the run's days to their own files, everything to the whole file.

    The asset `channel_reporting_csv` becomes `channel_reporting.csv` and `channel_reporting/<day>.csv` in `exports`.
    """

    database: str
    exports: str

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Stops a run at once whose exports folder cannot be written."""
        CSVFiles(Path(self.exports), "channel_reporting").prepare()

    def files(self, key: dg.AssetKey) -> CSVFiles:
        """Where the asset's files are."""
        return CSVFiles(Path(self.exports), key.path[-1].removesuffix("_csv"))

    def handle_output(self, context: dg.OutputContext, obj: Query) -> None:
        """Replaces the run's day files and the whole file."""
        files = self.files(context.asset_key)
        if not isinstance(obj, Query):
            raise AttributionError(f"{context.asset_key.path[-1]} returned {type(obj).__name__}. Return a Query over all days.")
        column = day_column(context.asset_key, context.definition_metadata)
        warehouse = SQLiteWarehouse(Path(self.database))
        days = Days.of(context.asset_partition_keys)
        rows = files.replace(days, column, lambda: warehouse.fetch(obj))
        describe_days(
            {
                day: {"dagster/partition_row_count": count, "path": dg.MetadataValue.path(files.of_day(day))}
                for day, count in rows.items()
            }
        )

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """The rows of the days' files; of the whole file for a reader of all partitions, as an unpartitioned one is."""
        files = self.files(context.asset_key)
        days = read_days(context)
        if days is None:
            return files.read()
        if list(days) != list(context.asset_partitions_def.get_partition_keys()):
            return files.read(days)
        rows = files.read()  # to a reader of all partitions, a day without a file yet is a day without rows
        metadata = context.upstream_output.definition_metadata if context.upstream_output else {}
        return rows[rows[day_column(context.asset_key, metadata)].between(days.first, days.last)]
