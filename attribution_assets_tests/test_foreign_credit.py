"""Credit that others have computed: what is wrong with it by the sources alone, and that no run takes it for its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets_tests.support import SHARED, Shop

CHALLENGE = SHARED / "real" / "challenge" / "challenge.db"
CREDIT = "CREATE TABLE {} (conv_id text, session_id text, ihc real)"


@pytest.fixture
def credited(shop: Shop) -> Shop:
    """Anna bought after two sessions, and an agency gave the first a quarter. A session of Ben's is there, and a later one."""
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.session("s2", "anna", "2023-09-02 10:00:00")
    shop.session("later", "anna", "2023-09-02 12:00:01")
    shop.session("bens", "ben", "2023-09-01 10:00:00")
    shop.conversion("c1", "anna", "2023-09-02 12:00:00")
    shop.execute(CREDIT.format("agency"))
    shop.execute("INSERT INTO agency VALUES ('c1', 's1', 0.25), ('c1', 's2', 0.75)")
    return shop


def attribution(shop: Shop, *command: str) -> Result:
    return CliRunner().invoke(main, command, env={"ATTRIBUTION_DATABASE": str(shop.database)})


def found(shop: Shop, credit: str = "agency") -> dict[str, list[Any]]:
    """By demand that is broken, the conversion, session and value of each row."""
    result = attribution(shop, "check", "--credit", credit, "--json")
    findings = json.loads(result.stdout)
    assert result.exit_code == any(finding["offending"] for finding in findings)
    return {finding["check"]: [[*row.values()] for row in finding["rows"]] for finding in findings if finding["offending"]}


def test_credit_that_is_right_passes_without_a_run(credited: Shop) -> None:
    before = credited.database.read_bytes()

    assert found(credited) == {}
    assert credited.database.read_bytes() == before


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (
            "UPDATE agency SET ihc = 0.2498 WHERE session_id = 's1'",
            {"credit_sums_to_one": [["c1", None, pytest.approx(0.9998)]]},
        ),
        (
            "UPDATE agency SET ihc = CASE session_id WHEN 's1' THEN -0.25 ELSE 1.25 END",
            {"credit_is_a_share": [["c1", "s1", -0.25], ["c1", "s2", 1.25]]},
        ),
        (
            "UPDATE agency SET ihc = 'much' WHERE session_id = 's1'",
            {"credit_is_a_share": [["c1", "s1", "much"]], "credit_sums_to_one": [["c1", None, 0.75]]},
        ),
        ("UPDATE agency SET session_id = 'bens' WHERE session_id = 's1'", {"sessions_are_the_buyers": [["c1", "bens", "ben"]]}),
        (
            "UPDATE agency SET session_id = 'later' WHERE session_id = 's1'",
            {"sessions_are_not_after_the_conversion": [["c1", "later", None]]},
        ),
        ("UPDATE agency SET session_id = 'none' WHERE session_id = 's1'", {"sessions_are_known": [["c1", "none", None]]}),
        ("UPDATE agency SET conv_id = 'none'", {"conversions_are_known": [["none", None, None]]}),
        (
            "UPDATE agency SET session_id = 's1'",
            {"touchpoints_stand_once": [["c1", "s1", 2]]},
        ),
    ],
    ids=["sum", "range", "text", "other user", "later", "unknown session", "unknown conversion", "twice"],
)
def test_each_way_to_be_wrong_is_found(credited: Shop, change: str, broken: dict[str, list[Any]]) -> None:
    credited.execute(change)

    assert found(credited) == broken


def test_credit_rounded_to_four_places_sums_to_one(credited: Shop) -> None:
    credited.execute("UPDATE agency SET ihc = CASE session_id WHEN 's1' THEN 0.3333 ELSE 0.6666 END")

    assert found(credited) == {}


def test_a_session_at_the_second_of_the_conversion_is_not_after_it(credited: Shop) -> None:
    credited.execute("UPDATE session_sources SET event_time = '12:00:00.0' WHERE session_id = 's2'")

    assert found(credited) == {}


def test_sources_without_times_are_compared_by_date(credited: Shop) -> None:
    credited.execute("ALTER TABLE session_sources RENAME TO with_times")
    credited.execute("CREATE TABLE session_sources AS SELECT session_id, user_id, event_date FROM with_times")
    credited.execute("UPDATE agency SET session_id = 'later' WHERE session_id = 's1'")

    assert found(credited) == {}


def test_a_csv_file_is_checked_too(credited: Shop, tmp_path: Path) -> None:
    file = tmp_path / "agency.csv"
    file.write_text("\ufeffihc,session_id,conv_id,note\n0.25,s1,c1,\n0.5,s2,c1,\nx,s2,c2,\n")

    assert found(credited, str(file)) == {
        "credit_is_a_share": [["c2", "s2", "x"]],
        "credit_sums_to_one": [["c1", None, 0.75], ["c2", None, 0]],
        "conversions_are_known": [["c2", None, None]],
    }


def test_what_is_found_is_said_in_words(credited: Shop) -> None:
    credited.execute("UPDATE agency SET ihc = 0.5")
    assert attribution(credited, "check", "--credit", "agency").exit_code == 0

    credited.execute("UPDATE agency SET ihc = 0.6")
    shown = attribution(credited, "check", "--credit", "agency").stdout

    assert "1 conversion got credit that does not sum to 1." in " ".join(shown.split())
    assert "Every credit is a number from 0 to 1." in " ".join(shown.split())


@pytest.mark.parametrize(
    ("credit", "message"),
    [
        ("nothing", "has no table nothing, and there is no such CSV file."),
        ('agency"; DROP TABLE agency', 'has no table agency"; DROP TABLE agency, and there is no such CSV file.'),
        ("conversions", "has no column session_id, ihc. Credit has conv_id, session_id, ihc."),
    ],
)
def test_what_cannot_be_checked_is_said_in_one_line(credited: Shop, credit: str, message: str) -> None:
    result = attribution(credited, "check", "--credit", credit)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.endswith(f"{message}\n")
    assert credited.table("agency") != []


@pytest.mark.skipif(not CHALLENGE.exists(), reason="the real database is not there")
def test_our_own_credit_of_the_challenge_passes(tmp_path: Path) -> None:
    shop = Shop.at(tmp_path / "shop.db", tmp_path / "exports")
    shop.database.write_bytes(CHALLENGE.read_bytes())
    run = CliRunner().invoke(
        main,
        ["run", "--database", str(shop.database), "--exports", str(shop.exports)],
        env={"DAGSTER_HOME": str(tmp_path / "home")},
    )
    assert run.exit_code == 0, run.output

    assert found(shop, "attribution_customer_journey") == {}


@pytest.mark.parametrize(
    "table", ["attribution_customer_journey (conv_id text, session_id text, ihc real, PRIMARY KEY (conv_id, session_id))"]
)
def test_a_table_of_others_under_one_of_our_names_is_never_changed(credited: Shop, table: str) -> None:
    credited.execute(f"CREATE TABLE {table}")
    credited.execute("INSERT INTO attribution_customer_journey SELECT * FROM agency")

    result = attribution(credited, "run")

    assert result.exit_code == 1
    assert (
        f"attribution_customer_journey in {credited.database} is none that the pipeline has made, so the pipeline cannot keep "
        "its results there. Rename or drop it; the next run creates it. ALTER TABLE attribution_customer_journey RENAME TO "
        "attribution_customer_journey_of_others keeps its rows, and `attribution check --credit "
        "attribution_customer_journey_of_others` checks them.\n"
    ) in result.stderr
    assert credited.table("attribution_customer_journey") == credited.table("agency")

    credited.execute("ALTER TABLE attribution_customer_journey RENAME TO attribution_customer_journey_of_others")
    assert found(credited, "attribution_customer_journey_of_others") == {}
    assert attribution(credited, "run").exit_code == 0
