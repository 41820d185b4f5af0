"""Query and the files of sql/: found by name, and all of them statements over the declared tables."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path

import pytest

from attribution_assets import shipped
from attribution_assets.shipped import read_sql, sql_folder
from attribution_assets.warehouse import Query
from attribution_assets.warehouse.dialect import in_dialect
from attribution_assets.warehouse.reads import reads
from attribution_assets.warehouse.schema import empty_database
from attribution_assets.warehouse.sqlite.views import add_views
from attribution_assets.warehouse.views import Reading
from attribution_assets_tests.support import PROJECT

BROKEN_DOWN = Reading(breakdowns=("market", "conversions.market"))
SCHEMAS = {"challenge_db_create", "optional_sources", "ihc_ledger", "seen_days"}
QUERIES = sorted({path.stem for path in (PROJECT / "sql").glob("*.sql")} - SCHEMAS)
GUARDS = [name for name in QUERIES if name.startswith("broken_")]


def described(name: str) -> list[str]:
    """The columns of a file's statement over the declared, empty tables."""
    text = in_dialect(read_sql(name), "sqlite")
    with closing(empty_database()) as connection:
        add_views(connection, BROKEN_DOWN)
        cursor = connection.execute(text, dict.fromkeys(reads(text).parameters, '"2023-09-01"'))
        return [column for column, *_ in cursor.description]


def test_a_query_is_the_text_of_its_file() -> None:
    text = Query("channel_reporting").text

    assert text == (PROJECT / "sql" / "channel_reporting.sql").read_text(encoding="utf-8")


def test_a_query_without_a_file_is_not_found() -> None:
    with pytest.raises(FileNotFoundError, match=r"no_such_query\.sql"):
        _ = Query("no_such_query").text


@pytest.mark.parametrize("name", ["../pyproject", "customer_journeys.sql", "/etc/passwd", ""])
def test_a_name_that_is_no_plain_word_never_reaches_the_disk(name: str) -> None:
    with pytest.raises(FileNotFoundError, match="is not the name of a file in sql/"):
        read_sql(name)


def test_in_a_checkout_sql_stands_beside_the_package() -> None:
    assert sql_folder() == PROJECT / "sql"


def test_in_an_installation_sql_lies_inside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages" / "attribution_assets"
    (installed / "sql").mkdir(parents=True)

    monkeypatch.setattr(shipped, "__file__", str(installed / "shipped.py"))

    assert sql_folder() == installed / "sql"


@pytest.mark.parametrize("name", QUERIES)
def test_every_file_is_one_statement_over_the_declared_tables(name: str) -> None:
    columns = described(name)

    assert len(columns) == len(set(columns)) > 0


@pytest.mark.parametrize("name", QUERIES)
def test_every_file_says_first_what_a_row_is(name: str) -> None:
    assert re.match(r"-- One row(:| per )", read_sql(name))


@pytest.mark.parametrize("name", GUARDS)
def test_a_guard_answers_with_one_column_of_problems(name: str) -> None:
    assert described(name) == ["problem"]
