"""How long it takes to spread ad spend over sessions and to break the report down: `attribution run` with and without them.

`python spend.py` (with .venv's Python) runs the command as a process of its own on databases of the same sessions, one after
another, several times; `--write` puts the figures into docs/benchmarks.md. CPU is that of the process and all that it started.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
import numpy as np
from document import write

from attribution_assets.warehouse.sqlite.sample_data import write_sample

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = PROJECT / ".venv" / "bin" / "attribution"
FOLDER = PROJECT / "data" / "benchmarks"

DAYS, LAST, LOOKBACK_DAYS, SEED = 90, date(2026, 3, 31), 30, 5
FIRST = LAST - timedelta(days=DAYS - 1)
CAMPAIGNS, PAUSED, WITHOUT_SESSIONS = 40, 5, 5
"""Campaigns that sessions have, how many of these have none in the last 30 days, and further ones that never have one."""

MARKETS = ("DE", "AT", "CH", "FR")
BREAKDOWNS = "campaign_id,market"

PLAIN, COLUMNS, SPEND, BROKEN_DOWN = "three tables", "and the columns", "and ad spend", "and two breakdowns"
ADDED = "session_spend", "breakdown_reporting"
"""The assets in question."""

ASSET = re.compile(r"^(\w+): [\d,]+ (?:rows|checks) in ([\d.]+) s$", flags=re.MULTILINE)


class Measured(NamedTuple):
    """What a process took, with the seconds of each asset as it prints them."""

    wall: float
    cpu: float
    megabytes: float
    assets: dict[str, float]


def write_databases(folder: Path, sessions: int) -> dict[str, Path]:
    """The databases by name, each with what the one before has: the columns campaign_id, market and cpc, and ad_costs."""
    plain, columns, spend = (folder / f"{name}.db" for name in ("plain", "columns", "spend"))
    write_sample(plain, days=DAYS, end=LAST, sessions=sessions, seed=SEED, with_shop=False)
    chance = np.random.default_rng(SEED)
    shutil.copyfile(plain, columns)
    with closing(sqlite3.connect(columns, isolation_level=None)) as connection:
        connection.executescript("PRAGMA journal_mode = off; PRAGMA synchronous = off;")
        for column in ("campaign_id text", "market text", "cpc real"):
            connection.execute(f"ALTER TABLE session_sources ADD COLUMN {column}")
        days = connection.execute("SELECT rowid, event_date FROM session_sources ORDER BY rowid")
        values = list(_values(days.fetchall(), chance))
        connection.execute("BEGIN")
        connection.executemany("UPDATE session_sources SET campaign_id = ?, market = ?, cpc = ? WHERE rowid = ?", values)
        connection.execute("COMMIT")
        connection.execute("VACUUM")  # as if the rows had had the columns from the beginning
    shutil.copyfile(columns, spend)
    with closing(sqlite3.connect(spend)) as connection, connection:
        connection.execute(
            "CREATE TABLE ad_costs (date text NOT NULL, campaign_id text NOT NULL, platform text, market text, "
            "cost real NOT NULL, PRIMARY KEY (date, campaign_id, platform, market))"
        )
        rows = (
            ((FIRST + timedelta(days=day)).isoformat(), f"campaign {campaign}", "google", "")
            for day in range(DAYS)
            for campaign in range(CAMPAIGNS + WITHOUT_SESSIONS)
        )
        a_day = sessions / DAYS / CAMPAIGNS / 3
        costs = np.round(chance.exponential(a_day, DAYS * (CAMPAIGNS + WITHOUT_SESSIONS)), 2).tolist()
        connection.executemany(
            "INSERT INTO ad_costs VALUES (?, ?, ?, ?, ?)", ((*row, cost) for row, cost in zip(rows, costs, strict=True))
        )
    return {PLAIN: plain, COLUMNS: columns, SPEND: spend, BROKEN_DOWN: spend}


def _values(days: list[tuple[int, str]], chance: np.random.Generator) -> Iterator[tuple[str | None, str, float | None, int]]:
    """Campaign, market, cpc and rowid of each session: a third have a campaign, and most of these a cpc."""
    count, pausing = len(days), (LAST - timedelta(days=29)).isoformat()
    campaigns = np.where(chance.random(count) < 1 / 3, chance.integers(0, CAMPAIGNS, count), -1).tolist()
    markets = chance.integers(0, len(MARKETS), count).tolist()
    clicks = np.where(chance.random(count) < 0.9, np.round(chance.exponential(0.6, count), 2), 0).tolist()
    for (row, day), campaign, market, cpc in zip(days, campaigns, markets, clicks, strict=True):
        runs = campaign >= 0 and not (campaign < PAUSED and day >= pausing)
        yield (f"campaign {campaign}", MARKETS[market], cpc, row) if runs else (None, MARKETS[market], None, row)


def run(source: Path, folder: Path, breakdowns: str) -> Measured:
    """Runs the command on a copy of the database, with nothing computed before."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    shutil.copyfile(source, work / "work.db")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATTRIBUTION_", "IHC_", "DAGSTER_"))}
    settings = {
        "START_DATE": FIRST.isoformat(),
        "END_DATE": LAST.isoformat(),
        "LOOKBACK_DAYS": str(LOOKBACK_DAYS),
        "EXPORTS": str(work / "exports"),
        "BREAKDOWNS": breakdowns,
    }
    environment = kept | {f"ATTRIBUTION_{name}": value for name, value in settings.items() if value}
    environment["DAGSTER_HOME"] = str(work / "history")
    with (work / "stderr").open("w") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            [COMMAND, "run", "--json", "--database", work / "work.db"],
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
        )
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    told = (work / "stderr").read_text(encoding="utf-8")
    if status:
        raise SystemExit(f"The run on {source} failed: {told}")
    assets = {name: float(seconds) for name, seconds in ASSET.findall(told)}
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3, assets)


def measure(sessions: int, rounds: int) -> str:
    """The figures as markdown."""
    runs: dict[str, list[Measured]] = defaultdict(list)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        databases = write_databases(folder, sessions)
        for _ in range(rounds):
            for what, database in databases.items():
                measured = run(database, folder, BREAKDOWNS if what == BROKEN_DOWN else "")
                runs[what].append(measured)
                print(f"{sessions:>11,}  {what:<20}{measured.wall:8.2f} s {measured.cpu:8.2f} s of CPU", flush=True)
    return table(runs, sessions, rounds)


def table(runs: dict[str, list[Measured]], sessions: int, rounds: int) -> str:
    """Medians: of the whole process by database, and what each asset took in the last of them."""
    walls = {what: statistics.median(run.wall for run in measured) for what, measured in runs.items()}
    cpus = {what: statistics.median(run.cpu for run in measured) for what, measured in runs.items()}
    lines = [
        f"| `attribution run`, {sessions:,} sessions | CPU | wall | peak memory | CPU more than the line before |",
        "|---|---|---|---|---|",
    ]
    before = None
    for what, measured in runs.items():
        megabytes = statistics.median(run.megabytes for run in measured)
        more = f"{cpus[what] - cpus[before]:+.1f} s" if before else ""
        lines.append(f"| {what} | {cpus[what]:.1f} s | {walls[what]:.1f} s | {megabytes:,.0f} MB | {more} |")
        before = what
    whole = runs[BROKEN_DOWN]
    assets = {name: statistics.median(run.assets[name] for run in whole) for name in whole[0].assets}
    compute = {name: seconds for name, seconds in assets.items() if not name.endswith("_checks")}
    lines += ["", "| asset, of the last line | seconds | of all assets |", "|---|---|---|"]
    for name, seconds in sorted(compute.items(), key=lambda item: -item[1]):
        lines.append(f"| {name} | {seconds:.1f} s | {seconds / sum(compute.values()):.0%} |")
    checks = sum(assets.values()) - sum(compute.values())
    lines.append(f"| all checks | {checks:.1f} s |  |")
    whole_cpu = cpus[BROKEN_DOWN]
    added, of_columns = whole_cpu - cpus[COLUMNS], cpus[COLUMNS] - cpus[PLAIN]
    of_assets, of_all = sum(compute.get(name, 0) for name in ADDED), sum(compute.values())
    lines += [
        "",
        f"Ad spend and breakdowns, and what follows from them, add {added:.1f} s of CPU, {added / whole_cpu:.0%} of the run.",
        f"The columns, for which there is a session_report, add {of_columns:.1f} s ({of_columns / whole_cpu:.0%}).",
        f"The assets {' and '.join(ADDED)} alone take {of_assets:.1f} s, {of_assets / of_all:.0%} of all assets.",
        "",
        f"Medians of {rounds} runs, duckdb {duckdb.__version__}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measures, and writes where it is asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="sessions")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    figures = measure(options.rows, options.rounds)
    print(figures)
    if options.write:
        write("spend", figures)


if __name__ == "__main__":
    main()
