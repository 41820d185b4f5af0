"""Days that were computed with other parameters of the IHC model than those that lead now."""

from __future__ import annotations

from collections.abc import Mapping

from attribution_assets.analysis.late_data import LateDays
from attribution_assets.ihc import Redistribution
from attribution_assets.ihc.redistribution import with_redistribution
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.query import bounds_of

RESULTS = "ihc_results"


def with_other_parameters(settings: Settings, computed: Mapping[str, int], late: LateDays) -> LateDays:
    """These late days, and with them those of `ihc_results` that the embedded model computed with other parameters.

    `computed`: by day that was computed, the number of the event that last materialized it. None are added where the API
    computes. A file that was renamed has the same parameters. Raises AttributionError where those in use cannot be read.
    """
    warehouse = settings.warehouse.here
    if settings.uses_api or not computed or not warehouse.has(RESULTS):
        return late
    redistribution = Redistribution.load(settings.ihc_redistribution) if settings.ihc_redistribution else None
    now = with_redistribution(settings.parameters_in_use.name, redistribution)
    others = {
        row["day"]: f"parameters changed from {row['parameters']} to {now}"
        for row in warehouse.rows(Query("ihc_parameters", bounds_of(Days(min(computed), max(computed)))))
        if row["day"] in computed and row["computed_by"] == "embedded" and _content(row["parameters"]) != _content(now)
    }
    if not others:
        return late
    newest = max(computed[day] for day in others)
    return LateDays({**late.days, RESULTS: {**others, **late.of(RESULTS)}}, f"{late.sources} {now} after {newest}")


def _content(name: str) -> list[str]:
    """What a name of parameters says of their content: the hash of a file, whatever the file is called."""
    return [part.rpartition("@")[2] for part in name.split(" + ")]
