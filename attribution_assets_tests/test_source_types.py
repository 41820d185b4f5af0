"""Whatever types, collations and further columns a user declares, every figure is what plain Python makes of the text."""

from __future__ import annotations

import json
import random
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from attribution_assets.analysis.comparison import report_paths
from attribution_assets.command.cli import main
from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import Days, Query, schema
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import OPTIONAL_SOURCES
from attribution_assets.warehouse.views import Reading
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.warehouse.any_database import computed

DAYS = ("2023-09-01", "2023-09-10")
MODELS = ("ihc", "last_touch", "markov")
"""One of each kind: all read the same rows of the sources."""

CHOICES: dict[str, Any] = {"models": MODELS, "lookback_days": 3, "start_date": DAYS[0], "end_date": DAYS[1]}
VARIABLES = {
    "ATTRIBUTION_MODELS": ",".join(MODELS),
    "ATTRIBUTION_LOOKBACK_DAYS": "3",
    "ATTRIBUTION_START_DATE": DAYS[0],
    "ATTRIBUTION_END_DATE": DAYS[1],
}
Row = tuple[Any, ...]

NAMES = sorted({name for table in schema().values() for name in table.column_names})
"""The names of all columns that there are."""

TEXTS = {column.name for table in schema().values() for column in table.columns if column.type == "text"}


def sources() -> tuple[list[Row], list[Row], list[Row]]:
    """Sessions, costs and conversions of 30 users over ten days: ids are digits, names differ in case, times have fractions."""
    chance = random.Random(4)
    channels = ("Email", "email", "Ads", "Paid > Search", "Café")

    def moment() -> tuple[str, str]:
        at = datetime(2023, 9, 1) + timedelta(seconds=chance.randrange(10 * 86_400))
        return at.date().isoformat(), at.time().isoformat() + chance.choice(["", "", ".5", ".500", ".000"])

    sessions = [
        (
            str(number),
            str(chance.randrange(1, 31)),
            *moment(),
            chance.choice(channels),
            *(chance.randrange(2) for _ in range(3)),
        )
        for number in range(1, 301)
    ]
    costs = [(session[0], chance.randrange(1, 500) / 100) for session in sessions if chance.random() < 0.7]
    conversions = [
        (str(number), str(chance.randrange(1, 31)), *moment(), chance.randrange(100, 20_000) / 100)
        for number in range(501, 561)
    ]
    return sessions, costs, conversions


SESSIONS, COSTS, CONVERSIONS = sources()

DECLARED: dict[str, dict[str, str]] = {
    "as sql/ declares them": {},
    "dates and times by type": {"event_date": "DATE", "event_time": "TIME", "conv_date": "DATE", "conv_time": "TIME"},
    "dates and times as moments": {
        "event_date": "DATETIME", "event_time": "TIMESTAMP", "conv_date": "TIMESTAMP", "conv_time": "DATETIME"
    },
    "everything STRING": dict.fromkeys(NAMES, "STRING"),
    "no types": dict.fromkeys(NAMES, ""),
    "integer ids": {"session_id": "INTEGER", "user_id": "INTEGER", "conv_id": "INTEGER"},
    "integer keys": {"session_id": "INTEGER PRIMARY KEY", "conv_id": "INTEGER PRIMARY KEY"},
    "users text here and integer there": {"conversions.user_id": "INTEGER"},
    "sessions text here and integer there": {"session_costs.session_id": "BIGINT"},
    "a collation of channels": {"channel_name": "text COLLATE NOCASE"},
    "a collation of all text": dict.fromkeys(TEXTS, "varchar(40) COLLATE NOCASE"),
    "numbers as decimals": {"revenue": "DECIMAL(10, 2)", "cost": "NUMERIC", "holder_engagement": "BOOLEAN"},
}  # fmt: skip


def fill(shop: Shop, declared: dict[str, str], further: Iterable[str] = ()) -> Shop:
    """The rows of `sources` in tables without keys or indexes, with these types and further columns."""
    for name, rows in (("session_sources", SESSIONS), ("session_costs", COSTS), ("conversions", CONVERSIONS)):
        columns = {
            column.name: declared.get(f"{name}.{column.name}", declared.get(column.name, column.type))
            for column in schema()[name].columns
        }
        taken = {column.lower() for column in columns}
        columns |= {column: "text DEFAULT 'another'" for column in further if column.lower() not in taken}
        shop.execute(f"DROP TABLE {name}")
        shop.execute(f"CREATE TABLE {name} ({', '.join(f'{column} {type_}' for column, type_ in columns.items())})")
        given = ", ".join(schema()[name].column_names)
        with closing(sqlite3.connect(shop.database)) as connection, connection:
            connection.executemany(f"INSERT INTO {name} ({given}) VALUES ({', '.join('?' * len(rows[0]))})", rows)
    return shop


def as_views(shop: Shop) -> Shop:
    """The same rows behind views whose ids are glued together, so that no index finds them."""
    fill(shop, {})
    for name in ("session_sources", "session_costs", "conversions"):
        columns = ", ".join(
            f"substr(part || '.' || {column.name}, 3) AS {column.name}" if column.name.endswith("_id") else column.name
            for column in schema()[name].columns
        )
        shop.execute(f"ALTER TABLE {name} RENAME TO kept_{name}")
        shop.execute(f"ALTER TABLE kept_{name} ADD COLUMN part text DEFAULT 'x'")
        shop.execute(f"CREATE VIEW {name} AS SELECT {columns} FROM kept_{name}")
    return shop


VARIANTS: dict[str, Callable[[Shop], Shop]] = {
    **{name: partial(fill, declared=declared) for name, declared in DECLARED.items()},
    "further columns of every name": lambda shop: fill(shop, {}, further=NAMES),
    "views that no index serves": as_views,
}

TELLING = ("as sql/ declares them", "integer keys", "a collation of all text", *list(VARIANTS)[-2:])
"""Those of which the others are variations."""


def run(shop: Shop, engine: str) -> None:
    computed(shop.settings(**CHOICES, compute=engine), Days(*DAYS))


# By plain Python ------------------------------------------------------------------------------------------------------


def instant(day: str, time: str) -> datetime:
    return datetime.fromisoformat(f"{day} {time.ljust(12, '0') if '.' in time else time}")


def journeys() -> dict[str, list[Row]]:
    """By conversion, the sessions of its user before it, at most three days earlier by date, in order of time."""
    found = {}
    for conv_id, user, day, time, _ in CONVERSIONS:
        earliest = datetime.fromisoformat(day) - timedelta(days=3)
        reached = [
            session for session in SESSIONS if session[1] == user and earliest <= instant(*session[2:4]) < instant(day, time)
        ]
        if reached:
            found[conv_id] = sorted(reached, key=lambda session: (instant(*session[2:4]), session[0]))
    return found


def costs_by_channel() -> dict[tuple[str, str], tuple[int, float]]:
    sessions: Counter[tuple[str, str]] = Counter()
    spent: defaultdict[tuple[str, str], float] = defaultdict(float)
    paid: dict[str, float] = dict(COSTS)
    for session_id, _, day, _, channel, *_ in SESSIONS:
        sessions[day, channel] += 1
        spent[day, channel] += paid.get(session_id, 0)
    return {key: (count, round(spent[key], 6)) for key, count in sessions.items()}


def last_touch_revenue() -> dict[str, float]:
    """By channel, the revenue of the conversions whose journey ends with it."""
    revenue = {conversion[0]: conversion[4] for conversion in CONVERSIONS}
    earned: defaultdict[str, float] = defaultdict(float)
    for conv_id, sessions in journeys().items():
        earned[sessions[-1][4]] += revenue[conv_id]
    return {channel: round(total, 6) for channel, total in earned.items()}


def paths() -> int:
    """How many journeys there are: those of conversions, and for each user what comes after the last conversion."""
    without = 0
    for user in {session[1] for session in SESSIONS}:
        bought = [instant(*conversion[2:4]) for conversion in CONVERSIONS if conversion[1] == user]
        seen = [instant(*session[2:4]) for session in SESSIONS if session[1] == user]
        without += max(seen) >= max(bought, default=datetime.min)
    return len(journeys()) + without


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Shop:
    """The tables as sql/ declares them, computed."""

    def compute(folder: Path) -> None:
        shop = fill(Shop(folder / "shop.db", folder / "exports"), {})
        run(shop, "sqlite")

    folder = templates.copy("plain types", compute, tmp_path_factory.mktemp("plain"))
    return Shop.at(folder / "shop.db", folder / "exports")


@pytest.mark.parametrize(
    ("variant", "engine"), [*((variant, "sqlite") for variant in VARIANTS), *((variant, "duckdb") for variant in TELLING)]
)
def test_every_figure_is_that_of_plain_python(variant: str, engine: str, shop: Shop, plain: Shop) -> None:
    VARIANTS[variant](shop)

    run(shop, engine)

    found = {(row[0], row[1]) for row in shop.table("customer_journeys")}
    assert found == {(conv_id, session[0]) for conv_id, sessions in journeys().items() for session in sessions}
    costs = {(day, channel): (count, round(cost, 6)) for day, channel, count, cost in shop.table("channel_costs")}
    assert costs == costs_by_channel()
    by_channel = shop.execute(
        "SELECT channel_name, round(sum(revenue), 6) FROM model_reporting "
        "WHERE model = 'last_touch' AND date_basis = 'conversion' AND orders > 0 GROUP BY channel_name"
    )
    assert dict(by_channel) == pytest.approx(last_touch_revenue())
    assert shop.results() == plain.results()


COMMANDS = ("compare", "paths", "explain --conversion 501", "explain --date 2023-09-05 --channel Email")


def said(shop: Shop, command: str) -> Any:
    arguments = [*command.split(), "--database", str(shop.database), "--json"]
    result = CliRunner().invoke(main, arguments, env={**VARIABLES, "DAGSTER_HOME": str(shop.database.parent / "home")})
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def said_of_plain(plain: Shop, templates: Templates, tmp_path: Path) -> dict[str, Any]:
    """What each command says of the tables as sql/ declares them."""

    def ask(folder: Path) -> None:
        (folder / "said.json").write_text(json.dumps({command: said(plain, command) for command in COMMANDS}))

    file = templates.copy("said of plain types", ask, tmp_path / "plain") / "said.json"
    return dict(json.loads(file.read_text()))


@pytest.mark.parametrize("variant", TELLING)
def test_every_command_says_the_same(variant: str, shop: Shop, said_of_plain: dict[str, Any]) -> None:
    VARIANTS[variant](shop)

    said(shop, "run")

    assert {command: said(shop, command) for command in COMMANDS} == said_of_plain
    assert not [finding for finding in said(shop, "check") if finding["blocking"] and finding["offending"]]


def test_all_journeys_are_counted(plain: Shop) -> None:
    rows = report_paths(plain.settings(**CHOICES), Days(*DAYS))

    lengths = rows[rows["section"] == "length"]

    assert lengths["journeys"].sum() == paths()


# How rows are found ---------------------------------------------------------------------------------------------------

QUERIES = sorted(
    path.stem
    for path in sql_folder().glob("*.sql")
    if path.stem not in ("challenge_db_create", "optional_sources", "ihc_ledger", "seen_days")
)


def read_whole(shop: Shop) -> set[tuple[str, str]]:
    """Each query that reads all rows of a source, with the source; of the sources that are required."""
    found = set()
    broken_down = replace(shop.warehouse, reading=Reading(breakdowns=("market",)))
    with broken_down.connect() as connection:
        for query in (query for query in QUERIES if not reads(Query(query).text).tables.keys() & {*OPTIONAL_SOURCES}):
            text = Query(query).text
            values = {name: 1 if name.endswith(("days", "count")) else f'"{DAYS[0]}"' for name in reads(text).parameters}
            for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {text}", values):
                if scan := re.match(r"SCAN (?:main\.)?(session_sources|session_costs|conversions)\b(?! USING INDEX)", step):
                    found.add((query, scan[1]))
    return found


@pytest.mark.parametrize("variant", DECLARED)
def test_indexes_find_rows_whatever_is_declared(variant: str, shop: Shop, plain: Shop) -> None:
    fill(shop, DECLARED[variant])

    shop.warehouse.prepare()

    assert read_whole(shop) == read_whole(plain)


def test_a_view_that_no_index_serves_is_read_once_for_a_query(shop: Shop) -> None:
    as_views(shop).warehouse.prepare()

    with shop.warehouse.connect() as connection:
        asked = {"first_day": DAYS[0], "last_day": DAYS[1], "lookback_days": 3, "include_converting_session": 0, "nobody": "[]"}
        steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {Query('customer_journeys').text}", asked)]

    assert steps.count("SCAN kept_session_sources") == 1
    assert any(re.match(r"SEARCH \w+ USING AUTOMATIC .*\(user_id=\?", step) for step in steps)


def test_indexes_follow_a_type_that_changes(shop: Shop) -> None:
    fill(shop, {}).warehouse.prepare()
    shop.execute("DROP TABLE conversions")
    shop.execute(
        "CREATE TABLE conversions (conv_id INTEGER PRIMARY KEY, user_id INT, conv_date DATE, conv_time TIME, revenue real)"
    )

    shop.warehouse.prepare()
    before = shop.database.read_bytes()
    shop.warehouse.prepare()

    [(by_date,)] = shop.execute("SELECT sql FROM sqlite_master WHERE name = 'conversions_by_date'")
    assert by_date.endswith("(CAST(conv_date AS text) COLLATE BINARY)")
    assert shop.database.read_bytes() == before
