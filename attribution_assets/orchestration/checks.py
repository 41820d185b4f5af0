"""Asset checks: what warehouse/checks.py finds, as Dagster's results. A blocking one that fails stops the run."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from attribution_assets.analysis.checking import Finding, _assets, check_parameters, computed_days, run_check, stop_if_failed
from attribution_assets.catalog.checks import Check, checks_of
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.history import WRONG_DAYS
from attribution_assets.orchestration.io_managers import SQLiteIOManager
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse


def source_check_specs(asset: str) -> list[dg.AssetCheckSpec]:
    """For `check_specs` of the asset: as a part of it, they run whenever it does, however the run was selected."""
    return _specs(checks_of(asset, before=True))


def source_checks(query: Query, warehouse: SQLiteWarehouse) -> Iterator[dg.AssetCheckResult]:
    """The results of the source checks of the asset that `query` is to write, for its body.

    Raises AttributionError, after all of them, if a blocking one fails.
    """
    warehouse.prepare()  # for its indexes
    yield from _results(checks_of(query.name, before=True), warehouse, query.parameters)


def result_checks(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks of what each asset has written, a step per asset, on the run's days; started alone, on all computed days."""
    return [_result_checks(settings, asset) for asset in _assets(settings)]


def _result_checks(settings: Settings, asset: str) -> dg.AssetChecksDefinition:
    checks = checks_of(asset, before=False)

    @dg.multi_asset_check(name=f"{asset}_checks", specs=_specs(checks), can_subset=True)
    def check_result(
        context: dg.AssetCheckExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult]:
        warehouse = io_manager.warehouse
        if context.has_partition_key or context.has_partition_key_range:
            days = Days(*context.partition_key_range)
        else:
            computed = computed_days(warehouse, asset)
            if not computed:
                raise AttributionError(f"There is nothing to check: materialize {asset} first.")
            days = computed
        selected = {key.name for key in context.selected_asset_check_keys}
        chosen = [check for check in checks if check.name in selected]
        yield from _results(chosen, warehouse, check_parameters(settings, asset, days))

    return check_result


def _specs(checks: Sequence[Check]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(check.name, asset=check.asset, blocking=check.blocking, description=check.demand) for check in checks
    ]


def _results(
    checks: Sequence[Check], warehouse: SQLiteWarehouse, parameters: Mapping[str, str | int | float]
) -> Iterator[dg.AssetCheckResult]:
    findings = []
    for check in checks:
        finding = run_check(warehouse, check, parameters)
        findings.append(finding)
        yield _result(finding)
    stop_if_failed(findings)


def _result(finding: Finding) -> dg.AssetCheckResult:
    metadata: dict[str, dg.MetadataValue] = {"days": dg.MetadataValue.text(str(finding.days))}
    if finding.wrong_days:
        metadata[WRONG_DAYS] = dg.MetadataValue.json(finding.wrong_days)
    if finding.offending:
        metadata["offending rows"] = dg.MetadataValue.int(finding.offending)
        metadata["some of them"] = dg.MetadataValue.table(
            [dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in finding.rows]
        )
    return dg.AssetCheckResult(
        asset_key=finding.check.asset,
        check_name=finding.check.name,
        passed=not finding.offending,
        severity=dg.AssetCheckSeverity.ERROR if finding.check.blocking else dg.AssetCheckSeverity.WARN,
        description=finding.sentence,
        metadata=metadata,
    )


def _shown(value: object) -> str | int | float:
    return value if isinstance(value, str | int | float) else "" if value is None else repr(value)
