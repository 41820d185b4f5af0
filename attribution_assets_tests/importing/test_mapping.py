"""Mappings: what they can say, and that a wrong one is refused in one line that names what is wrong."""

from __future__ import annotations

import pytest

from attribution_assets_tests.importing.importing import CONVERSIONS, Imports

COLUMNS = "\n".join(["[columns]", *(f'{name} = "{name}"' for name in CONVERSIONS.strip().split(","))])


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ("[columns", "mapping.toml is no TOML: Expected ']' at the end of a table declaration (at end of document)."),
        ("[sources]", "mapping.toml: there is no sources in a mapping. Did you mean source?"),
        ("csv.delimeter = ';'", "mapping.toml: there is no csv.delimeter in a mapping. Did you mean delimiter?"),
        ("csv = 1", "mapping.toml: csv is 1, but it is a table. Write [csv] and its keys below."),
        ("csv.delimiter = '||'", 'mapping.toml: csv.delimiter is \'||\'. It is one character, such as ";" or "\\t".'),
        ("csv.decimal_comma = 1", "mapping.toml: csv.decimal_comma is 1. It is true or false."),
        (
            "csv.encoding = 'ansi2'",
            ('mapping.toml: csv.encoding is \'ansi2\', which is no encoding. Write one such as "windows-1252" or "utf-16".'),
        ),
        ("source.format = 'xlsx'", "mapping.toml: source.format is 'xlsx'. It is one of csv, parquet, jsonl, sqlite."),
        (
            "time_zone = 'Berlin'",
            ("mapping.toml: time_zone is 'Berlin', which is no time zone. Write one such as \"Europe/Berlin\"."),
        ),
        (
            "time_zone = '../../etc/passwd'",
            ("mapping.toml: time_zone is '../../etc/passwd', which is no time zone. Write one such as \"Europe/Berlin\"."),
        ),
        (
            "columns.revenue = 1",
            (
                'mapping.toml: columns.revenue is 1. Write "column", { optional = "column" }, { expr = "SQL" }, '
                '{ value = "constant" } or { timestamp = "column" }.'
            ),
        ),
        (COLUMNS.replace("revenue =", "revenues ="), "mapping.toml: conversions has no column revenues. Did you mean revenue?"),
        (COLUMNS.replace('"revenue"', '"revenu"'), "orders.csv has no column revenu. Did you mean revenue?"),
        (
            COLUMNS.replace('revenue = "revenue"', ""),
            (
                "orders.csv has no column for revenue of conversions. "
                "Did you mean revenue? "
                'Say it in a mapping: revenue = "COLUMN".'
            ),
        ),
        (
            COLUMNS.replace('"revenue"', '{ expr = "revenue +" }'),
            ('mapping.toml: the expression of revenue cannot be computed: syntax error at or near ")".'),
        ),
        (
            COLUMNS.replace('"revenue"', '{ timestamp = "revenue" }'),
            (
                "mapping.toml: columns.revenue is a timestamp, which gives "
                "conv_date and conv_time alike of conversions. Say it for conv_date alone."
            ),
        ),
        (
            COLUMNS.replace('"conv_date"', '{ timestamp = "conv_date" }'),
            (
                "mapping.toml: columns.conv_date is a timestamp, which "
                "gives conv_date and conv_time alike of conversions. Say it for conv_date alone."
            ),
        ),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(imports: Imports, mapping: str, message: str) -> None:
    file = imports.file("orders.csv", CONVERSIONS + "c1,anna,2023-09-01,10:00:00,1\n")

    assert imports.refused("conversions", file, mapping=mapping) == message
    assert not imports.shop.database.exists()


def test_an_expression_that_fails_for_a_row_is_said(imports: Imports) -> None:
    file = imports.file("orders.csv", CONVERSIONS + "c1,anna,2023-09-01,10:00:00,much\n")

    refused = imports.refused("conversions", file, mapping=COLUMNS.replace('"revenue"', '{ expr = "revenue::DOUBLE / 2" }'))

    assert refused.startswith(
        "mapping.toml: an expression cannot be computed for a row: Could not convert string 'much' to DOUBLE"
    )
    assert refused.endswith("TRY_CAST gives NULL where CAST fails.")


def test_a_mapping_that_is_nowhere_is_said(imports: Imports) -> None:
    file = imports.file("orders.csv", CONVERSIONS)

    assert imports.refused("conversions", file, "--mapping", "shopfy").startswith(
        "There is no mapping shopfy: neither a file nor one that comes along."
    )


def test_names_with_quotes_are_names(imports: Imports) -> None:
    mapping = COLUMNS.replace('"user_id"', "'the \"user\"; DROP TABLE raw'")
    header = CONVERSIONS.replace("user_id", '"the ""user""; DROP TABLE raw"')

    imports.done("conversions", imports.file("orders.csv", f"{header}c1,anna,2023-09-01,10:00:00,1\n"), mapping=mapping)

    assert imports.shop.table("conversions", "user_id") == [("anna",)]


def test_rows_that_do_not_meet_the_condition_are_left_out(imports: Imports) -> None:
    rows = "c1,anna,2023-09-01,10:00:00,1\ntest,anna,soon,10:00:00,1\n"
    mapping = "\ufeff[source]\nwhere = \"conv_id <> 'test' -- nor others\""

    assert imports.conversions(rows, mapping=mapping) == {"new": 1}
    assert imports.refused("conversions", imports.file("orders.csv", CONVERSIONS + rows), mapping="source.where = 1") == (
        "mapping.toml: source.where is 1. It is a condition in SQL, such as \"Status <> 'test'\"."
    )
    assert "the expression of source.where cannot be computed" in imports.refused(
        "conversions", imports.file("orders.csv", CONVERSIONS + rows), mapping="source.where = 'nothing = 1'"
    )
