"""`attribution experiment`: what a switch changed, beside what the models had credited in the same markets."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.warehouse import Days
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates

DAYS = Days("2023-08-01", "2023-09-11")
SWITCH = "2023-08-29"
AUSTRIA = "A'T"
MODELS = "first_touch,linear,last_touch"

JOURNEYS = {"DE": (4, 3, 3), AUSTRIA: (8, 6, 6), None: (1, 0, 0)}
"""By market, the orders of a day that came by Ads alone, by Newsletter and then Ads, and by Newsletter alone."""


@pytest.fixture
def switched(tmp_path: Path, templates: Templates) -> Shop:
    """Six weeks of a shop that switched Ads off in Germany after four: those who came by Ads alone no longer buy."""
    templates.copy("switched", switch, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


def switch(folder: Path) -> None:
    shop = Shop(folder / "shop.db", folder / "exports")
    shop.add_optional_sources()
    visits, orders = [], []
    for day in DAYS:
        for market, (ads, both, newsletter) in JOURNEYS.items():
            is_off = market == "DE" and day >= SWITCH
            paths = [["Ads"]] * (0 if is_off else ads) + [["Newsletter"] if is_off else ["Newsletter", "Ads"]] * both
            for number, path in enumerate([*paths, *[["Newsletter"]] * newsletter]):
                user = f"{day} {market} {number}"
                visits += [(f"{user} {at}", user, day, f"0{at}:00:00", name, market) for at, name in enumerate(path)]
                orders.append((user, user, day, "12:00:00", 50, market))
    with closing(sqlite3.connect(shop.database)) as connection, connection:
        connection.executemany(
            "INSERT INTO session_sources (session_id, user_id, event_date, event_time, channel_name, market, "
            "holder_engagement, closer_engagement, impression_interaction) VALUES (?, ?, ?, ?, ?, ?, 1, 1, 0)",
            visits,
        )
        connection.executemany(
            "INSERT INTO conversions (conv_id, user_id, conv_date, conv_time, revenue, market) VALUES (?, ?, ?, ?, ?, ?)",
            orders,
        )
    result = CliRunner().invoke(main, ["run"], env=environment(shop.database))
    assert result.exit_code == 0, result.output


def environment(database: Path, **settings: str) -> dict[str, str]:
    of_test = {"DATABASE": str(database), "END_DATE": DAYS.last, "LOOKBACK_DAYS": "1", "MODELS": MODELS, **settings}
    home = {"DAGSTER_HOME": str(database.parent / "home"), "ATTRIBUTION_EXPORTS": str(database.parent / "exports")}
    return {f"ATTRIBUTION_{name}": value for name, value in of_test.items()} | home


def asked(shop: Shop, *options: str, **settings: str) -> Result:
    return CliRunner().invoke(main, ["experiment", *options], env=environment(shop.database, **settings))


OFF = ("--channel", "Ads", "--switched", "off", "--from", SWITCH)
IN_GERMANY = (*OFF, "--treated", "DE")


def found(shop: Shop, *options: str, **settings: str) -> dict[str, Any]:
    result = asked(shop, *options, "--json", **settings)
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def interval(value: float) -> dict[str, Any]:
    return dict.fromkeys(("value", "low", "high"), pytest.approx(value))


def credited(answer: dict[str, Any]) -> dict[str, float]:
    return {each["model"]: each["orders_per_day"] for each in answer["credited"]}


# -- what it answers --------------------------------------------------------------------------------------------------


def test_the_effect_is_what_the_treated_market_lost_beside_the_others(switched: Shop) -> None:
    answer = found(switched, *IN_GERMANY)

    assert answer["effect"] == {"per_day": interval(-4), "total": interval(-56), "relative": interval(-0.4)}
    assert answer["brought"] == interval(4)
    assert (answer["orders_per_day_before"], answer["orders_per_day"], answer["expected_per_day"]) == (10, 6, pytest.approx(10))
    assert (answer["method"], answer["treated"], answer["control"]) == ("difference in differences", ["DE"], [AUSTRIA])


def test_each_model_stands_beside_it_with_its_credit_in_the_treated_market_while_the_channel_was_on(switched: Shop) -> None:
    answer = found(switched, *IN_GERMANY)

    models = {"first_touch": 4, "linear": 5.5, "last_touch": 7}
    assert {name: credit for name, credit in credited(answer).items() if name != "ihc"} == pytest.approx(models)
    assert {each["model"]: each["verdict"] for each in answer["credited"]}["last_touch"] == "above"
    assert answer["credited_days"] == answer["before"] == {"start": "2023-08-01", "end": "2023-08-28"}


def test_of_a_channel_that_was_switched_on_the_effect_is_what_it_brings_and_credit_counts_from_then_on(switched: Shop) -> None:
    answer = found(switched, "--channel", "Ads", "--switched", "on", "--from", SWITCH, "--treated", "DE")

    assert answer["brought"] == answer["effect"]["per_day"]
    assert answer["credited_days"] == answer["after"] == {"start": SWITCH, "end": DAYS.last}
    assert set(credited(answer).values()) == {0}


def test_a_column_of_sessions_gives_an_order_the_market_of_its_last_session(switched: Shop) -> None:
    switched.execute("UPDATE conversions SET market = 'elsewhere'")

    answer = found(switched, *IN_GERMANY, "--column", "market")

    assert answer["effect"]["per_day"] == interval(-4)
    assert credited(answer)["last_touch"] == pytest.approx(7)
    assert answer["control"] == [AUSTRIA]


def test_orders_without_a_market_count_nowhere_but_in_days_alone(switched: Shop) -> None:
    assert found(switched, *IN_GERMANY)["control"] == [AUSTRIA]
    assert found(switched, *OFF)["orders_per_day_before"] == 10 + 20 + 1


def test_without_markets_days_are_held_against_earlier_ones_which_is_named_as_weaker(switched: Shop) -> None:
    answer = found(switched, *OFF)

    assert (answer["method"], answer["column"], answer["treated"]) == ("interrupted series", None, [])
    assert answer["effect"]["per_day"]["value"] == pytest.approx(-4)
    assert credited(answer)["last_touch"] == pytest.approx(7 + 14 + 1)
    assert "weaker" in answer["notes"][-1]


def test_credit_counts_by_the_channel_of_the_session_whatever_group_a_model_saw(switched: Shop) -> None:
    switched.execute("UPDATE model_attribution SET channel_name = 'Paid' WHERE channel_name = 'Ads'")

    assert credited(found(switched, *IN_GERMANY))["last_touch"] == pytest.approx(7)


def test_a_model_that_lacks_some_of_the_days_is_named_and_left_out(switched: Shop) -> None:
    switched.execute("DELETE FROM model_attribution WHERE model = 'linear' AND conv_date = '2023-08-05'")

    answer = found(switched, *IN_GERMANY)

    assert "linear" not in credited(answer)
    [note] = answer["notes"]
    assert note.startswith("linear: not computed for all days from 2023-08-01 to 2023-08-28. Run `attribution run --start")


def test_where_ihc_alone_was_computed_it_says_how_to_see_others(switched: Shop) -> None:
    switched.execute("DELETE FROM model_attribution")

    assert "Set ATTRIBUTION_MODELS" in found(switched, *IN_GERMANY)["notes"][0]


def test_only_the_days_that_are_asked_for_count(switched: Shop) -> None:
    answer = found(switched, *OFF[:5], "2023-09-04", "--treated", "DE", "--since", "2023-08-07", "--to", "2023-09-10")

    assert answer["before"] == {"start": "2023-08-07", "end": "2023-09-03"}
    assert answer["after"] == {"start": "2023-09-04", "end": "2023-09-10"}


def test_power_tells_the_smallest_effect_of_each_length_beside_what_models_credit(switched: Shop) -> None:
    answer = found(switched, "--channel", "Ads", "--power", "--from", SWITCH, "--treated", "DE")

    assert [each["days"] for each in answer["experiments"]] == [14, 28, 42, 56]
    assert answer["experiments"][0]["per_day"] == pytest.approx(0, abs=1e-9)
    assert answer["before"] == {"start": "2023-08-01", "end": "2023-08-28"}
    assert answer["orders_per_day_before"] == 10
    assert credited(answer)["last_touch"] == pytest.approx(7)


def test_power_looks_at_the_last_days_with_results_unless_a_day_is_given(switched: Shop) -> None:
    answer = found(switched, "--channel", "Ads", "--power")

    assert answer["before"] == {"start": DAYS.first, "end": DAYS.last}
    assert answer["method"] == "interrupted series"
    assert "weaker" in answer["notes"][0]


def test_the_answer_is_printed_for_people(switched: Shop) -> None:
    printed = asked(switched, *IN_GERMANY).stdout

    assert "Ads switched off in DE, difference in differences" in printed
    assert "Effect of the switch: -4.0 orders a day (90 %: -4.0 to -4.0), -40.0% (90 %: -40.0% to -40.0%)." in printed
    assert re.search(r"^experiment +4\.0 \(90 %: 4\.0 to 4\.0\) *$", printed, re.MULTILINE)
    assert re.search(r"^last_touch +7\.0  above the interval *$", printed, re.MULTILINE)
    assert re.search(r"^first_touch +4\.0  within the interval *$", printed, re.MULTILINE)
    assert "includes 0" not in printed


def test_an_effect_that_may_be_none_is_printed_as_such(switched: Shop) -> None:
    printed = asked(switched, "--channel", "Newsletter", "--switched", "off", "--from", "2023-09-04", "--treated", "DE").stdout

    assert "The interval includes 0: this experiment cannot tell the effect from none." in printed


def test_power_is_printed_for_people(switched: Shop) -> None:
    printed = asked(switched, "--channel", "Ads", "--power", "--from", SWITCH, "--treated", "DE").stdout

    assert "Smallest effect that 80 of 100 experiments would show, in DE, difference in differences" in printed
    assert "There were 10.0 orders a day from 2023-08-01 to 2023-08-28." in printed


def test_nothing_is_written(switched: Shop) -> None:
    before = switched.results()

    found(switched, *IN_GERMANY)

    assert switched.results() == before


# -- what it refuses --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--channel", "ads", *IN_GERMANY[2:]), "There is no channel 'ads' from 2023-08-01 to 2023-09-11. There are: 'Ads', "),
        ((*IN_GERMANY, "--treated", "FR"), "has 'FR' in conversions.market. It has \"A'T\", 'DE'."),
        ((*IN_GERMANY, "--treated", AUSTRIA), "in treated markets, so there are none to compare with. Without --treated"),
        ((*IN_GERMANY, "--column", "region"), "session_sources has no column region. Name the one"),
        ((*IN_GERMANY, "--column", "conversions.region"), "conversions has no column region. Name the one"),
        ((*IN_GERMANY, "--column", 'market" --'), "is not the name of a column. Write market, or conversions.market"),
        ((*OFF[:5], DAYS.first, "--treated", "DE"), "There are no days before the switch on 2023-08-01 to compare with"),
        ((*OFF[:5], "2023-08-28", "--treated", "DE"), "There are 27 days before the switch. At least 28 are needed"),
        ((*OFF[:5], "2023-08-28"), "There are 27 days before the switch. At least 28 are needed"),
        ((*IN_GERMANY, "--to", "2023-09-03"), "There are 6 days from the switch on. Wait until there are at least 7."),
        ((*IN_GERMANY, "--to", "2023-08-20"), "The switch on 2023-08-29 is later than 2023-08-20, the last day to look at."),
        ((*IN_GERMANY, "--to", "2023-10-01"), "has results of 2023-08-01 to 2023-09-11 alone, and not of all days from"),
        ((*IN_GERMANY, "--since", "2023-07-01"), "Run `attribution run` for them first."),
        (("--channel", "Ads", "--power", "--from", "2023-08-15"), "There are 14 days before the switch. At least 28"),
    ],
)
def test_what_cannot_be_answered_is_said_in_one_line(switched: Shop, options: tuple[str, ...], why: str) -> None:
    result = asked(switched, *options)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: ")
    assert why in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--channel", "Ads"), "Give --switched and --from, or --power."),
        ((*OFF, "--power"), "Give either --power, or --switched and --to."),
        ((*OFF, "--column", "market"), "Give --treated with --column"),
        (OFF[2:], "Missing option '--channel'"),
    ],
)
def test_options_that_do_not_belong_together_are_refused(switched: Shop, options: tuple[str, ...], why: str) -> None:
    result = asked(switched, *options)

    assert result.exit_code == 2
    assert why in result.stderr


def test_a_column_without_any_value_is_said_to_be_empty(switched: Shop) -> None:
    switched.execute("UPDATE conversions SET market = NULL")

    assert "has 'DE' in conversions.market. It is empty." in asked(switched, *IN_GERMANY).stderr


def test_a_database_without_results_is_told_to_run_first(shop: Shop) -> None:
    assert "has no attributed conversions yet. Run `attribution run` first." in asked(shop, *IN_GERMANY).stderr
