"""Every query of sql/ gives the same rows on SQLite, DuckDB and PostgreSQL, to the last bit, whatever a database holds."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
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

from attribution_assets.catalog.tables import CHECKS, parameters, table_named
from attribution_assets.settings import Settings
from attribution_assets.shipped import read_sql, sql_folder
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse
from attribution_assets.warehouse.dialect import Engine
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import OPTIONAL_SOURCES
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets.warehouse.views import Reading
from attribution_assets.warehouse.warehouse import Cursor
from attribution_assets_tests.importing.databases import Database
from attribution_assets_tests.servers import in_postgres
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.any_database import a_database, change, computed, write
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
    "dimension": "market",
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
    others: Mapping[Engine, Any],
    asked: Mapping[str, str | int | float],
    queries: Iterable[str] = QUERIES,
    *,
    keeps_order: bool = True,
) -> dict[str, tuple[Any, Any]]:
    """By query, what SQLite and another engine answer, where it is not the same, in the same order if engines keep it."""
    found = {}
    with warehouse.connect() as connection:
        connection.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")
        for name in queries:
            query = Query(name)
            given = {parameter: asked[parameter] for parameter in reads(query.text).parameters}
            one = answer_of(connection.execute(query.text, given))
            for engine, connected_to in others.items():
                other = answer_of(connected_to.execute(query.text_in(engine), given))
                if not agree(name, one, other, keeps_order=keeps_order):
                    found[f"{name} on {engine}"] = (one, other)
    return found


def answer_of(cursor: Cursor | duckdb.DuckDBPyConnection) -> tuple[list[str], list[Row]]:
    return [column for column, *_ in cursor.description or []], cursor.fetchall()


def agree(name: str, one: tuple[list[str], list[Row]], other: tuple[list[str], list[Row]], *, keeps_order: bool) -> bool:
    """Whether these are the same answers to the query."""
    if name.startswith("digest_"):  # differs between engines, but not in its days
        return one[0] == other[0] and {day for day, _ in one[1]} == {day for day, _ in other[1]}
    is_ordered = keeps_order and re.search(r"^ORDER BY ", read_sql(name), re.MULTILINE)
    first, second = (rows if is_ordered else sorted(rows, key=str) for _, rows in (one, other))
    if one[0] != other[0] or len(first) != len(second):
        return False
    are_same = partial(_same, is_check=name.startswith("check_"))
    return all(all(map(are_same, *rows)) for rows in zip(first, second, strict=True))


def _same(one: Any, other: Any, *, is_check: bool) -> bool:
    """Whether two values are of one type and the same to the last bit; of a check, which adds up without exact_total, nearly.

    A text that stands where a number should is NaN on DuckDB.
    """
    if isinstance(one, float) and is_check and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-11, abs_tol=1e-6)
    if isinstance(one, str) and isinstance(other, str):
        one, other = (
            re.sub(r"( has \w+ )(?:'.*'|nan)(, which is not a (?:whole )?number)", r"\1NaN\2", x) for x in (one, other)
        )
    return type(one) is type(other) and (one == other or (one != one and other != other))


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
    database: Path,
    server: Database,
    reading: Reading,
    asked: Mapping[str, str | int | float],
    queries: Iterable[str] = QUERIES,
) -> None:
    with in_duckdb(database, reading) as lake, in_postgres(database, server, reading) as schema:
        others: dict[Engine, Any] = {"duckdb": lake, "postgres": schema}
        assert differences(SQLiteWarehouse(database, reading=reading), others, asked, queries) == {}


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

    columns, _ = answer_of(sound_lake.execute(Query(name).text_in("duckdb"), given))

    assert len(columns) == len(set(columns)) > 0


@pytest.fixture(scope="module")
def sound_lake(template: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with in_duckdb(template, BROKEN_DOWN) as connection:
        yield connection


@pytest.mark.parametrize("conversions", ["tracked", "backend"])
def test_every_query_answers_alike_where_all_is_right(template: Path, postgres_server: Database, conversions: Any) -> None:
    databases_agree(template, postgres_server, replace(BROKEN_DOWN, conversions=conversions), ASKED)


@pytest.mark.parametrize(("asset", "name"), BROKEN)
def test_every_query_finds_the_same_broken_rows(
    asset: str, name: str, template: Path, postgres_server: Database, tmp_path: Path
) -> None:
    shop = Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
    for statement in BROKEN[asset, name][0]:
        shop.execute(statement)

    [query] = {check.query for _, check in CHECKS if check.name == name}
    databases_agree(shop.database, postgres_server, BROKEN_DOWN, ASKED, looking_for(shop, query))


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
    "a report by models without its rows": [
        "DELETE FROM model_reporting",
        "UPDATE model_attribution SET channel_name = '' WHERE session_id = 's1'",
    ],
    "several parameters of one day": [
        "INSERT INTO ihc_results VALUES ('c1', 's1', '2023-09-02', 0, 0, 0, 0.5, 'api', 'b')",
        "INSERT INTO ihc_results VALUES ('c1', 's2', '2023-09-02', 0, 0, 0, 0.5, 'embedded', 'a')",
        "INSERT INTO ihc_results VALUES ('c2', 's3', '2023-09-03', 0, 0, 0, 0, 'embedded', 'c')",
    ],
}


@pytest.mark.parametrize("case", AWKWARD)
def test_every_query_takes_awkward_rows_alike(case: str, template: Path, postgres_server: Database, tmp_path: Path) -> None:
    shop = Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
    for statement in AWKWARD[case]:
        shop.execute(statement)

    databases_agree(shop.database, postgres_server, BROKEN_DOWN, ASKED, looking_for(shop))


def test_every_query_answers_alike_over_the_sample(postgres_server: Database, tmp_path: Path) -> None:
    database, days = tmp_path / "sample.db", Days("2023-09-01", "2023-09-30")
    write_sample(database, days=30, end=date(2023, 9, 30), sessions=2_000, seed=3)
    settings = Settings(database=database, compute="sqlite", models=["linear", "markov"], breakdowns=["channel_name"])
    computed(settings, days)
    shop = Shop.at(database, tmp_path)
    shop.execute("DELETE FROM session_sources WHERE event_date = '2023-09-20'")
    missing = {*OPTIONAL_SOURCES} - settings.warehouse.sources().keys()

    queries = [name for name in QUERIES if not reads(Query(name).text).tables.keys() & missing]
    databases_agree(database, postgres_server, settings.reading, asked_by(settings, days), queries)


# -- databases that nobody made by hand -------------------------------------------------------------------------------


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
    postgres_server: Database,
    rows: dict[str, list[tuple[Any, ...]]],
    conversions: Any,
    spend_wins: Any,
    including: bool,
    order: Any,
    lookback: int,
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
        change(Shop.at(database, Path(folder)), rows)

        asked = {
            **asked_by(settings, days),
            "is_ordered": int(order == "ordered"),
            "orders_of": "conversions" if including else "events",
        }
        databases_agree(database, postgres_server, settings.reading, asked)
