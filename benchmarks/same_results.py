"""Whether two checkouts compute the same: runs their `attribution` commands as a user would and compares all that comes out."""

import argparse
import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import product, zip_longest
from pathlib import Path
from typing import Any

BOOKKEEPING = {"seen_days", "attribution_meta"}  # tables that say how results came about; they may differ
SENTENCES = {"sentence", "notes", "because"}  # what people read under these keys may be worded otherwise
RENAMED = {"channel_name": "channel", "date": "day", "ihc": "orders", "ihc_revenue": "revenue"}  # keys of JSON as once written
FOREIGN = ("ATTRIBUTION_", "IHC_", "DAGSTER_", "PYTHONPATH", "PYTHONHOME")  # of the environment, left out
COMMAND = Path(".venv", "bin", "attribution")
SHOWN_ROWS, SHOWN_DIFFERENCES = 5, 20
CELLS = ("true ORDER BY ihc_revenue", "true ORDER BY cost", "ihc = 0 ORDER BY cost")
CONVERSIONS = (
    "conversions ORDER BY revenue DESC",
    "customer_journeys GROUP BY conv_id ORDER BY count(*) DESC",
    "conversions WHERE conv_id NOT IN (SELECT conv_id FROM customer_journeys) ORDER BY revenue DESC",
)


class Side:
    """A checkout in a case: its folders, its commands without any settings but the case's, and how long they take."""

    def __init__(self, checkout: Path, folder: Path, settings: dict[str, str]) -> None:
        """Make the folder where the commands run; DAGSTER_HOME is made by them."""
        self.command, self.work, self.seconds = str(checkout / COMMAND), folder / "work", 0.0
        self.work.mkdir(parents=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self.environment = clean | settings | {"DAGSTER_HOME": str(folder / "home"), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a command; in what it prints, `<folder>` stands for the side's folder."""
        began, command = time.monotonic(), [self.command, *arguments, "--database", "shop.db"]
        done = subprocess.run(command, cwd=self.work, env=self.environment, capture_output=True, text=True, check=False)
        self.seconds += time.monotonic() - began
        done.stdout = done.stdout.replace(str(self.work.parent), "<folder>")
        return done


@dataclass
class Findings:
    """What came out of a case: differences, notes by kind, and how much was compared."""

    differences: list[str] = field(default_factory=list)
    notes: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    counts: Counter[str] = field(default_factory=Counter)

    def compare_names(self, what: str, before: set[str], after: set[str]) -> list[str]:
        """Say what only one side has, and return what both have."""
        self.differences += [f"{what}: {name} only before" for name in sorted(before - after)]
        self.differences += [f"{what}: {name} only after" for name in sorted(after - before)]
        return sorted(before & after)


def compare_values(found: Findings, where: str, key: str, before: Any, after: Any) -> None:
    """Compare two JSON values that are not both objects or both lists."""
    found.counts["JSON values"] += 1
    both = f"{where}: {before!r} before, {after!r} after"
    if repr(before) == repr(after):
        return
    if key in SENTENCES and before and after and type(before) is type(after) is str:
        numbers = [re.findall(r"\d+(?:[.,]\d+)*", sentence) for sentence in (before, after)]
        found.notes[f"{key} worded otherwise{'' if numbers[0] == numbers[1] else ', with OTHER NUMBERS'}"].append(both)
    elif {type(before), type(after)} <= {int, float} and math.isclose(before, after, rel_tol=1e-12):
        found.notes["numbers that differ in their last bits"].append(both)
    else:
        found.differences.append(both)


def in_present_keys(told: Any) -> Any:
    """What a command printed as JSON, with the keys that it has today."""
    if isinstance(told, list):
        return [in_present_keys(item) for item in told]
    if not isinstance(told, dict):
        return told
    renamed = {key.lower().replace(" ", "_"): item for key, item in told.items()}
    if {"ihc_revenue", "revenue"} <= renamed.keys():
        renamed["conversion_revenue"] = renamed.pop("revenue")
    if isinstance(renamed.get("days"), list):
        renamed["start"], renamed["end"] = renamed.pop("days")
    offending = {key: renamed[key] for key in ("rows", "not_yet") if key in renamed}  # columns, not our keys
    return {RENAMED.get(key, key): in_present_keys(item) for key, item in renamed.items()} | offending


def compare_json(found: Findings, where: str, before: Any, after: Any, key: str = "") -> None:
    """Compare two JSON trees: same keys, same order of lists, same values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in found.compare_names(f"{where}, keys", set(before), set(after)):
            if not (key == "last_run" and name in ("id", "seconds")):
                compare_json(found, f"{where}.{name}", before[name], after[name], name)
    elif isinstance(before, list) and isinstance(after, list):
        if len(before) != len(after):
            human = key in SENTENCES and before and after
            unequal = found.notes[f"{key} of another number of sentences"] if human else found.differences
            unequal.append(f"{where}: {len(before)} items before, {len(after)} after")
        for place, (left, right) in enumerate(zip(before, after, strict=False)):
            compare_json(found, f"{where}[{place}]", left, right, key)
    else:
        compare_values(found, where, key, before, after)


def open_database(work: Path) -> sqlite3.Connection:
    """Open a side's SQLite file, only to be read, whatever bytes its texts have."""
    connection = sqlite3.connect(f"{(work / 'shop.db').as_uri()}?mode=ro", uri=True)
    connection.text_factory = lambda text: text.decode("utf-8", "surrogateescape")
    return connection


def compare_rows(found: Findings, what: str, before: sqlite3.Connection, after: sqlite3.Connection, query: str) -> None:
    """Compare the rows of a query exactly, types and last bits too; another order of the same rows is a note."""
    if all(left == right for left, right in zip_longest(*(map(repr, side.execute(query)) for side in (before, after)))):
        return
    rows, others = (Counter(map(repr, side.execute(query))) for side in (before, after))
    gone, come = sorted((rows - others).elements()), sorted((others - rows).elements())
    if not gone and not come:
        found.notes["the same rows in another order"].append(what)
        return
    shown = [*(f"- {row}" for row in gone[:SHOWN_ROWS]), *(f"+ {row}" for row in come[:SHOWN_ROWS])]
    heading = f"{what}: {len(gone):,} rows only before (-), {len(come):,} only after (+), the first of them:"
    found.differences.append("\n      ".join([heading, *shown]))


def compare_databases(found: Findings, when: str, before: sqlite3.Connection, after: sqlite3.Connection) -> None:
    """Compare which tables and views there are, their declared columns and their rows."""
    query = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*'"
    ours, theirs = ({name for (name,) in side.execute(query)} for side in (before, after))
    for name in sorted((ours ^ theirs) & BOOKKEEPING):
        found.notes[f"table {name} only {'before' if name in ours else 'after'}"].append(when)
    shared = found.compare_names(f"{when}, tables", ours - BOOKKEEPING, theirs - BOOKKEEPING)
    found.counts["tables"], found.counts["rows"] = len(shared), 0
    for name in shared:
        found.counts["rows"] += before.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
        compare_rows(found, f"{when}, columns of {name}", before, after, f"SELECT * FROM pragma_table_xinfo('{name}')")
        compare_rows(found, f"{when}, table {name}", before, after, f'SELECT * FROM "{name}"')


def compare_files(found: Findings, when: str, before: Path, after: Path) -> None:
    """Compare all CSV files byte for byte."""
    files = [{str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.csv")} for folder in (before, after)]
    shared = found.compare_names(f"{when}, files", set(files[0]), set(files[1]))
    found.counts["CSV files"] = len(shared)
    for name in shared:
        lines = enumerate(zip_longest(*(side[name].splitlines(keepends=True) for side in files)), 1)
        others = [f"line {number}:\n      - {left!r}\n      + {right!r}" for number, (left, right) in lines if left != right]
        found.differences += [f"{when}, {name}, {len(others):,} lines, first {line}" for line in others[:1]]


def compare_command(found: Findings, sides: list[Side], arguments: list[str]) -> bool:
    """Run a command on both sides, compare exit codes and, with `--json`, what is printed; say whether both succeeded."""
    found.counts["commands"] += 1
    told, (before, after) = " ".join(arguments), (side.run(arguments) for side in sides)
    codes = f"exit code {before.returncode} before, {after.returncode} after"
    said = f"\n      before: {before.stderr.strip()[-500:]}\n      after: {after.stderr.strip()[-500:]}"
    if before.returncode != after.returncode:
        found.differences.append(f"{told}: {codes}{said}")
    elif before.returncode:
        found.notes[codes].append(told)
    if "--json" in arguments:
        try:
            compare_json(found, told, *(in_present_keys(json.loads(side.stdout)) for side in (before, after)))
        except json.JSONDecodeError as error:
            found.differences.append(f"{told}: no JSON ({error}){said if before.returncode == after.returncode else ''}")
    return not before.returncode and not after.returncode


def commands(work: Path, sessions: int | None) -> Iterator[list[str]]:
    """Make the data, run, ask for cells and conversions of the database as it is then, and run the days in the middle again."""
    if sessions is not None:
        yield ["sample-data", "--end", "2023-09-30", "--sessions", str(sessions)]
    yield ["run", "--exports", "exports", "--json"]
    with closing(open_database(work)) as connection:
        query = "SELECT date, channel_name FROM channel_reporting WHERE {} DESC, date, channel_name LIMIT 1"
        cells = [row for those in CELLS for row in connection.execute(query.format(those))]
        ids = [row for those in CONVERSIONS for row in connection.execute(f"SELECT conv_id FROM {those}, conv_id LIMIT 1")]
        days = [day for (day,) in connection.execute("SELECT DISTINCT conv_date FROM conversions ORDER BY 1")]
    explained = [["--date", date, "--channel", channel] for date, channel in dict.fromkeys(cells)]
    explained += [["--conversion", conversion] for (conversion,) in dict.fromkeys(ids)]
    yield from [["check", "--json"], ["status", "--json"], *(["explain", *what, "--json"] for what in explained)]
    yield from [["compare", "--csv", "compare.csv", "--json"], ["paths", "--csv", "paths.csv", "--json"]]
    few = days[len(days) // 2 :][:3]
    yield ["run", "--exports", "exports", "--start", few[0], "--end", few[-1], "--json"]


def run_case(sides: list[Side], challenge: Path, sessions: int | None) -> Findings:
    """Do and compare everything; data that cannot be made and a run that fails end the case."""
    found = Findings()
    for side in sides if sessions is None else []:
        shutil.copyfile(challenge, side.work / "shop.db")
    for arguments in commands(sides[0].work, sessions):
        succeeded, when = compare_command(found, sides, arguments), f"after {' '.join(arguments)}"
        if arguments[0] in ("sample-data", "run"):
            if not succeeded:
                found.differences.append(f"{when}: it did not succeed on both sides, so nothing else was compared")
                return found
            with closing(open_database(sides[0].work)) as before, closing(open_database(sides[1].work)) as after:
                compare_databases(found, when, before, after)
            compare_files(found, when, sides[0].work, sides[1].work)
    return found


def run_fresh(name: str, options: argparse.Namespace, sessions: int | None, settings: dict[str, str]) -> bool:
    """Run a case in a new folder, again if midnight (UTC) passed, which moves the last day; print and say if all is same."""
    day, folder = time.gmtime().tm_yday, Path(tempfile.mkdtemp(prefix=f"{name}-", dir=options.scratch.resolve()))
    sides = [Side(options.before, folder / "before", settings), Side(options.after, folder / "after", settings)]
    found = run_case(sides, options.challenge, sessions)
    if not options.keep:
        shutil.rmtree(folder)
    if day != time.gmtime().tm_yday:
        return run_fresh(name, options, sessions, settings)
    report(f"{name} in {folder}" if options.keep else name, found, [side.seconds for side in sides])
    return not found.differences


def report(name: str, found: Findings, seconds: list[float]) -> None:
    """Print one line that says what was compared, then the first differences, and what was noted."""
    compared = ", ".join(f"{number:,} {what}" for what, number in found.counts.items())
    print(f"{len(found.differences) or 'no'} differences in {name}: {compared}; {seconds[0]:.0f} + {seconds[1]:.0f} s")
    notes = [f"note: {len(examples):,} x {kind}, as {examples[0]}" for kind, examples in found.notes.items()]
    print("".join(f"    {told}\n" for told in [*found.differences[:SHOWN_DIFFERENCES], *notes]), end="", flush=True)


def main() -> int:
    """Compare the checkouts in all cases that `--only` lets through; without any, nothing is proved."""
    parser = argparse.ArgumentParser(description=__doc__)
    for side in ("--before", "--after"):
        parser.add_argument(side, type=lambda path: Path(path).absolute(), required=True, help="a checkout with its .venv")
    parser.add_argument("--scratch", type=Path, default=tempfile.gettempdir(), help="where the cases get folders")
    parser.add_argument("--challenge", type=Path, default=Path("../shared/real/challenge/challenge.db"))
    parser.add_argument("--sessions", type=int, nargs="*", default=[20_000, 100_000], help="sizes of the sample data")
    parser.add_argument("--only", default="", metavar="NAME", help="only cases whose name contains this")
    parser.add_argument("--keep", action="store_true", help="keep the cases' folders")
    options, same = parser.parse_args(), []
    for command in (options.before / COMMAND, options.after / COMMAND):
        if not command.is_file():
            parser.error(f"There is no {command}.")
        if str(command.parents[2]) not in command.read_text(errors="replace"):
            print(f"Beware: {command} does not name its checkout and may run the code of another.")
    options.scratch.mkdir(parents=True, exist_ok=True)
    for sessions, models, compute in product([None, *options.sessions], ("unset", "all"), ("sqlite", "duckdb")):
        name = f"{f'sample-{sessions}' if sessions else 'challenge'}-{models}-{compute}"
        settings = {"ATTRIBUTION_COMPUTE": compute} | ({} if models == "unset" else {"ATTRIBUTION_MODELS": models})
        if options.only in name and not sessions and not options.challenge.is_file():
            print(f"skipped {name}: there is no {options.challenge}")
        elif options.only in name:
            same.append(run_fresh(name, options, sessions, settings))
    print(f"{sum(same)} of {len(same)} cases are the same")
    return 0 if same and all(same) else 1


if __name__ == "__main__":
    raise SystemExit(main())
