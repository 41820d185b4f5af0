"""The catalog's jobs as Dagster's, and the daily schedules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from attribution_assets.catalog.span import first_day, last_day
from attribution_assets.catalog.table import ATTRIBUTE, CAMPAIGNS, FUNNEL, JOBS, Job
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


SCHEDULED = {
    ATTRIBUTE: ("yesterday", "attributes the conversions of yesterday"),
    FUNNEL: ("yesterday_funnel", "builds the funnel of yesterday"),
    CAMPAIGNS: ("yesterday_campaigns", "sums up the campaigns of yesterday"),
}
"""The jobs that begin a day, which others follow, with the name of the schedule of each and what it does."""


def daily_schedules(jobs: AssetJobs, settings: Settings) -> list[dg.ScheduleDefinition]:
    """Run each day when it has ended; off until switched on."""
    return [_daily_schedule(job, jobs, settings) for job in SCHEDULED if job in jobs]


def _daily_schedule(job: Job, jobs: AssetJobs, settings: Settings) -> dg.ScheduleDefinition:
    hour, zone = settings.schedule_hour, settings.schedule_time_zone
    name, deed = SCHEDULED[job]

    @dg.schedule(
        name=name,
        job=jobs[job],
        cron_schedule=f"0 {hour} * * *",
        execution_timezone=zone,
        description=(
            f"Every day at {hour:02}:00 {zone}, {deed}, the last day that has ended in UTC. "
            "The reports that they affect follow automatically."
        ),
    )
    def yesterday(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        day = (context.scheduled_execution_time.astimezone(UTC) - timedelta(days=1)).date().isoformat()
        if not first_day(settings) <= day <= last_day(settings):
            return dg.SkipReason(f"{day} is not within ATTRIBUTION_START_DATE and ATTRIBUTION_END_DATE.")
        return dg.RunRequest(run_key=day, partition_key=day)

    return yesterday
