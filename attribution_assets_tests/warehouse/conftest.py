"""Rows as a query, a frame or an iterator, and a database that has some."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import pytest

from attribution_assets import shipped
from attribution_assets.warehouse import Query
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.rows import COLUMNS, OLD, AddSQL, Given, Row, Rows, frame, select
from attribution_assets_tests.warehouse.sound import sound_shop


@pytest.fixture
def add_sql(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AddSQL]:
    """Puts a text into a copy of sql/ and returns the file's name."""
    folder = tmp_path / "sql"
    shutil.copytree(shipped.sql_folder(), folder)
    monkeypatch.setattr(shipped, "sql_folder", lambda: folder)
    shipped.read_sql.cache_clear()

    def add(text: str) -> str:
        name = f"added_{len(list(folder.iterdir()))}"
        (folder / f"{name}.sql").write_text(f"{text}\n", encoding="utf-8")
        return name

    yield add
    shipped.read_sql.cache_clear()


@pytest.fixture(params=["query", "frame", "iterator"])
def given(request: pytest.FixtureRequest, add_sql: AddSQL) -> Given:
    """The test runs three times: with a Query, with one frame, and with an iterator that has a frame for each row."""

    def of(*rows: Row, columns: Sequence[str] = COLUMNS) -> Rows:
        if request.param == "query":
            return Query(add_sql(select(rows, columns)))
        if request.param == "frame":
            return frame(*rows, columns=columns)
        return (frame(row, columns=columns) for row in rows)

    return of


@pytest.fixture
def attributed(shop: Shop) -> Shop:
    """A prepared database with one attributed conversion on each of the first three days of September."""
    shop.warehouse.prepare()
    rows = ", ".join(["(?, ?, ?, ?)"] * len(OLD))
    shop.execute(f"INSERT INTO attribution_customer_journey VALUES {rows}", *chain(*OLD))
    return shop


@pytest.fixture
def older(shop: Shop) -> Shop:
    """A database from before attribution_customer_journey had a conv_date; only c1 is still a conversion."""
    shop.execute(
        "CREATE TABLE attribution_customer_journey "
        "(conv_id text NOT NULL, session_id text NOT NULL, ihc real NOT NULL, PRIMARY KEY (conv_id, session_id))"
    )
    shop.execute("INSERT INTO attribution_customer_journey VALUES ('c1', 's1', 0.4), ('c1', 's2', 0.6), ('gone', 's3', 1.0)")
    shop.conversion("c1", "u", "2023-09-01 12:00:00")
    return shop


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `sound` is copied from."""
    return sound_shop(tmp_path_factory.mktemp("template")).database


@pytest.fixture
def sound(template: Path, tmp_path: Path) -> Shop:
    """A copy of the template: a database that is right."""
    return Shop.at(Path(shutil.copy(template, tmp_path)), tmp_path)
