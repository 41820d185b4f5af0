"""Every query of sql/ gives the same rows on SQLite and on DuckDB, to the last bit, over whatever a database holds."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.analysis.crediting import model_rows, with_ihc
from attribution_assets.analysis.learning import channel_values
from attribution_assets.catalog.tables import CHECKS, parameters, query_of, table_named, tables
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.service import embedded_results
from attribution_assets.settings import Settings
from attribution_assets.shipped import read_sql, sql_folder
from attribution_assets.warehouse import Days, Frames, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import OPTIONAL_SOURCES
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets.warehouse.views import Reading
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.in_duckdb import in_duckdb
from attribution_assets_tests.warehouse.sound import BROKEN, REPORT_DAYS, sound_shop

NO_QUERIES = {"challenge_db_create", "optional_sources", "ihc_ledger", "seen_days"}
QUERIES = sorted({path.stem for path in sql_folder().glob("*.sql")} - NO_QUERIES)

GUARDS = [name for name in QUERIES if name.startswith("broken_")]

ASKED: dict[str, str | int | float] = {
    **REPORT_DAYS,
    "channel": "Email",
    "conv_id": "c1",
    "currency": "EUR",
    "date_basis": "session",
    "model": "linear",
    "rules": "rules",
    "settings": "hash",
    "tolerance_per_session": 0.00005,
}
"""The parameters of all queries: who adds one says here what it is."""

BROKEN_DOWN = Reading(breakdowns=("market", "conversions.market"))

Row = tuple[Any, ...]


def differences(
    warehouse: SQLiteWarehouse,
    lake: duckdb.DuckDBPyConnection,
    asked: Mapping[str, str | int | float],
    queries: Iterable[str] = QUERIES,
) -> dict[str, tuple[Any, Any]]:
    """By query, what SQLite and DuckDB answer, where it is not the same."""
    found = {}
    with warehouse.connect() as connection:
        connection.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")
        for name in queries:
            query = Query(name)
            given = {parameter: asked[parameter] for parameter in reads(query.text).parameters}
            one = _answer(connection.execute(query.text, given))
            other = _answer(lake.execute(query.text_in("duckdb"), given))
            if not _agree(name, one, other):
                found[name] = (one, other)
    return found


def _answer(cursor: sqlite3.Cursor | duckdb.DuckDBPyConnection) -> tuple[list[str], list[Row]]:
    return [column for column, *_ in cursor.description or []], cursor.fetchall()


def _agree(name: str, one: tuple[list[str], list[Row]], other: tuple[list[str], list[Row]]) -> bool:
    if name.startswith("digest_"):  # differs between engines, but not in its days
        return one[0] == other[0] and {day for day, _ in one[1]} == {day for day, _ in other[1]}
    is_ordered = re.search(r"^ORDER BY ", read_sql(name), re.MULTILINE)
    first, second = (
        [
            [_exactly(value, is_check=name.startswith("check_")) for value in row]
            for row in (rows if is_ordered else sorted(rows, key=str))
        ]
        for _, rows in (one, other)
    )
    return one[0] == other[0] and first == second


def _exactly(value: Any, *, is_check: bool) -> Any:
    """A value with its type, a number with its bits; of a check, which adds up without exact_total, to twelve digits.

    A text that stands where a number should is NaN on DuckDB.
    """
    if isinstance(value, float):
        return f"{value + 0.0:.11e}" if is_check else (value + 0.0).hex()  # -0.0 is 0.0
    if isinstance(value, str):
        return re.sub(r"( has \w+ )(?:'.*'|nan)(, which is not a (?:whole )?number)", r"\1NaN\2", value)
    return type(value), value


def computed(settings: Settings, days: Days) -> None:
    """Fills all tables of the days, on SQLite."""
    warehouse = settings.warehouse
    warehouse.prepare()
    for table in tables(settings):
        stored = schema().get(table.name)
        if stored is None:
            continue
        journeys = partial(warehouse.stream, schema()["customer_journeys"], "conv_date", days)
        match table.name:
            case "ihc_results":
                rows: Any = Frames(embedded_results(frame, IHCParameters.load("challenge"), None) for frame in journeys())
            case "channel_values":
                rows = values = channel_values(settings, days)
            case "model_attribution":
                shares = warehouse.stream(schema()["attribution_customer_journey"], "conv_date", days)
                rows = Frames(model_rows(settings, with_ihc(journeys(), shares), values))
            case "model_comparison" | "path_report":
                continue
            case _:
                rows = query_of(settings, table, days)
        warehouse.replace_days(stored, table.day_column, days, rows)


def asked_by(settings: Settings, days: Days) -> dict[str, str | int | float]:
    """The parameters of all queries for these days."""
    return {
        **ASKED,
        **parameters(settings, table_named("channel_reporting"), days),
        "first_session_day": "2023-08-01",
        "breakdowns": json.dumps([*settings.breakdowns]),
        "models": json.dumps([*settings.models]),
        "model_count": len(settings.models),
        "conv_id": "c1",
        "spend_wins": settings.spend_wins,
    }


def databases_agree(
    database: Path, reading: Reading, asked: Mapping[str, str | int | float], queries: Iterable[str] = QUERIES
) -> None:
    with in_duckdb(database, reading) as lake:
        assert differences(SQLiteWarehouse(database, reading=reading), lake, asked, queries) == {}


def looking_for(shop: Shop, *checks: str) -> list[str]:
    """All queries; where text stands for a number, which nothing but a guard tells from 0, guards and these checks alone."""
    warehouse = replace(shop.warehouse, reading=BROKEN_DOWN)
    problems = [row["problem"] for name in GUARDS for row in warehouse.rows(Query(name, ASKED))]
    return [*GUARDS, *checks] if any(re.search("number|0 or 1", problem) for problem in problems) else QUERIES


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which all results agree."""
    return sound_shop(tmp_path_factory.mktemp("template")).database


def test_every_query_is_asked_with_all_its_parameters() -> None:
    unknown = {name: reads(Query(name).text).parameters - ASKED.keys() for name in QUERIES}

    assert {name: of_query for name, of_query in unknown.items() if of_query} == {}


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_a_statement_of_duckdb(name: str, sound_lake: duckdb.DuckDBPyConnection) -> None:
    given = {parameter: ASKED[parameter] for parameter in reads(Query(name).text).parameters}

    columns, _ = _answer(sound_lake.execute(Query(name).text_in("duckdb"), given))

    assert len(columns) == len(set(columns)) > 0


@pytest.fixture(scope="module")
def sound_lake(template: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with in_duckdb(template, BROKEN_DOWN) as connection:
        yield connection


@pytest.mark.parametrize("conversions", ["tracked", "backend"])
def test_every_query_answers_alike_where_all_is_right(template: Path, conversions: Any) -> None:
    databases_agree(template, replace(BROKEN_DOWN, conversions=conversions), ASKED)


@pytest.mark.parametrize(("asset", "name"), BROKEN)
def test_every_query_finds_the_same_broken_rows(asset: str, name: str, template: Path, tmp_path: Path) -> None:
    shop = Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
    for statement in BROKEN[asset, name][0]:
        shop.execute(statement)

    [query] = {check.query for _, check in CHECKS if check.name == name}
    databases_agree(shop.database, BROKEN_DOWN, ASKED, looking_for(shop, query))


AWKWARD = {
    "sessions without what they need": [
        "UPDATE session_sources SET session_id = '' WHERE session_id = 's1'",
        "UPDATE session_sources SET event_time = '25:00:00', channel_name = 'it''s' WHERE session_id = 's2'",
        "UPDATE session_sources SET closer_engagement = 'yes' WHERE session_id = 's3'",
    ],
    "times in other spellings": [
        "UPDATE session_sources SET event_time = '10:00:00.500' WHERE session_id = 's1'",
        "UPDATE session_sources SET event_time = '12:00:00.0' WHERE session_id = 's2'",
        "UPDATE conversions SET conv_time = '10:00:00.' WHERE conv_id = 'c2'",
    ],
    "dates that are none": [
        "UPDATE session_sources SET event_date = '05/09/2023' WHERE session_id = 's1'",
        "UPDATE session_sources SET event_date = '1693900800.5' WHERE session_id = 's2'",
        "UPDATE session_sources SET event_date = '1969-12-31' WHERE session_id = 's3'",
        "UPDATE conversions SET conv_date = '2023-02-30' WHERE conv_id = 'c1'",
        "UPDATE conversions SET conv_date = '2023-09-05T10:00:00+02' WHERE conv_id = 'c2'",
    ],
    "numbers that are none": [
        "UPDATE conversions SET revenue = 2e15 WHERE conv_id = 'c1'",
        "UPDATE conversions_backend SET revenue = 'ten' WHERE conv_id = 'c2'",
        "UPDATE campaign_results SET revenue = '1,5', conversions = 2.5, impressions = NULL, clicks = 'many'",
        "INSERT INTO ad_costs (date, campaign_id, cost, clicks) VALUES ('2023-09-02', '', 3, 1), ('yesterday', 'b', 3, 1)",
        "INSERT INTO ad_costs (date, campaign_id, cost, clicks) VALUES ('2023-09-02', 'c', 'three', 1)",
        "INSERT INTO ad_costs (date, campaign_id, cost, clicks, conversions) VALUES ('2023-09-02', 'd', 3, 1.5, 'x')",
    ],
    "conversions of the backend that are none": [
        "INSERT INTO conversions_backend VALUES ('c1', 'ben', '2023-09-02', 'DE', 7, 'USD')",
        "INSERT INTO conversions_backend VALUES ('', 'ben', '2023-09-02', 'DE', 7, NULL)",
        "INSERT INTO conversions_backend VALUES ('c9', 'ben', '02.09.2023', 'DE', 7, 'USD')",
    ],
    "several parameters of one day": [
        "INSERT INTO ihc_results VALUES ('c1', 's1', '2023-09-02', 0, 0, 0, 0.5, 'api', 'b')",
        "INSERT INTO ihc_results VALUES ('c1', 's2', '2023-09-02', 0, 0, 0, 0.5, 'embedded', 'a')",
        "INSERT INTO ihc_results VALUES ('c2', 's3', '2023-09-03', 0, 0, 0, 0, 'embedded', 'c')",
    ],
}


@pytest.mark.parametrize("case", AWKWARD)
def test_every_query_takes_awkward_rows_alike(case: str, template: Path, tmp_path: Path) -> None:
    shop = Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
    for statement in AWKWARD[case]:
        shop.execute(statement)

    databases_agree(shop.database, BROKEN_DOWN, ASKED, looking_for(shop))


def test_every_query_answers_alike_over_the_sample(tmp_path: Path) -> None:
    database, days = tmp_path / "sample.db", Days("2023-09-01", "2023-09-30")
    write_sample(database, days=30, end=date(2023, 9, 30), sessions=2_000, seed=3)
    settings = Settings(database=database, compute="sqlite", models=["linear", "markov"], breakdowns=["channel_name"])
    computed(settings, days)
    shop = Shop.at(database, tmp_path)
    shop.execute("DELETE FROM session_sources WHERE event_date = '2023-09-20'")
    missing = {*OPTIONAL_SOURCES} - settings.warehouse.sources().keys()

    queries = [name for name in QUERIES if not reads(Query(name).text).tables.keys() & missing]
    databases_agree(database, settings.reading, asked_by(settings, days), queries)


# -- databases that nobody made by hand -------------------------------------------------------------------------------

USERS = st.sampled_from(["anna", "ben", "c'ara", "ä", "7"])
DAYS = st.integers(1, 8).map("2023-09-0{}".format)
EARLIER = st.sampled_from(["2023-08-31", "2023-08-15", "2023-06-01"])
TIMES = st.sampled_from(["00:00:00", "10:00:00", "10:00:00.5", "10:00:00.50", "23:59:59"])
CHANNELS = st.sampled_from(["Email", "email", "Ads", "Direct", "", "SEO, local"])
MONEY = st.sampled_from([0, 0.1, 0.2, 12.5, -3, 1e-9, 99.99]) | st.floats(-1e6, 1e6).map(lambda amount: round(amount, 3))
CAMPAIGNS = st.sampled_from(["brand", "video", "", None])
MARKETS = st.sampled_from(["DE", "", None])
CURRENCIES = st.sampled_from([None, "EUR", "EUR", ""])
STEPS = st.sampled_from(["page_view", "add_to_cart", "checkout", "scroll"])


def rows_of(*columns: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.lists(st.tuples(*columns), max_size=most)


@st.composite
def a_database(draw: st.DrawFn) -> dict[str, list[tuple[Any, ...]]]:
    """By table, its rows, without ids."""
    return {
        "session_sources": draw(
            rows_of(USERS, DAYS | EARLIER, TIMES, CHANNELS, CAMPAIGNS, MARKETS, st.none() | MONEY, st.integers(0, 1), most=25)
        ),
        "session_costs": draw(rows_of(st.none() | MONEY, CURRENCIES, most=15)),
        "conversions": draw(rows_of(USERS, DAYS, TIMES, MONEY, MARKETS, CURRENCIES, most=10)),
        "conversions_backend": draw(rows_of(USERS, DAYS, MARKETS, MONEY, CURRENCIES, most=10)),
        "ad_costs": draw(rows_of(DAYS, CAMPAIGNS.filter(bool), CHANNELS | st.none(), MONEY, st.none() | MONEY, most=6)),
        "events": draw(rows_of(st.integers(0, 12), USERS, STEPS, DAYS, TIMES, st.integers(0, 3), st.integers(0, 9), most=25)),
        "campaign_results": draw(
            rows_of(st.sampled_from(["A", "B"]), DAYS, MARKETS, MONEY, st.integers(0, 9), st.none() | st.integers(0, 9), most=6)
        ),
        "late": draw(rows_of(st.integers(0, 24), DAYS, CHANNELS, most=3)),
        "moved": draw(rows_of(st.integers(0, 9), DAYS, MONEY, most=3)),
    }


def write(database: Path, rows: Mapping[str, list[tuple[Any, ...]]]) -> None:
    shop = Shop(database, database.parent)
    shop.add_optional_sources()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO session_sources (session_id, user_id, event_date, event_time, channel_name, campaign_id, market, cpc, "
            "holder_engagement, closer_engagement, impression_interaction) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0)",
            [(f"s{number}", *row) for number, row in enumerate(rows["session_sources"])],
        )
        for table in ("session_costs", "conversions"):
            connection.executemany(
                f"INSERT INTO {table} VALUES ({', '.join('?' * (len(schema()[table].columns)))})",
                [(f"{table[0]}{number}", *row) for number, row in enumerate(rows[table])],
            )
        connection.executemany(
            "INSERT INTO conversions_backend VALUES (?, ?, ?, ?, ?, ?)",
            [(f"c{number}", *row) for number, row in enumerate(rows["conversions_backend"])],
        )
        connection.executemany(
            "INSERT INTO ad_costs (platform, date, campaign_id, channel_name, cost, revenue) VALUES (?, ?, ?, ?, ?, ?)",
            [(str(number), *row) for number, row in enumerate(rows["ad_costs"])],
        )
        connection.executemany(
            "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7)",
            [
                (f"e{number}", f"s{session}", user, step, f"{day} {at}", f"p{product}", f"c{order}" if order < 8 else None)
                for number, (session, user, step, day, at, product, order) in enumerate(rows["events"])
            ],
        )
        connection.execute("INSERT INTO order_items VALUES ('c1', 'p1', 1), ('c2', 'p2', 2), ('c2', 'p1', 1)")
        connection.execute("INSERT INTO products VALUES ('p1', 'Fern')")
        connection.executemany(
            "INSERT INTO campaign_results VALUES (?1, ?2, ?3, 'CONVERSION', NULL, ?4, ?5, ?6, 3)", rows["campaign_results"]
        )


@hypothesis.given(
    rows=a_database(),
    conversions=st.sampled_from(["tracked", "backend"]),
    spend_wins=st.sampled_from(["platform", "session"]),
    including=st.booleans(),
    order=st.sampled_from(["any", "ordered"]),
    lookback=st.sampled_from([1, 3, 90]),
)
@hypothesis.settings(max_examples=6, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
def test_every_query_answers_alike_over_any_database(
    rows: dict[str, list[tuple[Any, ...]]], conversions: Any, spend_wins: Any, including: bool, order: Any, lookback: int
) -> None:
    with TemporaryDirectory() as folder:
        database = Path(folder) / "any.db"
        write(database, rows)
        settings = Settings(
            database=database,
            compute="sqlite",
            conversions=conversions,
            spend_wins=spend_wins,
            include_converting_session=including,
            funnel_order=order,
            lookback_days=lookback,
            models=["linear", "shapley"],
            breakdowns=["market", "campaign_id", "conversions.market"],
            nobody=["7"],
        )
        days = Days("2023-09-01", "2023-09-08")
        computed(settings, days)
        shop = Shop.at(database, Path(folder))
        for number, day, channel in rows["late"]:
            late = "UPDATE session_sources SET event_date = ?, channel_name = ? WHERE session_id = ?"
            shop.execute(late, day, channel, f"s{number}")
        for number, day, revenue in rows["moved"]:
            shop.execute("UPDATE conversions SET conv_date = ?, revenue = ? WHERE conv_id = ?", day, revenue, f"c{number}")

        asked = {
            **asked_by(settings, days),
            "is_ordered": int(order == "ordered"),
            "orders_of": "conversions" if including else "events",
        }
        databases_agree(database, settings.reading, asked)
