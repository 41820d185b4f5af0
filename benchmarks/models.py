"""The attribution models against the packages that compute the same: time, memory, and how far from the exact value.

`python models.py` (with .venv-bench's Python) runs each contender as a process of its own, on one core, one after another,
several times; `--write` puts the figures into docs/benchmarks.md. `python models.py --record FILE` writes what
ChannelAttribution says of a few paths, for the tests. Reading and importing are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from document import write

PROJECT = Path(__file__).parents[1]
CHANNELS = 13
SEEDS = range(20)

Result = dict[str, float]
"""By channel, or by model and channel."""


def journeys(count: int) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """Offsets, channels, whether converted, and the channels' names: 2.4 sessions a journey in the mean, 8.8 % converting."""
    rng = np.random.default_rng(0)
    sizes = rng.geometric(1 / 2.4, count)
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    channel = rng.choice(CHANNELS, sizes.sum(), p=rng.dirichlet(np.ones(CHANNELS)))
    helps = rng.uniform(0.04, 0.14, CHANNELS)
    converted = rng.random(count) < np.maximum.reduceat(helps[channel], offsets)
    return offsets, channel, converted, tuple(f"channel {i}" for i in range(CHANNELS))


def ours(model: str, count: int) -> tuple[float, float, Result]:
    """This project, from flat arrays."""
    import scipy.sparse.linalg  # noqa: F401

    from attribution_assets.models import ModelRules
    from attribution_assets.models.credit import count as count_pieces
    from attribution_assets.models.credit import credit, learn
    from attribution_assets.models.journeys import Journeys

    offsets, channel, converted, labels = journeys(count)
    flat = Journeys(offsets, np.arange(len(channel)) * 3_600_000_000_000, channel, labels)
    rules = ModelRules()
    if model != "heuristics":

        def learned() -> Result:
            tally = count_pieces(flat, converted.astype(np.int64), model, rules)
            return learn(tally.rename(columns={"group": "converted"}), model, rules)

        return measured(learned)

    def heuristics() -> Result:
        found: Result = {}
        for name in ("first_touch", "last_touch", "linear", "position_based", "time_decay", "last_non_direct_touch"):
            shares = credit(flat, name, rules) * converted[flat.journey]
            sums = np.bincount(flat.channel, weights=shares, minlength=CHANNELS)
            found |= {f"{name} {label}": float(orders) for label, orders in zip(labels, sums, strict=True)}
        return found

    return measured(heuristics)


def channel_attribution(model: str, count: int) -> tuple[float, float, Result]:
    """ChannelAttribution, from a row per journey with its path as text."""
    import ChannelAttribution

    table = paths(count)
    if model == "markov":
        return measured(lambda: removal_effects(ChannelAttribution, table, seed=0))

    def heuristics() -> Result:
        found = ChannelAttribution.heuristic_models(table, "path", "conversions", flg_pro=False)
        columns = {"first_touch": "first_touch", "last_touch": "last_touch", "linear": "linear_touch"}
        return {
            f"{model} {channel}": float(orders)
            for model, column in columns.items()
            for channel, orders in zip(found["channel_name"], found[column], strict=True)
        }

    return measured(heuristics)


def removal_effects(package: Any, table: pd.DataFrame, seed: int) -> Result:
    """By its Monte Carlo."""
    options = {"var_null": "others", "out_more": True, "seed": seed, "flg_pro": False, "verbose": False}
    effects = package.markov_model(table, "path", "conversions", **options)["removal_effects"]
    return dict(zip(effects["channel_name"], map(float, effects["removal_effect"]), strict=True))


def mam(model: str, count: int) -> tuple[float, float, Result]:
    """Marketing-Attribution-Models, from a row per journey with its path as text."""
    from mam import MAM

    table = paths(count)
    table = table.assign(id=np.arange(len(table)).astype(str), time="0", converted=table["conversions"] > 0)
    package = MAM(table, "journey", "path", "converted", user_id_colname="id", time_till_conv_colname="time")

    def run() -> Result:
        if model == "shapley":
            package.run_shapley()
            return {}
        from mam.models.markov import MarkovModel

        instance = MarkovModel()
        instance._compute_markov(package.unified_df)
        return {str(channel): float(effect) for channel, effect in instance.removal_effect_df["removal_effect"].items()}

    return measured(run)


def paths(count: int) -> pd.DataFrame:
    """The journeys as text, a row each."""
    offsets, channel, converted, labels = journeys(count)
    names = np.array(labels)[channel].tolist()
    ends = np.append(offsets[1:], len(channel)).tolist()
    text = [" > ".join(names[start:end]) for start, end in zip(offsets.tolist(), ends, strict=True)]
    return pd.DataFrame({"path": text, "conversions": converted.astype(int), "others": (~converted).astype(int)})


def measured(compute: Callable[[], Result]) -> tuple[float, float, Result]:
    """Seconds, and megabytes beyond what the input took."""
    before, began = _peak(), time.perf_counter()
    found = compute()
    return time.perf_counter() - began, _peak() - before, found


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


PACKAGES = {"this project": ours, "ChannelAttribution": channel_attribution, "Marketing-Attribution-Models": mam}
WORK = {
    "heuristics": ("this project", "ChannelAttribution"),
    "markov": ("this project", "ChannelAttribution", "Marketing-Attribution-Models"),
    "shapley": ("this project", "Marketing-Attribution-Models"),
}


def compare(count: int, rounds: int) -> str:
    """The figures as markdown; exits where the heuristics differ."""
    runs: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    found: dict[tuple[str, str], Result] = {}
    for _ in range(rounds):
        for model, packages in WORK.items():
            for package in packages:
                python = PROJECT / (".venv" if package == "this project" else ".venv-bench") / "bin" / "python"
                command = [python, __file__, "--contender", package, "--model", model, "--journeys", str(count)]
                printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                seconds, megabytes, result = json.loads(printed.splitlines()[-1])
                runs[model, package].append((seconds, megabytes))
                found[model, package] = result
                print(f"{model:<12}{package:<32}{seconds:8.2f} s {megabytes:7.0f} MB", flush=True)
    for name, orders in found["heuristics", "ChannelAttribution"].items():
        if abs(found["heuristics", "this project"][name] - orders) > 1e-6 * max(1, orders):
            sys.exit(f"{name}: {found['heuristics', 'this project'][name]} here, {orders} by ChannelAttribution.")
    exact = found["markov", "this project"]
    lines = ["| model | package | seconds | memory beyond the input | farthest from exact |", "|---|---|---|---|---|"]
    for (model, package), measured_ in runs.items():
        seconds, megabytes = (statistics.median(values) for values in zip(*measured_, strict=True))
        base = statistics.median(s for s, _ in runs[model, "this project"])
        error = "" if model != "markov" else f"{max(abs(found[model, package][c] - exact[c]) for c in exact):.1e}"
        times = f"{seconds:.2f}" if package == "this project" else f"{seconds:.2f} ({seconds / base:.1f} x)"
        lines.append(f"| {model} | {package} | {times} | {megabytes:,.0f} MB | {'0' if error == '0.0e+00' else error} |")
    packages_ = ", ".join(f"{name} {version(name)}" for name in ("ChannelAttribution", "marketing_attribution_models"))
    return "\n".join([*lines, "", f"Medians of {rounds} runs on {count:,} journeys, one core; {packages_}."])


def record(file: Path) -> None:
    """What ChannelAttribution says of 60 paths: the heuristics, and its Markov's removal effects by 20 seeds."""
    import ChannelAttribution

    table = paths(60).assign(others=lambda rows: 2 - rows["conversions"])
    heuristics = ChannelAttribution.heuristic_models(table, "path", "conversions", flg_pro=False).set_index("channel_name")
    by_seed = [removal_effects(ChannelAttribution, table, seed) for seed in SEEDS]
    told = {
        "made_by": f"benchmarks/models.py --record, ChannelAttribution {version('ChannelAttribution')}",
        "paths": table.to_dict("records"),
        "heuristics": heuristics.to_dict("index"),
        "removal_effects": by_seed,
    }
    file.write_text(json.dumps(told, indent=1) + "\n")


def main() -> None:
    """Compares, records, or is a contender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journeys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    parser.add_argument("--record", type=Path)
    parser.add_argument("--contender", choices=PACKAGES)
    parser.add_argument("--model", choices=WORK)
    options = parser.parse_args()
    if options.contender:
        os.sched_setaffinity(0, {0})
        print(f"\n{json.dumps(PACKAGES[options.contender](options.model, options.journeys))}")
    elif options.record:
        record(options.record)
    else:
        figures = compare(options.journeys, options.rounds)
        print(f"\n{figures}")
        if options.write:
            write("models", figures)


if __name__ == "__main__":
    main()
