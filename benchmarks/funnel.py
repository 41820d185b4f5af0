"""How long the funnel takes: `attribution run --groups funnel` beside the same tables by hand, DuckDB from Parquet to Parquet.

`python funnel.py` (with .venv's Python) makes a database of 90 days below data/benchmarks, if it is not there yet, and runs
both as processes of their own, one after another, several times; `--write` puts the figures into docs/benchmarks.md. CPU is
that of the process and all that it started, and memory that of the largest of them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
from document import write
from funnel_by_hand import TOTALS

from attribution_assets.warehouse import schema

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = PROJECT / ".venv" / "bin" / "attribution"
FOLDER = PROJECT / "data" / "benchmarks"

DAYS, LAST = 90, date(2026, 3, 31)
FIRST = LAST - timedelta(days=DAYS - 1)
EVENTS_PER_SESSION, SESSIONS_PER_USER, PRODUCTS = 6.25, 5, 500
ROWS_AT_ONCE = 200_000

FIRST_RUN, AGAIN, ONE_DAY, BY_HAND = "the first run", "the same again", "one day", "by hand: DuckDB, Parquet to Parquet"
SOURCES = {
    "session_sources": f"""
        SELECT md5('session' || i) AS session_id, md5('user' || hash(i, 1) % {{users}}) AS user_id,
            strftime(began_at, '%Y-%m-%d') AS event_date, strftime(began_at, '%H:%M:%S') AS event_time,
            ['Direct', 'Search', 'Social', 'Email', 'Display'][CAST(hash(i, 2) % 5 + 1 AS bigint)] AS channel_name,
            1 AS holder_engagement, 1 AS closer_engagement, 0 AS impression_interaction, i, began_at,
            CAST(1 + hash(i, 3) % 10 AS bigint) AS views, hash(i, 4) % 100 < 40 AS adds, hash(i, 5) % 100 < 7 AS buys
        FROM (
            SELECT i, TIMESTAMP '{FIRST}' + to_seconds(CAST(floor(i * {DAYS * 86_400} / {{sessions}}) AS bigint)) AS began_at
            FROM range({{sessions}}) AS rows (i)
        )
        ORDER BY i""",
    "events": f"""
        WITH event AS (
            SELECT session_id, user_id, 'page_view' AS event_type, began_at + to_seconds(place * 40) AS happened_at,
                CASE WHEN hash(i, place) % 5 > 0 THEN 'P' || hash(i, place, 1) % {PRODUCTS} END AS product_id, NULL AS order_id
            FROM session_sources, range(views) AS views (place)
            UNION ALL
            SELECT session_id, user_id, 'add_to_cart', began_at + to_seconds(views * 40),
                'P' || hash(i, 0, 1) % {PRODUCTS}, NULL
            FROM session_sources WHERE adds
            UNION ALL
            SELECT session_id, user_id, 'checkout', began_at + INTERVAL 10 MINUTES, NULL, md5('order' || i)
            FROM session_sources WHERE buys
            UNION ALL
            SELECT session_id, user_id, 'package_shipped', began_at + to_hours(CAST(2 + hash(i, 6) % 90 AS bigint)), NULL,
                md5('order' || i)
            FROM session_sources WHERE buys
        )
        SELECT md5(session_id || event_type || happened_at) AS event_id, session_id, user_id, event_type,
            strftime(happened_at, '%Y-%m-%d %H:%M:%S') AS created_at,
            'https://shop.example/' || coalesce(product_id, '') AS page_url, product_id, order_id
        FROM event WHERE happened_at < DATE '{LAST}' + INTERVAL 1 DAY
        ORDER BY happened_at, event_id""",
    "conversions": f"""
        SELECT md5('order' || i) AS conv_id, user_id, strftime(began_at + INTERVAL 10 MINUTES, '%Y-%m-%d') AS conv_date,
            strftime(began_at + INTERVAL 10 MINUTES, '%H:%M:%S') AS conv_time, hash(i, 7) % 20000 / 100 AS revenue
        FROM session_sources WHERE buys AND began_at < TIMESTAMP '{LAST} 23:50:00'
        ORDER BY i""",
    "order_items": f"""
        SELECT DISTINCT md5('order' || i) AS order_id, 'P' || hash(i, place, 1) % {PRODUCTS} AS product_id, 1 AS quantity
        FROM session_sources, range(1 + i % 3) AS items (place) WHERE buys AND began_at < TIMESTAMP '{LAST} 23:50:00'
        ORDER BY ALL""",
    "products": f"SELECT 'P' || i AS product_id, 'Product ' || i AS name FROM range({PRODUCTS}) AS rows (i)",
}
"""By source, its rows: a session has one to ten views, then products in the cart, an order and a package, or not."""

ASSET = re.compile(r"^(\w+): [\d,]+ (?:rows|checks) in ([\d.]+) s$", flags=re.MULTILINE)


class Measured(NamedTuple):
    """What a process took, with the seconds of each asset as it prints them."""

    wall: float
    cpu: float
    megabytes: float
    assets: dict[str, float]


def database(events: int) -> Path:
    """The database of about so many events, made if it is not there yet; beside it a folder with the same rows as Parquet."""
    path = FOLDER / f"funnel_{events}.db"
    folder, done = path.with_suffix(""), path.with_suffix(".done")
    if done.exists():
        return path
    path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sessions = round(events / EVENTS_PER_SESSION)
    print(f"making {path.name} ...", flush=True)
    with duckdb.connect() as duck, closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA journal_mode = off; PRAGMA synchronous = off; PRAGMA cache_size = -2000000;")
        connection.execute("BEGIN")
        for name, select in SOURCES.items():
            file = folder / f"{name}.parquet"
            duck.execute(f"CREATE TABLE {name} AS {select.format(sessions=sessions, users=sessions // SESSIONS_PER_USER)}")
            made = duck.table(name).columns
            there = [column.name for column in schema()[name].columns if column.name in made]
            columns, values = ", ".join(there), ", ".join("?" * len(there))
            duck.execute(f"COPY (SELECT {columns} FROM {name}) TO '{file}' (FORMAT parquet)")
            connection.execute(schema()[name].create)
            rows = duck.execute(f"SELECT {columns} FROM '{file}'")
            while batch := rows.fetchmany(ROWS_AT_ONCE):
                connection.executemany(f"INSERT INTO {name} ({columns}) VALUES ({values})", batch)
        connection.execute("COMMIT")
    done.touch()
    return path


def measure(command: list[str | Path], told: Path, **settings: str) -> Measured:
    """Runs the command; what it prints goes to the files `told` and `told`.json."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ATTRIBUTION_", "IHC_", "DAGSTER_"))}
    with told.open("w") as stderr, told.with_suffix(".json").open("w") as stdout:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=kept | settings)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    text = told.read_text(encoding="utf-8")
    if status:
        raise SystemExit(f"{' '.join(map(str, command))} failed: {text}")
    assets = {name: float(seconds) for name, seconds in ASSET.findall(text)}
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3, assets)


def measure_all(events: int, rounds: int, settings: dict[str, str]) -> dict[str, list[Measured]]:
    """The runs and the tables by hand, `rounds` times one after another. Stops where the totals differ."""
    source, work = database(events), FOLDER / "funnel_work"
    runs: dict[str, list[Measured]] = defaultdict(list)
    given = {"ATTRIBUTION_START_DATE": FIRST.isoformat(), "ATTRIBUTION_END_DATE": LAST.isoformat(), **settings}
    given |= {"DAGSTER_HOME": str(work / "history")}
    command: list[str | Path] = [COMMAND, "run", "--json", "--groups", "funnel", "--database", work / "work.db"]
    day = ["--start", LAST.isoformat(), "--end", LAST.isoformat()]
    by_hand: list[str | Path] = [sys.executable, Path(__file__).with_name("funnel_by_hand.py"), source.with_suffix(""), work]
    for _ in range(rounds):
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        shutil.copyfile(source, work / "work.db")
        asked = {FIRST_RUN: command, BY_HAND: by_hand, AGAIN: command, ONE_DAY: [*command, *day]}
        for what, arguments in asked.items():
            measured = measure(arguments, work / "told", **({} if what == BY_HAND else given))
            runs[what].append(measured)
            print(f"{events:>11,}  {what:<40}{measured.wall:8.2f} s {measured.cpu:8.2f} s of CPU", flush=True)
            if what == BY_HAND:
                _compare_totals(work / "work.db", json.loads((work / "told.json").read_text()))
    shutil.rmtree(work)
    return runs


def _compare_totals(path: Path, by_hand: dict[str, list[float]]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for name, sums in TOTALS.items():
            [ours] = connection.execute(f"SELECT {sums} FROM {name}")
            if not all(math.isclose(one, other, rel_tol=1e-9) for one, other in zip(ours, by_hand[name], strict=True)):
                raise SystemExit(f"{name} has {sums} = {ours}, but by hand they are {by_hand[name]}.")


def table(runs: dict[str, list[Measured]], events: int, rounds: int) -> str:
    """Medians of the whole processes, and what each asset took."""
    walls = {what: statistics.median(run.wall for run in measured) for what, measured in runs.items()}
    lines = [
        f"| about {events:,} events, {round(events / EVENTS_PER_SESSION):,} sessions | wall | by hand | CPU | peak memory |",
        "|---|---|---|---|---|",
    ]
    for what, measured in runs.items():
        cpu, megabytes = (statistics.median(values) for values in list(zip(*measured, strict=True))[1:3])
        times = f"{walls[what] / walls[BY_HAND]:.1f} x"
        label = what if what == BY_HAND else f"`attribution run --groups funnel`, {what}"
        lines.append(f"| {label} | {walls[what]:.1f} s | {times} | {cpu:.1f} s | {megabytes:,.0f} MB |")
    steps = (FIRST_RUN, AGAIN, ONE_DAY)
    lines += ["", f"| seconds of each asset and its checks | {' | '.join(steps)} |", "|---|---|---|---|"]
    for name in runs[FIRST_RUN][0].assets:
        cells = (f"{statistics.median(run.assets.get(name, 0) for run in runs[what]):.1f}" for what in steps)
        lines.append(f"| {name} | {' | '.join(cells)} |")
    of_runs = f"Medians of {rounds} runs, duckdb {duckdb.__version__}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} cores."
    return "\n".join([*lines, "", of_runs])


def main() -> None:
    """Measures, and writes where it is asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="events")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compute", default="auto", help="ATTRIBUTION_COMPUTE")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    runs = measure_all(options.rows, options.rounds, {"ATTRIBUTION_COMPUTE": options.compute})
    figures = table(runs, options.rows, options.rounds)
    print(figures)
    if options.write:
        write("funnel", figures)


if __name__ == "__main__":
    main()
