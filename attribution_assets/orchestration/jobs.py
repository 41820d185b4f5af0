"""The catalog's jobs as Dagster's, and the daily schedule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from attribution_assets.catalog.span import first_day, last_day
from attribution_assets.catalog.table import ATTRIBUTE, JOBS, Job
from attribution_assets.catalog.tables import names, tables_of
from attribution_assets.settings import Settings

if TYPE_CHECKING:
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


def daily_schedule(jobs: AssetJobs, settings: Settings) -> dg.ScheduleDefinition:
    """Attributes each day when it has ended; off until switched on."""
    hour, zone = settings.schedule_hour, settings.schedule_time_zone

    @dg.schedule(
        name="yesterday",
        job=jobs[ATTRIBUTE],
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=zone,
        description=(
            f"Every day at {hour:02}:00 {zone}, attributes the conversions of yesterday, the last day that has ended in UTC. "
            "The reports that they affect follow automatically."
        ),
    )
    def yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = (context.scheduled_execution_time.astimezone(UTC) - timedelta(days=1)).date().isoformat()
        if not first_day(settings) <= day <= last_day(settings):
            return dg.SkipReason(f"{day} is not within ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE.")
        return dg.RunRequest(run_key=day, partition_key=day)

    return yesterday
