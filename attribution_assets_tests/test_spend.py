"""Ad spend per day and campaign: divided over sessions, standing for their own costs, and each amount in the report once."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_assets.catalog.reporting import CHANNEL_COSTS, SESSION_SPEND
from attribution_assets.catalog.tables import parameters, query_of
from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import Days, Query, SQLiteWarehouse, schema
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import Shop

DAY = "2023-09-02"
ONE_DAY = Days(DAY, DAY)


@pytest.fixture
def ads(shop: Shop) -> Shop:
    """The shop with every optional source, and without rows."""
    shop.add_optional_sources()
    return shop


def session(
    shop: Shop,
    session_id: str,
    campaign: str | None,
    channel: str = "Ads",
    *,
    day: str = DAY,
    cost: Any = "missing",
    cpc: Any = None,
) -> None:
    shop.session(session_id, "anna", f"{day} 10:00:00", channel, cost=cost)
    shop.execute("UPDATE session_sources SET campaign_id = ?, cpc = ? WHERE session_id = ?", campaign, cpc, session_id)


def spend(shop: Shop, campaign: str, cost: Any, *, day: str = DAY, market: str = "", channel: str | None = None) -> None:
    columns = "date, campaign_id, platform, market, channel_name, cost"
    shop.execute(f"INSERT INTO ad_costs ({columns}) VALUES (?, ?, 'google', ?, ?, ?)", day, campaign, market, channel, cost)


def placed(shop: Shop, days: Days = ONE_DAY, **choices: Any) -> list[tuple[Any, ...]]:
    """The rows of session_spend of the days without their date, after channel_costs was computed from them, too."""
    chosen = shop.settings(**choices)
    shop.warehouse.prepare()
    for table in (SESSION_SPEND, CHANNEL_COSTS):
        shop.warehouse.replace_days(schema()[table.name], "date", days, query_of(chosen, table, days))
    return shop.table("session_spend", "session_id, campaign_id, channel_name, cost, displaced")


def costs(shop: Shop) -> dict[str, float]:
    return dict(shop.execute("SELECT channel_name, cost FROM channel_costs ORDER BY 1"))


# -- how spend is divided ----------------------------------------------------------------------------------------------


def test_spend_is_divided_equally_over_the_sessions_of_the_campaign_and_day(ads: Shop) -> None:
    session(ads, "s1", "brand")
    session(ads, "s2", "brand", "Video")
    session(ads, "other", "generic")
    session(ads, "yesterday", "brand", day="2023-09-01")
    spend(ads, "brand", 3)

    assert placed(ads) == [("s1", "brand", "Ads", 1.5, 0.0), ("s2", "brand", "Video", 1.5, 0.0)]
    assert costs(ads) == {"Ads": 1.5, "Video": 1.5}


def test_spend_is_divided_by_what_the_clicks_cost_and_a_click_without_a_cost_gets_nothing(ads: Shop) -> None:
    session(ads, "s1", "brand", cpc=0.2)
    session(ads, "s2", "brand", cpc=0.6)
    session(ads, "s3", "brand", cpc=0)
    session(ads, "s4", "brand", cpc=None)
    spend(ads, "brand", 4)

    assert [row[3] for row in placed(ads)] == [pytest.approx(part, abs=1e-9) for part in (1, 3, 0, 0)]


@pytest.mark.parametrize("cpc", [0, None])
def test_spend_is_divided_equally_where_no_click_has_a_cost(ads: Shop, cpc: float | None) -> None:
    session(ads, "s1", "brand", cpc=cpc)
    session(ads, "s2", "brand", cpc=cpc)
    spend(ads, "brand", 4)

    assert [row[3] for row in placed(ads)] == [2, 2]


def test_spend_of_several_markets_of_a_campaign_is_divided_together(ads: Shop) -> None:
    session(ads, "s1", "brand")
    spend(ads, "brand", 1.25, market="DE")
    spend(ads, "brand", 2, market="AT")

    assert placed(ads) == [("s1", "brand", "Ads", 3.25, 0.0)]


def test_the_parts_of_thousandths_add_up_to_the_spend_exactly(ads: Shop) -> None:
    for number in range(7):
        session(ads, f"s{number}", "brand", cpc=number / 10)
    spend(ads, "brand", 38.028)

    parts = [row[3] for row in placed(ads)]

    assert float(sum(map(Fraction, parts))) == 38.028
    assert costs(ads) == {"Ads": 38.028}


# -- whose cost counts -------------------------------------------------------------------------------------------------


def test_spend_takes_the_place_of_what_the_campaigns_sessions_of_the_day_cost_by_themselves(ads: Shop) -> None:
    session(ads, "s1", "brand", cost=7)
    session(ads, "s2", "brand", cost=None)
    session(ads, "free", None, cost=2)
    session(ads, "without spend", "generic", cost=4)
    spend(ads, "brand", 3)

    assert placed(ads) == [("s1", "brand", "Ads", 1.5, 7.0), ("s2", "brand", "Ads", 1.5, 0.0)]
    assert costs(ads) == {"Ads": 3 + 2 + 4}


def test_if_sessions_win_they_keep_their_costs_and_share_what_the_spend_is_more(ads: Shop) -> None:
    session(ads, "s1", "brand", cost=7)
    session(ads, "s2", "brand", cost=1)
    session(ads, "s3", "generic", cost=5)
    spend(ads, "brand", 10)
    spend(ads, "generic", 3)

    rows = placed(ads, spend_wins="session")

    assert [(row[0], row[3], row[4]) for row in rows] == [("s1", 1, 0), ("s2", 1, 0), ("s3", 0, 0)]
    assert costs(ads) == {"Ads": 10 + 5}


@pytest.mark.parametrize("wins", ["platform", "session"])
def test_a_refund_of_the_platform_lowers_the_cost(ads: Shop, wins: str) -> None:
    session(ads, "s1", "brand")
    spend(ads, "brand", -2.5)

    assert placed(ads, spend_wins=wins) == [("s1", "brand", "Ads", -2.5, 0.0)]
    assert costs(ads) == {"Ads": -2.5}


# -- spend without sessions --------------------------------------------------------------------------------------------


def test_spend_without_sessions_stands_under_the_channel_that_its_source_names(ads: Shop) -> None:
    session(ads, "s1", "brand", "Ads", day="2023-09-01")
    spend(ads, "brand", 3, channel="TV")

    assert placed(ads) == [("", "brand", "TV", 3.0, 0.0)]
    assert ads.table("channel_costs") == [(DAY, "TV", 0, 3.0)]


def test_spend_without_sessions_is_divided_like_the_campaigns_sessions_of_the_ninety_days_before(ads: Shop) -> None:
    for channel, day in (
        ("Ads", "2023-09-01"),
        ("Ads", "2023-08-01"),
        ("Ads", "2023-06-04"),
        ("Video", "2023-08-20"),
        ("too long ago", "2023-06-03"),
        ("later", "2023-09-03"),
    ):
        session(ads, f"on {day}", "brand", channel, day=day)
    spend(ads, "brand", 4)

    assert placed(ads) == [("", "brand", "Ads", 3.0, 0.0), ("", "brand", "Video", 1.0, 0.0)]


def test_spend_of_a_campaign_that_no_session_ever_had_is_a_channel_of_its_own(ads: Shop) -> None:
    spend(ads, "lost", 4)

    assert placed(ads) == [("", "lost", "Unassigned spend", 4.0, 0.0)]
    assert costs(ads) == {"Unassigned spend": 4}


# -- nothing is lost, and nothing counts twice -------------------------------------------------------------------------

AMOUNT = st.sampled_from([0, 0.001, 0.1, 1 / 3, 2.5, 19.999, 1e6, -0.75])
CAMPAIGN = st.sampled_from(["a", "b", "c"])
DAYS = st.sampled_from(["2023-09-01", DAY, "2023-09-03"])
SESSIONS = st.lists(
    st.tuples(
        DAYS,
        st.sampled_from(["a", "b", None, ""]),
        st.sampled_from(["Ads", "TV"]),
        AMOUNT | st.sampled_from(["missing", None]),
        AMOUNT | st.none(),
    ),
    max_size=12,
)
SPENDS = st.lists(
    st.tuples(DAYS, CAMPAIGN, AMOUNT, st.sampled_from(["DE", "AT"]), st.sampled_from([None, "", "TV"])),
    max_size=9,
    unique_by=lambda row: (row[0], row[1], row[3]),
)


@settings.get_profile("databases")
@given(sessions=SESSIONS, first_spends=SPENDS, spends=SPENDS, wins=st.sampled_from(["platform", "session"]))
def test_reported_cost_is_the_spend_and_the_costs_that_it_does_not_displace(
    sessions: list[Any], first_spends: list[Any], spends: list[Any], wins: str
) -> None:
    """Also after the platform has restated all its spend."""
    with TemporaryDirectory() as folder:
        shop = Shop(Path(folder) / "shop.db", Path(folder))
        shop.add_optional_sources()
        for number, (day, campaign, channel, cost, cpc) in enumerate(sessions):
            session(shop, f"s{number}", campaign, channel, day=day, cost=cost, cpc=cpc)
        for as_told in (first_spends, spends):
            shop.execute("DELETE FROM ad_costs")
            for day, campaign, cost, market, channel in as_told:
                spend(shop, campaign, cost, day=day, market=market, channel=channel)
            rows = placed(shop, Days("2023-09-01", "2023-09-03"), spend_wins=wins)

        own: dict[tuple[str, str | None], float] = {}
        for day, campaign, _, cost, _ in sessions:
            own[day, campaign] = own.get((day, campaign), 0) + (0 if cost in ("missing", None) else cost)
        charged: dict[tuple[str, str | None], float] = {}
        for day, campaign, cost, _, _ in spends:
            charged[day, campaign] = charged.get((day, campaign), 0) + cost
        expected = 0.0
        for key in {*own, *charged}:
            if key not in charged:
                expected += own[key]
            elif wins == "platform":
                expected += charged[key]
            else:
                of_sessions = own.get(key, 0)
                expected += charged[key] + of_sessions - max(0, min(of_sessions, charged[key]))
        assert sum(costs_of_days(shop)) == pytest.approx(expected, abs=1e-6)
        displaced = sum(amount for key, amount in own.items() if key in charged) if wins == "platform" else 0
        assert sum(row[4] for row in rows) == pytest.approx(displaced, abs=1e-6)
        asked = parameters(shop.settings(spend_wins=wins), SESSION_SPEND, Days("2023-09-01", "2023-09-03"))
        for check in ("check_spend_is_placed", "check_costs_add_up"):
            assert shop.warehouse.rows(Query(check, asked)) == []


def costs_of_days(shop: Shop) -> list[float]:
    return [cost for (cost,) in shop.execute("SELECT cost FROM channel_costs")]


def test_both_engines_divide_spend_to_the_same_bits(ads: Shop) -> None:
    for number in range(40):
        campaign = ("a", "b", "c")[number % 3]
        day = f"2023-09-0{number % 2 + 1}"
        session(
            ads, f"s{number}", campaign, ("Ads", "TV")[number % 2], day=day, cost=number / 7, cpc=(number * 37 % 11) / 3 or None
        )
    for campaign, cost in (("a", 12.345), ("b", 0.1), ("lost", 7)):
        spend(ads, campaign, cost, day="2023-09-01")
        spend(ads, campaign, cost / 3, day="2023-09-03")
    days = Days("2023-09-01", "2023-09-03")

    by_sqlite, costs_by_sqlite = placed(ads, days, compute="sqlite"), ads.table("channel_costs")
    by_duckdb = placed_by_duckdb(ads, days)

    assert by_sqlite == by_duckdb
    assert costs_by_sqlite == ads.table("channel_costs")


def placed_by_duckdb(shop: Shop, days: Days) -> list[tuple[Any, ...]]:
    shop.execute("DELETE FROM session_spend")
    warehouse = SQLiteWarehouse(shop.database, compute="duckdb")
    for table in (SESSION_SPEND, CHANNEL_COSTS):
        warehouse.replace_days(schema()[table.name], "date", days, query_of(shop.settings(), table, days))
    return shop.table("session_spend", "session_id, campaign_id, channel_name, cost, displaced")


# -- in the graph ------------------------------------------------------------------------------------------------------


def test_a_run_says_how_much_of_the_cost_is_ad_spend_and_what_it_displaces(ads: Shop) -> None:
    session(ads, "s1", "brand", cost=7)
    spend(ads, "brand", 3)
    spend(ads, "lost", 1)
    ads.conversion("c1", "anna", f"{DAY} 12:00:00")
    environment = {"DAGSTER_HOME": str(ads.database.with_name("home"))}
    command = ["run", "--database", str(ads.database), "--exports", str(ads.exports)]

    as_json = CliRunner().invoke(main, [*command, "--json"], env=environment)
    printed = CliRunner().invoke(main, command, env=environment)

    told = json.loads(as_json.stdout)
    assert told["ad_spend"] == {"cost": 4.0, "displaced": 7.0, "unassigned": 1.0}
    assert {row["channel"]: row["cost"] for row in told["channels"]} == {"Ads": 3.0, "Unassigned spend": 1.0}
    assert "The cost has 4.00 of ad spend, in place of 7.00 that the sessions cost by themselves; 1.00 of it belongs to no" in (
        printed.stdout
    )


def test_spend_after_the_last_session_and_conversion_is_reported(ads: Shop) -> None:
    session(ads, "s1", "brand")
    ads.conversion("c1", "anna", f"{DAY} 12:00:00")
    spend(ads, "brand", 3, day="2023-09-09")
    environment = {"DAGSTER_HOME": str(ads.database.with_name("home"))}

    result = CliRunner().invoke(
        main, ["run", "--database", str(ads.database), "--exports", str(ads.exports), "--json"], env=environment
    )

    assert json.loads(result.stdout)["totals"]["cost"] == 3


def test_who_has_ad_spend_needs_no_table_of_session_costs_and_what_clicks_cost_is_only_a_weight(ads: Shop) -> None:
    session(ads, "s1", "brand", cpc=0.5)
    session(ads, "s2", "without spend", cpc=0.7)
    spend(ads, "brand", 3)
    ads.conversion("c1", "anna", f"{DAY} 12:00:00")
    ads.execute("DROP TABLE session_costs")
    environment = {"DAGSTER_HOME": str(ads.database.with_name("home"))}
    command = ["--database", str(ads.database), "--json"]

    told = json.loads(CliRunner().invoke(main, ["run", *command, "--exports", str(ads.exports)], env=environment).stdout)
    reconciled = json.loads(CliRunner().invoke(main, ["reconcile", *command], env=environment).stdout)

    assert told["ad_spend"] == {"cost": 3.0, "displaced": 0.0, "unassigned": 0.0}
    assert told["totals"]["cost"] == 3
    assert reconciled["totals"]["session_cost"] == pytest.approx(1.2)


def test_spend_that_cannot_be_read_is_refused_with_its_campaign(ads: Shop) -> None:
    session(ads, "s1", "brand")
    spend(ads, "brand", "much")

    with pytest.raises(AttributionError, match="campaign 'brand' of '2023-09-02' has cost 'much', which is not a number"):
        placed(ads)


@pytest.fixture
def automated(tmp_path: Path, instance: dg.DagsterInstance) -> Automated:
    """Ten days in which anna comes and buys every day, with sources of spend that have no row yet, and all computed."""
    automated = Automated.of_ten_days(tmp_path, instance)
    automated.shop.add_optional_sources()
    automated.shop.execute("UPDATE session_sources SET campaign_id = 'brand' WHERE event_date < '2023-09-04'")
    automated.compute()
    return automated


def cost_of(shop: Shop, day: str) -> dict[str, float]:
    return dict(shop.execute("SELECT channel_name, cost FROM channel_reporting WHERE date = ?", day))


def test_spend_that_comes_late_restates_the_costs_and_the_report_of_its_day(automated: Automated) -> None:
    spend(automated.shop, "brand", 5, day="2023-09-02")

    assert automated.late_data_requests() == {"sum_costs": ["2023-09-02"]}

    automated.sum_costs("2023-09-02")
    assert automated.conditions_request()["channel_reporting"] == ["2023-09-02"]
    automated.report("2023-09-02")
    assert cost_of(automated.shop, "2023-09-02") == {"Email": 5.0}


def test_a_late_session_restates_spend_that_is_divided_like_the_sessions_before(automated: Automated) -> None:
    spend(automated.shop, "brand", 5, day="2023-09-06")
    automated.sum_costs("2023-09-06")
    automated.report("2023-09-06")
    assert automated.late_data_requests() == {}
    assert cost_of(automated.shop, "2023-09-06") == {"Email": 6.0}

    session(automated.shop, "late", "brand", "Ads", day="2023-09-01")

    assert {*automated.late_data_requests()["sum_costs"]} == {"2023-09-01", "2023-09-06"}
