"""Days that were computed with other parameters of the IHC model than those that lead now."""

from __future__ import annotations

import re
from collections.abc import Mapping

from attribution_assets.catalog.span import first_day, last_day
from attribution_assets.ihc import PRESETS
from attribution_assets.ihc.redistribution import with_redistribution
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Query
from attribution_assets.warehouse.query import bounds_of

RESULTS = "ihc_results"


def name_in_use(settings: Settings) -> str:
    """How results name what the embedded model computes with now. Raises AttributionError where it cannot be read."""
    return with_redistribution(settings.parameters_in_use.name, settings.redistribution_in_use)


def days_of_other_parameters(settings: Settings, computed: Mapping[str, int]) -> dict[str, str]:
    """The days of `ihc_results` that the embedded model computed with other parameters, each with the reason.

    `computed`: the days that were computed; only partitions count. None are found where the API computes. A file that was
    renamed has the same parameters, and what a resource of one's own calls its own is left alone. Raises AttributionError where
    the parameters in use cannot be read.
    """
    first, last = first_day(settings), last_day(settings)
    days = [day for day in computed if first <= day <= last]
    warehouse = settings.warehouse.here
    if settings.uses_api or not days or not warehouse.has(RESULTS):
        return {}
    now = name_in_use(settings)
    return {
        row["day"]: f"parameters changed from {row['parameters']} to {now}"
        for row in warehouse.rows(Query("ihc_parameters", bounds_of(Days(min(days), max(days)))))
        if row["day"] in computed and row["computed_by"] == "embedded" and _is_other(row["parameters"], now)
    }


def _is_other(name: str, now: str) -> bool:
    return _is_ours(name) and _content(name) != _content(now)


def _is_ours(name: str) -> bool:
    """Whether it is the name of a preset or of a file."""
    return all(part in PRESETS or re.search("@[0-9a-f]{12}$", part) for part in name.split(" + "))


def _content(name: str) -> list[str]:
    """What a name of parameters says of their content: the hash of a file, whatever the file is called."""
    return [part.rpartition("@")[2] for part in name.split(" + ")]
