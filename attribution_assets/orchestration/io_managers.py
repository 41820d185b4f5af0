"""The IO managers: an asset's rows as a table of its name in an SQLite file, a lake or a server, or as CSV files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg
from pydantic import Field

from attribution_assets.catalog.tables import TABLES
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.history import restatement
from attribution_assets.orchestration.home import claim_history
from attribution_assets.warehouse import Days, Frames, Location, Query, SQLiteWarehouse, Table, Warehouse, schema
from attribution_assets.warehouse.csv_files import CSVFiles, Rows, for_spreadsheets
from attribution_assets.warehouse.duckdb.compute import Compute
from attribution_assets.warehouse.opening import KEEP_DAYS, lake_at, server_at, warehouse_at
from attribution_assets.warehouse.query import RETURN_THIS, Source
from attribution_assets.warehouse.urls import has_password
from attribution_assets.warehouse.urls import shown as without_password
from attribution_assets.warehouse.views import Reading
from attribution_assets.warehouse.warehouse import Written

if TYPE_CHECKING:
    import pandas as pd

DAY_COLUMN = "partition_expr"
"""The metadata key by which an asset names the column that holds its partition day (Dagster's own convention)."""

FOR_SPREADSHEETS = {table.name for table in TABLES if table.is_for_spreadsheets}

MetadataByDay = Mapping[str, Mapping[str, Any]]
"""Metadata by day: for each day names and values."""

Shown = Callable[[Warehouse, Days], MetadataByDay]
"""Computes the metadata of each day once its rows are written."""


@dataclass(frozen=True)
class RowsWithMetadata:
    """Rows to write, and how to compute the metadata of each of their days."""

    rows: Query | pd.DataFrame | Frames
    shown: Shown


class WarehouseIOManager(dg.ConfigurableIOManager):
    """Writes a Query, a pandas frame or frames of bounded size as exactly the run's days of the asset's table.

    sql/challenge_db_create.sql declares the table under the asset's name. The asset's metadata `partition_expr` names its day
    column. Rows can be wrapped in RowsWithMetadata. For an asset without partitions, one frame is the whole table. An input
    annotated `Frames` is read piece by piece, any other input as one frame.
    """

    database: str
    conversions: Literal["tracked", "backend"] = "tracked"
    currency: str = "EUR"
    breakdowns: list[str] = Field(default_factory=list)

    @property
    def warehouse(self) -> Warehouse:
        """The database."""
        raise NotImplementedError

    @property
    def _reading(self) -> Reading:
        return Reading(self.conversions, self.currency, tuple(self.breakdowns))

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Stops the run at once if its history is that of another database, and otherwise notes that it is this one's."""
        if context.instance:
            claim_history(context.instance, self.warehouse)

    def handle_output(
        self, context: dg.OutputContext, obj: Query | pd.DataFrame | Iterator[pd.DataFrame] | Frames | RowsWithMetadata
    ) -> None:
        """Replaces the run's days of the table by the rows, in one transaction, and then attaches their metadata."""
        import pandas as pd

        table = _table(context.asset_key)
        obj, shown = (obj.rows, obj.shown) if isinstance(obj, RowsWithMetadata) else (obj, None)
        if not isinstance(obj, Query | pd.DataFrame | Iterator | Frames):
            raise AttributionError(f"{table.name} returned {type(obj).__name__}. {RETURN_THIS}")
        for line in self.warehouse.prepare():
            context.log.info(line)
        if not context.has_asset_partitions:
            if not isinstance(obj, pd.DataFrame):
                raise AttributionError(f"{table.name} has no partitions. Return it as one pandas frame.")
            context.add_output_metadata({"dagster/row_count": self.warehouse.replace_table(table, obj)})
            return
        if computed_by := self.warehouse.computed_by():
            context.add_output_metadata(computed_by)
            tag_run(computed_by)
        days = Days.of(context.asset_partition_keys)
        written = self.warehouse.replace_days(table, day_column(context.asset_key, context.definition_metadata), days, obj)
        describe_days(counts_of(written))
        if shown:
            describe_days(shown_if_known(shown, self.warehouse, table.name, days, context.log))
            describe_days(shown_if_known(partial(_restated, context.asset_key), self.warehouse, table.name, days, context.log))

    def load_input(self, context: dg.InputContext) -> pd.DataFrame | Frames:
        """The rows of the upstream days that the partition mapping gives; of all partitions for an unpartitioned reader."""
        table = _table(context.asset_key)
        metadata = context.upstream_output.definition_metadata if context.upstream_output else {}
        column = day_column(context.asset_key, metadata)
        days = read_days(context)
        if context.dagster_type.typing_type is Frames:
            return Frames(self.warehouse.stream(table, column, days), Source(table, column, days) if days else None)
        return self.warehouse.read(table, column, days)


class SQLiteIOManager(WarehouseIOManager):
    """The IO manager of an SQLite file. `compute`: which engine runs the large queries."""

    compute: Compute = "auto"

    @property
    def warehouse(self) -> SQLiteWarehouse:
        """The file."""
        return SQLiteWarehouse(Location.of(self.database).path, compute=self.compute, reading=self._reading)


class LakeIOManager(WarehouseIOManager):
    """The IO manager of a lake.

    `keep_days`: for how many days files of earlier versions are kept. `sources`: where the sources lie if not in the lake.
    `spark`: the cluster that computes, if one does. Give a URL with a password or a token as `dg.EnvVar`: a literal one would
    be stored in Dagster's history, so it is refused with AttributionError where the graph is defined.
    """

    keep_days: int = KEEP_DAYS
    sources: str = ""
    spark: str = ""

    @property
    def warehouse(self) -> Warehouse:
        """The lake."""
        return lake_at(Location.of(self.database), self._reading, self.keep_days, self.sources, self.spark)

    def get_resource_definition(self) -> Any:
        """As of every IO manager. A run has one of its own, in which the variable has its value."""
        _refuse_password("LakeIOManager(sources=…)", self.sources)
        _refuse_password("LakeIOManager(spark=…)", self.spark)
        return super().get_resource_definition()


class PostgresIOManager(WarehouseIOManager):
    """The IO manager of a schema on a PostgreSQL server, `postgresql://USER:PASSWORD@HOST/DATABASE?schema=attribution`.

    Give a URL with a password as `dg.EnvVar`: a literal one would be stored in Dagster's history, so it is refused with
    AttributionError where the graph is defined.
    """

    @property
    def warehouse(self) -> Warehouse:
        """The schema."""
        return server_at(Location.of(self.database), self._reading)

    def get_resource_definition(self) -> Any:
        """As of every IO manager. A run has one of its own, in which the variable has its value."""
        _refuse_password("PostgresIOManager(database=…)", self.database)
        return super().get_resource_definition()


class CSVFilesIOManager(dg.ConfigurableIOManager):
    """Writes the rows of a Query over all days: each of the run's days to its own file, and all days to one file.

    The asset `channel_reporting_csv` becomes `channel_reporting.csv` and `channel_reporting/<day>.csv` in `exports`. With
    `escape`, text in files for spreadsheets is written so that none is taken for a formula.
    """

    database: str
    exports: str
    escape: bool = True

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Stops the run at once if the exports folder cannot be written."""
        for table in TABLES:
            if table.csv_of:
                CSVFiles(Path(self.exports), table.csv_of).prepare()

    def files(self, key: dg.AssetKey) -> CSVFiles:
        """Where the asset's files are."""
        return CSVFiles(Path(self.exports), key.path[-1].removesuffix("_csv"))

    def handle_output(self, context: dg.OutputContext, obj: Query) -> None:
        """Replaces the run's day files and the whole file."""
        files = self.files(context.asset_key)
        if not isinstance(obj, Query):
            raise AttributionError(f"{context.asset_key.path[-1]} returned {type(obj).__name__}. Return a Query over all days.")
        column = day_column(context.asset_key, context.definition_metadata)
        warehouse = warehouse_at(Location.of(self.database))
        days = Days.of(context.asset_partition_keys)
        is_escaped = self.escape and context.asset_key.path[-1] in FOR_SPREADSHEETS

        def all_days() -> Rows:
            columns, rows = warehouse.fetch(obj)
            return columns, for_spreadsheets(rows) if is_escaped else rows

        rows = files.replace(days, column, all_days)
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


def _refuse_password(given_to: str, place: str) -> None:
    """Raises AttributionError for a URL with a password that is not in a variable."""
    if not isinstance(place, dg.EnvVar) and has_password(place):
        raise AttributionError(
            f"{given_to} has a password for {without_password(place)}, which Dagster's history would store. Put the URL into "
            'an environment variable, and give dg.EnvVar("ITS_NAME").'
        )


def day_column(key: dg.AssetKey, metadata: Mapping[str, Any]) -> str:
    """The column that holds the asset's day. Raises AttributionError where its metadata does not name it."""
    try:
        return str(metadata[DAY_COLUMN])
    except KeyError:
        raise AttributionError(
            f"The asset {key.path[-1]} does not say which column holds its day. "
            f'Give it metadata={{"{DAY_COLUMN}": "<column>"}}.'
        ) from None


def read_days(context: dg.InputContext) -> Days | None:
    """The days that a reader gets: its partitions' (every one, for an unpartitioned reader); None of an unpartitioned asset."""
    return Days.of(context.asset_partition_keys) if context.has_asset_partitions else None


def shown_if_known(
    shown: Shown,
    warehouse: Warehouse,
    name: str,
    days: Days,
    log: dg.DagsterLogManager,
) -> MetadataByDay:
    """The metadata of the days. If computing it fails, nothing: the rows are already written, and the log has the error."""
    try:
        return shown(warehouse, days)
    except Exception:
        log.exception(f"{name} for {days} was written, but the metadata that the UI shows beside it could not be computed.")
        return {}


def counts_of(written: Written) -> MetadataByDay:
    """For each day, how many rows it has, and the table's version that has them, where it has versions."""
    version = {} if written.version is None else {"delta version": written.version}
    return {day: {"dagster/partition_row_count": count, **version} for day, count in written.rows.items()}


def tag_run(computed_by: Mapping[str, str]) -> None:
    """Tags the run with what computes its queries; nothing outside a run."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return
    tags = {f"attribution/{name.replace(' ', '-')}": value for name, value in computed_by.items()}
    context.instance.add_run_tags(context.run.run_id, tags)


def describe_days(metadata: MetadataByDay) -> None:
    """Attaches metadata to each day of the run separately. Metadata added to the output would appear on every day."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:  # outside a run there is no materialization to describe
        return
    for day, values in metadata.items():
        context.add_asset_metadata(values, partition_key=day)


def _restated(asset: dg.AssetKey, _: Warehouse, days: Days) -> MetadataByDay:
    """What the days were before this run, and why it restates them; nothing outside a run."""
    try:
        context = dg.AssetExecutionContext.get()
    except dg.DagsterInvariantViolationError:
        return {}
    return restatement(context.instance, asset, days, context.run.tags)


def _table(key: dg.AssetKey) -> Table:
    name = key.path[-1]
    if name not in schema():
        raise AttributionError(f"sql/challenge_db_create.sql declares no table {name}. Add it there, with its key.")
    return schema()[name]
