"""`attribution status` without its terminal: for each day, whether each asset's results are there and right, and why not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import dagster as dg

from attribution_assets.analysis.late_data import search
from attribution_assets.catalog.span import first_day, last_day, today
from attribution_assets.definitions import build_defs
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.history import computed_days, due_days, materialized, refused, run_days
from attribution_assets.orchestration.partitions import LEARNED_ONCE, inputs
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.days import shift, unbroken_ranges

RUNS = 1_000
"""How many runs are looked through, from the newest back, for the last one of each day."""


def day_states(settings: Settings, instance: dg.DagsterInstance, start: str | None, end: str | None) -> list[dict[str, Any]]:
    """The days from `start` to `end`, both included (unset: all days that can run), ready for JSON.

    Of each day: under `assets` each one's `state`, `missing`, `fresh` or `stale`, and `because`, why it is stale; `final_on`,
    the last day whose conversions can change its report, and `final`, whether it is over; `last_run`, the day's newest run.

    Raises AttributionError where none of the days can run.
    """
    first, last = first_day(settings), last_day(settings)
    if max(start or first, first) > min(end or last, last):
        raise AttributionError(f"No day from {start or first} to {end or last} can run: the partitions are {first} to {last}.")
    days = Days(max(start or first, first), min(end or last, last))
    states = _states(settings, instance, days)
    runs = _last_runs(instance, days)
    return [
        {
            "day": day,
            "assets": {asset: _state(materialized_days, stale, day) for asset, (materialized_days, stale) in states.items()},
            "final_on": shift(day, settings.lookback_days),
            "final": shift(day, settings.lookback_days) < today(),
            "last_run": runs.get(day),
        }
        for day in days
    ]


def _state(materialized_days: Mapping[str, int], stale: Mapping[str, str], day: str) -> dict[str, str | None]:
    if day not in materialized_days:
        return {"state": "missing", "because": None}
    return {"state": "stale" if day in stale else "fresh", "because": stale.get(day)}


def _states(
    settings: Settings, instance: dg.DagsterInstance, days: Days
) -> dict[str, tuple[Mapping[str, int], Mapping[str, str]]]:
    """By asset, in the order of the graph: the days that were materialized, and those that are stale, with the reason."""
    lookback = settings.lookback_days
    graph = build_defs(settings).resolve_asset_graph()
    chain = inputs(settings)
    done = {asset: materialized(instance, dg.AssetKey(asset)) for asset in chain}
    within_reach = Days(shift(days.first, -lookback), min(shift(days.last, lookback), last_day(settings)))
    late, _ = search(settings, within_reach, computed_days(instance))
    stale: dict[str, dict[str, str]] = {
        asset: dict.fromkeys(refused(instance, graph.get(dg.AssetKey(asset)).check_keys, events), "refused by a check")
        for asset, events in done.items()
    }
    stale["customer_journeys"] |= late.conversions
    stale["channel_costs"] |= late.costs
    for report in ("channel_reporting", "model_reporting"):
        if report in stale:
            stale[report] |= late.reports
    for asset, upstreams in chain.items():
        for upstream, lookahead in upstreams.items():
            for day in sorted(stale[upstream]):
                for offset in range(lookahead + 1):
                    stale[asset].setdefault(shift(day, -offset), f"{upstream} of {day} is stale")
            for day in due_days(done[asset], done[upstream], lookahead):
                stale[asset].setdefault(day, f"{upstream} is newer")
        if asset in LEARNED_ONCE:
            stale[asset] = {}
    return {asset: (done[asset], stale[asset]) for asset in chain}


def _last_runs(instance: dg.DagsterInstance, days: Days) -> dict[str, dict[str, Any]]:
    """By day, the newest run of the day: id, job, status, seconds it took (none, if it has not ended)."""
    runs: dict[str, dict[str, Any]] = {}
    wanted = set(days)
    for record in instance.get_run_records(limit=RUNS):
        run = record.dagster_run
        seconds = record.end_time - record.start_time if record.start_time and record.end_time else None
        told = {
            "id": run.run_id,
            "job": run.job_name,
            "status": run.status.value.lower(),
            "seconds": None if seconds is None else round(seconds, 2),
        }
        for day in wanted.intersection(run_days(run.tags)) - runs.keys():
            runs[day] = told
        if len(runs) == len(wanted):
            break
    return runs


def grouped(states: list[dict[str, Any]]) -> list[tuple[Days, dict[str, Any]]]:
    """Neighbouring days that differ in nothing but dates and reasons, as one range with the first day's state."""

    def alike(state: dict[str, Any]) -> tuple[Any, ...]:
        return [told["state"] for told in state["assets"].values()], state["final"], state["last_run"]

    ranges = [list(neighbours) for _, neighbours in groupby(states, key=alike)]
    return [(Days(neighbours[0]["day"], neighbours[-1]["day"]), neighbours[0]) for neighbours in ranges]


def reasons(states: list[dict[str, Any]]) -> list[str]:
    """Why days are stale, a line for each asset and reason; not where it is so for the asset before it on the same day."""
    days: dict[tuple[str, str], list[str]] = {}
    for state in states:
        for asset, told in state["assets"].items():
            if told["because"] and f"of {state['day']} is stale" not in told["because"]:
                days.setdefault((asset, told["because"]), []).append(state["day"])
    return [f"{asset} of {', '.join(map(str, unbroken_ranges(stale)))}: {because}." for (asset, because), stale in days.items()]
