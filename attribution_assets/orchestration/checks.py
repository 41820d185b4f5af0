"""Asset checks: what analysis/checking.py finds, as Dagster's results. A blocking one that fails stops the run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from attribution_assets.analysis.checking import Finding, State, check_parameters, run_check, stop_if_failed
from attribution_assets.catalog.span import computed_days
from attribution_assets.catalog.table import Check, DailyTable, Parameters
from attribution_assets.catalog.tables import tables
from attribution_assets.errors import NotReadyError
from attribution_assets.orchestration.history import WRONG_DAYS
from attribution_assets.orchestration.io_managers import WarehouseIOManager
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, Warehouse

NOT_YET = "not yet"
"""The metadata key of the rows that break no demand, because more days would meet it, or nothing can."""


def source_check_specs(table: DailyTable) -> list[dg.AssetCheckSpec]:
    """For `check_specs` of the asset: they are a part of it, so they run whenever it runs."""
    return _specs(table, _checks_of(table, before=True))


def source_checks(table: DailyTable, query: Query, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    """The results of the source checks, for the body of the table that `query` fills.

    Raises AttributionError after all of them if a blocking one failed.
    """
    warehouse.prepare()  # for its indexes
    yield from _results(table, _checks_of(table, before=True), warehouse, query.parameters)


def result_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks of results, one step per table, on the run's days. If run on their own, they check all computed days."""
    return [_result_checks(settings, table) for table in tables(settings) if _checks_of(table, before=False)]


def _checks_of(table: DailyTable, *, before: bool) -> list[Check]:
    return [check for check in table.checks if check.before == before]


def _result_checks(settings: Settings, table: DailyTable) -> dg.AssetChecksDefinition:
    checks = _checks_of(table, before=False)

    @dg.multi_asset_check(name=f"{table.name}_checks", specs=_specs(table, checks), can_subset=True)
    def check_result(
        context: dg.AssetCheckExecutionContext, io_manager: dg.ResourceParam[WarehouseIOManager]
    ) -> Iterator[dg.AssetCheckResult]:
        warehouse = io_manager.warehouse
        if context.has_partition_key or context.has_partition_key_range:
            days = Days(*context.partition_key_range)
        else:
            computed = computed_days(warehouse, settings, table)
            if not computed:
                raise NotReadyError(f"There is nothing to check yet. Materialize {table.name} first.")
            days = computed
        selected = {key.name for key in context.selected_asset_check_keys}
        chosen = [check for check in checks if check.name in selected]
        yield from _results(table, chosen, warehouse, check_parameters(settings, table, days))

    return check_result


def _specs(table: DailyTable, checks: Sequence[Check]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(check.name, asset=table.name, blocking=check.blocking, description=check.demand) for check in checks
    ]


def _results(
    table: DailyTable, checks: Sequence[Check], warehouse: Warehouse, parameters: Parameters
) -> Iterator[dg.AssetCheckResult]:
    findings = []
    for check in checks:
        finding = run_check(warehouse, table.name, check, parameters)
        findings.append(finding)
        yield _result(finding)
    stop_if_failed(findings)


def _result(finding: Finding) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {"days": dg.MetadataValue.text(str(finding.days))}
    if finding.wrong_days:
        metadata[WRONG_DAYS] = dg.MetadataValue.json(finding.wrong_days)
    if finding.offending:
        metadata["offending rows"] = dg.MetadataValue.int(finding.offending)
        metadata["some of them"] = _table(finding.rows)
    if finding.not_yet:
        metadata[NOT_YET] = _table(finding.not_yet)
    return dg.AssetCheckResult(
        asset_key=finding.asset,
        check_name=finding.check.name,
        passed=not finding.offending,
        severity=dg.AssetCheckSeverity.ERROR if finding.check.blocking else dg.AssetCheckSeverity.WARN,
        description=finding.sentence,
        metadata=metadata,
    )


def _table(rows: Iterable[Mapping[str, Any]]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in rows])


def _shown(value: object) -> str | int | float:
    return value if isinstance(value, str | int | float) else "" if value is None else repr(value)


def result_of(evaluation: dg.AssetCheckEvaluation) -> State:
    """The state of the finding that was stored."""
    if evaluation.passed:
        return "not_yet" if NOT_YET in evaluation.metadata else "passed"
    return "failed" if evaluation.blocking else "warning"


def told_by(evaluations: Iterable[dg.AssetCheckEvaluation]) -> list[dict[str, Any]]:
    """What a run's checks found that does not hold, or not yet, ready for JSON; what two assets say alike is told once."""
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    for evaluation in evaluations:
        if not evaluation.passed or NOT_YET in evaluation.metadata:
            told = {
                "check": evaluation.check_name,
                "asset": evaluation.asset_key.path[-1],
                "result": result_of(evaluation),
            }
            found.setdefault((evaluation.check_name, evaluation.description), {**told, "sentence": evaluation.description})
    return list(found.values())
