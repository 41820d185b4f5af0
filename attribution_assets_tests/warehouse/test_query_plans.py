"""An index serves every join and every day."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from attribution_assets.catalog.tables import CHECKS
from attribution_assets.shipped import read_sql
from attribution_assets.warehouse import Query, Table, functions, schema
from attribution_assets.warehouse.days import shift
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import BROKEN_ROWS

if TYPE_CHECKING:
    from attribution_assets_tests.support import Shop

from attribution_assets_tests.warehouse.rows import CUSTOMER_JOURNEYS, DAY_COLUMNS, OURS, made


def plan(shop: Shop, asked: Query) -> list[str]:
    """The steps by which SQLite reads tables: each a SEARCH with an index or a SCAN of everything."""
    with shop.warehouse.connect() as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {asked.text}", asked.parameters).fetchall()
    return [step.replace(" main.", " ") for *_, step in steps if step.startswith(("SEARCH", "SCAN"))]


def test_sessions_of_a_conversion_are_found_by_user_and_date(shop: Shop) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, CUSTOMER_JOURNEYS)

    assert "SEARCH conversions USING INDEX conversions_by_date (conv_date>? AND conv_date<?)" in steps
    assert "SEARCH session_sources USING INDEX session_sources_by_user (user_id=? AND event_date>? AND event_date<?)" in steps


def test_parameters_are_looked_for_between_the_first_and_the_last_result_alone(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.warehouse.prepare()
    result = "(conv_id, session_id, conv_date, initializer, holder, closer, ihc, backend, parameters)"
    for day in ("2023-09-01", "2023-09-04"):
        shop.execute(f"INSERT INTO ihc_results {result} VALUES (?1, 's', ?1, 1, 1, 1, 1, 'embedded', 'challenge')", day)
    walked: list[str] = []

    def walk(day: str, days: int) -> str:
        walked.append(day)
        return shift(day, days)

    monkeypatch.setattr(functions, "shift", walk)

    found = shop.warehouse.rows(Query("ihc_parameters", {"first_day": "0001-01-01", "last_day": "9999-12-31"}))

    assert found == [{"day": day, "computed_by": "embedded", "parameters": "challenge"} for day in ("2023-09-01", "2023-09-04")]
    assert walked == ["2023-09-01", "2023-09-02", "2023-09-03"]


DAYS = {"first_day": "2023-09-01", "last_day": "2023-09-01", "last_conversion_day": "2023-11-30", "conversions": "tracked"}


def test_costs_find_the_days_sessions_and_what_each_cost_by_index(shop: Shop) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, Query("channel_costs", {**DAYS, "spend_wins": "platform"}))

    searched = [step for step in steps if step.startswith("SEARCH")]
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN traffic", "SCAN ledger"]
    assert sum("USING INDEX session_sources_by_date (event_date>? AND event_date<?)" in step for step in searched) == 2
    assert any("session_costs USING" in step and "(session_id=?)" in step for step in searched)


def test_the_report_finds_costs_credits_journeys_and_conversions_by_index(shop: Shop) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, Query("channel_reporting", DAYS))

    searched = [step for step in steps if step.startswith("SEARCH")]
    assert [step for step in steps if step.startswith("SCAN")] == ["SCAN ledger"]
    assert any("channel_costs USING" in step and "(date>? AND date<?)" in step for step in searched)
    assert any("credit USING INDEX attribution_customer_journey_by_date" in step for step in searched)
    assert any("journey USING" in step and "(conv_id=? AND session_id=?)" in step for step in searched)
    assert any("conversions USING" in step and "(conv_id=?)" in step for step in searched)


def test_the_report_by_models_finds_costs_credits_and_conversions_by_index(shop: Shop) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, Query("model_reporting", {**DAYS, "models": "[]", "channel_groups": "", "rules": "", "settings": ""}))

    scanned = {step for step in steps if step.startswith("SCAN")}
    read_whole = ("CONSTANT ROW", "json_each VIRTUAL TABLE INDEX 1:", "chosen", "basis", "credited", "ledger", "total")
    assert scanned == {f"SCAN {name}" for name in read_whole}
    assert [step for step in steps if step.startswith("SEARCH")] == [
        "SEARCH channel_costs USING INDEX sqlite_autoindex_channel_costs_1 (date>? AND date<?)",
        "SEARCH attribution USING INDEX model_attribution_by_date (conv_date>? AND conv_date<?)",
        "SEARCH conversions USING INDEX sqlite_autoindex_conversions_1 (conv_id=?)",
    ]


def test_what_models_learn_from_is_found_by_date(shop: Shop) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, Query("channel_values", {**DAYS, "include_converting_session": 0, "nobody": "[]"}))

    assert [step for step in steps if step.startswith("SEARCH")] == [
        "SEARCH session_sources USING INDEX session_sources_by_date (event_date>? AND event_date<?)",
        "SEARCH conversions USING INDEX conversions_by_date (conv_date>? AND conv_date<?)",
    ]
    assert not [step for step in steps if re.fullmatch(r"SCAN (main\.)?(session_sources|conversions)", step)]


def test_the_report_reads_no_session_and_no_session_cost(shop: Shop) -> None:
    shop.warehouse.prepare()
    shop.execute("DROP TABLE session_sources")
    shop.execute("DROP TABLE session_costs")

    assert shop.warehouse.fetch(Query("channel_reporting", DAYS))[1] == []


CHECKED: dict[str, str | int | float] = {
    "first_day": "2023-09-01",
    "last_day": "2023-09-01",
    "last_conversion_day": "2023-09-01",
    "first_session_day": "2023-06-03",
    "lookback_days": 90,
    "include_converting_session": 0,
    "nobody": "[]",
    "most_touchpoints": 10_000,
    "most_of_all": 0.1,
    "first_partition": "2023-01-01",
    "most_without_session": 0.1,
    "models": '["linear"]',
    "model_count": 1,
    "asks_for_direct": 1,
    "direct_channels": "[]",
    "channel_groups": "{}",
    "most_untracked": 0.02,
    "fewest_touchpoints": 30,
    "most_spend_apart": 0.05,
    "spend_wins": "platform",
    "conversions": "tracked",
    "breakdowns": '["campaign_id"]',
    "steps": '["page_view", "checkout"]',
    "first_step": "page_view",
    "last_step": "checkout",
    "orders_of": "conversions",
    "currency": "EUR",
    "statuses": '["ENABLED"]',
    "types": '["CONVERSION"]',
}
WHOLE = {"check_tracking_matches_the_backend"}
"""It compares ids, whatever their dates."""
OF_MANY_DAYS = {"check_sessions_are_whole"}
"""Of many days, it reads all sessions in the order of an index, as session_funnel does."""


@pytest.mark.parametrize("check", sorted({check.query for _, check in CHECKS} - WHOLE))
def test_a_check_finds_its_days_by_index(shop: Shop, check: str) -> None:
    shop.add_optional_sources()
    shop.execute("DROP TABLE exchange_rates")  # no index finds converted amounts
    shop.warehouse.prepare()

    steps = plan(shop, Query(check, CHECKED))
    if check in OF_MANY_DAYS:
        steps.remove("SCAN events USING INDEX events_by_session")

    of_the_query = re.findall(r"^(?:WITH (?:RECURSIVE )?)?(\w+)(?: \(\w+\))? AS ", read_sql(check), re.MULTILINE)
    scanned = [
        name
        for step in steps
        for name in re.findall(
            r"^SCAN ([a-z]\w*)(?! USING INDEX (?:session_costs_unusual|events_by_order|\w+_broken|\w+_not_ascii))\b", step
        )
    ]
    assert [name for name in scanned if name not in (*of_the_query, "json_each", "calendar")] == []
    assert any("USING" in step for step in steps)
    assert not [step for step in steps if "(conv_date=?)" in step]  # a whole day for each of its conversions


@pytest.mark.parametrize("table", [schema()[name] for name in OURS], ids=OURS)
def test_a_day_is_deleted_and_read_by_index(shop: Shop, table: Table) -> None:
    shop.warehouse.prepare()
    day = DAY_COLUMNS[table.name]
    index = f"sqlite_autoindex_{table.name}_1" if table.key[0] == day else f"{table.name}_by_date"

    [step] = [step for *_, step in shop.execute(f"EXPLAIN QUERY PLAN DELETE FROM {table.name} WHERE {day} BETWEEN 'a' AND 'b'")]

    assert f"USING INDEX {index} ({day}>? AND {day}<?)" in step


@pytest.mark.parametrize(
    ("query", "sources"),
    [
        ("broken_sessions", ["session_sources"]),
        ("broken_conversions", ["conversions"]),
        ("source_span", ["session_sources", "conversions"]),
    ],
)
def test_broken_rows_are_found_in_the_index_that_keeps_them(shop: Shop, query: str, sources: list[str]) -> None:
    shop.warehouse.prepare()

    steps = plan(shop, Query(query, CHECKED))

    for source in sources:
        assert any(f"{source} USING INDEX {source}_broken" in step for step in steps), source
    assert not [step for step in steps if re.fullmatch(r"SCAN (main\.)?(session_sources|conversions)", step)]


@pytest.mark.parametrize(("view", "source"), BROKEN_ROWS.items())
def test_a_view_of_broken_rows_costs_no_scan_of_its_source(shop: Shop, view: str, source: str) -> None:
    shop.warehouse.prepare()
    with shop.warehouse.connect() as connection:
        steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {view}")]

    scans = [step for step in steps if "main." in step]
    assert scans == [f"SCAN main.{source} USING INDEX {source}_{which}" for which in ("broken", "not_ascii")]


SESSIONS_WITH_NUMBERS = """
    CREATE TABLE session_sources (
        session_id integer, user_id integer, event_date text, event_time text, channel_name text, holder_engagement integer,
        closer_engagement integer, impression_interaction integer, campaign_id text, market text, cpc real
    )
"""
COSTS_WITH_NUMBERS = "CREATE TABLE session_costs (session_id integer, cost real, currency text)"
CONVERSIONS_WITH_NUMBERS = """
    CREATE TABLE conversions (
        conv_id integer, user_id integer, conv_date text, conv_time text, revenue real, market text, currency text
    )
"""


@pytest.mark.parametrize("check", sorted({check.query for table, check in CHECKS if table.name in OURS}))
def test_no_check_reads_all_sessions_for_each_row_where_ids_are_numbers(tmp_path: Path, check: str) -> None:
    warehouse = made(tmp_path / "numbers.db", SESSIONS_WITH_NUMBERS, COSTS_WITH_NUMBERS, CONVERSIONS_WITH_NUMBERS)
    warehouse.prepare()

    with warehouse.connect() as connection:
        asked = dict.fromkeys(reads(Query(check).text).parameters, "")
        steps = [step for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {Query(check).text}", asked)]

    assert [step for step in steps if "session" in step and step.startswith("SCAN") and "LEFT-JOIN" in step] == []
