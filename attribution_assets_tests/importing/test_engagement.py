"""Engagement flags that a source does not have: what an import derives, how a table without them counts, and who is told."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets_tests.importing.importing import Imports
from attribution_assets_tests.support import Shop

KEY = "session_id,user_id,event_date,event_time,channel_name"
FLAGS = "holder_engagement, closer_engagement, impression_interaction, engagement_rule"
BY_ACTIVITY = "page_views and duration"
BY_DEFAULT = "Engagement flags: {} sessions have none, so each of them counts as engaged (default)."


def sessions(imports: Imports, columns: str, *cells: str) -> str:
    """A file of sessions s1, s2, …, each with these cells."""
    header = f"{KEY},{columns}" if columns else KEY
    rows = (f"s{n},anna,2023-09-0{n},10:00:00,Email{',' if columns else ''}{each}" for n, each in enumerate(cells, 1))
    return imports.file("sessions.csv", "\n".join([header, *rows, ""]))


def flags(imports: Imports) -> list[tuple[object, ...]]:
    return imports.shop.execute(f"SELECT {FLAGS} FROM session_sources ORDER BY session_id")


@pytest.mark.parametrize(
    ("columns", "cells", "expected"),
    [
        ("", "", (1, 1, 0, "default")),
        ("page_views", "1", (0, 0, 0, BY_ACTIVITY)),
        ("page_views", "2", (1, 1, 0, BY_ACTIVITY)),
        ("page_views", "", (1, 1, 0, "default")),
        ("duration", "10", (0, 0, 0, BY_ACTIVITY)),
        ("duration", "10.5", (1, 1, 0, BY_ACTIVITY)),
        ("page_views,duration", "1,11", (1, 1, 0, BY_ACTIVITY)),
        ("page_views,duration", "1,", (0, 0, 0, BY_ACTIVITY)),
        ("page_views,closer_engagement", "5,0", (1, 0, 0, BY_ACTIVITY)),
        ("holder_engagement", "0", (0, 0, 0, "holder_engagement")),
        ("closer_engagement", "0", (1, 0, 0, "default")),
    ],
)
def test_flags_that_a_file_lacks_follow_from_pages_and_seconds_or_are_1(
    imports: Imports, columns: str, cells: str, expected: tuple[object, ...]
) -> None:
    imports.done("session_sources", sessions(imports, columns, cells))

    assert flags(imports) == [expected]


def test_pages_and_seconds_are_kept(imports: Imports) -> None:
    imports.done("session_sources", sessions(imports, "page_views,duration", "3,12.5"))

    assert imports.shop.execute("SELECT page_views, duration FROM session_sources") == [(3, 12.5)]


def test_an_import_says_what_the_flags_follow_from(imports: Imports) -> None:
    file = sessions(imports, "page_views,duration", "3,12", "1,2", ",")

    assert imports.done("session_sources", file)["engagement_rules"] == [
        {"engagement_rule": BY_ACTIVITY, "sessions": 2},
        {"engagement_rule": "default", "sessions": 1},
    ]
    assert BY_DEFAULT.format(1) in imports.run("session_sources", file).stdout
    assert (
        "Engagement flags: those of 2 sessions follow from page_views and duration. "
        "2 pages, or more than 10 seconds, count as engaged.\n"
    ) in imports.run("session_sources", file).stdout


def test_a_file_with_its_flags_makes_no_rule(imports: Imports) -> None:
    told = imports.done(
        "session_sources", sessions(imports, "holder_engagement,closer_engagement,impression_interaction", "1,0,1")
    )

    assert "engagement_rules" not in told
    assert "engagement_rule" not in [name for _, name, *_ in imports.shop.execute("PRAGMA table_info(session_sources)")]


def test_a_default_leaves_flags_as_they_are(imports: Imports) -> None:
    imports.done("session_sources", sessions(imports, "holder_engagement,closer_engagement", "0,0"))

    told = imports.fates("session_sources", sessions(imports, "", "", ""))

    assert told == {"new": 1, "equal": 1}
    assert flags(imports) == [(0, 0, 0, None), (1, 1, 0, "default")]


def test_flags_that_come_later_replace_the_default_and_its_rule(imports: Imports) -> None:
    imports.done("session_sources", sessions(imports, "", "", ""))

    told = imports.fates("session_sources", sessions(imports, "holder_engagement,closer_engagement", "1,1"))

    assert told == {"changed": 1}
    assert flags(imports) == [(1, 1, 0, None), (1, 1, 0, "default")]


# -- a table without flags ----------------------------------------------------------------------------------------------


@pytest.fixture
def without_flags(shop: Shop) -> Shop:
    """Two sessions and the conversion after them; session_sources has no engagement flag."""
    shop.execute("DROP TABLE session_sources")
    shop.execute(f"CREATE TABLE session_sources ({KEY.replace(',', ' text, ')} text)")
    shop.execute("INSERT INTO session_sources VALUES ('s1', 'anna', '2023-09-01', '10:00:00', 'Email')")
    shop.execute("INSERT INTO session_sources VALUES ('s2', 'anna', '2023-09-02', '10:00:00', 'Search')")
    shop.conversion("c1", "anna", "2023-09-03 10:00:00")
    return shop


def said(shop: Shop, *command: str) -> str:
    environment = {"ATTRIBUTION_DATABASE": str(shop.database), "ATTRIBUTION_END_DATE": "2023-09-03"}
    result = CliRunner().invoke(main, [*command], env=environment)
    assert result.exit_code == 0, result.output
    return result.output


def in_journeys(shop: Shop) -> list[tuple[object, ...]]:
    return shop.table("customer_journeys", "session_id, holder_engagement, closer_engagement, impression_interaction")


def test_a_table_without_flags_runs_and_says_that_all_count_as_engaged(without_flags: Shop) -> None:
    assert BY_DEFAULT.format(2) in said(without_flags, "run")
    assert in_journeys(without_flags) == [("s1", 1, 1, 0), ("s2", 1, 1, 0)]
    assert BY_DEFAULT.format(2) in said(without_flags, "status")
    assert said(without_flags, "check").count("failed") == 0


def test_flags_that_a_table_lacks_follow_from_its_pages(without_flags: Shop) -> None:
    without_flags.execute("ALTER TABLE session_sources ADD COLUMN page_views integer")
    without_flags.execute("UPDATE session_sources SET page_views = 1 WHERE session_id = 's1'")

    told = json.loads(said(without_flags, "run", "--json")[said(without_flags, "run", "--json").index("{") :])

    assert told["notes"][-2:] == [
        BY_DEFAULT.format(1),
        (
            "Engagement flags: those of 1 sessions follow from page_views and duration. "
            "2 pages, or more than 10 seconds, count as engaged."
        ),
    ]
    assert in_journeys(without_flags) == [("s1", 0, 0, 0), ("s2", 1, 1, 0)]


def test_a_broken_session_is_found_in_a_table_without_flags(without_flags: Shop) -> None:
    without_flags.execute("UPDATE session_sources SET channel_name = NULL WHERE session_id = 's1'")

    result = CliRunner().invoke(main, ["run", "--database", str(without_flags.database)])

    assert (result.exit_code, "session_sources: 's1' has no channel_name" in result.output) == (1, True)


def test_sessions_without_flags_can_be_imported_into_a_table_without_them(without_flags: Shop) -> None:
    imports = Imports(without_flags.database.parent)
    imports.shop = Shop.at(without_flags.database, without_flags.exports)

    assert imports.fates("session_sources", sessions(imports, "", "", "", "")) == {"new": 1, "changed": 1, "equal": 1}
    assert BY_DEFAULT.format(3) in said(without_flags, "run")


def test_flags_that_are_all_told_are_not_spoken_of(shop: Shop) -> None:
    shop.session("s1", "anna", "2023-09-01 10:00:00")
    shop.conversion("c1", "anna", "2023-09-02 10:00:00")

    assert "Engagement flags" not in said(shop, "run") + said(shop, "status")
