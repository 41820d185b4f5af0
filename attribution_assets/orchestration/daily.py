"""The assets of the catalog: of each entry a Dagster asset, whose rows come from its query or from a function."""

import inspect
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

import dagster as dg

from attribution_assets.analysis.checking import run_check, stop_if_failed
from attribution_assets.catalog.table import DailyTable
from attribution_assets.catalog.tables import names, parameters, query_of, sources, tables
from attribution_assets.orchestration.automation import automation_condition
from attribution_assets.orchestration.checks import source_check_specs, source_checks
from attribution_assets.orchestration.history import POOL
from attribution_assets.orchestration.io_managers import (
    DAY_COLUMN,
    RowsWithMetadata,
    Shown,
    WarehouseIOManager,
    counts_of,
    shown_if_known,
)
from attribution_assets.orchestration.partitions import days_of_run, dependency
from attribution_assets.orchestration.shown import row_of_day
from attribution_assets.settings import Settings
from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import Days, Query, Warehouse, schema
from attribution_assets.warehouse.days import unbroken_ranges
from attribution_assets.warehouse.schema import Column

for beta in ("backfill_policy", "with_source_code_references", "CodeReferencesMetadataValue", "LocalFileCodeReference"):
    warnings.filterwarnings("ignore", message=f".*`{beta}`", category=dg.BetaWarning)

OWNERS = ["team:marketing-data"]

AS_REACHED = {"any": "in any order", "ordered": "once the step before was reached"}

Body = Callable[..., Any]
"""A function that gives the rows of the run's days: a Query, a pandas frame or Frames."""


def source_assets(settings: Settings) -> list[dg.AssetSpec]:
    """The tables that the user fills, as external assets: the pipeline reads them and never writes them."""
    return [
        dg.AssetSpec(
            source.name,
            description=source.description,
            group_name="sources",
            owners=OWNERS,
            kinds={stored_in(settings), "table"},
            metadata={"dagster/column_schema": column_schema(schema()[source.name].columns)},
        )
        for source in sources(settings)
    ]


def stored_in(settings: Settings) -> str:
    """The kind, in the UI, of what the tables are stored in."""
    if settings.database.url:
        return "postgres"
    return "deltalake" if settings.database.is_lake else "sqlite"


def daily_asset(
    table: DailyTable,
    settings: Settings,
    partitions: dg.DailyPartitionsDefinition,
    *,
    body: Body | None = None,
    shown: Shown | None = None,
) -> dg.AssetsDefinition:
    """The entry's asset, a day per partition; a range is one run, which replaces its days.

    `body`: the function that computes the rows of an entry with `is_python`. Its parameters name the tables that Dagster loads
    for it, its config and its resources; one named `settings` gets these. `shown`: what the UI shows beside the days, where it
    is more than a row of sql/shown_<name>.sql.
    """
    show = shown or partial(row_of_day, table, settings)
    given = body or (_csv_rows(table) if table.csv_of else _sql_rows(table, settings, show))
    rows = with_settings(given, settings, partial(RowsWithMetadata, shown=show)) if body else given
    loaded = inspect.signature(rows).parameters
    upstream = dict.fromkeys((*table.follows, *table.also_reads, *table.reads))
    dependencies = {name: dependency(table, name, settings.lookback_days) for name in upstream}
    decorate = dg.asset(
        name=table.name,
        deps=[dep for name, dep in dependencies.items() if name not in loaded],
        ins={name: dg.AssetIn(partition_mapping=dep.partition_mapping) for name, dep in dependencies.items() if name in loaded},
        check_specs=source_check_specs(table),
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=automation_condition(settings, table),
        io_manager_key="csv_io_manager" if table.csv_of else None,
        group_name=table.group,
        kinds={"csv"} if table.csv_of else {stored_in(settings), "numpy" if table.is_python else "sql"},
        owners=OWNERS,
        pool=POOL,
        description=table.description.format(
            lookback_days=settings.lookback_days,
            training_days=settings.training_days,
            models=", ".join(settings.models),
            funnel_steps=", ".join(settings.funnel_steps),
            funnel_order=AS_REACHED[settings.funnel_order],
        ),
        metadata=_metadata(table, settings, body),
    )
    asset: dg.AssetsDefinition = decorate(rows)
    return asset


def _sql_rows(table: DailyTable, settings: Settings, show: Shown) -> Body:
    """Checks the sources, makes missing days of what the table follows, and hands over the query."""

    def rows(
        context: dg.AssetExecutionContext, io_manager: dg.ResourceParam[WarehouseIOManager]
    ) -> Iterator[dg.AssetCheckResult | dg.Output[RowsWithMetadata]]:
        days = days_of_run(context)
        query = query_of(settings, table, days)
        yield from source_checks(table, query, io_manager.warehouse)
        make_missing_days(context, settings, io_manager.warehouse, table.follows, days)
        yield dg.Output(RowsWithMetadata(query, show))

    return rows


def _csv_rows(table: DailyTable) -> Body:
    def rows() -> Query:
        return Query(table.name)

    return rows


def with_settings(body: Body, settings: Settings, wrap: Callable[[Any], Any] = lambda rows: rows) -> Body:
    """The function for Dagster: without its parameter `settings`, which gets these, and its rows wrapped."""
    signature = inspect.signature(body)
    given = {"settings": settings} if "settings" in signature.parameters else {}
    free = [parameter for name, parameter in signature.parameters.items() if name not in given]

    def rows(*arguments: Any, **named: Any) -> Any:
        return wrap(body(*arguments, **named, **given))

    vars(rows)["__signature__"] = signature.replace(parameters=free, return_annotation=Any)
    rows.__annotations__ = {parameter.name: parameter.annotation for parameter in free} | {"return": Any}
    return rows


def make_missing_days(
    context: dg.AssetExecutionContext, settings: Settings, warehouse: Warehouse, of: Container[str], days: Days
) -> None:
    """Materializes the days that these tables should have but lack, with checks and metadata as in a run.

    A backfill of conversion days reaches back to reports whose costs were never summed. Without these costs, spend would be
    lost. Rows that fail a check are recorded too, so that the search for late data finds them.
    Raises AttributionError if a check fails.
    """
    for table in tables(settings):
        if table.name in of and table.missing_days:
            make_missing_days(context, settings, warehouse, table.follows, days)
            _, found = warehouse.fetch(Query(table.missing_days, {"first_day": days.first, "last_day": days.last}))
            for missing in unbroken_ranges(day for (day,) in found):
                context.log.info(f"{table.name} for {missing} is missing, so it is materialized first.")
                _materialize(context, settings, warehouse, table, missing)


def _materialize(
    context: dg.AssetExecutionContext, settings: Settings, warehouse: Warehouse, table: DailyTable, days: Days
) -> None:
    written = warehouse.replace_days(schema()[table.name], table.day_column, days, query_of(settings, table, days))
    shown = shown_if_known(partial(row_of_day, table, settings), warehouse, table.name, days, context.log)
    for day, counts in counts_of(written).items():
        context.log_event(dg.AssetMaterialization(table.name, partition=day, metadata={**counts, **shown.get(day, {})}))
    asked = parameters(settings, table, days)
    stop_if_failed(run_check(warehouse, table.name, check, asked) for check in table.checks if not check.before)


def _metadata(table: DailyTable, settings: Settings, body: Body | None) -> dict[str, Any]:
    in_graph = {*names(tables(settings)), *(source.name for source in sources(settings))}
    links = []
    if (file := sql_folder() / f"{table.name}.sql").exists():
        links.append(dg.LocalFileCodeReference(file_path=str(file), label=f"sql/{file.name}"))
    if body:
        links.append(link_to(body))
    return {
        DAY_COLUMN: table.day_column,
        "dagster/column_schema": column_schema(table.columns),
        "dagster/column_lineage": _column_lineage(table.lineage, in_graph),
        "dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*links]),
    }


def link_to(body: Body) -> dg.LocalFileCodeReference:
    """A link to the function that computes a table."""
    line = inspect.getsourcelines(body)[1]
    return dg.LocalFileCodeReference(file_path=inspect.getfile(body), line_number=line, label=f"{body.__name__}()")


def _column_lineage(lineage: Mapping[str, str], in_graph: Container[str]) -> dg.TableColumnLineage:
    made_of = {column: [part.split(".") for part in text.split()] for column, text in lineage.items()}
    return dg.TableColumnLineage(
        {
            column: [dg.TableColumnDep(dg.AssetKey(asset), of) for asset, of in parts if asset in in_graph]
            for column, parts in made_of.items()
        }
    )


def column_schema(columns: Iterable[Column]) -> dg.TableSchema:
    """The columns as the UI shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                column.name,
                column.type,
                f"{column.description}; may be missing" if column.optional else column.description,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in columns
        ]
    )
