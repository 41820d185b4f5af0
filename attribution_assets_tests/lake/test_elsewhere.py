"""Sources of a lake that lie elsewhere: results are those of the same rows in the lake, and nothing is half seen or told."""

from __future__ import annotations

import os
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs, build_resources
from attribution_assets.errors import AttributionError, BusyError, NotReadyError
from attribution_assets.orchestration.io_managers import LakeIOManager
from attribution_assets.settings import Settings, read_settings
from attribution_assets.warehouse import Days
from attribution_assets.warehouse.lake.database import LakeWarehouse
from attribution_assets.warehouse.lake.loading import import_sources
from attribution_assets.warehouse.lake.proofs import Proofs
from attribution_assets_tests.importing.databases import IN_URL, PASSWORD, Database
from attribution_assets_tests.lakes import rows_of
from attribution_assets_tests.support import Shop
from attribution_assets_tests.warehouse.rows import CUSTOMER_JOURNEYS, JOURNEYS, refused

pytestmark = pytest.mark.xdist_group("servers")

DAY = Days("2023-09-01", "2023-09-01")
TABLES = ("session_sources", "session_costs", "conversions")
TYPES = {"holder_engagement": "integer", "closer_engagement": "integer", "impression_interaction": "integer", "cost": "real"}
DOUBLES = ("cost", "revenue")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Two conversions with ids that look like numbers, one of them of a user whose sessions are in two channels of one name."""
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    shop.session("007", "anna", "2023-08-30 10:00:00", "Email", cost=0.1 + 0.2)
    shop.session("1e5", "anna", "2023-09-01 09:00:00", "email", cost=1e-7)
    shop.session("s3", "Zoé", "2023-09-01 08:00:00", "SEA, 'brand'", cost="missing")
    shop.conversion("1e5", "anna", "2023-09-01 12:00:00.250", 74.91)
    shop.conversion("c2", "Zoé", "2023-09-01 12:00:00", -0.1)
    return shop


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake without sources."""
    LakeWarehouse(tmp_path / "lake").make()
    return tmp_path / "lake"


def as_files(ending: str) -> Callable[[Shop, pytest.FixtureRequest], str]:
    """Puts each table into a folder, as a file of this kind."""

    def put(shop: Shop, _: pytest.FixtureRequest) -> str:
        folder = shop.database.with_name(ending)
        folder.mkdir()
        with duckdb.connect() as connection:
            for table in TABLES:
                columns, rows = _rows(shop, table)
                types = ", ".join(f"{name} {_type(name, 'varchar', 'bigint', 'double')}" for name in columns)
                connection.execute(f"CREATE TABLE {table} ({types})")
                connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", rows)
                connection.execute(f"COPY {table} TO '{folder / table}.{ending}'")
        return str(folder)

    return put


def as_delta(shop: Shop, _: pytest.FixtureRequest) -> str:
    folder = shop.database.with_name("other")
    import_sources(LakeWarehouse(folder), shop.database)
    return str(folder)


def as_file(shop: Shop, _: pytest.FixtureRequest) -> str:
    return str(shop.database)


def on(server: str) -> Callable[[Shop, pytest.FixtureRequest], str]:
    """Puts the tables on the server."""

    def put(shop: Shop, request: pytest.FixtureRequest) -> str:
        database: Database = request.getfixturevalue(server)
        for table in TABLES:
            columns, rows = _rows(shop, table)
            types = ", ".join(f"{name} {_type(name, 'varchar(40)', 'integer', 'double precision')}" for name in columns)
            values = ", ".join(f"({', '.join(map(_literal, row))})" for row in rows)
            database.execute(
                f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({types}); INSERT INTO {table} VALUES {values}"
            )
        return database.url

    return put


def _rows(shop: Shop, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(shop.database)) as connection:
        cursor = connection.execute(f"SELECT * FROM {table} ORDER BY rowid")
        return [name for name, *_ in cursor.description], cursor.fetchall()


def _type(name: str, text: str, integer: str, real: str) -> str:
    return real if name in DOUBLES else integer if TYPES.get(name) == "integer" else text


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


PLACES = {
    "csv": as_files("csv"),
    "parquet": as_files("parquet"),
    "delta": as_delta,
    "sqlite": as_file,
    "postgresql": on("postgres_server"),
    "mysql": on("mariadb_server"),
}
EVERYWHERE = pytest.mark.parametrize("put", PLACES.values(), ids=PLACES)
ON_SERVERS = pytest.mark.parametrize("put", [PLACES["postgresql"], PLACES["mysql"]], ids=["postgresql", "mysql"])
IN_FILES = pytest.mark.parametrize(
    "put", [PLACES["csv"], PLACES["parquet"], PLACES["sqlite"]], ids=["csv", "parquet", "sqlite"]
)


def journeys(warehouse: LakeWarehouse) -> list[tuple[Any, ...]]:
    warehouse.prepare()
    warehouse.replace_days(JOURNEYS, "conv_date", DAY, CUSTOMER_JOURNEYS)
    return sorted(rows_of(warehouse.path, JOURNEYS))


def attribution(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments])


@EVERYWHERE
def test_the_results_are_those_of_the_same_rows_in_the_lake(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str]
) -> None:
    inside = LakeWarehouse(shop.database.with_name("inside"))
    import_sources(inside, shop.database)
    outside = LakeWarehouse(lake, sources_at=put(shop, request))

    assert journeys(outside) == journeys(inside)
    assert len(rows_of(lake, JOURNEYS)) == 3
    assert outside.span("session_sources", "event_date") == Days("2023-08-30", "2023-09-01")
    assert {name: columns & {"cost", "revenue", "user_id"} for name, columns in outside.sources().items()} == {
        "session_sources": {"user_id"},
        "session_costs": {"cost"},
        "conversions": {"user_id", "revenue"},
    }
    with outside.connect() as connection, inside.connect() as same:
        for table in TABLES:
            asked = f"SELECT * FROM {table} ORDER BY ALL"
            assert connection.execute(asked).fetchall() == same.execute(asked).fetchall()


@EVERYWHERE
def test_an_id_that_stands_twice_is_refused_whenever_it_comes(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str]
) -> None:
    place = put(shop, request)
    journeys(LakeWarehouse(lake, sources_at=place))
    shop.execute("DROP TABLE conversions")
    shop.execute("CREATE TABLE conversions (conv_id text, user_id text, conv_date text, conv_time text, revenue real)")
    for _ in range(2):
        shop.conversion("c2", "anna", "2023-09-01 12:00:00")
    if Path(place).is_dir():
        for file in sorted(Path(place).rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        Path(place).rmdir()
    put(shop, request)

    with refused("conv_id 'c2' appears 2 times in conversions in"):
        journeys(LakeWarehouse(lake, sources_at=place))


def test_sources_in_the_lake_are_not_read_beside_others(shop: Shop, lake: Path) -> None:
    import_sources(LakeWarehouse(lake), shop.database)
    (lake.parent / "empty").mkdir()

    outside = LakeWarehouse(lake, sources_at=str(lake.parent / "empty"))

    assert outside.sources() == {}
    with refused("empty has no table"):
        journeys(outside)


def test_empty_cells_of_csv_are_null_and_columns_come_in_any_order(
    shop: Shop, lake: Path, request: pytest.FixtureRequest
) -> None:
    place = Path(as_files("csv")(shop, request))
    (place / "conversions").mkdir()
    (place / "conversions.csv").rename(place / "conversions/a.csv")
    (place / "conversions/b.csv").write_text("revenue,conv_time,conv_date,user_id,conv_id\n5,12:00:00,2023-09-02,,c3\n")

    with LakeWarehouse(lake, sources_at=str(place)).connect() as connection:
        rows = connection.execute("SELECT * FROM stored.conversions WHERE conv_date >= '2023-09-02'").fetchall()

    assert rows == [("c3", None, "2023-09-02", "12:00:00", "5")]


def test_a_text_that_is_no_whole_number_is_refused_where_one_belongs(
    shop: Shop, lake: Path, request: pytest.FixtureRequest
) -> None:
    place = Path(as_files("csv")(shop, request))
    text = (place / "session_sources.csv").read_text()
    (place / "session_sources.csv").write_text(text.replace(",1,1,0", ",1.5,1,0"))

    with refused("that do not have the declared types", "holder_engagement integer"):
        journeys(LakeWarehouse(lake, sources_at=str(place)))


# -- what changes meanwhile


@IN_FILES
def test_files_that_change_while_a_step_computes_stop_it(
    shop: Shop,
    lake: Path,
    request: pytest.FixtureRequest,
    put: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = put(shop, request)
    warehouse = LakeWarehouse(lake, sources_at=place)
    before = journeys(warehouse)
    check = Proofs.of_ids
    path = Path(place) if Path(place).is_file() else next(Path(place).glob("conversions.*"))

    def change(self: Proofs, *arguments: Any) -> None:
        check(self, *arguments)
        os.utime(path, ns=(1, 1))

    monkeypatch.setattr(Proofs, "of_ids", change)
    state = warehouse.state()

    with refused("has changed while it was read. Run again.", kind=BusyError):
        journeys(warehouse)
    assert sorted(rows_of(lake, JOURNEYS)) == before
    assert warehouse.state() != state


@ON_SERVERS
def test_a_step_sees_one_state_of_a_server(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str]
) -> None:
    place = put(shop, request)
    server: Database = request.getfixturevalue("postgres_server" if place.startswith("postgresql") else "mariadb_server")
    warehouse = LakeWarehouse(lake, sources_at=place)
    asked = "SELECT (SELECT count(*) FROM conversions), (SELECT count(*) FROM session_sources)"

    with warehouse.connect() as connection:
        first = connection.execute("SELECT count(*) FROM conversions").fetchall()
        server.execute("DELETE FROM conversions WHERE conv_id = 'c2'; DELETE FROM session_sources")
        assert (first, connection.execute(asked).fetchall()) == ([(2,)], [(2, 3)])
    with warehouse.connect() as connection:
        assert connection.execute(asked).fetchall() == [(1, 0)]


@ON_SERVERS
def test_a_lake_at_one_state_has_one_of_its_server(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str]
) -> None:
    place = put(shop, request)
    server: Database = request.getfixturevalue("postgres_server" if place.startswith("postgresql") else "mariadb_server")

    with LakeWarehouse(lake, sources_at=place).at_one_state() as state:
        assert state.rows_by_day("conversions", "conv_date", DAY) == {"2023-09-01": 2}
        server.execute("DELETE FROM conversions; DELETE FROM session_sources")
        assert state.rows_by_day("conversions", "conv_date", DAY) == {"2023-09-01": 2}
        assert state.span("session_sources", "event_date") == Days("2023-08-30", "2023-09-01")


@ON_SERVERS
def test_the_state_of_a_server_is_never_taken_as_known(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str]
) -> None:
    warehouse = LakeWarehouse(lake, sources_at=put(shop, request))

    assert warehouse.state() != warehouse.state()


def test_mysql_must_let_a_transaction_see_one_state(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, mariadb_server: Database
) -> None:
    place = PLACES["mysql"](shop, request)
    mariadb_server.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL READ COMMITTED")
    try:
        with refused("has the isolation level READ-COMMITTED", "Set it to REPEATABLE-READ there."):
            journeys(LakeWarehouse(lake, sources_at=place))
    finally:
        mariadb_server.execute("SET GLOBAL TRANSACTION ISOLATION LEVEL REPEATABLE READ")


# -- what cannot be read


def test_a_column_of_another_type_in_an_sqlite_file_is_refused(shop: Shop, lake: Path) -> None:
    shop.execute("DROP TABLE session_costs")
    shop.execute("CREATE TABLE session_costs (session_id, cost real)")

    with refused("session_costs.session_id in", "is declared with another type than text", "attribution lake import"):
        journeys(LakeWarehouse(lake, sources_at=str(shop.database)))


def test_nothing_at_the_place_is_said_in_one_line(lake: Path) -> None:
    with refused("There is no folder or SQLite file", "ATTRIBUTION_SOURCES", kind=NotReadyError):
        journeys(LakeWarehouse(lake, sources_at=str(lake.parent / "nothing")))


def test_a_file_that_is_no_database_is_refused(lake: Path) -> None:
    (lake.parent / "text.db").write_text("no database" * 100)

    with refused("text.db cannot be read as SQLite"):
        journeys(LakeWarehouse(lake, sources_at=str(lake.parent / "text.db")))


@ON_SERVERS
def test_without_its_extra_a_server_is_not_read(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(shop, request)
    scanner = "postgres" if place.startswith("postgresql") else "mysql"
    monkeypatch.setitem(sys.modules, f"duckdb_extension_{scanner}_scanner", None)

    with refused(f"is read with the extra {scanner}"):
        journeys(LakeWarehouse(lake, sources_at=place))


@ON_SERVERS
def test_no_password_is_told_where_a_server_cannot_be_read(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(shop, request)
    for wrong in (place.replace(IN_URL, "wr%2Fong"), place.rpartition(":")[0] + ":1/shop"):
        warehouse = LakeWarehouse(lake, sources_at=wrong)
        with pytest.raises(AttributionError) as raised:
            journeys(warehouse)
        monkeypatch.setenv("ATTRIBUTION_SOURCES", wrong)
        printed = attribution("run", "--database", f"{lake}/")
        told = f"{raised.value} {raised.value.__cause__} {warehouse!r} {printed.output} {Settings(database=f'{lake}/')!r}"

        assert printed.exit_code == 1
        assert "cannot be read" in printed.output
        assert not [secret for secret in ("wr/ong", "wr%2Fong", PASSWORD, IN_URL) if secret in told]


# -- the setting


def test_an_sqlite_database_has_its_sources_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_SOURCES", "elsewhere")

    result = attribution("run", "--database", "shop.db")

    assert result.output == (
        f"Error: ATTRIBUTION_SOURCES needs a lake, and {shop.database} is none, but has sources of its own. Unset it, or name "
        "the folder of a lake with a slash at its end. Fix it in the environment or in .env.\n"
    )


@pytest.mark.parametrize("url", ["oracle://u:s3cret@host/shop", "postgresql://u:s3cret:x@host/shop", "mysql://u:s3@cret@h/s"])
def test_a_wrong_url_is_refused_without_its_password(lake: Path, url: str) -> None:
    with pytest.raises(AttributionError) as raised:
        read_settings(database=f"{lake}/", sources=url)

    assert str(raised.value).startswith("ATTRIBUTION_SOURCES: ")
    assert "cret" not in str(raised.value)


def test_the_place_is_handed_to_runs_by_the_environment_alone(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"postgresql://anna:{IN_URL}@db/shop"
    monkeypatch.setenv("ATTRIBUTION_SOURCES", url)
    settings = Settings(database=f"{lake}/")

    manager = build_resources(settings)["io_manager"]

    assert manager.sources == dg.EnvVar("ATTRIBUTION_SOURCES")
    assert IN_URL not in f"{settings!r} {settings.model_dump_json()} {build_defs(settings).get_repository_def()!r}"


@pytest.mark.parametrize("url", [f"postgresql://anna:{IN_URL}@db/shop", "mysql://db/shop?password=s3cret%2Fword"])
def test_an_io_manager_with_a_literal_password_is_refused(lake: Path, url: str) -> None:
    manager = LakeIOManager(database=f"{lake}/", sources=url)

    with pytest.raises(AttributionError) as raised:
        dg.Definitions(resources={"io_manager": manager}).get_repository_def()
    assert str(raised.value).startswith("LakeIOManager(sources=…) has a password for ")
    assert IN_URL not in str(raised.value)


def test_an_io_manager_with_a_server_without_a_password_is_taken(lake: Path) -> None:
    manager = LakeIOManager(database=f"{lake}/", sources="postgresql://anna@db/shop")

    assert dg.Definitions(resources={"io_manager": manager}).get_repository_def()


@ON_SERVERS
@pytest.mark.dagster_home
def test_a_whole_run_on_a_server_writes_the_files_of_a_run_on_a_file_and_its_history_has_no_password(
    shop: Shop, lake: Path, request: pytest.FixtureRequest, put: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = put(shop, request)
    attribution("run", "--database", "shop.db", "--exports", "of-file", "--end", "2023-09-02")
    home = lake.with_name("home")
    monkeypatch.setenv("ATTRIBUTION_SOURCES", place)
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    result = attribution("run", "--database", f"{lake}/", "--exports", "of-lake", "--end", "2023-09-02")

    assert result.exit_code == 0, result.output
    files = {file.relative_to("of-file"): file.read_bytes() for file in Path("of-file").rglob("*.csv")}
    assert files
    assert files == {file.relative_to("of-lake"): file.read_bytes() for file in Path("of-lake").rglob("*.csv")}
    told = b"".join((*stored_in(home), result.output.encode()))
    assert b"channel_reporting" in told
    assert b"io_manager" in told
    assert not [secret for secret in (PASSWORD, IN_URL) if secret.encode() in told]


def stored_in(home: Path) -> Iterator[bytes]:
    """What the files of a history hold: their bytes, and the snapshots in them, which are compressed."""
    for file in filter(Path.is_file, home.rglob("*")):
        yield file.read_bytes()
        if file.suffix == ".db":
            with closing(sqlite3.connect(file)) as connection:
                for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                    for row in connection.execute(f"SELECT * FROM {table}"):
                        yield from (zlib.decompress(value) for value in row if isinstance(value, bytes) and value[:1] == b"x")


def test_nothing_is_imported_into_a_lake_that_reads_its_sources_elsewhere(
    shop: Shop, lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTRIBUTION_SOURCES", str(shop.database))

    result = attribution("lake", "import", "shop.db", "--database", f"{lake}/")

    assert result.output == (
        f"Error: ATTRIBUTION_SOURCES is set, so nobody would read what is written into {lake}. Unset it.\n"
    )
