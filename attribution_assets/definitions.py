"""What Dagster loads: `defs()`; and `build_defs`, to assemble the graph with other settings or resources."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from attribution_assets.assets.comparison import comparison_assets
from attribution_assets.assets.daily import daily_assets
from attribution_assets.assets.files import files_assets
from attribution_assets.catalog.table import ATTRIBUTE
from attribution_assets.orchestration.alerts import alert_sensors
from attribution_assets.orchestration.automation import automation_sensor, changed_parameters_sensor, late_data_sensor
from attribution_assets.orchestration.checks import result_checks
from attribution_assets.orchestration.daily import source_assets
from attribution_assets.orchestration.home import find_home
from attribution_assets.orchestration.io_managers import (
    CSVFilesIOManager,
    LakeIOManager,
    PostgresIOManager,
    SQLiteIOManager,
    WarehouseIOManager,
)
from attribution_assets.orchestration.jobs import asset_jobs, daily_schedules
from attribution_assets.orchestration.resources import EmbeddedIHCResource, IHCApiResource, IHCResource
from attribution_assets.settings import Settings, read_settings
from attribution_assets.warehouse.urls import has_password


def build_assets(settings: Settings) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The sources, the assets computed from them, and their checks.

    Raises AttributionError where the file of channel groups cannot be read.
    """
    _ = settings.model_rules  # read here, so that a bad file stops the definitions and not a run
    return [
        *source_assets(settings),
        *daily_assets(settings),
        *comparison_assets(settings),
        *files_assets(settings),
        *result_checks(settings),
    ]


def build_resources(settings: Settings) -> dict[str, Any]:
    """What the assets run with, by name: `io_manager`, `csv_io_manager`, `ihc`."""
    return {
        "io_manager": _io_manager(settings),
        "csv_io_manager": CSVFilesIOManager(
            database=_place_of(settings), exports=str(settings.exports), escape=settings.csv_escape
        ),
        "ihc": _ihc_resource(settings),
    }


def _io_manager(settings: Settings) -> WarehouseIOManager:
    read_as: dict[str, Any] = {
        "conversions": settings.conversions,
        "currency": settings.currency,
        "breakdowns": [*settings.breakdowns],
    }
    if settings.database.is_lake:
        sources = _in_environment("ATTRIBUTION_SOURCES", settings.sources_at) if settings.sources_at else ""
        spark = _in_environment("ATTRIBUTION_SPARK", settings.spark_at) if settings.compute == "spark" else ""
        return LakeIOManager(
            database=_place_of(settings), keep_days=settings.lake_keep_days, sources=sources, spark=spark, **read_as
        )
    if settings.database.url:
        return PostgresIOManager(database=_place_of(settings), **read_as)
    return SQLiteIOManager(
        database=_place_of(settings), compute="auto" if settings.compute == "spark" else settings.compute, **read_as
    )


def _place_of(settings: Settings) -> Any:
    """What names the database for a resource; a URL with a password stays in the environment, as the key for IHC does."""
    given = settings.database.given
    return _in_environment("ATTRIBUTION_DATABASE", given) if has_password(given) else given


def _ihc_resource(settings: Settings) -> IHCResource:
    """The resource that computes IHC. The key stays in the environment, because the UI shows a resource's own values."""
    redistribution = str(settings.ihc_redistribution) if settings.ihc_redistribution else None
    if not settings.uses_api:
        return EmbeddedIHCResource(parameters=settings.ihc_parameters, redistribution=redistribution)
    return IHCApiResource(
        api_key=_in_environment("IHC_API_KEY", settings.ihc_api_key.get_secret_value()) if settings.ihc_api_key else "",
        conv_type_id=settings.ihc_conv_type_id or "",
        url=settings.ihc_api_url,
        max_journeys=settings.ihc_max_journeys,
        max_sessions=settings.ihc_max_sessions,
        concurrency=settings.ihc_concurrency,
        timeout=settings.ihc_timeout,
        long_journeys=settings.ihc_long_journeys,
        on_partial=settings.ihc_on_partial,
        ledger=str(settings.ihc_ledger),
        parameters=settings.ihc_parameters,
        redistribution=redistribution,
    )


def _in_environment(name: str, secret: str) -> dg.EnvVar:
    """The variable that holds the secret: `name`, or a separate one if it comes from .env or from the caller."""
    if os.environ.get(name) != secret:
        name += f"_{hashlib.sha256(secret.encode()).hexdigest()[:8].upper()}"
        os.environ[name] = secret
    return dg.EnvVar(name)


def build_defs(
    settings: Settings | None = None,
    *,
    resources: Mapping[str, Any] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """The asset graph for these settings (unset: the environment's); `resources` replace those of the same name.

    Loads without a database; a run says what is missing.
    """
    settings = settings or read_settings()
    assets, jobs = build_assets(settings), asset_jobs(settings)
    checks = [asset for asset in assets if isinstance(asset, dg.AssetChecksDefinition)]
    of_parameters = [changed_parameters_sensor(settings, jobs)] if ATTRIBUTE in jobs else []
    return dg.Definitions(
        assets=[*dg.with_source_code_references([asset for asset in assets if asset not in checks]), *checks],
        jobs=[*jobs.values()],
        schedules=daily_schedules(jobs, settings),
        sensors=[automation_sensor(), late_data_sensor(settings, jobs), *of_parameters, *alert_sensors(settings)],
        resources={**build_resources(settings), **(resources or {})},
        executor=dg.in_process_executor,
        loggers=loggers,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """The graph for the settings of the environment, built when it is asked for: importing this module reads none of them.

    Raises AttributionError where DAGSTER_HOME is set to the home of another database.
    """
    settings = read_settings()
    find_home(settings)
    return build_defs(settings)
