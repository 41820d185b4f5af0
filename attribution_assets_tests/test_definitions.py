"""The graph as Dagster loads it: assets, partitions, mappings, and where it is found."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from attribution_assets.catalog.table import JOBS
from attribution_assets.catalog.tables import tables_of
from attribution_assets.definitions import build_defs
from attribution_assets.settings import Settings
from attribution_assets.warehouse import SOURCES
from attribution_assets_tests.support import PROJECT, TABLES, Shop


def graph(settings: Settings | None = None) -> dg.AssetGraph:
    return build_defs(settings).resolve_asset_graph()


def test_the_graph_loads_without_a_database() -> None:
    dg.Definitions.validate_loadable(build_defs())


@pytest.mark.parametrize("models", ["", "all"])
def test_the_graph_loads_without_what_only_runs_need(models: str) -> None:
    program = (
        "import sys, attribution_assets.definitions as loaded\n"
        "loaded.defs()\n"
        "print(sorted({'numpy', 'pandas', 'requests', 'scipy', 'duckdb'} & sys.modules.keys()))"
    )
    environment = {**os.environ, "ATTRIBUTION_MODELS": models}

    loaded = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert loaded.stdout.strip() == "[]"


def test_the_workspace_file_and_the_dg_table_name_the_same_module() -> None:
    workspace = yaml.safe_load((PROJECT / "workspace.yaml").read_text())
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())

    [location] = workspace["load_from"]

    assert location["python_module"]["module_name"] == pyproject["tool"]["dg"]["project"]["code_location_target_module"]


def test_the_assets_of_the_catalog_are_made_from_three_external_sources() -> None:
    keys = graph()

    assert sorted(key.to_user_string() for key in keys.materializable_asset_keys) == sorted([*TABLES, "report_files"])
    assert sorted(key.to_user_string() for key in keys.external_asset_keys) == sorted(SOURCES)


def test_all_assets_share_one_daily_partition_and_one_backfill_policy() -> None:
    nodes = [graph().get(dg.AssetKey(table)) for table in TABLES]

    assert len({node.partitions_def for node in nodes}) == 1
    assert {node.backfill_policy for node in nodes} == {dg.BackfillPolicy.single_run()}


@pytest.mark.parametrize("asset", ["attribution_customer_journey", "customer_journeys"])
def test_a_report_day_reads_the_conversion_days_up_to_the_lookback(asset: str) -> None:
    assert read_by_a_report("2023-09-10", asset) == ["2023-09-10", "2023-09-11", "2023-09-12", "2023-09-13"]


def test_a_report_day_reads_the_costs_of_the_same_day() -> None:
    assert read_by_a_report("2023-09-10", "channel_costs") == ["2023-09-10"]


def read_by_a_report(day: str, asset: str) -> list[str]:
    """The days of the asset that the report of the day reads, with a lookback of three days."""
    made = graph(Settings(start_date="2023-09-01", end_date="2023-12-31", lookback_days=3))
    days = made.get(dg.AssetKey("channel_reporting")).partitions_def
    assert days is not None
    mapping = made.get_partition_mapping(dg.AssetKey("channel_reporting"), dg.AssetKey(asset))
    upstream = mapping.get_upstream_mapped_partitions_result_for_partitions(days.subset_with_partition_keys([day]), days, days)
    return list(upstream.partitions_subset.get_partition_keys())


def test_a_report_reads_no_session_and_no_cost_of_one() -> None:
    read = {key.to_user_string() for key in graph().get(dg.AssetKey("channel_reporting")).parent_keys}

    assert read == {"attribution_customer_journey", "channel_costs", "conversions", "customer_journeys"}


ALWAYS = [job for job in JOBS if tables_of(Settings(), job)]
"""The jobs that need no optional source."""


@pytest.mark.parametrize(
    ("job", "assets"),
    [(job.name, [table.name for table in tables_of(Settings(), job)]) for job in ALWAYS],
    ids=[job.name for job in ALWAYS],
)
def test_each_job_makes_the_assets_whose_days_are_of_one_kind(job: str, assets: list[str]) -> None:
    keys = build_defs().resolve_job_def(job).asset_layer.executable_asset_keys

    assert sorted(key.to_user_string() for key in keys) == sorted(assets)


@pytest.mark.parametrize("asset", TABLES + sorted(SOURCES))
def test_every_asset_says_what_a_row_is_and_shows_its_columns(asset: str) -> None:
    node = graph().get(dg.AssetKey(asset))

    assert node.description is not None
    assert node.metadata["dagster/column_schema"].columns
    assert node.group_name in {"sources", "attribution", "reporting"}
    assert node.owners
    assert node.kinds
    if asset in TABLES and not asset.endswith("_csv"):
        assert node.description.startswith("One row per ")
        assert "estated when" in node.description


def test_the_first_partition_is_the_setting_where_it_is_set(shop: Shop) -> None:
    shop.session("s", "u", "2023-01-01 10:00:00")

    assert first_partition(shop.settings(start_date="2023-05-01")) == "2023-05-01"


def test_the_first_partition_is_the_earliest_session_or_conversion(shop: Shop) -> None:
    shop.session("s", "u", "2023-02-03 10:00:00")
    shop.conversion("c", "u", "2023-02-01 10:00:00")

    assert first_partition(shop.settings()) == "2023-02-01"


def test_text_that_is_no_date_does_not_move_the_first_partition(shop: Shop) -> None:
    for at in ("2023-02-03 10:00:00", "0 10:00:00", "2023-02-00 10:00:00", "02/03/2023 10:00:00"):
        shop.session(at, "u", at)

    assert first_partition(shop.settings()) == "2023-02-03"


@pytest.mark.parametrize("content", [None, b"", b"this is not SQLite, whatever its name says"])
def test_without_a_readable_database_the_first_partition_is_90_days_ago(tmp_path: Path, content: bytes | None) -> None:
    database = tmp_path / "some.db"
    if content is not None:
        database.write_bytes(content)

    assert first_partition(Settings(database=database)) == (datetime.now(UTC).date() - timedelta(days=90)).isoformat()


def test_the_last_partition_is_yesterday_or_the_setting(shop: Shop) -> None:
    yesterday = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()

    assert partitions(shop.settings(start_date="2023-05-01"))[-1] == yesterday
    assert partitions(shop.settings(start_date="2023-05-01", end_date="2023-05-03"))[-1] == "2023-05-03"


def partitions(settings: Settings) -> list[str]:
    days = graph(settings).get(dg.AssetKey("customer_journeys")).partitions_def
    assert days is not None
    return list(days.get_partition_keys())


def first_partition(settings: Settings) -> str:
    return partitions(settings)[0]


@pytest.mark.parametrize(
    ("choices", "at", "day"),
    [
        ({}, "2023-09-02T01:00:00+00:00", "2023-09-01"),
        ({"schedule_hour": 6, "schedule_time_zone": "Asia/Tokyo"}, "2023-09-02T06:00:00+09:00", "2023-08-31"),  # 21:00 UTC
        ({"schedule_hour": 6, "schedule_time_zone": "Europe/Berlin"}, "2023-09-02T06:00:00+02:00", "2023-09-01"),
    ],
)
def test_the_schedule_attributes_the_last_day_that_has_ended_in_utc(choices: dict[str, Any], at: str, day: str) -> None:
    defs = build_defs(Settings(start_date="2023-08-01", end_date="2023-09-30", **choices))
    schedule, repository = defs.resolve_schedule_def("yesterday"), defs.get_repository_def()

    asked = schedule.evaluate_tick(
        dg.build_schedule_context(scheduled_execution_time=datetime.fromisoformat(at), repository_def=repository)
    )

    assert schedule.cron_schedule == f"0 {choices.get('schedule_hour', 1)} * * *"
    assert schedule.execution_timezone == choices.get("schedule_time_zone", "UTC")
    assert [request.partition_key for request in asked.run_requests or []] == [day]


def test_the_schedule_leaves_out_days_that_cannot_run() -> None:
    schedule = build_defs(Settings(start_date="2023-08-01", end_date="2023-08-30")).resolve_schedule_def("yesterday")

    asked = schedule.evaluate_tick(
        dg.build_schedule_context(scheduled_execution_time=datetime.fromisoformat("2023-09-02T01:00:00+00:00"))
    )

    assert (asked.run_requests or []) == []
    assert "2023-09-01 is not within" in str(asked.skip_message)
