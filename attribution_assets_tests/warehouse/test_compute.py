"""DuckDB and SQLite: who computes what, with the same rows to the last bit, from one state of the file, whoever else writes."""

from __future__ import annotations

import json
import logging
import math
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import hypothesis
import pytest
from hypothesis import strategies as st

from attribution_assets.analysis.checking import run_check
from attribution_assets.analysis.crediting import model_rows, with_ihc
from attribution_assets.analysis.learning import channel_values
from attribution_assets.catalog.attribution import ATTRIBUTION_CUSTOMER_JOURNEY, CUSTOMER_JOURNEYS
from attribution_assets.catalog.funnel import OF_FUNNEL
from attribution_assets.catalog.models import MODEL_REPORTING
from attribution_assets.catalog.reporting import CHANNEL_COSTS, CHANNEL_REPORT, CHANNEL_REPORTING
from attribution_assets.catalog.table import Check
from attribution_assets.catalog.tables import CHECKS, query_of, table_named
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.embedded import embedded_results
from attribution_assets.models import MODELS
from attribution_assets.settings import Settings
from attribution_assets.warehouse import SOURCES, Days, Frames, Query, functions, schema
from attribution_assets.warehouse.duckdb import compute
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.command import PROCESSES
from attribution_assets_tests.support import SHARED, Shop, wait_for
from attribution_assets_tests.warehouse.rows import OURS, AddSQL, change, locked, refused
from attribution_assets_tests.warehouse.sound import BROKEN, CONVERSION_DAYS, DAYS_OF

CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"
SEPTEMBER = Days("2023-09-01", "2023-09-30")
DAY = Days("2023-09-01", "2023-09-01")
COMPUTED = (*OURS, "channel_values", "model_attribution", "model_reporting")


@pytest.fixture
def of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every database one of many rows."""
    monkeypatch.setattr(compute, "FEWEST_LOOKUPS", 0)
    compute._say_once.cache_clear()


def compute_all(database: Path, days: Days, engine: compute.Compute, **settings: Any) -> None:
    """All tables of the days, on one engine."""
    chosen = Settings(database=database, compute=engine, **settings)
    warehouse, tables = chosen.warehouse, schema()
    warehouse.prepare()
    warehouse.replace_days(tables["customer_journeys"], "conv_date", days, query_of(chosen, CUSTOMER_JOURNEYS, days))
    journeys = warehouse.stream(tables["customer_journeys"], "conv_date", days)
    results = (embedded_results(frame, IHCParameters.load("challenge"), None) for frame in journeys)
    warehouse.replace_days(tables["ihc_results"], "conv_date", days, Frames(results))
    warehouse.replace_days(
        tables["attribution_customer_journey"], "conv_date", days, query_of(chosen, ATTRIBUTION_CUSTOMER_JOURNEY, days)
    )
    warehouse.replace_days(tables["channel_costs"], "date", days, query_of(chosen, CHANNEL_COSTS, days))
    warehouse.replace_days(tables["channel_reporting"], "date", days, query_of(chosen, CHANNEL_REPORTING, days))
    warehouse.replace_days(tables["channel_report"], "date", days, query_of(chosen, CHANNEL_REPORT, days))
    values = channel_values(chosen, days)
    warehouse.replace_days(tables["channel_values"], "date", days, values)
    journeys = warehouse.stream(tables["customer_journeys"], "conv_date", days)
    shares = warehouse.stream(tables["attribution_customer_journey"], "conv_date", days)
    credit = model_rows(chosen, with_ihc(journeys, shares), values)
    warehouse.replace_days(tables["model_attribution"], "conv_date", days, Frames(credit))
    warehouse.replace_days(tables["model_reporting"], "date", days, query_of(chosen, MODEL_REPORTING, days))


def bits(database: Path, tables: Sequence[str] = COMPUTED) -> dict[str, list[tuple[Any, ...]]]:
    """The tables' rows; a number as its bits."""

    def exactly(value: Any) -> Any:
        return value.hex() if isinstance(value, float) else value

    shop = Shop.at(database, database.parent)
    return {name: [tuple(map(exactly, row)) for row in sorted(shop.table(name), key=str)] for name in tables}


def engines_agree(database: Path, days: Days, folder: Path, **settings: Any) -> dict[str, list[tuple[Any, ...]]]:
    """Both engines' results are the same; returns them."""
    copy, settings = Path(shutil.copy(database, folder / "copy.db")), {"models": MODELS, **settings}
    compute_all(database, days, "sqlite", **settings)
    compute_all(copy, days, "duckdb", **settings)
    by_sqlite, by_duckdb = bits(database), bits(copy)
    for name in COMPUTED:
        assert by_duckdb[name] == by_sqlite[name], name
    return by_sqlite


# -- the same results -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("including", [False, True])
def test_both_engines_give_the_same_tables_to_the_last_bit(tmp_path: Path, including: bool) -> None:
    database = tmp_path / "sample.db"
    write_sample(database, days=30, end=date(2023, 9, 30), sessions=5_000, seed=3, with_shop=False)

    results = engines_agree(database, SEPTEMBER, tmp_path, lookback_days=10, include_converting_session=including)

    assert all(results.values())


@pytest.mark.parametrize("order", ["any", "ordered"])
def test_both_engines_give_the_same_funnel_to_the_last_bit(tmp_path: Path, order: str) -> None:
    database = tmp_path / "sample.db"
    write_sample(database, days=30, end=date(2023, 9, 30), sessions=3_000, seed=3)
    results = []
    for engine in ("sqlite", "duckdb"):
        chosen = Settings(database=Path(shutil.copy(database, tmp_path / f"{engine}.db")), compute=engine, funnel_order=order)
        chosen.warehouse.prepare()
        for table in OF_FUNNEL:
            chosen.warehouse.replace_days(schema()[table.name], "date", SEPTEMBER, query_of(chosen, table, SEPTEMBER))
        results.append(bits(chosen.database.path, [table.name for table in OF_FUNNEL]))

    assert all(results[0].values())
    assert results[0] == results[1]


def test_both_engines_leave_out_the_same_users_as_nobody(tmp_path: Path) -> None:
    database = tmp_path / "sample.db"
    write_sample(database, days=30, end=date(2023, 9, 30), sessions=5_000, seed=3, with_shop=False)
    shop = Shop.at(database, tmp_path)
    users = [user for (user,) in shop.execute("SELECT user_id FROM conversions GROUP BY user_id ORDER BY user_id LIMIT 10")]
    odd = 'nobody\'s "é"'
    for table in ("session_sources", "conversions"):
        shop.execute(f"UPDATE {table} SET user_id = ? WHERE user_id = ?", odd, users[0])

    compute_all(database, SEPTEMBER, "sqlite")
    everybody = shop.table("customer_journeys")
    results = engines_agree(database, SEPTEMBER, tmp_path, nobody=[odd, *users[1:]])["customer_journeys"]

    assert 0 < len(results) < len(everybody)


@pytest.mark.skipif(not CHALLENGE.exists(), reason="shared/real/challenge/challenge.db is not there")
def test_both_engines_give_the_same_tables_of_the_challenge(tmp_path: Path) -> None:
    database = Path(shutil.copy(CHALLENGE, tmp_path / "challenge.db"))

    results = engines_agree(database, Days("2023-08-01", "2023-09-07"), tmp_path)

    assert len(results["attribution_customer_journey"]) == 3_703


def test_both_engines_treat_awkward_rows_alike(shop: Shop, tmp_path: Path) -> None:
    shop.session("é 'quoted'", "ännä", "2023-09-01 10:00:00", "Ads; DROP TABLE", cost=0.1)
    shop.execute("CREATE TABLE several AS SELECT * FROM session_costs")
    shop.execute("DROP TABLE session_costs")
    shop.execute("ALTER TABLE several RENAME TO session_costs")
    shop.execute("INSERT INTO session_costs VALUES (?, 0.2), (?, NULL), ('nobody', 5)", "é 'quoted'", "é 'quoted'")
    shop.session("s2", "ännä", "2023-09-02 10:00:00", "ads", cost=-3)
    shop.session("s3", "ännä", "2023-09-03 10:00:00", "", cost=7)
    shop.session("s4", "", "2023-09-03 10:00:00", "😀", cost=1e-12)
    shop.conversion("c", "ännä", "2023-09-03 10:00:00", 1e15)
    shop.conversion("C", "ännä", "2023-09-03 09:59:59", -0.01)
    shop.conversion("none", "stranger", "2023-09-03 09:59:59", 9)

    groups = tmp_path / "groups.csv"
    groups.write_text('channel_name,channel_group\nAds; DROP TABLE,"It\'s ""paid"", 1"\n😀,Überall\n', encoding="utf-8")

    results = engines_agree(shop.database, SEPTEMBER, tmp_path, channel_groups=groups)

    assert {row[3] for row in results["model_reporting"]} == {'It\'s "paid", 1', "ads", "", "Überall"}
    assert [row[:3] for row in results["channel_costs"]] == [
        ("2023-09-01", "Ads; DROP TABLE", 1),
        ("2023-09-02", "ads", 1),
        ("2023-09-03", "", 1),
        ("2023-09-03", "😀", 1),
    ]


def test_both_engines_read_columns_in_names_of_another_case(shop: Shop, tmp_path: Path) -> None:
    shop.session("s", "anna", "2023-09-01 10:00:00", "Ads", cost=1)
    shop.conversion("c", "anna", "2023-09-03 10:00:00", 9)
    for source in SOURCES:
        for column in schema()[source].column_names:
            shop.execute(f"ALTER TABLE {source} RENAME COLUMN {column} TO {column.title()}")

    results = engines_agree(shop.database, SEPTEMBER, tmp_path)

    assert all(results.values())


@hypothesis.given(numbers=st.lists(st.floats(-1e15, 1e15, allow_nan=False), min_size=1, max_size=30))
@hypothesis.settings(max_examples=25)
def test_both_engines_add_up_to_the_same_bits(numbers: list[float]) -> None:
    with closing(sqlite3.connect(":memory:")) as ours, duckdb.connect() as theirs:
        functions.add_to(ours)
        for statement in functions.IN_DUCKDB:
            theirs.execute(statement)
        for connection, type_ in ((ours, "real"), (theirs, "double")):
            connection.execute(f"CREATE TABLE t (x {type_})")
            connection.executemany("INSERT INTO t VALUES (?)", [(number,) for number in numbers])
        [(of_ours,)] = ours.execute("SELECT exact_total(x) FROM t").fetchall()
        [(of_theirs,)] = theirs.execute("SELECT exact_total(x) FROM t").fetchall()

    assert of_ours.hex() == of_theirs.hex()
    assert math.isclose(of_ours, math.fsum(numbers), rel_tol=1e-9, abs_tol=1e-9)


def test_both_engines_know_the_same_days_before() -> None:
    with duckdb.connect() as theirs:
        for statement in functions.IN_DUCKDB:
            theirs.execute(statement)
        of_all_time = (("0001-01-10", 28), ("9999-12-30", -28))
        for day, days in (("2024-03-01", 1), ("2023-09-01", 90), ("2023-09-01", -30), ("no day", 3), *of_all_time):
            [(of_theirs,)] = theirs.execute("SELECT days_before(?, ?)", (day, days)).fetchall()
            assert of_theirs == functions.days_before(day, days)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6) | st.sampled_from(
    ["null", "1", "true", "{}", "'", '"', "\\", "\0", " a ", "a=b, c", "😀"]
)


@hypothesis.given(groups=st.dictionaries(NAMES, NAMES, max_size=4), channel=NAMES)
def test_both_engines_know_the_same_group_of_a_channel(
    connections: tuple[sqlite3.Connection, duckdb.DuckDBPyConnection], groups: dict[str, str], channel: str
) -> None:
    for name in (None, "", channel, *groups):
        answers = [each.execute("SELECT group_of(?, ?)", (name, json.dumps(groups))).fetchall() for each in connections]
        assert answers == [[(groups.get(name, name) if name else name,)]] * 2


@pytest.fixture(scope="module")
def connections() -> Iterator[tuple[sqlite3.Connection, duckdb.DuckDBPyConnection]]:
    """An empty database of each engine that knows the functions."""
    with closing(sqlite3.connect(":memory:")) as ours, duckdb.connect() as theirs:
        functions.add_to(ours)
        for statement in functions.IN_DUCKDB:
            theirs.execute(statement)
        yield ours, theirs


BY_DUCKDB = [(table.name, check) for table, check in CHECKS if check.driven_by]


@pytest.mark.parametrize(("asset", "check"), BY_DUCKDB, ids=[check.name for _, check in BY_DUCKDB])
@pytest.mark.parametrize("state", ["right", "broken"])
def test_both_engines_find_the_same(sound: Shop, asset: str, check: Check, state: str) -> None:
    if state == "broken":
        change(sound, *BROKEN[asset, check.name][0])
    sound.warehouse.prepare()
    parameters = DAYS_OF.get(asset, CONVERSION_DAYS)

    by_sqlite = run_check(replace(sound.warehouse, compute="sqlite"), asset, check, parameters)
    by_duckdb = run_check(replace(sound.warehouse, compute="duckdb"), asset, check, parameters)

    assert by_duckdb == by_sqlite
    assert by_duckdb.offending == (0 if state == "right" else len(BROKEN[asset, check.name][1]))


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_days_that_differ_are_the_same_days(shop: Shop, engine: compute.Compute) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00", cost=1)
    shop.session("s2", "anna", "2023-09-02 10:00:00", cost=2)
    compute_all(shop.database, SEPTEMBER, "sqlite")
    shop.execute("UPDATE session_costs SET cost = 3 WHERE session_id = 's2'")
    settings = shop.settings(compute=engine)

    differing = settings.warehouse.differing_days(
        schema()["channel_costs"], "date", SEPTEMBER, query_of(settings, CHANNEL_COSTS, SEPTEMBER)
    )

    assert differing == {"2023-09-02"}


# -- who computes -----------------------------------------------------------------------------------------------------------


def sum_costs(shop: Shop, engine: compute.Compute) -> dict[str, int]:
    """Sums the costs of the first day."""
    settings = shop.settings(compute=engine)
    settings.warehouse.prepare()
    return settings.warehouse.replace_days(schema()["channel_costs"], "date", DAY, query_of(settings, CHANNEL_COSTS, DAY)).rows


@pytest.fixture
def paid(shop: Shop) -> Shop:
    """One paid session."""
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Ads", cost=1.5)
    return shop


PAID = [("2023-09-01", "Ads", 1, 1.5)]


def test_few_rows_are_looked_up_by_sqlite(paid: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "PROCESS", Path("there is no such program"))

    sum_costs(paid, "auto")

    assert paid.table("channel_costs") == PAID


@pytest.mark.usefixtures("of_many_rows")
def test_many_rows_are_read_by_duckdb_which_is_said_once(paid: Shop, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    sum_costs(paid, "auto")
    sum_costs(paid, "auto")

    assert paid.table("channel_costs") == PAID
    assert caplog.messages == ["DuckDB runs the large queries."]


@pytest.mark.usefixtures("of_many_rows")
def test_one_day_of_many_is_looked_up_by_sqlite(paid: Shop, caplog: pytest.LogCaptureFixture) -> None:
    for i in range(compute.ROWS_PER_LOOKUP * 2):
        paid.session(f"other{i}", "ben", "2023-09-02 10:00:00")
    caplog.set_level(logging.INFO)

    sum_costs(paid, "auto")

    assert (paid.table("channel_costs"), caplog.messages) == (PAID, [])


@pytest.mark.usefixtures("of_many_rows")
def test_a_source_may_have_a_column_called_rowid(paid: Shop) -> None:
    paid.execute("ALTER TABLE session_sources ADD COLUMN rowid text DEFAULT 'AAAB'")

    sum_costs(paid, "auto")

    assert paid.table("channel_costs") == PAID


@pytest.mark.usefixtures("of_many_rows")
def test_where_duckdb_is_not_installed_sqlite_computes_and_says_how_to_be_faster(
    paid: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(compute, "is_installed", lambda: False)
    caplog.set_level(logging.INFO)

    sum_costs(paid, "auto")

    assert paid.table("channel_costs") == PAID
    assert caplog.messages == [f"SQLite runs the large queries instead of DuckDB, which would be faster: {NOT_INSTALLED}."]


NOT_INSTALLED = "DuckDB is not installed (pip install duckdb-extension-sqlite-scanner)"

OBSTACLES = {
    "a view": (
        ["ALTER TABLE session_costs RENAME TO kept", "CREATE VIEW session_costs AS SELECT session_id, cost FROM kept"],
        "session_costs is a view",
    ),
    "another type": (
        ["DROP TABLE session_costs", "CREATE TABLE session_costs (session_id text, cost decimal)"],
        "session_costs.cost is declared decimal, not real",
    ),
    "no type": (
        ["DROP TABLE session_costs", "CREATE TABLE session_costs (session_id text, cost)"],
        "session_costs.cost is declared without a type, not real",
    ),
    "a collation": (
        ["DROP TABLE session_costs", "CREATE TABLE session_costs (session_id text COLLATE nocase, cost real)"],
        "session_costs is declared with COLLATE or WITHOUT ROWID",
    ),
}


@pytest.mark.usefixtures("of_many_rows")
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_duckdb_would_read_otherwise_is_left_to_sqlite(
    paid: Shop, obstacle: str, caplog: pytest.LogCaptureFixture
) -> None:
    statements, reason = OBSTACLES[obstacle]
    change(paid, *statements)
    caplog.set_level(logging.INFO)

    sum_costs(paid, "auto")
    sum_costs(paid, "duckdb")

    [(day, channel, sessions, _)] = paid.table("channel_costs")
    assert (day, channel, sessions) == PAID[0][:3]
    assert caplog.messages == [f"SQLite runs the large queries instead of DuckDB, which would be faster: {reason}."]


def test_a_view_is_left_to_sqlite_however_a_query_names_it(
    paid: Shop, add_sql: AddSQL, caplog: pytest.LogCaptureFixture
) -> None:
    change(paid, "ALTER TABLE session_costs RENAME TO kept", "CREATE VIEW session_costs AS SELECT session_id, cost FROM kept")
    text = "SELECT session_id FROM session_sources, session_costs USING (session_id)"
    query = Query(add_sql(text), driven_by="session_sources")

    caplog.set_level(logging.INFO)
    compute._say_once.cache_clear()

    with replace(paid.warehouse, compute="duckdb").rows_of(query) as rows:
        assert rows.fetchall() == [("s1",)]
    assert "session_costs is a view" in caplog.text


def test_duckdb_is_given_the_parameters_of_the_statement_and_not_those_that_a_comment_names(
    paid: Shop, add_sql: AddSQL
) -> None:
    text = "SELECT session_id FROM session_costs WHERE cost > $least -- $first_day is another query's"
    query = Query(add_sql(text), {"least": 1, "first_day": "2023-09-01"}, driven_by="session_costs")

    with replace(paid.warehouse, compute="duckdb").rows_of(query) as rows:
        assert rows.fetchall() == [("s1",)]


@pytest.mark.usefixtures("of_many_rows")
def test_a_file_of_another_encoding_is_left_to_sqlite(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    database = tmp_path / "utf16.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("PRAGMA encoding = 'UTF-16le'")
        connection.execute("CREATE TABLE other (x)")
    shop = Shop(database, tmp_path)
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Ads", cost=1.5)
    caplog.set_level(logging.INFO)

    sum_costs(shop, "auto")

    assert shop.table("channel_costs") == PAID
    assert [message.split(f"{database} ")[1] for message in caplog.messages] == [
        "stores text as UTF-16le, and DuckDB's file, which is UTF-8, cannot be attached to it."
    ]


OF_ANOTHER_DAY = "INSERT INTO session_costs VALUES ('of another day', 'not yet known')"
"""A cost that SQLite need not read for the first day, and DuckDB cannot read."""


@pytest.mark.usefixtures("of_many_rows")
def test_where_duckdb_fails_sqlite_computes_in_the_same_transaction(paid: Shop, caplog: pytest.LogCaptureFixture) -> None:
    paid.execute(OF_ANOTHER_DAY)

    sum_costs(paid, "auto")

    assert [message.split(":")[0] for message in caplog.messages if "could not" in message] == [
        "DuckDB could not compute channel_costs, so SQLite does"
    ]
    assert paid.table("channel_costs") == PAID


def test_where_duckdb_was_asked_for_and_fails_the_old_rows_stay(paid: Shop) -> None:
    sum_costs(paid, "duckdb")
    paid.execute(OF_ANOTHER_DAY)

    with refused("DuckDB could not compute channel_costs: ", " Fix that, or set ATTRIBUTION_COMPUTE=sqlite."):
        sum_costs(paid, "duckdb")

    assert paid.table("channel_costs") == PAID


def test_a_duckdb_that_cannot_be_loaded_is_told_by_its_error(
    paid: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "process.py"
    broken.write_text("raise ImportError('libstdc++.so.6: version GLIBCXX_3.4.29 not found')", encoding="utf-8")
    monkeypatch.setattr(compute, "PROCESS", broken)

    with refused("DuckDB could not compute channel_costs: ImportError: libstdc++.so.6: version GLIBCXX_3.4.29 not found."):
        sum_costs(paid, "duckdb")


@pytest.mark.parametrize("module", ["numpy", "pandas"])
def test_duckdb_does_not_import_what_takes_longer_than_a_small_query(
    paid: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    (tmp_path / f"{module}.py").write_text("import pathlib; pathlib.Path(__file__).with_suffix('.imported').touch()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    sum_costs(paid, "duckdb")

    assert paid.table("channel_costs") == PAID
    assert not (tmp_path / f"{module}.imported").exists()


def test_nothing_is_left_of_an_answer(paid: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))

    sum_costs(paid, "duckdb")

    assert list(temporary.iterdir()) == []


def test_the_costs_are_held_in_memory_and_the_sessions_of_however_many_days_stream_past(tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    write_sample(database, days=30, end=date(2023, 9, 30), sessions=5_000, seed=3, with_shop=False)
    settings = Settings(database=database)
    settings.warehouse.prepare()
    query = query_of(settings, CHANNEL_COSTS, SEPTEMBER)
    extension = files("duckdb_extension_sqlite_scanner") / f"extensions/v{duckdb.__version__}/sqlite_scanner.duckdb_extension"
    with duckdb.connect() as connection:
        for statement in (
            f"LOAD '{extension}'",
            *functions.IN_DUCKDB,
            f"ATTACH '{database}' AS source (TYPE sqlite, READ_ONLY)",
        ):
            connection.execute(statement)
        connection.execute("SET search_path = 'memory.main,source.main'")
        bounds = {name: query.parameters[name] for name in ("first_day", "last_day", "spend_wins")}
        [(_, plan)] = connection.execute(f"EXPLAIN (FORMAT json) {query.text}", bounds).fetchall()

    [join] = [step for step in steps(json.loads(plan)[0]) if step["extra_info"].get("Conditions") == "session_id = session_id"]
    streamed, held = (
        [step["extra_info"]["Table"] for step in steps(side) if "Table" in step["extra_info"]] for side in join["children"]
    )
    assert (streamed, held) == (["session_sources"], ["session_costs"])


def steps(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """This step of DuckDB's plan and all below it."""
    yield plan
    for below in plan["children"]:
        yield from steps(below)


# -- one state of the file ----------------------------------------------------------------------------------------------------


def move_costs(database: Path, stop: Any, moved: Any) -> None:
    """In each transaction a session and its cost of 1 go, and others come: there are always as many. Counts what it commits."""
    with closing(sqlite3.connect(database, timeout=3600, isolation_level=None)) as connection:
        while not stop.is_set():
            connection.execute("BEGIN IMMEDIATE")
            number = moved.value
            connection.execute("DELETE FROM session_costs WHERE session_id = ?", (f"s{number}",))
            connection.execute("DELETE FROM session_sources WHERE session_id = ?", (f"s{number}",))
            new = f"s{number + 20_000}"
            row = (new, "anna", "2023-09-01", "10:00:00", "Ads", 1, 1, 0)
            connection.execute("INSERT INTO session_sources VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("INSERT INTO session_costs VALUES (?, 1)", (new,))
            connection.execute("COMMIT")
            moved.value += 1
            time.sleep(0.001)


def test_duckdb_sees_one_state_of_the_file_and_loses_nothing_of_what_others_write(shop: Shop, request: Any) -> None:
    with closing(sqlite3.connect(shop.database)) as connection, connection:
        ids = [f"s{i}" for i in range(20_000)]
        connection.executemany(
            "INSERT INTO session_sources VALUES (?, 'anna', '2023-09-01', '10:00:00', 'Ads', 1, 1, 0)", zip(ids)
        )
        connection.executemany("INSERT INTO session_costs VALUES (?, 1)", zip(ids))
    shop.warehouse.prepare()
    stop, moved = PROCESSES.Event(), PROCESSES.Value("q", 0)
    writer = PROCESSES.Process(target=move_costs, args=(shop.database, stop, moved))
    writer.start()
    try:
        wait_for(lambda: moved.value or not writer.is_alive())
        seen, scans = [], 100 if request.config.getoption("--long") else 6
        for _ in range(scans):
            sum_costs(shop, "duckdb")
            seen += shop.table("channel_costs")
            time.sleep(0.05)
    finally:
        stop.set()
        writer.join(60)

    assert seen == [("2023-09-01", "Ads", 20_000, 20_000.0)] * scans
    assert sorted(shop.table("session_sources", "session_id")) == sorted((f"s{moved.value + i}",) for i in range(20_000))
    assert shop.execute("PRAGMA integrity_check") == [("ok",)]


SUM_COSTS = """
import sys
from pathlib import Path
from attribution_assets.catalog.reporting import CHANNEL_COSTS
from attribution_assets.catalog.tables import query_of
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema
from attribution_assets.warehouse.duckdb import compute

compute.PROCESS = Path(sys.argv[2])
settings, day = Settings(database=sys.argv[1], compute="duckdb"), Days("2023-09-01", "2023-09-01")
settings.warehouse.replace_days(schema()["channel_costs"], "date", day, query_of(settings, CHANNEL_COSTS, day))
"""


def test_no_one_else_writes_while_duckdb_reads(paid: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, go_on = tmp_path / "process.py", tmp_path / "go-on"
    waits = f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.02)\n"
    slow.write_text(waits + compute.PROCESS.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(compute, "PROCESS", slow)
    paid.warehouse.prepare()
    with subprocess.Popen([sys.executable, "-c", SUM_COSTS, paid.database, slow]) as run:
        wait_for(lambda: is_locked(paid.database) or run.poll() is not None, every=0.02)
        held = is_locked(paid.database)
        go_on.touch()
        assert run.wait() == 0
    assert held

    assert paid.table("channel_costs") == PAID


def test_a_reader_does_not_wait_for_a_writer(sound: Shop) -> None:
    sound.warehouse.prepare()
    [check] = [check for check in table_named("channel_costs").checks if check.name == "costs_add_up"]
    with locked(sound.database):
        finding = run_check(replace(sound.warehouse, compute="duckdb"), "channel_costs", check, DAYS_OF["channel_costs"])

    assert finding.state == "passed"


def is_locked(database: Path) -> bool:
    with closing(sqlite3.connect(database, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
    return False


def test_duckdb_ends_with_the_process_that_waits_for_it(paid: Shop, tmp_path: Path) -> None:
    task = {
        "source": str(paid.database),
        "answer": str(tmp_path / "answer.db"),
        "select": "SELECT sum(a.range * b.range) AS x FROM range(10000000) AS a, range(10000000) AS b",  # takes for ever
        "parameters": {},
        "functions_and_views": [],
        "config": {},
    }
    command = [sys.executable, "-P", str(compute.PROCESS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        assert process.stdin
        process.stdin.write(f"{json.dumps(task)}\n")
        process.stdin.flush()
        wait_for(lambda: (tmp_path / "answer.db").exists() or process.poll() is not None)
        assert process.poll() is None

        process.stdin.close()  # as the system does it when the other process is killed

        assert process.wait() == 1
