"""Which tables, columns and parameters a statement reads: as SQLite says it, whatever the text looks like."""

from __future__ import annotations

import pytest

from attribution_assets.shipped import read_sql
from attribution_assets.warehouse.reads import reads


@pytest.mark.parametrize(
    "text",
    [
        "SELECT conv_id FROM conversions",
        "SELECT conv_id FROM CONVERSIONS",
        'SELECT conv_id FROM "conversions"',
        "SELECT conv_id FROM main.conversions AS session_costs",
        "SELECT count(*) FROM conversions",
        "SELECT EXISTS (SELECT 1 FROM conversions)",
        "SELECT (SELECT max(conv_date) FROM conversions)",
        "WITH bought AS (SELECT conv_id FROM conversions) SELECT count(*) FROM bought",
        "WITH conversions AS (SELECT conv_id FROM main.conversions) SELECT count(*) FROM conversions",
        "SELECT count(*) FROM broken_conversion",
        "WITH session_costs AS (SELECT 1 AS x) SELECT count(*) FROM session_costs, conversions",
    ],
)
def test_a_table_is_read_however_the_text_names_it(text: str) -> None:
    assert set(reads(text).tables) == {"conversions"}


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 1 -- FROM conversions",
        "SELECT 1 /* JOIN conversions */",
        "SELECT 'FROM conversions'",
        "SELECT 1 AS conversions",
        "SELECT count(*) FROM sqlite_master WHERE name = 'conversions'",
        "WITH conversions AS (SELECT 1 AS x) SELECT count(*) FROM conversions",
    ],
)
def test_a_table_is_not_read_where_the_text_only_has_its_name(text: str) -> None:
    assert set(reads(text).tables) == set()


@pytest.mark.parametrize(
    "text",
    [
        "SELECT session_id FROM session_sources, session_costs USING (session_id)",
        "SELECT session_id FROM session_sources NATURAL JOIN session_costs",
        "SELECT session.session_id FROM session_sources AS session, session_costs",
        "SELECT session_id FROM session_sources WHERE session_id IN (SELECT session_id FROM session_costs)",
    ],
)
def test_both_tables_of_a_join_are_read(text: str) -> None:
    assert set(reads(text).tables) == {"session_sources", "session_costs"}


def test_the_columns_are_those_that_the_statement_needs() -> None:
    text = "SELECT conv_id, (SELECT count(*) FROM session_sources WHERE user_id = c.USER_ID) FROM conversions c WHERE revenue"

    assert reads(text).tables == {"conversions": {"conv_id", "user_id", "revenue"}, "session_sources": {"user_id"}}


def test_a_table_whose_rows_are_only_counted_is_read_without_columns() -> None:
    assert reads("SELECT count(*) FROM conversions").tables == {"conversions": set()}


def test_the_parameters_are_those_that_need_a_value() -> None:
    assert reads("SELECT $one, :two, '$three' -- $four").parameters == {"one", "two"}


def test_our_functions_and_their_parameters_are_known() -> None:
    text = "SELECT exact_total(cost), group_of($channel, $groups), days_before($day, 1), digest($text) FROM session_costs"

    assert reads(text).tables == {"session_costs": {"cost"}}


@pytest.mark.parametrize(
    ("name", "tables"),
    [
        ("shown_channel_costs", {"channel_costs"}),
        ("shown_model_reporting", {"model_reporting"}),
        ("shown_models", {"model_reporting"}),
        ("shown_model_attribution", {"model_attribution"}),
        ("channel_totals", {"channel_reporting"}),
        ("source_span", {"session_sources", "conversions"}),
        ("broken_sessions", {"session_sources", "session_costs", "conversions"}),
        ("broken_conversions", {"conversions"}),
        ("customer_journeys", {"session_sources", "conversions"}),
        ("channel_costs", {"session_sources", "session_costs", "session_spend"}),
        (
            "channel_reporting",
            {"channel_costs", "attribution_customer_journey", "customer_journeys", "conversions", "uncredited_conversion"},
        ),
    ],
)
def test_the_files_of_sql_read_what_their_statements_read(name: str, tables: set[str]) -> None:
    assert set(reads(read_sql(name)).tables) == tables
