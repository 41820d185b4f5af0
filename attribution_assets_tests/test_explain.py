"""`attribution explain`: what is behind a number sums to it, and what does not explain it is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.analysis.explain import explain_cell, explain_conversion
from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError, NotFoundError, NotReadyError
from attribution_assets.settings import Settings
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import EVEN, Shop
from attribution_assets_tests.templates import Templates

YESTERDAY = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
TODAY = datetime.now(UTC).date().isoformat()


def explain(shop: Shop, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["explain", "--database", str(shop.database), *arguments])


def explained(shop: Shop, *arguments: str) -> dict[str, Any]:
    result = explain(shop, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    content: dict[str, Any] = json.loads(result.stdout)
    return content


def run(shop: Shop, instance: dg.DagsterInstance, start: str, end: str) -> None:
    """Attributes and reports these days; of a journey's two sessions each gets half."""
    even = shop.database.with_name("even.json")
    even.write_text(EVEN)
    shop.attribute(instance, start, end, ihc_parameters=str(even))
    shop.sum_costs(instance, start, end, ihc_parameters=str(even))
    shop.report(instance, start, end, ihc_parameters=str(even))


def report(folder: Path, instance: dg.DagsterInstance) -> None:
    """anna's two orders share the session a1; ben's session b1 earned nothing; zoe bought without any session."""
    shop = Shop(folder / "shop.db", folder / "exports")
    shop.session("a2", "anna", "2023-09-02 10:00:00", "Ads, paid", cost=3, holder=0)
    shop.session("a1", "anna", "2023-09-01 10:00:00", "Email", cost=0.5, holder=0)
    shop.session("b1", "ben", "2023-09-01 09:00:00", "Email", cost=1.5)
    shop.session("b2", "ben", "2023-09-01 09:00:00", "Direct", cost="missing")
    shop.conversion("first", "anna", "2023-09-01 12:00:00", 10)
    shop.conversion("second", "anna", "2023-09-02 12:00:00", 60)
    shop.conversion("strange", "zoe", "2023-09-02 13:00:00", 999)
    run(shop, instance, "2023-09-01", "2023-09-04")


@pytest.fixture
def reported(tmp_path: Path, instance: dg.DagsterInstance, templates: Templates) -> Shop:
    """What was reported, to work on."""
    templates.copy("explained", lambda folder: report(folder, instance), tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


BASIS = {"model": "ihc", "parameters": "even.json@32e9c83f807d", "computed_by": "embedded"} | {
    "learned_from": "your journeys",
    "currency": "EUR",
}


# -- a cell -----------------------------------------------------------------------------------------------------------


def test_a_cell_shows_its_conversions_with_credit_and_revenue_the_largest_first(reported: Shop) -> None:
    assert explained(reported, "--date", "2023-09-01", "--channel", "Email") == BASIS | {
        "day": "2023-09-01",
        "channel": "Email",
        "cost": 2.0,
        "orders": 1.5,
        "revenue": 40.0,
        "conversions": [
            {"conv_id": "second", "session_id": "a1", "orders": 0.5, "conversion_revenue": 60.0, "revenue": 30.0},
            {"conv_id": "first", "session_id": "a1", "orders": 1.0, "conversion_revenue": 10.0, "revenue": 10.0},
        ],
    }


def test_the_table_of_a_cell_ends_with_the_cell_and_its_cost(reported: Shop) -> None:
    *_, total, cost = explain(reported, "--date", "2023-09-01", "--channel", "Email").stdout.splitlines()

    assert total.split() == ["total", "1.5000", "40.00"]
    assert cost == "The channel's sessions of that day cost 2.00."


def test_a_cell_without_an_order_says_so(reported: Shop) -> None:
    result = explain(reported, "--date", "2023-09-01", "--channel", "Direct")

    assert result.stdout.splitlines()[0] == "Direct, sessions of 2023-09-01: no conversion is credited to them."


def test_the_conversions_of_every_cell_of_a_day_sum_to_it(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    shop = Shop.at(tmp_path / "sample.db", tmp_path / "exports")
    write_sample(shop.database, days=6, end=date(2023, 9, 30), sessions=6000, seed=0, with_shop=False)
    shop.attribute(instance, "2023-09-25", "2023-09-30")
    shop.report(instance, "2023-09-25", "2023-09-30")
    cells = shop.execute("SELECT channel_name, cost, ihc, ihc_revenue FROM channel_reporting WHERE date = '2023-09-27'")

    assert len(cells) == 12
    assert sum(ihc for _, _, ihc, _ in cells) > 5
    for channel, cost, ihc, revenue in cells:
        cell = explained(shop, "--date", "2023-09-27", "--channel", channel)
        assert (cell["cost"], cell["orders"], cell["revenue"]) == (cost, ihc, revenue)
        assert sum(conversion["orders"] for conversion in cell["conversions"]) == pytest.approx(ihc, abs=1e-9)
        assert sum(conversion["revenue"] for conversion in cell["conversions"]) == pytest.approx(revenue, abs=1e-9)


# -- a conversion -----------------------------------------------------------------------------------------------------


def test_a_conversion_shows_its_sessions_in_order_of_time_with_phases_credit_and_money(reported: Shop) -> None:
    started = {"session_id": "a1", "timestamp": "2023-09-01 10:00:00", "channel": "Email"}
    closed = {"session_id": "a2", "timestamp": "2023-09-02 10:00:00", "channel": "Ads, paid"}
    assert explained(reported, "--conversion", "second") == BASIS | {
        "conv_id": "second",
        "conv_date": "2023-09-02",
        "conv_time": "12:00:00",
        "revenue": 60.0,
        "is_nobody": False,
        "sessions": [
            {**started, "initializer": 1.0, "holder": 0.0, "closer": 0.0, "orders": 0.5, "revenue": 30.0},
            {**closed, "initializer": 0.0, "holder": 0.0, "closer": 1.0, "orders": 0.5, "revenue": 30.0},
        ],
    }


def test_the_table_of_a_conversion_ends_with_one_order_and_its_revenue(reported: Shop) -> None:
    lines = explain(reported, "--conversion", "second").stdout.splitlines()

    assert lines[0].strip() == "second, 2023-09-02 12:00:00, revenue 60.00"
    assert lines[-1].split() == ["total", "1.0000", "60.00"]


def test_a_conversion_without_a_session_is_explained_by_that(reported: Shop) -> None:
    result = explain(reported, "--conversion", "strange")

    assert result.exit_code == 0
    assert "revenue 999.00: the user has no session within the lookback, so it is credited to no channel." in result.stdout
    assert explained(reported, "--conversion", "strange")["sessions"] == []


def test_a_conversion_of_nobody_is_explained_by_the_setting(reported: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    [(user,)] = reported.execute("SELECT user_id FROM conversions WHERE conv_id = 'strange'")
    monkeypatch.setenv("ATTRIBUTION_NOBODY", user)

    result = explain(reported, "--conversion", "strange")

    assert "revenue 999.00: the user is one of ATTRIBUTION_NOBODY, so it is credited to no channel." in result.stdout
    assert explained(reported, "--conversion", "strange")["is_nobody"] is True


def test_names_are_shown_as_they_are_whatever_they_look_like(shop: Shop, instance: dg.DagsterInstance) -> None:
    shop.session("[bold]s[/x]", "u", "2023-09-01 10:00:00", "[red]C :smile:")
    shop.conversion("'c'; --", "u", "2023-09-01 11:00:00")
    run(shop, instance, "2023-09-01", "2023-09-01")

    assert "[red]C :smile:" in explain(shop, "--conversion", "'c'; --").stdout
    assert "[bold]s[/x]" in explain(shop, "--date", "2023-09-01", "--channel", "[red]C :smile:").stdout


# -- what does not explain the number ---------------------------------------------------------------------------------


def credits_changed(shop: Shop) -> None:
    shop.execute("DELETE FROM attribution_customer_journey WHERE conv_id = 'second'")


def revenue_changed(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET revenue = 11 WHERE conv_id = 'first'")


def cost_changed(shop: Shop) -> None:
    shop.execute("UPDATE session_costs SET cost = 9 WHERE session_id = 'b1'")


def sessions_gone(shop: Shop) -> None:
    shop.execute("DELETE FROM session_sources")


def journeys_changed(shop: Shop) -> None:
    shop.execute("UPDATE customer_journeys SET channel_label = 'Mail' WHERE conv_id = 'second'")


@pytest.mark.parametrize(
    ("change", "differences"),
    [
        (credits_changed, "ihc is 1.50, but would now be 1.00; ihc_revenue is 40.00, but would now be 10.00."),
        (revenue_changed, "date: ihc_revenue is 40.00, but would now be 41.00."),
        (cost_changed, "date: cost is 2.00, but would now be 9.50."),
        (
            sessions_gone,
            "date: cost is 2.00, but would now be 0.00.",
        ),  # the credit is still theirs, until it is attributed again
        (journeys_changed, "date: ihc is 1.50, but would now be 1.00; ihc_revenue is 40.00, but would now be 10.00."),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"]], ids=["table", "json"])
def test_a_report_that_is_older_than_what_it_is_made_of_is_shown_and_called_so(
    reported: Shop, change: Callable[[Shop], None], differences: str, form: list[str]
) -> None:
    change(reported)

    result = explain(reported, "--date", "2023-09-01", "--channel", "Email", *form)

    assert result.exit_code == 1
    assert "Email" in result.stdout
    [line] = result.stderr.splitlines()
    assert line.startswith("Error: The report for 2023-09-01 is out of date: ")
    assert line.endswith(f"{differences} Run `attribution run --start 2023-09-01 --end 2023-09-01`.")


def session_came_late(shop: Shop) -> None:
    shop.session("late", "anna", "2023-09-02 11:00:00")


def channel_renamed(shop: Shop) -> None:
    shop.execute("UPDATE session_sources SET channel_name = 'Mail' WHERE session_id = 'a1'")


def other_model(shop: Shop) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        shop.attribute(instance, "2023-09-02")
    shop.execute("UPDATE attribution_customer_journey SET ihc = 0.5 WHERE conv_id = 'second'")


def credit_missing(shop: Shop) -> None:
    shop.execute("DELETE FROM attribution_customer_journey WHERE session_id = 'a2'")


def engagement_changed(shop: Shop) -> None:
    shop.execute("UPDATE session_sources SET holder_engagement = 1 WHERE session_id = 'a1'")


@pytest.mark.parametrize("change", [session_came_late, channel_renamed, engagement_changed, other_model, credit_missing])
def test_credits_that_do_not_follow_from_the_journey_are_shown_and_called_so(
    reported: Shop, change: Callable[[Shop], None]
) -> None:
    change(reported)

    result = explain(reported, "--conversion", "second")

    assert result.exit_code == 1
    assert "Ads, paid" in result.stdout
    assert result.stderr == (
        "Error: The credit of 2023-09-02 is out of date: its sessions or its ihc_results have changed. "
        "Run `attribution run --start 2023-09-02 --end 2023-09-02`.\n"
    )


def test_ids_that_are_numbers_in_the_sources_are_explained_alike(reported: Shop, instance: dg.DagsterInstance) -> None:
    before = explained(reported, "--conversion", "second")
    for source, numbers in {
        "session_sources": "CAST(unicode(session_id) * 10 + substr(session_id, 2) AS integer) AS session_id, user_id, "
        "event_date, event_time, channel_name, holder_engagement, closer_engagement, impression_interaction",
        "conversions": "CAST(length(conv_id) AS integer) AS conv_id, user_id, conv_date, conv_time, revenue",
    }.items():
        reported.execute(f"ALTER TABLE {source} RENAME TO loaded_{source}")
        reported.execute(f"CREATE TABLE {source} AS SELECT {numbers} FROM loaded_{source}")
    run(reported, instance, "2023-09-01", "2023-09-04")

    now = explained(reported, "--conversion", "6")  # "second" has six letters

    assert now["conv_id"] == "6"
    assert [session["orders"] for session in now["sessions"]] == [session["orders"] for session in before["sessions"]]


# -- mistakes ---------------------------------------------------------------------------------------------------------


def nothing(shop: Shop) -> None:
    """The shop is as it should be."""


def new_channel(shop: Shop) -> None:
    shop.session("new", "dora", "2023-09-01 10:00:00", "TV")


def new_day(shop: Shop) -> None:
    shop.session("new", "dora", "2023-09-05 10:00:00", "TV")
    shop.conversion("new", "dora", "2023-09-05 11:00:00", 1)


def moved(shop: Shop) -> None:
    shop.execute("UPDATE conversions SET conv_date = '2023-09-03' WHERE conv_id = 'second'")


def no_report_table(shop: Shop) -> None:
    shop.execute("DROP TABLE channel_reporting")


def no_credit_table(shop: Shop) -> None:
    shop.execute("DROP TABLE attribution_customer_journey")


def no_file(shop: Shop) -> None:
    shop.database.unlink()


CELL = ("--channel", "Email", "--date")


MISTAKES: list[tuple[type[AttributionError], Callable[[Shop], None], list[str], str]] = [
    (NotFoundError, nothing, ["--conversion", "x"], "There is no conversion 'x' in {database}."),
    (
        NotReadyError,
        new_day,
        ["--conversion", "new"],
        "The conversion 'new' on 2023-09-05 has not been attributed yet. Run `attribution",
    ),
    (
        NotReadyError,
        moved,
        ["--conversion", "second"],
        "The conversion 'second' on 2023-09-03 has not been attributed yet. Run `attr",
    ),
    (
        NotReadyError,
        no_credit_table,
        ["--conversion", "first"],
        "has no table attribution_customer_journey yet. Run `attribution run`, or",
    ),
    (
        NotFoundError,
        nothing,
        ["--date", "2023-09-01", "--channel", "Mail"],
        "The report for 2023-09-01 has no channel 'Mail'. It has these channels: 'Direct', 'Email'.",
    ),
    (
        NotReadyError,
        new_channel,
        ["--date", "2023-09-01", "--channel", "TV"],
        "is out of date: it lacks 'TV'. Run `attribution",
    ),
    (
        NotReadyError,
        new_day,
        [*CELL, "2023-09-05"],
        "2023-09-05 has no report yet. Run `attribution run --start 2023-09-05 --end 2023-09-05",
    ),
    (NotFoundError, nothing, [*CELL, "2023-09-04"], "2023-09-04 has no sessions, so its report is empty."),
    (
        NotFoundError,
        nothing,
        [*CELL, "2023-08-31"],
        f"2023-08-31 has no report, because it is outside the partitions, 2023-09-01 to {YESTERDAY}.",
    ),
    (
        NotFoundError,
        nothing,
        [*CELL, TODAY],
        f"{TODAY} has no report, because it is outside the partitions, 2023-09-01 to {YESTERDAY}.",
    ),
    (
        NotReadyError,
        no_report_table,
        [*CELL, "2023-09-01"],
        "has no table channel_reporting yet. Run `attribution run`, or materialize channel_reporting first.",
    ),
    (NotReadyError, no_file, [*CELL, "2023-09-01"], "There is no database {database}"),
]


@pytest.mark.parametrize(("damage", "arguments", "says"), [mistake[1:] for mistake in MISTAKES])
def test_a_mistake_is_answered_by_one_line_that_helps_and_exit_code_1(
    reported: Shop, damage: Callable[[Shop], None], arguments: list[str], says: str
) -> None:
    damage(reported)

    result = explain(reported, *arguments)

    [line] = result.stderr.splitlines()
    assert result.exit_code == 1
    assert line.startswith("Error: ")
    assert says.format(database=reported.database) in line
    assert result.stdout == ""


@pytest.mark.parametrize(("kind", "damage", "arguments"), [mistake[:3] for mistake in MISTAKES])
def test_a_mistake_is_of_a_kind_that_a_server_can_tell(
    reported: Shop, kind: type[AttributionError], damage: Callable[[Shop], None], arguments: list[str]
) -> None:
    damage(reported)
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))

    def ask(settings: Settings) -> None:
        if "--conversion" in given:
            explain_conversion(settings, given["--conversion"])
        else:
            explain_cell(settings, given["--date"], given["--channel"])

    with pytest.raises(kind):
        ask(reported.settings())


@pytest.mark.parametrize("arguments", [[], ["--date", "2023-09-01"], [*CELL, "2023-09-01", "--conversion", "first"]])
def test_a_cell_or_a_conversion_is_asked_for_not_both_and_not_half(shop: Shop, arguments: list[str]) -> None:
    result = explain(shop, *arguments)

    assert result.exit_code == 2
    assert "Give either --date and --channel, or --conversion." in result.stderr
