"""What is different on a server: types of the user's columns, who may do what, what is said, and that no password is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.definitions import build_defs, build_resources
from attribution_assets.errors import AttributionError
from attribution_assets.orchestration.io_managers import PostgresIOManager
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Location, Query
from attribution_assets.warehouse.postgres.connection import Driver, connected
from attribution_assets.warehouse.postgres.database import PostgresWarehouse
from attribution_assets.warehouse.query import bounds_of
from attribution_assets.warehouse.urls import schema_of
from attribution_assets_tests.importing.databases import IN_URL, PASSWORD, USER, Database
from attribution_assets_tests.lake.test_foreign_credit import CREDIT
from attribution_assets_tests.servers import PostgresShop, new_schema
from attribution_assets_tests.support import PROJECT, Shop
from attribution_assets_tests.warehouse.any_database import computed
from attribution_assets_tests.warehouse.rows import refused

DAY = Days("2023-09-01", "2023-09-01")

AS_THE_USER_HAS_THEM = """
CREATE TABLE session_sources (
    session_id uuid PRIMARY KEY, user_id bigint, event_date date, event_time timestamptz, channel_name varchar(20),
    holder_engagement boolean, closer_engagement smallint, impression_interaction numeric(1)
);
INSERT INTO session_sources VALUES
    ('00000000-0000-0000-0000-00000000000a', 7, '2023-09-01', '2023-09-01 12:00:00.500+02', 'Email', true, 1, 0),
    ('00000000-0000-0000-0000-00000000000b', 7, '2023-08-31', '2023-08-31 23:30:00-01', 'it''s 100 %', false, 0, 0);
CREATE VIEW session_costs AS SELECT session_id, CAST(0.1 AS numeric(9, 2)) AS cost FROM session_sources;
CREATE TABLE conversions (conv_id integer UNIQUE, user_id text, conv_date timestamp, conv_time time, revenue numeric);
INSERT INTO conversions VALUES (1, '7', '2023-09-01 00:00:00', '12:00', 99.99);
"""


@pytest.fixture
def url(postgres_server: Database) -> str:
    return new_schema(postgres_server)


@pytest.fixture
def driver(url: str) -> Iterator[Driver]:
    """A connection that fills the schema."""
    with closing(connected(url)) as driver:
        driver.execute(f"CREATE SCHEMA {schema_of(url)}; SET search_path = {schema_of(url)}")
        yield driver


@pytest.fixture
def shop(postgres_server: Database, tmp_path: Path) -> PostgresShop:
    PostgresShop.server = postgres_server
    return PostgresShop(tmp_path / "shop.db", tmp_path / "exports")


def attribution(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, [*arguments], env=environment, catch_exceptions=False)


def test_columns_are_read_as_declared_whatever_types_they_have(url: str, driver: Driver) -> None:
    driver.execute(AS_THE_USER_HAS_THEM)

    computed(Settings(database=url, lookback_days=3), DAY)

    rows = driver.execute("SELECT session_id, timestamp, channel_label, holder_engagement FROM customer_journeys ORDER BY 2")
    assert rows.fetchall() == [
        ("00000000-0000-0000-0000-00000000000b", "2023-08-31 00:30:00", "it's 100 %", 0),
        ("00000000-0000-0000-0000-00000000000a", "2023-09-01 10:00:00.5", "Email", 1),
    ]
    assert driver.execute("SELECT cost FROM channel_costs").fetchall() == [(0.1,)]


def test_sources_may_stand_in_public_and_results_stand_beside_none_of_them(postgres_server: Database, driver: Driver) -> None:
    name = str(schema_of(new_schema(postgres_server)))
    driver.execute(f"CREATE DATABASE {name}")  # other tests have sources in public, too
    url = f"{postgres_server.url.removesuffix('shop')}{name}"
    with closing(connected(url)) as of_database:
        of_database.execute(AS_THE_USER_HAS_THEM)

        computed(Settings(database=url, lookback_days=3), DAY)

        assert len(of_database.execute("SELECT * FROM attribution.customer_journeys").fetchall()) == 2
        assert of_database.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchall() == [(2,)]


def test_an_id_that_stands_twice_is_refused_unless_an_index_says_that_it_does_not(url: str, driver: Driver) -> None:
    driver.execute(AS_THE_USER_HAS_THEM)
    driver.execute("ALTER TABLE conversions DROP CONSTRAINT conversions_conv_id_key")
    driver.execute("INSERT INTO conversions VALUES (1, '8', '2023-09-01', '12:00', 1)")

    with refused("conv_id '1' appears 2 times in conversions"):
        computed(Settings(database=url), DAY)


def test_broken_rows_are_told_as_they_are_stored(url: str, driver: Driver) -> None:
    driver.execute(AS_THE_USER_HAS_THEM)
    driver.execute("ALTER TABLE conversions ALTER revenue TYPE text; UPDATE conversions SET revenue = '1,5'")
    driver.execute("UPDATE session_sources SET user_id = NULL, channel_name = NULL")

    with refused("customer_journeys was not written", "conversions: 1 has revenue '1,5', which is not a number"):
        computed(Settings(database=url), DAY)
    driver.execute("UPDATE conversions SET revenue = '1.5', user_id = '8'")
    with refused("session_sources: '00000000-0000-0000-0000-00000000000a' has no channel_name"):
        computed(Settings(database=url, lookback_days=3), DAY)


def test_a_number_of_single_precision_has_the_digits_that_it_was_written_with(url: str, driver: Driver) -> None:
    driver.execute("CREATE TABLE session_costs (session_id text, cost real); INSERT INTO session_costs VALUES ('s', 19.99)")

    with PostgresWarehouse(url).connect() as connection:
        assert connection.execute("SELECT cost FROM session_costs").fetchall() == [(19.99,)]


@pytest.mark.parametrize(
    "name", ['"Session_Costs" (session_id text, cost real)', 'session_costs (session_id text, "Cost" real)']
)
def test_a_source_with_capital_letters_is_refused_and_not_taken_as_empty(name: str, url: str, driver: Driver) -> None:
    driver.execute(f"CREATE TABLE {name}")

    with refused("has capital letters in its name", "put a view with small letters"):
        PostgresWarehouse(url).sources()


def test_text_that_is_out_of_the_range_of_numbers_is_told_and_breaks_no_query(url: str, driver: Driver) -> None:
    driver.execute("CREATE TABLE numbers (x text)")
    with PostgresWarehouse(url).connect() as connection:
        for text, number in (
            ("1e400", float("inf")),
            ("-1e400", float("-inf")),
            ("1e-400", 0.0),
            ("1e99999", None),
            ("\u00a01", None),
        ):
            assert connection.execute("SELECT number_of(?)", [text]).fetchall() == [(number,)]


@pytest.mark.dagster_home
def test_a_copy_of_a_schema_begins_with_a_history_of_its_own(shop: PostgresShop, tmp_path: Path) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 10.0)
    given = ["--exports", str(shop.exports)]
    assert attribution("run", "--database", shop.place, *given, ATTRIBUTION_END_DATE="2023-09-01").exit_code == 0
    copied = shop.copy(tmp_path / "copy")

    home, of_copy, again = (attribution("home", "--database", place).output for place in (shop.url, copied.url, shop.url))

    assert home == again != of_copy
    assert attribution("home", "--database", shop.url.replace(IN_URL, "wrong")).exit_code == 1  # and makes no new one
    assert attribution("home", "--database", shop.url).output == home


def test_a_table_of_others_under_our_name_is_left_alone(url: str, driver: Driver) -> None:
    driver.execute("CREATE TABLE channel_reporting (channel text, spend numeric)")

    with refused("channel_reporting in", "lacks channel_name", "RENAME TO channel_reporting_of_others"):
        PostgresWarehouse(url).prepare()
    assert driver.execute("SELECT count(*) FROM pg_tables WHERE schemaname = %s", [schema_of(url)]).fetchall() == [(2,)]


def test_functions_of_another_version_are_made_anew(url: str, driver: Driver) -> None:
    warehouse = PostgresWarehouse(url)
    warehouse.prepare()
    driver.execute("CREATE OR REPLACE FUNCTION is_date(x text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT false $$")
    driver.execute("UPDATE attribution_meta SET value = 'old' WHERE key = 'functions'")

    with warehouse.connect() as connection:
        assert connection.execute("SELECT is_date(?)", ["2024-02-29"]).fetchall() == [(True,)]
    assert warehouse.meta()["functions"] != "old"


def test_a_user_who_may_make_no_schema_is_told_what_to_do(postgres_server: Database, driver: Driver) -> None:
    driver.execute("DROP ROLE IF EXISTS reader; CREATE ROLE reader LOGIN PASSWORD 'r/d'")
    try:
        with refused("permission denied", "CREATE SCHEMA attribution_of_reader AUTHORIZATION"):
            PostgresWarehouse(f"postgresql://reader:r%2Fd@{postgres_server.place}?schema=attribution_of_reader").prepare()
    finally:
        driver.execute("DROP ROLE reader")


SAID = {
    "postgresql://owner@127.0.0.1:1/shop": "does not answer",
    "postgresql://owner:wrong-s3cret@{server}/shop": "password authentication failed",
    "postgresql://owner:{password}@{server}/nothing": 'database "nothing" does not exist',
    "postgresql://owner:{password}@{server}": "names no database",
    "postgresql://owner:with@sign@{server}/shop": "%40",
    "mysql://owner:s3cret@127.0.0.1/shop": "cannot be at mysql://",
    "snowflake://owner:s3cret@account/shop": "cannot be at snowflake://",
}


@pytest.mark.parametrize("given", SAID)
@pytest.mark.parametrize("command", ["run", "status", "check"])
def test_a_server_that_cannot_be_used_is_said_in_one_line_without_a_password(
    given: str, command: str, postgres_server: Database
) -> None:
    place = given.format(server=f"127.0.0.1:{postgres_server.port}", password=IN_URL)

    result = attribution(command, "--database", place)

    assert result.exit_code in (1, 2)
    assert SAID[given] in result.output
    assert result.output.strip().count("\n") == 0
    for secret in (PASSWORD, IN_URL, "s3cret", "with@sign"):
        assert secret not in result.output


@pytest.mark.dagster_home
def test_no_password_is_in_settings_errors_or_what_dagster_keeps(
    shop: PostgresShop, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 10.0)

    home = tmp_path / "home"
    ran = attribution("run", "--database", shop.place, "--exports", str(shop.exports), DAGSTER_HOME=str(home))

    assert ran.exit_code == 0, ran.output
    kept = b"".join(file.read_bytes() for file in home.rglob("*") if file.is_file())
    for secret in (PASSWORD.encode(), IN_URL.encode()):
        assert secret not in kept
        assert secret not in ran.output.encode()
        assert secret not in repr((settings := shop.settings(), settings.warehouse, Location.of(shop.url))).encode()
        assert secret not in str(build_resources(settings)).encode()
    with pytest.raises(AttributionError, match="would store") as raised:
        dg.Definitions(resources={"io_manager": PostgresIOManager(database=shop.url)}).get_repository_def()
    assert "s3cret" not in f"{raised.value} {settings.model_dump_json()} {build_defs(settings).get_repository_def()!r}"


def test_the_commands_work_on_a_server_as_on_a_file(shop: PostgresShop, tmp_path: Path) -> None:
    for number, user in enumerate(("anna", "anna", "ben"), 1):
        shop.session(f"s{number}", user, f"2023-09-0{number} 10:00:00", cost=1.5)
        shop.conversion(f"c{number}", user, f"2023-09-0{number} 11:00:00")
    told = []
    for number, place in enumerate((str(shop.database), shop.place)):
        given = ["--database", place]
        home = {
            "DAGSTER_HOME": str(tmp_path / f"home {number}"),
            "ATTRIBUTION_END_DATE": "2023-09-03",
            "ATTRIBUTION_MODELS": "linear",
        }
        exports = str(tmp_path / f"exports {number}")
        results = [
            attribution("run", *given, "--exports", exports, **home),
            attribution("explain", "--conversion", "c2", *given, "--json", **home),
            attribution("status", *given, "--json", **home),
            attribution("check", *given, "--json", **home),
            attribution("compare", *given, "--start", "2023-09-01", "--end", "2023-09-03", "--json", **home),
        ]
        assert [result.exit_code for result in results] == [0] * len(results), [result.output for result in results]
        told.append([json.loads(result.output.replace(exports, "exports")) for result in results[1:]])

    for of_file, of_server in zip(*told, strict=True):
        assert without_runs(of_server) == without_runs(of_file)


def test_the_documented_commands_run(shop: PostgresShop, postgres_server: Database, tmp_path: Path) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.conversion("c1", "anna", "2023-09-01 12:00:00", 10.0)
    shop.publish()
    [block] = re.findall(
        r"```bash\n(pip install '\S+\[postgres\]'.*?)```", (PROJECT / "docs" / "scale.md").read_text(), re.DOTALL
    )
    [place] = re.findall(r"export ATTRIBUTION_DATABASE='(.*)'", block)

    ran = attribution(
        *block.splitlines()[-1].split()[1:],
        ATTRIBUTION_DATABASE=place.replace("analyst@db.example.org/shop", f"{USER}@{postgres_server.place}").replace(
            "=attribution", f"={schema_of(shop.url)}"
        ),
        PGPASSWORD=PASSWORD,
        ATTRIBUTION_END_DATE="2023-09-01",
    )

    assert ran.exit_code == 0, ran.output
    assert "channel_reporting: 1 rows" in ran.output


def without_runs(said: object) -> object:
    """What a command says, without which run it was."""
    if isinstance(said, dict):
        return {key: without_runs(value) for key, value in said.items() if key != "last_run"}
    return [without_runs(value) for value in said] if isinstance(said, list) else said


@pytest.mark.parametrize("credit", ["agency", "credit.csv"])
def test_credit_of_others_is_judged_as_in_a_file(credit: str, shop: PostgresShop) -> None:
    for number, user in enumerate(("anna", "anna", "ben"), 1):
        shop.session(f"s{number}", user, f"2023-09-0{number} 10:00:00")
        shop.conversion(f"c{number}", user, f"2023-09-0{number} 09:00:00")
    shop.execute("CREATE TABLE agency (conv_id text, session_id text, ihc numeric)")
    for line in CREDIT.splitlines()[1:]:
        Shop.execute(shop, "INSERT INTO agency VALUES (?, ?, ?)", *(cell or None for cell in line.split(",")))
    Path("credit.csv").write_text(CREDIT)

    of_file, of_server = (
        attribution("check", "--credit", credit, "--database", place, "--json") for place in (str(shop.database), shop.place)
    )

    assert '"much"' in of_server.output
    assert of_server.exit_code == of_file.exit_code == 1
    assert json.loads(of_server.output) == json.loads(of_file.output)


def test_what_works_on_files_alone_says_so_in_one_line(shop: PostgresShop, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("session_id,cost\ns1,1\n")
    for arguments in (("sample-data",), ("import", "session_costs", "rows.csv"), ("lake", "history", "conversions")):
        result = attribution(*arguments, "--database", shop.url)

        assert (result.exit_code, result.output.count("\n")) == (1, 1), result.output
        assert "s3cret" not in result.output
    result = attribution("lake", "import", shop.url, "--database", "lake/")
    assert (result.exit_code, "s3cret" in result.output) == (1, False)


def test_without_the_extra_one_line_says_what_to_install() -> None:
    without = "import sys; sys.modules['psycopg'] = None; from attribution_assets.command.cli import main; main()"
    hidden = without.replace(
        "sys.modules",
        "import importlib.util as u; f = u.find_spec; u.find_spec = lambda n: None if n == 'psycopg' else f(n); sys.modules",
        1,
    )

    ran = subprocess.run(
        [sys.executable, "-c", hidden, "status", "--database", "postgresql://owner:s3cret@127.0.0.1/shop"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "pip install 'attribution_assets[postgres]'" in ran.stderr


def test_letters_are_compared_as_everywhere_where_names_of_channels_are(url: str) -> None:
    with PostgresWarehouse(url).connect() as connection:
        [found] = connection.execute(
            "SELECT spelling('Social - Paid'), spelling('ÄRA Ads'), spelling('SEA - Branded'), spelling('(-)'), "
            "is_direct('(direct) / (none)', $names), is_direct('Email', $names), is_direct('direct', '[\"Email\"]')",
            {"names": '["Direct", "Direct Traffic"]'},
        ).fetchall()

    assert found == ("socialpaid", "äraad", "seabrand", "(-)", True, False, False)


def test_days_of_all_time_can_be_asked_for(url: str, driver: Driver) -> None:
    driver.execute(AS_THE_USER_HAS_THEM)

    assert PostgresWarehouse(url).rows(Query("source_span", bounds_of(Days("0001-01-01", "9999-12-31"))))
