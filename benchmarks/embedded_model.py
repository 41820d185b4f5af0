"""How many journey rows per second the embedded IHC model credits on one core, and the memory it needs beside the rows."""

from __future__ import annotations

import argparse
import os
import statistics
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from attribution_assets.ihc import IHCParameters, Redistribution, attribute
from attribution_assets.ihc.model import EngagedJourneys, ihc

RUNS = 7
PARAMETERS = IHCParameters.load("challenge")
LABELS = tuple(PARAMETERS.channel_weights)
REDISTRIBUTION = Redistribution.model_validate(
    {
        phase: {"direction": direction, "receive_threshold": 0.05, "redistribution_channel_labels": LABELS[:3]}
        for phase, direction in (
            ("initializer", "earlier_sessions_only"),
            ("holder", "any_session"),
            ("closer", "later_sessions_only"),
        )
    }
)


def made_up_journeys(rows: int) -> EngagedJourneys:
    """Journeys of 4 sessions in the mean and 40 at most, 40 hours from one session to the next."""
    chance = np.random.default_rng(0)
    sizes = np.minimum(chance.geometric(1 / 4, rows), 40)
    offsets = np.append(0, np.cumsum(sizes))
    offsets = offsets[offsets < rows]
    journey = np.repeat(np.arange(len(offsets)), np.diff(offsets, append=rows))
    start = chance.integers(1_690_000_000, 1_700_000_000, len(offsets))
    passed = np.cumsum(chance.exponential(40 * 3600, rows).astype(np.int64))
    return EngagedJourneys(
        offsets=offsets,
        time=(start[journey] + passed - passed[offsets][journey]) * 1_000_000_000,
        channel=chance.integers(0, len(LABELS), rows),
        labels=LABELS,
        holder_engagement=(chance.random(rows) < 0.6).astype(np.float64),
        closer_engagement=(chance.random(rows) < 0.3).astype(np.float64),
    )


def as_read(journeys: EngagedJourneys) -> pd.DataFrame:
    """The same as a frame, in the order in which the database gives them: by conv_id and session_id, which are random."""
    rows = len(journeys.time)
    chance = np.random.default_rng(1)
    order = np.lexsort((chance.random(rows), journeys.journey))
    seconds = journeys.time[order].astype("datetime64[ns]").astype("datetime64[s]")
    return pd.DataFrame(
        {
            "conv_id": [f"{number:032x}" for number in journeys.journey[order]],  # a string per row, as a database gives
            "session_id": [f"{number:032x}" for number in range(rows)],
            "timestamp": [text.replace("T", " ") for text in np.datetime_as_string(seconds).tolist()],
            "channel_label": [f"{LABELS[number]}" for number in journeys.channel[order]],
            "holder_engagement": journeys.holder_engagement[order].astype(np.int64),
            "closer_engagement": journeys.closer_engagement[order].astype(np.int64),
        }
    )


def measure(name: str, rows: int, run: Callable[[], object]) -> None:
    """Prints rows per second, the median of some runs after one to warm up, and the peak of one more run's own memory."""
    seconds = []
    run()
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    median = statistics.median(seconds)
    print(
        f"{name:24} {rows / median / 1e6:6.2f} million rows/s (median of {RUNS}: {median * 1e3:.0f} ms, "
        f"best {min(seconds) * 1e3:.0f} ms), {peak / 2**20:.0f} MiB"
    )


def main() -> None:
    """Measures the arrays, the arrays with a redistribution, and frames."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000)
    rows = parser.parse_args().rows
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    journeys = made_up_journeys(rows)
    frame = as_read(journeys)
    print(f"{rows:,} rows, {len(journeys):,} journeys, one core")
    measure("arrays", rows, lambda: ihc(replace(journeys), PARAMETERS))
    measure("arrays, redistributed", rows, lambda: ihc(replace(journeys), PARAMETERS, REDISTRIBUTION))
    measure("frame", rows, lambda: attribute(frame, PARAMETERS))
    measure("frame, redistributed", rows, lambda: attribute(frame, PARAMETERS, redistribution=REDISTRIBUTION))


if __name__ == "__main__":
    main()
