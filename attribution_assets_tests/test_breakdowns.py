"""breakdown_reporting: every channel by campaign, market or any other column, adding up to the channel."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from attribution_assets.analysis.checking import check_days
from attribution_assets.catalog.tables import query_of, tables
from attribution_assets.command.cli import main
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, schema
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import EVEN, Shop

DAY = "2023-09-02"


pytestmark = pytest.mark.xdist_group("breakdowns")


@pytest.fixture(scope="module")
def broken_down(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """The shop after a run with three dimensions and a model."""
    folder = tmp_path_factory.mktemp("breakdowns")
    shop = filled(Shop(folder / "shop.db", folder / "exports"))
    run(shop, "market", "device", "conversions.market", ATTRIBUTION_MODELS="last_touch")
    return shop


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Anna buys after two sessions, of which each has half of the credit; Ben comes and does not buy."""
    return filled(shop)


def filled(shop: Shop) -> Shop:
    shop.add_optional_sources()
    shop.execute("ALTER TABLE session_sources ADD COLUMN device")
    shop.session("s1", "anna", "2023-09-01 10:00:00", "Ads", cost=2)
    shop.session("s2", "anna", f"{DAY} 10:00:00", "Ads", cost=3)
    shop.session("s3", "ben", f"{DAY} 11:00:00", "Ads", cost=1)
    shop.session("s4", "ben", f"{DAY} 12:00:00", "Ads", cost=0)
    shop.execute("UPDATE session_sources SET market = 'DE', device = 1 WHERE session_id <> 's2'")
    shop.conversion("c1", "anna", f"{DAY} 12:00:00", 100)
    shop.execute("UPDATE conversions SET market = 'AT'")
    return shop


def run(shop: Shop, *breakdowns: str, **environment: str) -> str:
    parameters = shop.database.with_name("even.json")
    parameters.write_text(EVEN)
    given = {
        "ATTRIBUTION_DATABASE": str(shop.database),
        "ATTRIBUTION_EXPORTS": str(shop.exports),
        "DAGSTER_HOME": str(shop.database.with_name("home")),
        "ATTRIBUTION_BREAKDOWNS": ",".join(breakdowns),
        "IHC_PARAMETERS": str(parameters),
    }
    result = CliRunner().invoke(main, ["run"], env=given | environment)
    assert result.exit_code == 0, result.output
    return result.output


def rows(shop: Shop, dimension: str, basis: str = "session", model: str = "ihc") -> list[tuple[Any, ...]]:
    columns = "date, channel, value, sessions, users, cost, CPC, orders, revenue, CPO, ROAS, conversion_rate"
    return shop.execute(
        f"SELECT {columns} FROM breakdown_reporting WHERE dimension = ? AND date_basis = ? AND model = ? ORDER BY date, value",
        *(dimension, basis, model),
    )


def test_a_channel_is_broken_down_by_the_values_of_its_sessions(broken_down: Shop) -> None:
    assert rows(broken_down, "market") == [
        ("2023-09-01", "Ads", "DE", 1, 1, 2.0, 2.0, 0.5, 50.0, 4.0, 25.0, 0.5),
        (DAY, "Ads", "(none)", 1, 1, 3.0, 3.0, 0.5, 50.0, 6.0, 50 / 3, 0.5),
        (DAY, "Ads", "DE", 2, 1, 1.0, 0.5, 0.0, 0.0, None, 0.0, 0.0),
    ]


def test_on_the_date_of_the_conversion_credit_counts_there_and_cost_on_that_of_the_sessions(broken_down: Shop) -> None:
    assert [row[:3] + row[5:6] + row[7:9] for row in rows(broken_down, "market", "conversion")] == [
        ("2023-09-01", "Ads", "DE", 2.0, 0.0, 0.0),
        (DAY, "Ads", "(none)", 3.0, 0.5, 50.0),
        (DAY, "Ads", "DE", 1.0, 0.5, 50.0),
    ]


def test_a_column_of_conversions_gives_the_value_of_the_order_and_cost_stands_in_a_row_without_value(broken_down: Shop) -> None:
    assert rows(broken_down, "conversions.market") == [
        ("2023-09-01", "Ads", "", 1, 1, 2.0, 2.0, 0.0, 0.0, None, None, None),
        ("2023-09-01", "Ads", "AT", 0, 0, 0.0, None, 0.5, 50.0, None, None, None),
        (DAY, "Ads", "", 3, 2, 4.0, 4 / 3, 0.0, 0.0, None, None, None),
        (DAY, "Ads", "AT", 0, 0, 0.0, None, 0.5, 50.0, None, None, None),
    ]


def test_any_column_of_the_users_table_can_be_a_dimension(broken_down: Shop) -> None:
    assert [row[2] for row in rows(broken_down, "device")] == ["1", "(none)", "1"]


def test_every_chosen_model_is_broken_down(broken_down: Shop) -> None:
    assert [(row[0], row[2], row[7]) for row in rows(broken_down, "market", model="last_touch")] == [
        ("2023-09-01", "DE", 0.0),
        (DAY, "(none)", 1.0),
        (DAY, "DE", 0.0),
    ]


def test_breakdowns_that_are_chosen_later_are_not_wrong_before_they_run(shop: Shop) -> None:
    run(shop)

    checked = check_days(shop.settings(breakdowns=["market"]), None, None)

    assert "report_adds_up" in {each.check.name for each in checked}
    assert "breakdowns_add_up" not in {each.check.name for each in checked}


def test_ad_spend_without_sessions_stands_under_its_campaign(shop: Shop) -> None:
    shop.execute("INSERT INTO ad_costs (date, campaign_id, cost) VALUES (?, 'lost', 7)", DAY)

    run(shop, "campaign_id", "market")

    found = [(row[1], row[2], row[5]) for row in rows(shop, "campaign_id") if row[0] == DAY]
    assert found == [("Ads", "(none)", 4.0), ("Unassigned spend", "lost", 7.0)]
    assert ("Unassigned spend", "(none)", 7.0) in [(row[1], row[2], row[5]) for row in rows(shop, "market")]


def test_a_column_that_is_not_there_is_named_and_the_rest_of_the_report_is_computed(shop: Shop) -> None:
    output = run(shop, "marked")

    assert "breakdown_reporting is left out: the database has no session_sources.marked." in output
    assert len(shop.table("channel_reporting")) == 2


@pytest.mark.parametrize("name", ["market; DROP TABLE conversions", "a b", "'", "sessions.market", ""])
def test_what_is_no_column_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="is not the name of a column"):
        Settings(breakdowns=[name])


def test_a_value_that_changes_restates_the_breakdown_of_its_day_alone(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    automated = Automated.of_ten_days(tmp_path, instance)
    automated.choices |= {"breakdowns": ["device"]}
    automated.shop.execute("ALTER TABLE session_sources ADD COLUMN device text")
    automated.compute()

    automated.shop.execute("UPDATE session_sources SET device = 'phone' WHERE event_date = '2023-09-04'")

    assert automated.late_data_requests() == {"report_channels": ["2023-09-04"]}
    automated.report("2023-09-04")
    assert automated.shop.execute("SELECT DISTINCT date FROM breakdown_reporting WHERE value = 'phone'") == [("2023-09-04",)]
    assert automated.late_data_requests() == {}


SESSION = st.tuples(
    st.sampled_from(["anna", "ben"]),
    st.sampled_from(["2023-09-01", DAY]),
    st.sampled_from(["Ads", "Email"]),
    st.sampled_from(["DE", "AT", "", None]),
    st.sampled_from([0, 1.25, 0.1, None]),
    st.sampled_from(["brand", None]),
)
DIMENSIONS = ("market", "campaign_id", "conversions.market")
EVENLY = (
    "INSERT INTO attribution_customer_journey "
    "SELECT conv_id, session_id, 1.0 / count(*) OVER (PARTITION BY conv_id), conv_date FROM customer_journeys"
)


@settings.get_profile("databases")
@given(
    sessions=st.lists(SESSION, max_size=6),
    revenues=st.lists(st.sampled_from([0, 19.99, 100, -5.5]), max_size=3),
    spends=st.lists(st.sampled_from([0, 3, 0.333]), max_size=2),
    conversions=st.sampled_from(["tracked", "backend"]),
)
def test_the_values_of_a_dimension_add_up_to_the_channel(
    sessions: list[Any], revenues: list[float], spends: list[float], conversions: str
) -> None:
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder) / "shop.db", Path(folder))
        shop.add_optional_sources()
        for number, (user, day, channel, market, cost, campaign) in enumerate(sessions):
            shop.session(f"s{number}", user, f"{day} 10:00:00", channel, cost=cost)
            values = (market, campaign, f"s{number}")
            shop.execute("UPDATE session_sources SET market = ?, campaign_id = ? WHERE session_id = ?", *values)
        for user, revenue in zip(("anna", "ben", "carl"), revenues, strict=False):
            shop.conversion(f"by {user}", user, f"{DAY} 12:00:00", revenue)
        for campaign, cost in zip(("brand", "lost"), spends, strict=False):
            shop.execute("INSERT INTO ad_costs (date, campaign_id, cost) VALUES (?, ?, ?)", DAY, campaign, cost)
        shop.execute(
            "INSERT INTO conversions_backend (conv_id, user_id, conv_date, revenue) "
            "SELECT conv_id, user_id, conv_date, revenue FROM conversions UNION ALL VALUES ('unseen', 'anna', '2023-09-02', 7)"
        )
        chosen, days = shop.settings(breakdowns=DIMENSIONS, lookback_days=1, conversions=conversions), Days("2023-09-01", DAY)
        chosen.warehouse.prepare()
        for table in tables(chosen):
            if table.name == "attribution_customer_journey":
                shop.execute(EVENLY)
            elif not (table.is_python or table.csv_of or table.name == "channel_report"):
                chosen.warehouse.replace_days(schema()[table.name], table.day_column, days, query_of(chosen, table, days))

        of_channel = shop.table("channel_reporting", "date, channel_name, cost, ihc, ihc_revenue")
        for dimension in DIMENSIONS:
            of_values = shop.execute(
                "SELECT date, channel, sum(cost), sum(orders), sum(revenue) FROM breakdown_reporting "
                "WHERE dimension = ? AND date_basis = 'session' GROUP BY date, channel ORDER BY date, channel",
                dimension,
            )
            assert [row[:2] for row in of_values] == [row[:2] for row in of_channel]
            for found, expected in zip(of_values, of_channel, strict=True):
                assert found[2:] == pytest.approx(expected[2:], abs=1e-9)
        checked = check_days(chosen, days.first, days.last)
        assert [each.offending for each in checked if each.check.name == "breakdowns_add_up"] in ([0], [])
