"""The schema as data: what the package knows of tables, columns, keys and indexes is what the file in sql/ says."""

from __future__ import annotations

import pytest

from attribution_assets.importing.channels import COLUMNS
from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import schema
from attribution_assets.warehouse.engagement import ACTIVITY, RULE
from attribution_assets.warehouse.frames import DTYPES
from attribution_assets.warehouse.schema import ALL_SOURCES, BROKEN_ROWS, CHOSEN, FURTHER, META
from attribution_assets.warehouse.sqlite.replacement import STORED_AS
from attribution_assets_tests.support import OF_MODELS, WITH_SOURCES
from attribution_assets_tests.warehouse.rows import DAY_COLUMNS

OURS = (*DAY_COLUMNS, *OF_MODELS, *WITH_SOURCES)


def test_there_are_the_sources_our_tables_those_of_models_and_what_the_file_says_of_itself() -> None:
    assert sorted(schema()) == sorted((*ALL_SOURCES, *FURTHER, *OURS, META, CHOSEN))


def test_a_required_source_is_created_without_the_columns_that_it_may_lack() -> None:
    optional = {column.name for column in schema()["session_sources"].columns if column.optional}

    assert optional == {"campaign_id", "market", "cpc", *COLUMNS, *ACTIVITY, RULE}
    assert not [name for name in optional if name in schema()["session_sources"].create]
    assert not optional & {*schema()["session_sources"].column_names}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (
            "session_sources",
            "session_id user_id event_date event_time channel_name holder_engagement closer_engagement impression_interaction",
        ),
        ("session_costs", "session_id cost"),
        ("conversions", "conv_id user_id conv_date conv_time revenue"),
        ("attribution_customer_journey", "conv_id session_id ihc conv_date"),
        ("channel_costs", "date channel_name sessions cost"),
        ("channel_reporting", "channel_name date cost ihc ihc_revenue"),
    ],
)
def test_columns_stand_in_the_order_of_the_file(table: str, columns: str) -> None:
    assert schema()[table].column_names == tuple(columns.split())


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("session_sources", ("session_id",)),
        ("session_costs", ("session_id",)),
        ("conversions", ("conv_id",)),
        ("customer_journeys", ("conv_id", "session_id")),
        ("ihc_results", ("conv_id", "session_id")),
        ("attribution_customer_journey", ("conv_id", "session_id")),
        ("channel_costs", ("date", "channel_name")),
        ("channel_reporting", ("channel_name", "date")),
        ("channel_values", ("date", "model", "channel_name")),
        ("model_attribution", ("conv_id", "session_id", "model")),
        ("model_reporting", ("date", "model", "date_basis", "channel_name")),
        ("model_comparison", ("model", "channel_name")),
        ("path_report", ("section", "item")),
        ("attribution_meta", ("key",)),
        ("chosen_parameters", ("name",)),
    ],
)
def test_the_key_is_the_primary_key(table: str, key: tuple[str, ...]) -> None:
    assert schema()[table].key == key


def test_a_column_knows_its_type() -> None:
    types = {column.name: column.type for column in schema()["customer_journeys"].columns}

    assert types["conv_id"] == "text"
    assert types["conversion"] == "integer"
    assert {column.type for column in schema()["channel_reporting"].columns} == {"text", "real"}


def test_only_the_cost_of_a_session_and_what_can_be_undefined_may_be_null() -> None:
    optional = [
        (table.name, column.name)
        for table in schema().values()
        for column in table.columns
        if not (column.required or column.optional)
    ]

    of_report = [("channel_report", column) for column in ("CPO", "ROAS", "parameters")]
    ratios = [("breakdown_reporting", ratio) for ratio in ("CPC", "CPO", "ROAS", "conversion_rate")]
    ratios.append(("session_report", "CPC"))
    of_funnel = [
        *(("session_funnel", column) for column in ("user_id", "channel", "revenue")),
        ("funnel_report", "drop_off"),
        *(("product_funnel", column) for column in ("name", "conversion")),
        *(("customer_report", column) for column in ("revenue", "repeat_rate", "hours_to_order", "hours_to_first_order")),
    ]
    of_campaigns = [
        ("campaign_performance", column)
        for column in (
            "revenue",
            "conversions",
            "impressions",
            "clicks",
            "CTR",
            "conversions_per_revenue",
            "conversions_per_click",
        )
    ]
    of_claims = ("cost", "claimed_conversions", "orders_ratio", "claimed_revenue", "revenue_ratio")
    of_campaigns += [("platform_claims", column) for column in of_claims]
    of_models = [(name, ratio) for name in ("model_reporting", "model_comparison") for ratio in ("CPO", "ROAS")]
    of_paths = [("path_report", "rate"), ("path_report", "assisted")]
    reconciled = [("conversion_reconciliation", "match_rate"), ("spend_reconciliation", "clicks")]
    assert optional == [
        ("session_costs", "cost"),
        *of_report,
        *reconciled,
        *of_models,
        *of_paths,
        *ratios,
        *of_funnel,
        *of_campaigns,
    ]


@pytest.mark.parametrize("table", [*ALL_SOURCES, *FURTHER, *OURS, META])
def test_every_column_has_a_description_and_a_type_that_can_be_read_and_checked(table: str) -> None:
    for column in schema()[table].columns:
        assert column.description
        assert column.type in DTYPES
        assert column.type in STORED_AS


@pytest.mark.parametrize("table", [*(table for table in OURS[:5] if table != "channel_costs"), "model_attribution"])
def test_every_table_of_ours_whose_key_does_not_begin_with_its_day_has_an_index_on_it(table: str) -> None:
    day = "date" if table == "channel_reporting" else "conv_date"

    assert schema()[table].indexes[f"{table}_by_date"].endswith(f"ON {table} ({day})")


def test_the_key_of_channel_costs_is_its_index_on_the_day() -> None:
    assert schema()["channel_costs"].key[0] == "date"
    assert schema()["channel_costs"].indexes == {}


def test_sessions_are_indexed_by_user_and_time_by_date_and_where_they_are_broken() -> None:
    indexes = schema()["session_sources"].indexes

    assert sorted(indexes) == [f"session_sources_{name}" for name in ("broken", "by_date", "by_user", "not_ascii")]
    assert indexes["session_sources_by_user"].endswith("(user_id, event_date, event_time)")


@pytest.mark.parametrize("source", BROKEN_ROWS.values())
def test_what_makes_a_row_broken_is_said_once(source: str) -> None:
    condition = schema()[source].indexes[f"{source}_broken"].partition("WHERE")[2]
    texts = {path.stem: " ".join(path.read_text(encoding="utf-8").split()) for path in sql_folder().glob("*.sql")}

    beginning = " ".join(condition.split())[:60]

    assert [name for name, text in texts.items() if beginning in text] == ["challenge_db_create"]
