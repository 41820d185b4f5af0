"""`attribution status` without its terminal: for each day, whether each asset's results are there and right, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import dagster as dg

from attribution_assets.analysis.alerts import Stale
from attribution_assets.analysis.checking import check_sources
from attribution_assets.analysis.late_data import LateDays, search
from attribution_assets.analysis.parameters import RESULTS, days_of_other_parameters
from attribution_assets.catalog.span import days_with_data, final_on, first_day, is_final, last_day, stretches_without_data
from attribution_assets.catalog.table import DailyTable, Part
from attribution_assets.catalog.tables import inputs, kind_of, parts, table_named, tables, tables_of_part
from attribution_assets.errors import AttributionError, NotFoundError
from attribution_assets.orchestration.history import compared_events, due_days, materialized, refused, tagged_days
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import shift, unbroken_ranges

RUNS = 1_000
"""How many runs are looked through, from the newest back, for the last one of each day."""


def day_states(
    settings: Settings, instance: dg.DagsterInstance, start: str | None, end: str | None, *, by_history: bool = False
) -> list[dict[str, Any]]:
    """The days from `start` to `end`, both included (unset: all days that can run), ready for JSON.

    For each day: under `assets`, each asset's `state` (`missing`, `no data`, `fresh` or `stale`) and `because`, why it is
    stale; `final_on`, the last day whose conversions can change its report (None without credit in the graph), and `final`,
    whether there is a report and that day is over; `last_run`, the day's newest run; `checks`, the same for all: what the
    checks of the sources find on these days that does not hold, or not yet. There is `no data` for a missing day of a stretch
    that runs leave out.

    With `by_history`, the sources are not looked at: late data that no run has seen makes no day stale, and nothing is checked.
    On an SQLite file with a million sessions, the search takes up to a minute, unless the daemon has just made one.

    Raises NotFoundError if none of the days can run.
    """
    first, last = first_day(settings), last_day(settings)
    if max(start or first, first) > min(end or last, last):
        raise NotFoundError(f"No day from {start or first} to {end or last} can run. The partitions are {first} to {last}.")
    days = Days(max(start or first, first), min(end or last, last))
    states = _states(settings, instance, LateDays() if by_history else _late_days(settings, instance, days))
    runs = _last_runs(instance, days)
    findings = [] if by_history else check_sources(settings, days)
    found = [finding.told() for finding in findings if finding.state != "passed"]
    partitions = Days(first, last)
    no_data = {part: _days_without_data(settings, part, partitions) for part in parts(settings)}
    reports = [states[table.name][0] for table in tables(settings) if _has_credit(table)]
    return [
        {
            "day": day,
            "assets": {
                asset: _state(materialized_days, stale, day, day in no_data[table_named(asset).job.part])
                for asset, (materialized_days, stale) in states.items()
            },
            "final_on": final_on(settings, day) if reports else None,
            "final": bool(reports) and is_final(settings, day) and all(day in report for report in reports),
            "last_run": runs.get(day),
            "checks": found,
        }
        for day in days
    ]


def _days_without_data(settings: Settings, part: Part, partitions: Days) -> set[str]:
    """The days of long stretches in which the sources and tables of the part have no rows."""
    with_data = days_with_data(settings, tables_of_part(settings, part), partitions)
    return {day for stretch in stretches_without_data(settings, partitions, with_data) for day in stretch}


def _has_credit(table: DailyTable) -> bool:
    """Whether conversions of later days change the table."""
    return table.day_of == "session" and any(kind_of(name) == "conversion" for name in table.follows)


def _state(
    materialized_days: Mapping[str, int], stale: Mapping[str, str], day: str, is_without_data: bool
) -> dict[str, str | None]:
    if day not in materialized_days:
        return {"state": "no data" if is_without_data else "missing", "because": None}
    return {"state": "stale" if day in stale else "fresh", "because": stale.get(day)}


def _late_days(settings: Settings, instance: dg.DagsterInstance, days: Days) -> LateDays:
    """What the sources make stale of the days, and of those that these follow."""
    lookback = settings.lookback_days
    within_reach = Days(shift(days.first, -lookback), min(shift(days.last, lookback), last_day(settings)))
    return search(settings, within_reach, compared_events(instance, settings))[0]


def _states(
    settings: Settings, instance: dg.DagsterInstance, late: LateDays
) -> dict[str, tuple[Mapping[str, int], Mapping[str, str]]]:
    """By asset, in the order of the graph: the days that were materialized, and those that are stale, with the reason."""
    in_graph = tables(settings)
    done = {table.name: materialized(instance, dg.AssetKey(table.name)) for table in in_graph}
    others = _of_other_parameters(settings, done.get(RESULTS, {}))
    follows = inputs(settings)
    stale: dict[str, dict[str, str]] = {}
    for table in in_graph:
        checks = [dg.AssetCheckKey(dg.AssetKey(table.name), check.name) for check in table.checks]
        reasons_by_day = dict.fromkeys(refused(instance, checks, done[table.name]), "a check failed")
        reasons_by_day |= {**(others if table.name == RESULTS else {}), **late.of(table.name)}
        for upstream, lookahead in follows[table.name].items():
            for day in sorted(stale[upstream]):
                for offset in range(lookahead + 1):
                    reasons_by_day.setdefault(shift(day, -offset), f"{upstream} of {day} is stale")
            for day in due_days(done[table.name], done[upstream], lookahead):
                reasons_by_day.setdefault(day, f"{upstream} is newer")
        stale[table.name] = {} if table.is_kept else reasons_by_day
    return {table.name: (done[table.name], stale[table.name]) for table in in_graph}


def _of_other_parameters(settings: Settings, computed: Mapping[str, int]) -> Mapping[str, str]:
    """The days that other parameters computed; all of them, where those in use cannot be read."""
    try:
        return days_of_other_parameters(settings, computed)
    except AttributionError as error:
        return dict.fromkeys(computed, str(error).rstrip("."))


def _last_runs(instance: dg.DagsterInstance, days: Days) -> dict[str, dict[str, Any]]:
    """By day, the newest run of the day: id, job, status, seconds it took (none, if it has not ended)."""
    runs: dict[str, dict[str, Any]] = {}
    wanted = set(days)
    for record in instance.get_run_records(limit=RUNS):
        run = record.dagster_run
        seconds = record.end_time - record.start_time if record.start_time and record.end_time else None
        summary = {
            "id": run.run_id,
            "job": run.job_name,
            "status": run.status.value.lower(),
            "seconds": None if seconds is None else round(seconds, 2),
        }
        for day in wanted.intersection(tagged_days(run.tags)) - runs.keys():
            runs[day] = summary
        if len(runs) == len(wanted):
            break
    return runs


def has_results(state: Mapping[str, Any]) -> bool:
    """Whether an asset of the day was computed."""
    return any(asset["state"] in {"fresh", "stale"} for asset in state["assets"].values())


def grouped(states: list[dict[str, Any]]) -> list[tuple[Days, dict[str, Any]]]:
    """Neighbouring days that differ in nothing but dates and reasons, as one range with the first day's state."""

    def alike(state: dict[str, Any]) -> tuple[Any, ...]:
        return [asset["state"] for asset in state["assets"].values()], state["final"], state["last_run"]

    ranges = [list(neighbours) for _, neighbours in groupby(states, key=alike)]
    return [(Days(neighbours[0]["day"], neighbours[-1]["day"]), neighbours[0]) for neighbours in ranges]


def reasons(states: list[dict[str, Any]]) -> list[str]:
    """Why days are stale: a line for each asset and reason, unless the reason is another stale asset of the same day."""
    stale: dict[str, dict[str, str]] = {}
    for state in states:
        for asset, result in state["assets"].items():
            if result["because"]:
                stale.setdefault(asset, {})[state["day"]] = result["because"]
    return reasons_of(stale)


def reasons_of(stale: Mapping[str, Mapping[str, str]]) -> list[str]:
    """The same lines, of the stale days by asset, each with its reason."""
    days: dict[tuple[str, str], list[str]] = {}
    for asset, of_asset in stale.items():
        for day, because in of_asset.items():
            if f"of {day} is stale" not in because:
                days.setdefault((asset, because), []).append(day)
    return [f"{asset} of {', '.join(map(str, unbroken_ranges(of)))}: {because}." for (asset, because), of in days.items()]


def stale_days(settings: Settings, instance: dg.DagsterInstance) -> dict[str, dict[str, Stale]]:
    """By asset, those of its days that `day_states` calls stale, of all days that can run. Assets without any are left out."""
    first, last = first_day(settings), last_day(settings)
    if first > last:
        return {}
    late = _late_days(settings, instance, Days(first, last))
    found = {
        asset: {
            day: Stale(done[day], because) for day, because in sorted(stale.items()) if day in done and first <= day <= last
        }
        for asset, (done, stale) in _states(settings, instance, late).items()
    }
    return {asset: days for asset, days in found.items() if days}
