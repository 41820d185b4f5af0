"""How long the IHC parameters take to train on made-up journeys, without and with the bootstrap, and the memory it needs."""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable
from typing import TypeVar

from embedded_model import made_up_journeys

from attribution_assets.ihc.training import DRAWS, spread, train

SESSIONS_PER_JOURNEY = 4
"""In the mean, of `made_up_journeys`."""

T = TypeVar("T")


def measure(name: str, run: Callable[[], T]) -> T:
    """Runs it once for its seconds, and once more for the peak of its own memory."""
    start = time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    run()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{name:24} {seconds:6.2f} s, {peak / 2**20:,.0f} MiB")
    return result


def main() -> None:
    """Measures the training, and the bootstrap after it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("journeys", type=int, nargs="?", default=1_000_000)
    parser.add_argument("--draws", type=int, default=DRAWS)
    arguments = parser.parse_args()
    journeys = made_up_journeys(arguments.journeys * SESSIONS_PER_JOURNEY)
    print(f"{len(journeys):,} journeys, {len(journeys.time):,} sessions")
    training = measure("without the bootstrap", lambda: train(journeys))
    measure(f"{arguments.draws} draws", lambda: spread(journeys, training, seed=0, draws=arguments.draws))


if __name__ == "__main__":
    main()
