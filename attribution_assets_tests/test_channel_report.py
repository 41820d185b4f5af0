"""The report for people: the figures of channel_reporting, by which model they are, and the day after which they are final."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner, Result

from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import EVEN, Shop


@pytest.fixture
def reported(shop: Shop, instance: dg.DagsterInstance) -> Shop:
    """Two days of which the first earned an order, and a channel with a name that a spreadsheet would take for a formula."""
    shop.session("s1", "u", "2023-09-01 10:00:00", "Email", cost=4)
    shop.session("s2", "v", "2023-09-01 10:00:00", "=1+1", cost=0)
    shop.session("s3", "w", "2023-09-02 10:00:00", "Ads", cost=1)
    shop.conversion("c1", "u", "2023-09-01 12:00:00", 8)
    run(shop, instance, "2023-09-01", "2023-09-02")
    return shop


def run(shop: Shop, instance: dg.DagsterInstance, first: str, last: str, **settings: object) -> None:
    """Attributes and reports the days, with a lookback of three days unless another is given."""
    chosen = {"start_date": "2023-09-01", "end_date": "2023-09-05", "lookback_days": 3, **settings}
    assert shop.attribute(instance, first, last, **chosen).success
    assert shop.report(instance, "2023-09-01", last, **chosen).success


def test_each_row_says_its_figures_its_model_its_parameters_its_currency_and_after_which_day_it_is_final(
    reported: Shop,
) -> None:
    assert reported.table("channel_report") == [
        ("2023-09-01", "=1+1", 0, 0, 0, None, None, "ihc", "challenge", "EUR", "2023-09-04"),
        ("2023-09-01", "Email", 4, 1, 8, 4, 2, "ihc", "challenge", "EUR", "2023-09-04"),
        ("2023-09-02", "Ads", 1, 0, 0, None, 0, "ihc", None, "EUR", "2023-09-05"),  # no order can be credited to it yet
    ]


def test_a_day_that_is_credited_by_two_parameters_names_both_and_another_day_its_own(
    reported: Shop, instance: dg.DagsterInstance
) -> None:
    own = reported.database.with_name("own.json")
    own.write_text(EVEN)
    reported.conversion("c2", "w", "2023-09-03 12:00:00", 5)

    run(reported, instance, "2023-09-02", "2023-09-03", ihc_parameters=str(own))

    named = dict(reported.execute("SELECT DISTINCT date, parameters FROM channel_report"))
    assert {day: [name.split("@")[0] for name in parameters.split(", ")] for day, parameters in named.items()} == {
        "2023-09-01": ["challenge", "own.json"],
        "2023-09-02": ["own.json"],
    }


HEADER = "date,channel,cost,orders,revenue,CPO,ROAS,model,parameters,currency,final_after\n"


def test_its_csv_files_are_for_spreadsheets_and_those_of_channel_reporting_for_programs(reported: Shop) -> None:
    files = {name: content.decode() for name, content in reported.csv_bytes().items()}

    of_first_day = (
        "2023-09-01,'=1+1,0.000000,0.000000,0.000000,,,ihc,challenge,EUR,2023-09-04\n"
        "2023-09-01,Email,4.000000,1.000000,8.000000,4.000000,2.000000,ihc,challenge,EUR,2023-09-04\n"
    )
    of_second_day = "2023-09-02,Ads,1.000000,0.000000,0.000000,,0.000000,ihc,,EUR,2023-09-05\n"
    assert files["channel_report/2023-09-01.csv"] == HEADER + of_first_day
    assert files["channel_report.csv"] == HEADER + of_first_day + of_second_day
    assert files["channel_reporting.csv"].splitlines()[1].startswith("=1+1,2023-09-01,")


def test_names_stay_as_they_are_where_nothing_is_to_be_escaped(reported: Shop, instance: dg.DagsterInstance) -> None:
    run(reported, instance, "2023-09-01", "2023-09-02", csv_escape=False)

    assert b"2023-09-01,=1+1," in reported.csv_bytes()["channel_report.csv"]


ENVIRONMENT = {"ATTRIBUTION_LOOKBACK_DAYS": "3", "ATTRIBUTION_START_DATE": "2023-09-01", "ATTRIBUTION_END_DATE": "2023-09-02"}


def check(shop: Shop) -> Result:
    return CliRunner().invoke(main, ["check", "--database", str(shop.database)], env=ENVIRONMENT)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE channel_report SET orders = 2 WHERE channel = 'Email'",
        "UPDATE channel_reporting SET ihc_revenue = 9 WHERE channel_name = 'Email'",
    ],
)
def test_a_figure_that_differs_from_channel_reporting_is_found(reported: Shop, change: str) -> None:
    reported.execute(change)

    checked = check(reported)

    assert checked.exit_code == 1
    assert "1 figure of 2023-09-01 to 2023-09-02 differed from those in channel_reporting." in checked.output


@pytest.mark.parametrize("change", ["DELETE FROM channel_report", "DROP TABLE channel_report"])
def test_a_database_from_before_there_was_this_report_breaks_nothing(
    reported: Shop, instance: dg.DagsterInstance, change: str
) -> None:
    rows = reported.table("channel_report")
    reported.execute(change)

    checked = check(reported)
    assert checked.exit_code == 0, checked.output
    assert ("channel_reporting has 2023-09-01, channel_report has not yet" in checked.output) == change.startswith("DELETE")

    run(reported, instance, "2023-09-01", "2023-09-02")
    assert reported.table("channel_report") == rows


# -- currency -----------------------------------------------------------------------------------------------------------


def test_the_currency_is_a_setting(reported: Shop, instance: dg.DagsterInstance) -> None:
    run(reported, instance, "2023-09-01", "2023-09-02", currency="SEK")

    assert {row[-2] for row in reported.table("channel_report")} == {"SEK"}


@pytest.mark.parametrize(
    ("column", "row", "problem"),
    [
        ("conversions", "conv_id = 'c1'", "conversions: 1 of the days are in USD, and ATTRIBUTION_CURRENCY is EUR"),
        ("session_costs", "session_id = 's1'", "session_costs: 1 of the days are in USD, and ATTRIBUTION_CURRENCY is EUR"),
    ],
)
def test_an_amount_in_another_currency_stops_the_report_and_leaves_it_as_it_was(
    reported: Shop, instance: dg.DagsterInstance, column: str, row: str, problem: str
) -> None:
    before = reported.results()
    reported.execute(f"ALTER TABLE {column} ADD COLUMN currency text")
    reported.execute(f"UPDATE {column} SET currency = 'EUR'")
    run(reported, instance, "2023-09-01", "2023-09-02")
    assert reported.results() == before

    reported.execute(f"UPDATE {column} SET currency = 'USD' WHERE {row}")

    result = CliRunner().invoke(main, ["run", "--database", str(reported.database)], env=ENVIRONMENT)
    assert result.exit_code == 1
    assert problem in result.stderr
    assert reported.table("channel_report") == before["channel_report"]


RATES = "CREATE TABLE exchange_rates (date text, currency text, rate real, PRIMARY KEY (date, currency))"


def test_amounts_in_another_currency_are_converted_by_the_rate_of_their_day(
    reported: Shop, instance: dg.DagsterInstance
) -> None:
    for table in ("session_costs", "conversions"):
        reported.execute(f"ALTER TABLE {table} ADD COLUMN currency text DEFAULT 'USD'")
    reported.execute(RATES)
    reported.execute("INSERT INTO exchange_rates VALUES ('2023-09-01', 'USD', 2), ('2023-09-02', 'USD', 10)")

    reported.sum_costs(instance, "2023-09-01", "2023-09-02", lookback_days=3)
    run(reported, instance, "2023-09-01", "2023-09-02")

    assert reported.table("channel_report", "date, channel, cost, revenue, currency") == [
        ("2023-09-01", "=1+1", 0.0, 0.0, "EUR"),
        ("2023-09-01", "Email", 8.0, 16.0, "EUR"),
        ("2023-09-02", "Ads", 10.0, 0.0, "EUR"),
    ]


def test_an_amount_without_a_rate_of_its_day_stops_the_report(reported: Shop, instance: dg.DagsterInstance) -> None:
    reported.execute("ALTER TABLE conversions ADD COLUMN currency text DEFAULT 'USD'")
    reported.execute(RATES)
    reported.execute("INSERT INTO exchange_rates VALUES ('2023-09-02', 'USD', 2), ('2023-09-01', 'USD', 'two')")

    with pytest.raises(AttributionError, match="in USD, and ATTRIBUTION_CURRENCY is EUR, and exchange_rates has no rate"):
        run(reported, instance, "2023-09-01", "2023-09-02")


def test_a_rate_that_changes_makes_its_day_late(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    automated = Automated.of_ten_days(tmp_path, instance)
    automated.shop.execute("ALTER TABLE session_costs ADD COLUMN currency text DEFAULT 'USD'")
    automated.shop.execute(RATES)
    for day in range(1, 11):
        automated.shop.execute("INSERT INTO exchange_rates VALUES (?, 'USD', 2)", f"2023-09-{day:02}")
    automated.compute()

    automated.shop.execute("UPDATE exchange_rates SET rate = 3 WHERE date = '2023-09-04'")

    assert automated.late_data_requests() == {"sum_costs": ["2023-09-04"]}
