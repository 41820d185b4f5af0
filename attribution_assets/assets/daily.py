"""What all daily assets share: partitions, the backfill policy, owners, and the table's schema as metadata."""

import warnings
from collections.abc import Callable
from typing import Any

import dagster as dg

from attribution_assets.io_managers.sqlite import DAY_COLUMN
from attribution_assets.warehouse import Table, schema

warnings.filterwarnings("ignore", message=".*`backfill_policy`", category=dg.BetaWarning)

OWNERS = ["team:marketing-data"]


def daily_asset(
    partitions: dg.DailyPartitionsDefinition, columns: dg.TableSchema, day_column: str, **options: Any
) -> Callable[..., dg.AssetsDefinition]:
    """`dg.asset` for one day per partition; a range is one run, which replaces the days named by `day_column`."""
    decorate: Callable[..., dg.AssetsDefinition] = dg.asset(
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        owners=OWNERS,
        pool="database",
        metadata={DAY_COLUMN: day_column, "dagster/column_schema": columns},
        **options,
    )
    return decorate


def column_schema(table: str, *extra: dg.TableColumn) -> dg.TableSchema:
    """The columns of a table in sql/challenge_db_create.sql, and further ones, as the UI shows them."""
    declared: Table = schema()[table]
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in declared.columns
        ]
        + list(extra)
    )
