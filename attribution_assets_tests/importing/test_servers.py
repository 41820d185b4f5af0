"""Servers: what PostgreSQL and MariaDB hold comes in as it is, and no password is ever printed."""

from __future__ import annotations

import sys

import pytest

from attribution_assets_tests.importing.databases import IN_URL, PASSWORD, USER, Database
from attribution_assets_tests.importing.importing import Imports

pytestmark = pytest.mark.xdist_group("servers")

ORDERS = """
DROP TABLE IF EXISTS orders;
CREATE TABLE orders (conv_id varchar(40), user_id varchar(40), conv_date date, conv_time time, revenue numeric(30, 10));
INSERT INTO orders VALUES ('1e5', 'anna', '2023-09-01', '10:00:00', 12.5), ('007', 'Zoé', '2023-09-02', '11:00:00', -0.1)
"""
IMPORTED = [("007", "Zoé", "2023-09-02", "11:00:00", -0.1), ("1e5", "anna", "2023-09-01", "10:00:00", 12.5)]
TABLE = 'source.table = "orders"'
AT = """
time_zone = "Europe/Berlin"
source.{what}
[columns]
conv_id = "id"
user_id = {{ value = "anna" }}
conv_date = {{ timestamp = "at" }}
revenue = "revenue"
"""


@pytest.fixture(params=["postgres_server", "mariadb_server"])
def server(request: pytest.FixtureRequest) -> Database:
    """Each of them, with two orders."""
    server: Database = request.getfixturevalue(request.param)
    server.execute(ORDERS)
    return server


def test_a_table_comes_in_value_for_value_and_twice_is_the_same(imports: Imports, server: Database) -> None:
    assert imports.fates("conversions", server.url, mapping=TABLE) == {"new": 2}
    assert imports.fates("conversions", server.url, mapping=TABLE) == {"equal": 2}
    assert imports.shop.table("conversions") == IMPORTED


def test_a_query_is_answered_by_the_server(imports: Imports, server: Database) -> None:
    query = "SELECT conv_id, 'x' AS user_id, conv_date, conv_time, revenue * 2 AS revenue FROM orders -- doubled\n;"

    imports.done("conversions", server.url, mapping=f'source.query = """{query}"""')

    assert imports.shop.table("conversions", "user_id, revenue") == [("x", -0.2), ("x", 25.0)]


def test_rows_come_in_the_same_order_whatever_the_order_of_the_server(imports: Imports, server: Database) -> None:
    for order in ("ASC", "DESC"):
        imports.shop.database.unlink(missing_ok=True)
        imports.done(
            "conversions", server.url, mapping=f'source.query = "SELECT * FROM orders ORDER BY conv_id {order} LIMIT 9"'
        )

        assert imports.shop.execute("SELECT conv_id FROM conversions ORDER BY rowid") == [("007",), ("1e5",)]


def test_the_password_may_stand_in_the_environment(imports: Imports, server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD" if server.scheme == "postgresql" else "MYSQL_PWD", PASSWORD)

    assert imports.fates("conversions", server.printed, mapping=TABLE) == {"new": 2}


def test_no_password_is_printed(imports: Imports, server: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = server.url.replace(IN_URL, "wr%2Fong")
    nobody_there = server.url.replace(f":{server.port}/", ":1/")
    monkeypatch.setenv("PGPASSWORD", "enw0rd")
    monkeypatch.setenv("MYSQL_PWD", "enw0rd")
    printed = [
        imports.refused("conversions", wrong, mapping=TABLE),
        imports.refused("conversions", server.printed, mapping=TABLE),
        imports.refused("conversions", nobody_there, mapping=TABLE),
        imports.refused("conversions", f"{nobody_there}?password=s3cret%2Fword", mapping=TABLE),
        imports.refused("conversions", f"{server.url}?what=s3cret", mapping='source.table = "s3cret/word"'),
        imports.refused("conversions", server.url, mapping='source.query = "SELECT \'s3cret/word"'),
        imports.refused("conversions", server.url),
        imports.refused("conversions", server.url.replace(IN_URL, PASSWORD), mapping=TABLE),
        imports.run("conversions", server.url, mapping=TABLE).output,
        imports.run("conversions", server.url, "--json", mapping=TABLE).output,
    ]

    assert not [told for told in printed for secret in ("s3cret", "wr/ong", "wr%2Fong", "enw0rd") if secret in told]
    assert "authentication failed" in printed[0] or "Access denied" in printed[0]
    assert printed[6] == (
        f'{server.printed} is a server. Say source.table = "TABLE" or source.query = "SELECT …" in a mapping: --mapping FILE.'
    )
    assert printed[7].startswith("The URL of the server is not SCHEME://USER:PASSWORD@HOST/DATABASE.")


def test_what_the_server_does_not_understand_is_said_in_one_line(imports: Imports, server: Database) -> None:
    refused = imports.refused("conversions", server.url, mapping='source.query = "SELECT nothing FROM orders"')
    several = imports.refused("conversions", server.url, mapping='source.query = "SELECT 1) AS x; DROP TABLE orders; --"')

    assert refused.startswith(f"{server.printed} cannot be read: ")
    assert "column" in refused
    assert "nothing" in refused
    assert several.startswith(f"{server.printed} cannot be read: ")
    assert imports.fates("conversions", server.url, mapping=TABLE) == {"new": 2}


def test_broken_rows_of_a_server_are_kept_aside(imports: Imports, server: Database) -> None:
    server.execute("INSERT INTO orders VALUES (NULL, 'ben', '2023-09-01', '10:00:00', 1)")

    told = imports.done("conversions", server.url, "--skip-broken", "aside.csv", mapping=TABLE)

    assert (told["new"], told["skipped"], told["source"]) == (2, 1, server.printed)


def test_postgresql_gives_numbers_ids_and_times_as_they_are(imports: Imports, postgres_server: Database) -> None:
    postgres_server.execute(
        """
        DROP TABLE IF EXISTS typed;
        CREATE TABLE typed (id numeric, at timestamptz, revenue float8);
        SET DateStyle = 'ISO';
        INSERT INTO typed VALUES
            (12345678901234567890123, '2023-09-01 00:30:00.25+02', 0.1::float8 + 0.2::float8),
            (12345678901234567890124, '2023-10-29 02:30:00+01', 1e-7)
        """
    )
    local = AT.format(what="query = \"SELECT id, timestamp '2023-09-01 00:30:00' AS at, revenue FROM typed\"")

    imports.done("conversions", postgres_server.url, mapping=AT.format(what='table = "public.typed"'))
    stored = imports.shop.table("conversions")
    imports.shop.database.unlink()
    imports.done("conversions", postgres_server.url, mapping=local)

    assert stored == [
        ("12345678901234567890123", "anna", "2023-08-31", "22:30:00.25", 0.1 + 0.2),
        ("12345678901234567890124", "anna", "2023-10-29", "01:30:00", 1e-7),
    ]
    assert imports.shop.table("conversions", "DISTINCT conv_date, conv_time") == [("2023-08-31", "22:30:00")]


def test_mysql_gives_numbers_ids_and_times_as_they_are(imports: Imports, mariadb_server: Database) -> None:
    mariadb_server.execute(
        """
        DROP TABLE IF EXISTS typed;
        CREATE TABLE typed (id decimal(60), at timestamp NULL, revenue float);
        SET time_zone = '+00:00';
        INSERT INTO typed VALUES (12345678901234567890123, '2023-08-31 22:30:00', 1234567.1)
        """
    )
    local = AT.format(what="query = \"SELECT id, CAST('2023-09-01 00:30:00' AS DATETIME) AS at, revenue FROM typed\"")

    imports.done("conversions", mariadb_server.url, mapping=AT.format(what='table = "shop.typed"'))
    stored = imports.shop.table("conversions")

    assert stored == [("12345678901234567890123", "anna", "2023-08-31", "22:30:00", 1234567.1)]
    assert imports.fates("conversions", mariadb_server.url, mapping=AT.format(what='table = "typed"')) == {"equal": 1}
    assert imports.fates("conversions", mariadb_server.url, mapping=local) == {"equal": 1}


def test_a_day_that_mysql_writes_as_zeros_is_a_broken_row(imports: Imports, mariadb_server: Database) -> None:
    mariadb_server.execute(f"{ORDERS}; SET sql_mode = ''; UPDATE orders SET conv_date = '0000-00-00' WHERE conv_id = '007'")

    assert "conv_date '0000-00-00' is no day" in imports.refused("conversions", mariadb_server.url, mapping=TABLE)


@pytest.mark.parametrize(("scheme", "extra"), [("postgresql", "postgres"), ("postgres", "postgres"), ("mysql", "mysql")])
def test_without_its_extra_a_server_is_refused_in_one_line(
    imports: Imports, monkeypatch: pytest.MonkeyPatch, scheme: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, f"duckdb_extension_{extra}_scanner", None)

    assert imports.refused("conversions", f"{scheme}://{USER}:{IN_URL}@db/shop", mapping=TABLE) == (
        f"{scheme}://{USER}@db/shop is read with the extra {extra}. Install it: pip install 'attribution_assets[{extra}]'."
    )


def test_what_a_server_is_asked_for_is_no_part_of_a_file(imports: Imports) -> None:
    file = imports.file("orders.csv", "conv_id\n")

    assert imports.refused("conversions", file, mapping=TABLE) == (
        "mapping.toml: source.table is for a server, and orders.csv is a file. Leave it out."
    )
    assert imports.refused("conversions", file, mapping=f'{TABLE}\nsource.query = "SELECT 1"') == (
        "mapping.toml: source.table and source.query exclude each other. Leave one of them out."
    )
    assert imports.refused("conversions", file, mapping="source.table = ' '") == (
        'mapping.toml: source.table is \' \'. It is a table of a server, such as "orders" or "shop.orders".'
    )
