"""Runs this project and its contenders on the same made-up databases, interleaved, as whole processes, and writes the figures.

`python bench.py --sizes 100000 1000000 10000000 --rounds 3 --write` also puts them into docs/benchmarks.md, with the picture.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
DATA = PROJECT / "data" / "benchmarks"
DOCUMENT, PICTURE = PROJECT / "docs" / "benchmarks.md", PROJECT / "docs" / "benchmarks.svg"
OURS = PROJECT / ".venv" / "bin"
FIRST, DAYS, LOOKBACK_DAYS = date(2026, 1, 1), 90, 30
LAST = FIRST + timedelta(days=DAYS - 1)

RANGES = (30, 360, 1080)
"""In days: the ranges whose memory is compared."""

LIMIT, LIMIT_ONE_DAY = "DuckDB, Parquet to Parquet", "DuckDB, one day, Parquet to Parquet"
COMPUTE, ONE_DAY = "this project, compute", "this project, one day, compute"
JOURNEYS_ONLY = "pandas.read_sql and a merge, journeys only"
RUN = "`attribution run`, checks and Dagster included"
LAKE, LAKE_ONE_DAY, LAKE_RUN = "lake, compute", "lake, one day, compute", "lake, `attribution run`"
CONTENDERS = {
    LIMIT: "duckdb",
    LIMIT_ONE_DAY: "duckdb_one_day",
    "Polars": "polars",
    "pandas merge": "pandas",
    "SQLite SQL": "sqlite",
    JOURNEYS_ONLY: "read_sql",
}
AGREE_ON = {LIMIT_ONE_DAY: ("rows", "cost"), ONE_DAY: ("rows", "cost"), LAKE_ONE_DAY: ("rows", "cost")}
"""Linear credit and IHC give a single day's reports other orders; the whole has the same."""

Measured = dict[str, list[tuple[float, float]]]
"""By name, seconds and peak megabytes of each run."""


def measure(command: list[str], **environment: str) -> tuple[float, float, str]:
    """Seconds, peak memory in MB of the process and all that it starts (sampled every 20 ms), and what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATTRIBUTION_", "IHC_", "DAGSTER_"))}
    began, peak = time.perf_counter(), 0.0
    environment = {**kept, **environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as process:
        while process.poll() is None:
            peak = max(peak, _memory(process.pid))
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        printed = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed.")
    return seconds, peak, printed


def _memory(session: int) -> float:
    """Of each program once: a process that has just been forked still is its parent's, and shares its memory."""
    pages: dict[bytes, int] = defaultdict(int)
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == session:
                program = (entry / "cmdline").read_bytes()
                pages[program] = max(pages[program], int((entry / "statm").read_text().split()[1]))
        except (OSError, IndexError):  # it has just ended
            continue
    return sum(pages.values()) * os.sysconf("SC_PAGE_SIZE") / 1e6


def database(sessions: int, days: int = DAYS) -> Path:
    """The database of this size, made if it is not there yet."""
    path = DATA / f"{sessions}_{days}.db"
    if not path.with_suffix(".done").exists():
        DATA.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        shutil.rmtree(path.with_suffix(""), ignore_errors=True)
        shutil.rmtree(path.with_suffix(".lake"), ignore_errors=True)
        print(f"making {path.name} ...", flush=True)
        subprocess.run([OURS / "python", HERE / "databases.py", path, str(sessions), str(days)], check=True)
        path.with_suffix(".done").touch()
    return path


def compare(sessions: int, rounds: int) -> Measured:
    """All contenders, `rounds` times one after another; exits where their figures differ."""
    source, work = database(sessions), DATA / "work.db"
    last, touched = LAST.isoformat(), (LAST - timedelta(days=LOOKBACK_DAYS)).isoformat()
    measured: Measured = defaultdict(list)
    for _ in range(rounds):
        figures: dict[str, dict[str, float]] = {}

        def run(name: str, command: list[str], figures: dict[str, dict[str, float]] = figures, **environment: str) -> None:
            seconds, peak, printed = measure(command, **environment)
            measured[name].append((seconds, peak))
            if printed.startswith("{"):
                figures[name] = json.loads(printed)
            print(f"{sessions:>11,}  {name:<52}{seconds:8.2f} s {peak:7.0f} MB", flush=True)

        def compute(name: str, database: str, *days: str) -> None:
            run(name, [str(OURS / "python"), str(HERE / "pipeline.py"), database, *days])

        def whole_run(name: str, database: str) -> None:
            settings = {"START_DATE": FIRST.isoformat(), "END_DATE": last, "LOOKBACK_DAYS": str(LOOKBACK_DAYS)}
            environment = {f"ATTRIBUTION_{name}": value for name, value in settings.items()}
            environment |= {"ATTRIBUTION_EXPORTS": str(DATA / "exports"), "DAGSTER_HOME": str(DATA / "history")}
            shutil.rmtree(DATA / "history", ignore_errors=True)
            run(name, [str(OURS / "attribution"), "run", "--json", "--database", database], **environment)

        _copy(source, work)
        lake = _new_lake(source)
        for name, contender in CONTENDERS.items():
            run(name, [sys.executable, str(HERE / "contenders.py"), contender, str(source.with_suffix(""))])
            if name == LIMIT:
                compute(COMPUTE, str(work), FIRST.isoformat(), last, FIRST.isoformat())
                compute(LAKE, lake, FIRST.isoformat(), last, FIRST.isoformat())
            if name == LIMIT_ONE_DAY:
                compute(ONE_DAY, str(work), last, last, touched)
                compute(LAKE_ONE_DAY, lake, last, last, touched)
        _copy(source, work)
        whole_run(RUN, str(work))
        whole_run(LAKE_RUN, _new_lake(source))
        figures.pop(RUN, None)
        figures.pop(LAKE_RUN, None)
        _check_agreement(figures)
    return measured


def _copy(source: Path, work: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        work.with_name(work.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(source, work)


def _new_lake(source: Path) -> str:
    """A lake with the database's sources and nothing computed: a copy of one that is imported once, beside the database."""
    imported, lake = source.with_suffix(".lake"), DATA / "work.lake"
    if not (imported / "attribution_lake.json").exists():
        command = [OURS / "attribution", "lake", "import", source, "--database", f"{imported}/"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(lake, ignore_errors=True)
    shutil.copytree(imported, lake)
    return f"{lake}/"


def _check_agreement(figures: dict[str, dict[str, float]]) -> None:
    for names in ([name for name in figures if name not in AGREE_ON], list(AGREE_ON)):
        for name in names[1:]:
            for what in AGREE_ON.get(name, figures[name]):
                theirs, reference = figures[name][what], figures[names[0]][what]
                if abs(theirs - reference) > 1e-9 * abs(reference):
                    sys.exit(f"{name} has {what} {theirs}, but {names[0]} has {reference}.")


def compare_ranges(sessions_per_day: int, rounds: int) -> dict[int, float]:
    """Peak memory of computing ranges of days of one database with DuckDB, in MB."""
    source, work = database(sessions_per_day * max(RANGES), max(RANGES)), DATA / "work.db"
    peaks: dict[int, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for days in RANGES:
            _copy(source, work)
            last = (FIRST + timedelta(days=days - 1)).isoformat()
            command = [str(OURS / "python"), str(HERE / "pipeline.py"), str(work), FIRST.isoformat(), last, FIRST.isoformat()]
            seconds, peak, _ = measure(command, ATTRIBUTION_COMPUTE="duckdb")  # `auto` has SQLite alone compute a short range
            print(f"{sessions_per_day * max(RANGES):>11,}  {days} days{seconds:50.2f} s {peak:7.0f} MB", flush=True)
            peaks[days].append(peak)
    return {days: statistics.median(of_days) for days, of_days in peaks.items()}


def table(measured: dict[int, Measured], ranges: dict[int, float] | None, rounds: int) -> str:
    """The figures as markdown: medians, and ratios to the limit of the same work."""
    names = [
        COMPUTE,
        RUN,
        LAKE,
        LAKE_RUN,
        LIMIT,
        "Polars",
        "pandas merge",
        "SQLite SQL",
        JOURNEYS_ONLY,
        ONE_DAY,
        LAKE_ONE_DAY,
        LIMIT_ONE_DAY,
    ]
    runs = f"Medians of {rounds} runs" if rounds > 1 else "One run"
    lines = [
        f"{runs}; seconds, in brackets as a multiple of DuckDB's for the same work, and peak memory.",
        "",
        "| | " + " | ".join(f"{sessions:,} sessions" for sessions in measured) + " |",
        "|---|" + "---|" * len(measured),
    ]
    for name in names:
        cells = []
        for of_size in measured.values():
            seconds, peak = (statistics.median(values) for values in zip(*of_size[name], strict=True))
            limit = statistics.median(s for s, _ in of_size[LIMIT_ONE_DAY if "one day" in name else LIMIT])
            cells.append(f"{seconds:.2f} s ({seconds / limit:.1f}), {peak:,.0f} MB")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    if ranges:
        peaks = ", ".join(f"{days:,} days {peak:,.0f} MB" for days, peak in ranges.items())
        lines += ["", f"Peak memory of this project's compute with DuckDB, of a database of {max(ranges):,} days: {peaks}."]
    with Path("/proc/cpuinfo").open() as info:
        processor = next((line.split(":")[1].strip() for line in info if line.startswith("model name")), platform.machine())
    packages = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "polars", "pandas", "pyarrow"))
    lines += ["", f"{date.today()}, {os.cpu_count()} cores of {processor}, Python {platform.python_version()}, {packages}."]
    return "\n".join(lines)


def draw(measured: dict[int, Measured]) -> None:
    """The picture: seconds by sessions, both logarithmic."""
    import matplotlib.pyplot as plt

    plt.rcParams.update({"svg.hashsalt": "benchmarks", "font.size": 9})
    figure, axes = plt.subplots(figsize=(8, 3.6))
    for name in (RUN, LAKE_RUN, "SQLite SQL", COMPUTE, LAKE, "pandas merge", "Polars", LIMIT):
        seconds = [statistics.median(s for s, _ in of_size[name]) for of_size in measured.values()]
        label = name.replace("`", "")
        axes.plot(
            list(measured), seconds, marker="o", label=label, linewidth=2.5 if name in (COMPUTE, RUN, LAKE, LAKE_RUN) else 1.2
        )
    axes.set(xscale="log", yscale="log", xlabel="sessions", ylabel="seconds, whole process")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    figure.savefig(PICTURE, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measures, prints, and writes if told to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    measured = {sessions: compare(sessions, options.rounds) for sessions in options.sizes}
    ranges = compare_ranges(max(options.sizes) // 2_000, options.rounds) if options.write else None
    figures = table(measured, ranges, options.rounds)
    print(f"\n{figures}")
    if options.write:
        text = DOCUMENT.read_text(encoding="utf-8")
        marked = f"<!-- figures -->\n{figures}\n<!-- /figures -->"
        text = re.sub(r"<!-- figures -->.*<!-- /figures -->", lambda _: marked, text, flags=re.DOTALL)
        DOCUMENT.write_text(text, encoding="utf-8")
        draw(measured)


if __name__ == "__main__":
    main()
