"""How long an import takes: a million conversions into an empty database, over half of them changed, and once more.

`python importing.py` (with .venv's Python) runs `attribution import` as a process of its own, several times; `--write` puts the
figures into docs/benchmarks.md. The full database was prepared by a run: it has every index.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import duckdb
from document import write

from attribution_assets.warehouse import SQLiteWarehouse

PROJECT = Path(__file__).resolve().parents[1]
COMMAND = PROJECT / ".venv" / "bin" / "attribution"
FOLDER = PROJECT / "data" / "benchmarks"

ROWS = """
SELECT md5(i::VARCHAR) AS conv_id, md5((i % {users})::VARCHAR) AS user_id,
    (DATE '2023-09-01' + (i % 90)::INTEGER)::VARCHAR AS conv_date,
    strftime(TIMESTAMP '2023-09-01' + to_seconds(hash(i) % 86400), '%H:%M:%S') AS conv_time,
    round(hash(i + 1) % 20000 / 100 + CASE WHEN {changed} THEN 1 ELSE 0 END, 2) AS revenue
FROM range({count}) AS rows (i) ORDER BY hash(i + {order})
"""
"""Conversions of 90 days with ids of 32 hex digits, the same ones every time, in one random order or another."""


class Measured(NamedTuple):
    """What a process took."""

    wall: float
    cpu: float
    megabytes: float


def write_csv(file: Path, count: int, changed: str, order: int) -> Path:
    """Writes the conversions; in those that meet the condition, the revenue is another."""
    with duckdb.connect() as connection:
        rows = ROWS.format(users=max(count // 3, 1), count=count, changed=changed, order=order)
        connection.sql(rows).write_csv(str(file))
    return file


def imported(file: Path, database: Path) -> Measured:
    """Imports the file by the command."""
    began = time.perf_counter()
    process = subprocess.Popen([COMMAND, "import", "conversions", file, "--database", database], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"The import of {file} into {database} failed.")
    return Measured(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def measure(count: int, rounds: int) -> str:
    """The figures as markdown."""
    runs: dict[str, list[Measured]] = defaultdict(list)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=FOLDER) as name:
        folder = Path(name)
        first = write_csv(folder / "first.csv", count, changed="false", order=0)
        second = write_csv(folder / "second.csv", count, changed="i % 2 = 0", order=7)
        for number in range(rounds):
            full = folder / f"{number}.db"
            runs["into an empty database"].append(imported(first, full))
            SQLiteWarehouse(full).prepare()
            runs["over the same rows, half of them changed"].append(imported(second, full))
            runs["the same file again"].append(imported(second, full))
            full.unlink()
    lines = [f"| {count:,} conversions from CSV | wall | CPU | peak memory |", "|---|---|---|---|"]
    for what, measured in runs.items():
        wall, cpu, megabytes = (statistics.median(values) for values in zip(*measured, strict=True))
        lines.append(f"| {what} | {wall:.1f} s | {cpu:.1f} s | {megabytes:,.0f} MB |")
    return "\n".join([*lines, "", f"Medians of {rounds} runs, duckdb {duckdb.__version__}."])


def main() -> None:
    """Measures, and writes where it is asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    figures = measure(options.rows, options.rounds)
    print(figures)
    if options.write:
        write("importing", figures)


if __name__ == "__main__":
    main()
