"""Asset checks: what warehouse/checks.py finds, as Dagster's results. A blocking one that fails stops the run."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from attribution_assets.io_managers import SQLiteIOManager
from attribution_assets.partitions import first_day
from attribution_assets.queries import query_parameters
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse
from attribution_assets.warehouse.checks import CHECKS, Check, Finding, checks_of, computed_days, run_check, stop_if_failed


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
    assets = dict.fromkeys(check.asset for check in CHECKS)
    return [_result_checks(settings, asset) for asset in assets]


def _result_checks(settings: Settings, asset: str) -> dg.AssetChecksDefinition:
    checks = checks_of(asset, before=False)

    @dg.multi_asset_check(name=f"{asset}_checks", specs=_specs(checks))
    def check_result(
        context: dg.AssetCheckExecutionContext, io_manager: dg.ResourceParam[SQLiteIOManager]
    ) -> Iterator[dg.AssetCheckResult]:
        warehouse = io_manager.warehouse
        if context.has_partition_key or context.has_partition_key_range:
            days = Days(*context.partition_key_range)
        else:
            days = computed_days(warehouse, asset)
        yield from _results(checks, warehouse, check_parameters(settings, asset, days))

    return check_result


def check_parameters(settings: Settings, asset: str, days: Days) -> dict[str, str | int]:
    """What the asset's checks are asked with, for these days of it."""
    return {**query_parameters(settings, asset, days), "first_partition": first_day(settings)}


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
