"""`attribution check --credit` on a lake: what it finds is what it finds on the SQLite file of the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets_tests.support import Shop

CREDIT = "conv_id,session_id,ihc\nc1,s1,0.5\nc1,s2,0.25\nc2,s1,1\nc2,s1,much\nnobody,s9,1.5\nc3,s3,\n"


def attribution(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], catch_exceptions=False)


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    """A file and a lake with the same sources, and others' credit in a CSV file and in the table `agency` of each."""
    shop = Shop(tmp_path / "shop.db", tmp_path / "exports")
    for number, user in enumerate(("anna", "anna", "ben"), 1):
        shop.session(f"s{number}", user, f"2023-09-0{number} 10:00:00")
        shop.conversion(f"c{number}", user, f"2023-09-0{number} 09:00:00")
    shop.execute("CREATE TABLE agency (conv_id text, session_id text, ihc numeric)")
    for line in CREDIT.splitlines()[1:]:
        shop.execute("INSERT INTO agency VALUES (?, ?, ?)", *(cell or None for cell in line.split(",")))
    Path("credit.csv").write_text(CREDIT)
    attribution("lake", "import", "shop.db", "--database", "lake/")
    with duckdb.connect() as connection:
        connection.execute("COPY (FROM read_csv('credit.csv', all_varchar = true)) TO 'lake/agency.parquet'")
    return ["shop.db", "lake/"]


@pytest.mark.parametrize("credit", ["agency", "credit.csv"])
def test_the_findings_are_those_of_the_file(places: list[str], credit: str) -> None:
    of_file, of_lake = (attribution("check", "--credit", credit, "--database", place, "--json") for place in places)

    assert '"much"' in of_lake.output
    assert of_lake.exit_code == of_file.exit_code == 1
    assert json.loads(of_lake.output) == json.loads(of_file.output)


def test_credit_that_is_not_there_or_lacks_a_column_is_said_in_one_line(places: list[str]) -> None:
    Path("lake/short.csv").write_text("conv_id,ihc\nc1,1\n")

    for credit, said in (("nothing", "has no table nothing"), ("short", "has no column session_id"), ("../x", "no table ../x")):
        result = attribution("check", "--credit", credit, "--database", places[1])
        assert (result.exit_code, result.output.count("\n")) == (1, 1)
        assert said in result.output
