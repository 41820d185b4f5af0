"""The catalog's jobs as Dagster's, and the daily schedule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg

from attribution_assets.catalog.table import ATTRIBUTE, JOBS, Job
from attribution_assets.catalog.tables import names, tables_of
from attribution_assets.settings import Settings

if TYPE_CHECKING:
    from dagster._core.definitions.partitions.partitioned_schedule import UnresolvedPartitionedAssetScheduleDefinition
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition


AssetJobs = Mapping[Job, "UnresolvedAssetJobDefinition"]
"""By job of the catalog, Dagster's."""


def asset_jobs(settings: Settings) -> AssetJobs:
    """A job over the assets of each of the catalog's jobs."""
    return {
        job: dg.define_asset_job(
            job.name, dg.AssetSelection.assets(*names(tables_of(settings, job))), description=job.description
        )
        for job in JOBS
        if tables_of(settings, job)
    }


def daily_schedule(jobs: AssetJobs) -> dg.ScheduleDefinition | UnresolvedPartitionedAssetScheduleDefinition:
    """Attributes each day when it has ended; off until switched on."""
    return dg.build_schedule_from_partitioned_job(
        jobs[ATTRIBUTE],
        name="yesterday",
        hour_of_day=1,
        description=(
            "Every day at 01:00 UTC, attributes the conversions of yesterday. The reports that they affect follow "
            "automatically."
        ),
    )
