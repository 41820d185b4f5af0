"""What all daily assets share: partitions, the backfill policy, owners, and as metadata columns, their origin and the SQL."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import dagster as dg

from attribution_assets.orchestration.history import POOL
from attribution_assets.orchestration.io_managers.sqlite import DAY_COLUMN
from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import Table, schema

for beta in ("backfill_policy", "with_source_code_references", "CodeReferencesMetadataValue", "LocalFileCodeReference"):
    warnings.filterwarnings("ignore", message=f".*`{beta}`", category=dg.BetaWarning)

OWNERS = ["team:marketing-data"]


def daily_asset(
    partitions: dg.DailyPartitionsDefinition,
    columns: dg.TableSchema,
    day_column: str,
    *,
    lineage: Mapping[str, str],
    sql: str | None = None,
    **options: Any,
) -> Callable[..., dg.AssetsDefinition]:
    """`dg.asset` for one day per partition; a range is one run, which replaces the days named by `day_column`.

    `lineage`: for each column those it is made of, as "asset.column asset.column"; `sql`: the file of sql/ that makes the rows.
    """
    metadata: dict[str, Any] = {
        DAY_COLUMN: day_column,
        "dagster/column_schema": columns,
        "dagster/column_lineage": _column_lineage(lineage),
    }
    if sql:
        file = dg.LocalFileCodeReference(file_path=str(sql_folder() / f"{sql}.sql"), label=f"sql/{sql}.sql")
        metadata["dagster/code_references"] = dg.CodeReferencesMetadataValue(code_references=[file])
    decorate: Callable[..., dg.AssetsDefinition] = dg.asset(
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        owners=OWNERS,
        pool=POOL,
        metadata=metadata,
        **options,
    )
    return decorate


def _column_lineage(lineage: Mapping[str, str]) -> dg.TableColumnLineage:
    sources = {column: [source.split(".") for source in text.split()] for column, text in lineage.items()}
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(asset), source_column) for asset, source_column in of_column]
            for column, of_column in sources.items()
        }
    )


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
