"""The house: which room may know which, what lies at the root, and that a table of the catalog is known everywhere."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from attribution_assets.analysis.late_data import compared_tables
from attribution_assets.catalog.sources import SOURCES
from attribution_assets.catalog.table import JOBS, DailyTable, Source
from attribution_assets.catalog.tables import (
    CHECKS,
    TABLES,
    ancestors,
    inputs,
    kind_of,
    names,
    sources_read,
    table_named,
    tables,
)
from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs
from attribution_assets.importing.channels import COLUMNS
from attribution_assets.models import MODELS
from attribution_assets.orchestration.automation import InputIsNewer
from attribution_assets.settings import Settings
from attribution_assets.shipped import sql_folder
from attribution_assets.warehouse import Query, engagement, schema
from attribution_assets.warehouse.schema import ALL_SOURCES, CHOSEN, FURTHER, META, OPTIONAL_SOURCES
from attribution_assets_tests.support import PROJECT, Shop, every_table

PACKAGE = PROJECT / "attribution_assets"

FLOORS = (
    ("errors", "formats", "shipped", "event_log"),
    ("models", "warehouse"),
    ("ihc",),
    ("settings",),
    ("catalog",),
    ("analysis", "importing"),
    ("orchestration",),
    ("pages",),
    ("assets",),
    ("definitions",),
    ("web",),
    ("command",),
    ("__main__",),
)
"""The rooms from the ground up: what is in one imports from the floors below it, and from its own room."""

ROOMS = [room for floor in FLOORS for room in floor]
KNOW_DAGSTER = {"event_log", *ROOMS[ROOMS.index("orchestration") :]}


def imports(file: Path) -> Iterator[str]:
    """The modules that a file imports, at its top and inside its functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{file} has a relative import"
        if isinstance(node, ast.ImportFrom) and node.module == "attribution_assets":
            yield from (f"attribution_assets.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def files() -> list[Path]:
    return [file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py"]


# -- rooms ------------------------------------------------------------------------------------------------------------


def test_every_module_lies_in_a_room_and_few_at_the_root() -> None:
    assert {room_of(file) for file in files()} == set(ROOMS)
    assert {file.stem for file in PACKAGE.glob("*.py")} == {
        "__init__",
        "__main__",
        "definitions",
        "errors",
        "event_log",
        "formats",
        "settings",
        "shipped",
    }


def test_imports_run_one_way() -> None:
    below: dict[str, frozenset[str]] = {}
    for number, floor in enumerate(FLOORS):
        below |= dict.fromkeys(floor, frozenset(room for lower in FLOORS[:number] for room in lower))

    wrong = {
        f"{file.relative_to(PACKAGE)} imports {module}"
        for file in files()
        for module in imports(file)
        if module.startswith("attribution_assets.") and module.split(".")[1] not in below[room_of(file)] | {room_of(file)}
    }

    assert wrong == set()


def test_dagster_is_known_in_few_rooms() -> None:
    knowing = {room_of(file) for file in files() for module in imports(file) if module.split(".")[0] == "dagster"}

    assert knowing <= KNOW_DAGSTER


def test_every_module_says_first_what_belongs_in_it() -> None:
    assert [file for file in files() if not ast.get_docstring(ast.parse(file.read_text()))] == []


# -- the catalog ------------------------------------------------------------------------------------------------------


def every() -> Settings:
    """Settings with which every table is in the graph."""
    return every_table(models=MODELS)


EVERY_TABLE = pytest.mark.parametrize("table", TABLES, ids=names(TABLES))


@pytest.fixture(scope="module")
def graph() -> dg.AssetGraph:
    return build_defs(every()).resolve_asset_graph()


@EVERY_TABLE
def test_an_entry_is_in_the_graph_with_what_it_reads(graph: dg.AssetGraph, table: DailyTable) -> None:
    node = graph.get(dg.AssetKey(table.name))

    assert {key.to_user_string() for key in node.parent_keys} == {*table.follows, *table.also_reads, *table.reads}
    assert (node.group_name, node.is_partitioned) == (table.group, True)
    assert {key.name for key in node.check_keys} == {check.name for check in table.checks}


@EVERY_TABLE
def test_an_entry_is_stored_under_its_day(table: DailyTable) -> None:
    assert table.csv_of or table.name in schema()
    assert table.day_column in {column.name for column in table.columns}


def test_what_is_stored_is_a_source_or_has_an_entry() -> None:
    without_days = {"model_comparison", "path_report", META, CHOSEN, *FURTHER}

    assert set(schema()) - without_days == {*names(t for t in TABLES if not t.csv_of), *(source.name for source in SOURCES)}
    assert tuple(source.name for source in SOURCES) == ALL_SOURCES
    assert tuple(source.name for source in SOURCES if source.optional) == OPTIONAL_SOURCES


@EVERY_TABLE
def test_every_table_follows_tables_that_come_before_it(table: DailyTable) -> None:
    assert {*table.follows, *table.also_reads} <= set(names(TABLES[: TABLES.index(table)]))


@EVERY_TABLE
def test_a_table_of_conversion_days_reads_no_table_of_session_days(table: DailyTable) -> None:
    """Only the other way round has a mapping: day D of sessions reads days D to D + lookback of conversions."""
    read = [kind_of(name) for name in (*table.follows, *table.also_reads)]

    assert table.day_of == "session" or "session" not in read


@EVERY_TABLE
def test_a_table_is_requested_when_what_it_follows_is_newer(graph: dg.AssetGraph, table: DailyTable) -> None:
    condition = graph.get(dg.AssetKey(table.name)).automation_condition
    followed = [part.inputs for part in parts(condition) if isinstance(part, InputIsNewer)] if condition else []

    assert followed == ([inputs(every())[table.name]] if table.follows else [])


def parts(condition: dg.AutomationCondition[dg.AssetKey]) -> Iterator[dg.AutomationCondition[dg.AssetKey]]:
    yield condition
    for child in condition.children:
        yield from parts(child)


@EVERY_TABLE
def test_late_data_reaches_a_table_itself_or_one_that_it_follows(table: DailyTable) -> None:
    compared = set(names(compared_tables(every())))

    assert table.is_kept or {table.name, *ancestors(table)} & compared


@EVERY_TABLE
def test_late_data_of_every_source_of_a_table_is_looked_for(table: DailyTable) -> None:
    """A function cannot be asked what its rows would be now: it reads sources by way of a table, or keeps what it learned."""
    assert table.is_compared or table.is_kept or not table.reads


@EVERY_TABLE
def test_what_a_table_also_reads_is_restated_with_what_it_follows(table: DailyTable) -> None:
    followed = {*table.follows}.union(*(ancestors(table_named(name)) for name in table.follows))

    assert {*table.also_reads} <= followed


def one_day(shop: Shop) -> None:
    """A row of every source on 2023-09-01."""
    shop.add_optional_sources()
    shop.session("s1", "anna", "2023-09-01 10:00:00", cost=1)
    shop.conversion("c1", "anna", "2023-09-01 12:00:00")
    shop.execute("INSERT INTO conversions_backend VALUES ('c1', 'anna', '2023-09-01', 'DE', 100, NULL)")
    shop.execute("INSERT INTO ad_costs (date, campaign_id, cost) VALUES ('2023-09-01', 'brand', 1)")
    shop.execute("INSERT INTO events VALUES ('e1', 's1', 'anna', 'checkout', '2023-09-01 12:00:00', NULL, 'fern', 'c1')")
    shop.execute("INSERT INTO order_items VALUES ('c1', 'fern', 1)")
    shop.execute("INSERT INTO products VALUES ('fern', 'Fern')")
    shop.execute("INSERT INTO campaign_results VALUES ('shop', '2023-09-01', 'ENABLED', 'CONVERSION', 'TOYS', 1, 1, 1, 1)")


KEPT = {*COLUMNS, *engagement.ACTIVITY, engagement.RULE}
"""Columns of session_sources that its channels and flags were derived from, which no result is computed from."""

SOURCE_COLUMNS = [
    (source, column.name)
    for source in sources_read(table for table in TABLES if not table.reaches_any_day)
    for column in schema()[source.name].columns
    if column.name not in KEPT
]


def test_no_result_is_computed_from_what_channels_and_flags_were_derived_from() -> None:
    words = {path.stem: {*re.findall(r"\w+", path.read_text())} for path in sql_folder().glob("*.sql")}

    assert {name for name in words if words[name] & KEPT} == {"optional_sources", "engagement_rules"}


@pytest.mark.parametrize(("source", "column"), SOURCE_COLUMNS, ids=[f"{source.name}.{name}" for source, name in SOURCE_COLUMNS])
def test_a_digest_of_a_day_tells_a_change_of_any_column(shop: Shop, source: Source, column: str) -> None:
    one_day(shop)
    days = {"first_day": "2023-08-31", "last_day": "2023-09-02"}

    before = shop.warehouse.fetch(Query(f"digest_{source.name}", days))[1]
    shop.execute(f"UPDATE {source.name} SET {column} = ?", "2023-09-02" if column.endswith("date") else "7")
    after = shop.warehouse.fetch(Query(f"digest_{source.name}", days))[1]

    assert [day for day, _ in before] == ["2023-09-01"]
    assert before != after


def test_every_table_is_made_by_one_job(graph: dg.AssetGraph) -> None:
    repository = build_defs(every()).get_repository_def()

    made = [key.to_user_string() for job in JOBS for key in repository.get_job(job.name).asset_layer.selected_asset_keys]

    assert sorted(made) == sorted(names(TABLES))


def test_status_and_check_know_every_table(shop: Shop) -> None:
    one_day(shop)
    environment = {
        "ATTRIBUTION_DATABASE": str(shop.database),
        "ATTRIBUTION_MODELS": "all",
        "ATTRIBUTION_CONVERSIONS": "backend",
        "ATTRIBUTION_BREAKDOWNS": "market",
        "ATTRIBUTION_END_DATE": "2023-09-02",
    }

    def asked(*command: str) -> str:
        result = CliRunner().invoke(main, [*command], env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    asked("run")
    [day, _] = json.loads(asked("status", "--json"))
    checked = [(finding["asset"], finding["check"]) for finding in json.loads(asked("check", "--json"))]

    assert day["assets"] == {table.name: {"state": "fresh", "because": None} for table in TABLES}
    shown = asked("status")
    assert all(table.heading in shown for table in TABLES)
    assert checked == [(table.name, check.name) for table, check in CHECKS]


@EVERY_TABLE
def test_the_documentation_lists_every_table(table: DailyTable) -> None:
    assert f"| [{table.name}](#{table.name}) |" in (PROJECT / "docs" / "assets.md").read_text()


def test_the_documentation_says_of_every_check_what_to_do() -> None:
    page = (PROJECT / "docs" / "checks.md").read_text()

    assert [check.name for _, check in CHECKS if f"### {check.name}\n" not in page] == []


def test_without_models_their_tables_are_nowhere() -> None:
    without_models = every_table()

    assert names(tables(without_models)) == names(table for table in TABLES if not table.of_models)
