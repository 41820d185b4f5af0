"""Campaigns: what platforms say that they brought, per day and over any range, and that beside the credit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import fsum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution_assets.analysis.campaigns import campaigns, campaigns_now
from attribution_assets.analysis.checking import Finding, check_parameters, run_check
from attribution_assets.assets.campaigns import campaigns_of_days
from attribution_assets.catalog.attribution import CUSTOMER_JOURNEYS
from attribution_assets.catalog.campaigns import CAMPAIGN_PERFORMANCE, PLATFORM_CLAIMS
from attribution_assets.catalog.reporting import SESSION_SPEND
from attribution_assets.catalog.tables import query_of
from attribution_assets.command.cli import main
from attribution_assets.errors import AttributionError, NotReadyError
from attribution_assets.orchestration.shown import row_of_day
from attribution_assets.warehouse import Days, Query, schema
from attribution_assets_tests.automated import Automated
from attribution_assets_tests.support import SHARED, Shop

DAYS = Days("2024-01-01", "2024-01-03")
REAL = SHARED / "real" / "campaigns" / "campaign_results.csv"


@pytest.fixture
def ads(shop: Shop) -> Shop:
    """The shop with a table of campaign results of others, in which anything may be NULL."""
    return with_results(shop)


def with_results(shop: Shop) -> Shop:
    columns = (f"{column.name} {column.type}" for column in schema()["campaign_results"].columns)
    shop.execute(f"CREATE TABLE campaign_results ({', '.join(columns)})")
    return shop


def result(
    shop: Shop,
    customer: Any = "A",
    revenue: Any = 100,
    conversions: Any = 4,
    *,
    day: Any = "2024-01-01",
    labels: Sequence[Any] = ("ENABLED", "CONVERSION", "TOYS"),
    impressions: Any = 1000,
    clicks: Any = 50,
) -> None:
    """A row of campaign_results; `labels` are its status, type and category."""
    values = (customer, day, *labels, revenue, conversions, impressions, clicks)
    shop.execute(f"INSERT INTO campaign_results VALUES ({', '.join('?' * len(values))})", *values)


def computed(shop: Shop, days: Days = DAYS) -> list[tuple[Any, ...]]:
    """The rows of campaign_performance, computed for the days."""
    shop.warehouse.prepare()
    query = query_of(shop.settings(), CAMPAIGN_PERFORMANCE, days)
    shop.warehouse.replace_days(schema()["campaign_performance"], "date", days, query)
    return shop.table("campaign_performance")


def analysed(shop: Shop, start: str | None = None, end: str | None = None, **kept: str) -> dict[str, Any]:
    """The analyses of what was just computed."""
    computed(shop)
    return campaigns(shop.settings(), start, end, **({"kept": kept} if kept else {}))


def found(shop: Shop, name: str) -> Finding:
    """What the check finds on the days."""
    [check] = [check for check in CAMPAIGN_PERFORMANCE.checks if check.name == name]
    return run_check(
        shop.warehouse, "campaign_performance", check, check_parameters(shop.settings(), CAMPAIGN_PERFORMANCE, DAYS)
    )


# -- the table ---------------------------------------------------------------------------------------------------------


def test_equal_rows_all_count_and_rates_are_those_of_the_sums(ads: Shop) -> None:
    result(ads)
    result(ads)
    result(ads, revenue=200, conversions=2, impressions=2000, clicks=100)

    [row] = computed(ads)

    assert row[:5] == ("2024-01-01", "A", "ENABLED", "CONVERSION", "TOYS")
    assert row[5:12] == (3, 400.0, 10, 4000, 200, 3, 3)
    assert row[12:] == (200 / 4000, 10 / 400, 10 / 200)


def test_what_has_no_label_stands_under_none(ads: Shop) -> None:
    result(ads, labels=("", None, "TOYS"))

    assert computed(ads)[0][2:5] == ("(none)", "(none)", "TOYS")


def test_a_missing_number_is_unknown_and_a_rate_by_zero_is_undefined(ads: Shop) -> None:
    result(ads, revenue=0, conversions=3, impressions=0, clicks=None)
    result(ads, "B", revenue=None, conversions=None, impressions=None, clicks=0)

    assert [row[5:] for row in computed(ads)] == [
        (1, 0.0, 3, 0, None, 1, 1, None, None, None),
        (1, None, None, None, 0, 0, 0, None, None, None),
    ]


def test_a_source_without_impressions_and_clicks_is_reported(shop: Shop) -> None:
    shop.execute(
        "CREATE TABLE campaign_results (customer_id text, date text, status text, type text, category text, revenue real, "
        "conversions integer)"
    )
    shop.execute("INSERT INTO campaign_results VALUES ('A', '2024-01-01', NULL, NULL, NULL, 100, 4)")

    assert [row[5:] for row in computed(shop)] == [(1, 100.0, 4, None, None, 1, 1, None, 0.04, None)]


def test_whole_numbers_that_are_stored_with_a_point_are_whole_numbers(shop: Shop) -> None:
    columns = "customer_id text, date text, revenue real, conversions real, impressions real, clicks real"
    shop.execute(f"CREATE TABLE campaign_results ({columns})")
    shop.execute("INSERT INTO campaign_results VALUES ('A', '2024-01-01', 100, 4, 1000, 2000)")

    assert [row[5:10] for row in computed(shop)] == [(1, 100.0, 4, 1000, 2000)]
    assert found(shop, "clicks_have_impressions").sentence.endswith("A on 2024-01-01: 2,000 of 1,000.")


# -- the analyses ------------------------------------------------------------------------------------------------------


def test_a_conversion_rate_is_that_of_the_sums_and_not_the_mean_of_the_rates_of_rows(ads: Shop) -> None:
    result(ads, "A", 100, 10)
    result(ads, "A", 300, 2, day="2024-01-02")
    result(ads, "B", 100, 1)

    assert analysed(ads)["conversion_rate"] == {
        "customers": [
            {"customer_id": "A", "revenue": 400.0, "conversions": 12, "conversion_rate": 0.03},
            {"customer_id": "B", "revenue": 100.0, "conversions": 1, "conversion_rate": 0.01},
        ],
        "highest": {"customer_id": "A", "revenue": 400.0, "conversions": 12, "conversion_rate": 0.03},
        "lowest": {"customer_id": "B", "revenue": 100.0, "conversions": 1, "conversion_rate": 0.01},
    }


def test_of_customers_with_the_same_rate_the_first_by_name_is_highest_and_lowest(ads: Shop) -> None:
    for customer in ("C", "B"):
        result(ads, customer)

    rates = analysed(ads)["conversion_rate"]

    assert (rates["highest"]["customer_id"], rates["lowest"]["customer_id"]) == ("B", "B")


@pytest.mark.parametrize(("revenue", "conversions"), [(0, 5), (None, 5), (100, None)])
def test_an_undefined_rate_is_null_and_neither_highest_nor_lowest(ads: Shop, revenue: Any, conversions: Any) -> None:
    result(ads, "A", revenue, conversions)
    result(ads, "B")

    rates = analysed(ads)["conversion_rate"]

    assert [row["conversion_rate"] for row in rates["customers"]] == [None, 0.04]
    assert (rates["highest"]["customer_id"], rates["lowest"]["customer_id"]) == ("B", "B")


def test_without_any_rate_nothing_is_highest_or_lowest(ads: Shop) -> None:
    result(ads, revenue=0)

    rates = analysed(ads)["conversion_rate"]

    assert (rates["highest"], rates["lowest"]) == (None, None)


def test_status_is_distributed_over_types_and_categories_with_its_totals(ads: Shop) -> None:
    result(ads, "A", 100, 1, labels=("HIDDEN", "CONVERSION", "TOYS"))
    result(ads, "B", 50, 2, labels=("HIDDEN", "CONVERSION", "TOYS"))
    result(ads, "A", 10, 4, labels=("HIDDEN", "AWARENESS", "TOYS"))
    result(ads, "A", 5, 8, labels=("ENABLED", "AWARENESS", "HOME"))

    told = analysed(ads)

    assert [tuple(row.values()) for row in told["status_distribution"]] == [
        ("ENABLED", "AWARENESS", "HOME", 5.0, 8, 1),
        ("HIDDEN", "AWARENESS", "TOYS", 10.0, 4, 1),
        ("HIDDEN", "CONVERSION", "TOYS", 150.0, 3, 2),
    ]
    assert told["status_totals"] == [
        {"status": "ENABLED", "revenue": 5.0, "conversions": 8, "rows": 1},
        {"status": "HIDDEN", "revenue": 160.0, "conversions": 7, "rows": 3},
    ]


def test_of_combinations_with_as_many_conversions_the_first_by_category_and_type_is_best(ads: Shop) -> None:
    for labels in (("ENABLED", "ENGAGEMENT", "HOME"), ("ENABLED", "AWARENESS", "HOME"), ("ENABLED", "AWARENESS", "TOYS")):
        result(ads, revenue=7, labels=labels)

    told = analysed(ads)

    assert [(row["category"], row["type"]) for row in told["category_type"]] == [
        ("HOME", "AWARENESS"),
        ("HOME", "ENGAGEMENT"),
        ("TOYS", "AWARENESS"),
    ]
    assert told["top_category_type"] == {
        "category": "HOME", "type": "AWARENESS", "revenue": 7.0, "conversions": 4, "rows": 1
    }  # fmt: skip


def test_means_are_those_of_the_rows_of_type_conversion_that_have_the_number(ads: Shop) -> None:
    result(ads, "A", 10, 1)
    result(ads, "A", 20, None, day="2024-01-02")
    result(ads, "A", None, None, day="2024-01-03")
    result(ads, "A", 1000, 1000, labels=("ENABLED", "AWARENESS", "TOYS"))
    result(ads, "B", None, 5)

    assert analysed(ads)["filtered"] == [
        {"customer_id": "A", "average_revenue": 15.0, "average_conversions": 1.0, "rows": 3},
        {"customer_id": "B", "average_revenue": None, "average_conversions": 5.0, "rows": 1},
    ]


def test_means_can_be_those_of_any_other_rows(ads: Shop) -> None:
    result(ads, "A", 10, 1, labels=("HIDDEN", "CONVERSION", "TOYS"))
    result(ads, "A", 30, 3, labels=("HIDDEN", "AWARENESS", "TOYS"))
    result(ads, "B", 50, 5, labels=("ENABLED", "AWARENESS", "TOYS"))

    told = analysed(ads, status="HIDDEN", category="TOYS")["filtered"]

    assert told == [{"customer_id": "A", "average_revenue": 20.0, "average_conversions": 2.0, "rows": 2}]


def test_only_the_days_of_the_range_count(ads: Shop) -> None:
    for day in (1, 2, 3):
        result(ads, conversions=10**day, day=f"2024-01-0{day}")

    assert [row["conversions"] for row in analysed(ads, "2024-01-02")["status_totals"]] == [1100]
    assert [row["conversions"] for row in analysed(ads, None, "2024-01-02")["status_totals"]] == [110]
    assert (analysed(ads)["start"], analysed(ads)["end"]) == ("2024-01-01", "2024-01-03")


def test_a_range_without_results_has_no_rows_and_nothing_best(ads: Shop) -> None:
    result(ads)

    assert analysed(ads, "2024-02-01", "2024-02-02") == {
        "start": "2024-02-01",
        "end": "2024-02-02",
        "conversion_rate": {"customers": [], "highest": None, "lowest": None},
        "status_distribution": [],
        "status_totals": [],
        "category_type": [],
        "top_category_type": None,
        "filtered": [],
        "claims": None,
    }


def test_before_the_first_run_the_error_says_to_run(ads: Shop) -> None:
    result(ads)

    with pytest.raises(NotReadyError, match=r"no results of campaigns\. Run `attribution run` first\.$"):
        campaigns(ads.settings())


def test_without_the_source_the_error_says_which_one_is_missing(shop: Shop) -> None:
    with pytest.raises(NotReadyError, match="Import campaign_results with `attribution import`, then run `attribution run`"):
        campaigns(shop.settings())


NUMBER = st.integers(0, 50) | st.none()
RESULTS = st.lists(
    st.tuples(
        st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03"]),
        st.sampled_from(["A", "B"]),
        st.tuples(*(st.sampled_from([one, other, None, ""]) for one, other in ("EH", "CA", "TF"))),
        st.sampled_from([0, 0.1, 19.99, 1e6, -0.75, 1 / 3, None]),
        *[NUMBER] * 3,
    ),
    min_size=1,
    max_size=20,
)


@settings.get_profile("databases")
@given(results=RESULTS)
def test_daily_reports_sum_to_that_of_the_range(results: list[Any]) -> None:
    """Whatever the rows, and every section to the same totals, which are those of the rows."""
    with TemporaryDirectory() as folder:
        shop = with_results(Shop(Path(folder) / "shop.db", Path(folder)))
        for day, customer, labels, revenue, conversions, impressions, clicks in results:
            result(shop, customer, revenue, conversions, day=day, labels=labels, impressions=impressions, clicks=clicks)
        computed(shop)

        def totals(sections: Sequence[dict[str, Any]], name: str, section: str) -> float:
            return fsum(row[name] or 0 for told in sections for row in told[section])

        of_range = [campaigns(shop.settings())]
        of_days = [campaigns(shop.settings(), day, day) for day in DAYS]
        of_rows = {
            "rows": len(results),
            "revenue": fsum(r[3] or 0 for r in results),
            "conversions": sum(r[4] or 0 for r in results),
        }
        for section in ("status_distribution", "status_totals", "category_type"):
            for name, expected in of_rows.items():
                assert totals(of_range, name, section) == pytest.approx(expected, abs=1e-6)
                assert totals(of_days, name, section) == pytest.approx(expected, abs=1e-6)
        assert found(shop, "campaigns_add_up").rows == []


# -- checks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        ({"customer": None}, "NULL on '2024-01-02' has no customer_id"),
        ({"customer": ""}, "'' on '2024-01-02' has no customer_id"),
        ({"day": "02.01.2024"}, "'A' on '02.01.2024' has no date written YYYY-MM-DD"),
        ({"day": "2024-01-02 10:00"}, "'A' on '2024-01-02 10:00' has no date written YYYY-MM-DD"),
        ({"day": None}, "'A' on NULL has no date written YYYY-MM-DD"),
        ({"revenue": "much"}, "'A' on '2024-01-02' has revenue 'much', which is not a number"),
        ({"conversions": 1.5}, "'A' on '2024-01-02' has conversions 1.5, which is not a whole number"),
        ({"impressions": "many"}, "'A' on '2024-01-02' has impressions 'many', which is not a whole number"),
        ({"clicks": float("inf")}, "has clicks "),
    ],
)
def test_a_row_that_cannot_be_placed_or_summed_is_refused_and_named(ads: Shop, broken: dict[str, Any], problem: str) -> None:
    result(ads, **{"day": "2024-01-02", **broken})

    with pytest.raises(AttributionError, match="campaign_performance was not written") as raised:
        computed(ads)

    assert problem in str(raised.value)


def test_a_missing_number_stops_nothing_and_is_told_as_a_negative_one_is(ads: Shop) -> None:
    result(ads, revenue=None, clicks=-5)

    computed(ads)
    told = found(ads, "campaign_numbers_are_known")

    assert [(row["number"], row["value"]) for row in told.rows] == [("clicks", "-5"), ("revenue", "missing")]
    assert told.sentence == (
        "2 numbers of campaign_results of 2024-01-01 to 2024-01-03 found missing or negative, such as clicks of A on "
        "2024-01-01: -5."
    )


def test_more_clicks_than_impressions_or_conversions_than_clicks_are_told(ads: Shop) -> None:
    result(ads, conversions=70, clicks=60, impressions=50)
    result(ads, "B", conversions=1, clicks=1, impressions=1)

    assert [row["customer_id"] for row in found(ads, "clicks_have_impressions").rows] == ["A"]
    assert [row["customer_id"] for row in found(ads, "conversions_have_clicks").rows] == ["A"]


def test_an_unknown_status_and_a_missing_type_are_listed_with_their_rows(ads: Shop) -> None:
    result(ads)
    result(ads, labels=("enabled", "", "TOYS"))
    result(ads, labels=("ENABLED", None, "TOYS"))

    assert found(ads, "campaign_labels_are_known").rows == [
        {"label": "type", "value": "(none)", "results": 2},
        {"label": "status", "value": "enabled", "results": 1},
    ]


def test_results_that_differ_from_their_source_fail_with_day_customer_and_figure(ads: Shop) -> None:
    result(ads)
    result(ads, "B", day="2024-01-02")
    computed(ads)
    ads.execute("UPDATE campaign_performance SET clicks = 51 WHERE customer_id = 'A'")
    ads.execute("UPDATE campaign_performance SET customer_id = 'C' WHERE customer_id = 'B'")

    told = found(ads, "campaigns_add_up")

    assert {(row["customer_id"], row["figure"]) for row in told.rows} >= {("A", "clicks"), ("B", "clicks")}
    assert told.wrong_days == ("2024-01-01", "2024-01-02")


# -- the command and the UI --------------------------------------------------------------------------------------------


def asked(*command: str | Path, code: int = 0) -> str:
    """What the command prints."""
    ran = CliRunner().invoke(main, [str(part) for part in command])
    assert ran.exit_code == code, ran.output
    return ran.stdout


def test_the_command_prints_the_four_analyses_in_their_order(ads: Shop) -> None:
    result(ads)
    result(ads, "B", 50, 1, labels=("HIDDEN", "AWARENESS", "HOME"))
    computed(ads)

    lines = [line.strip() for line in asked("campaigns", "--database", ads.database).splitlines()]

    headings = [
        "Conversions per unit of revenue, 2024-01-01",
        "Lowest: B, 0.020000.",
        "Highest: A, 0.040000.",
        "Status by type and category",
        "Each status in total",
        "Category and type",
        "Most conversions: TOYS and CONVERSION, 4.",
        "Means per row of type CONVERSION",
    ]
    assert [line for line in lines if line in headings] == headings
    assert max(map(len, lines)) <= 80


def test_the_command_says_where_a_range_has_no_results_or_none_to_average(ads: Shop) -> None:
    result(ads, labels=("ENABLED", "AWARENESS", "TOYS"), revenue=0)
    computed(ads)

    printed = asked("campaigns", "--database", ads.database)

    assert "No row is of type CONVERSION." in printed
    assert "Lowest" not in printed
    assert asked("campaigns", "--database", ads.database, "--start", "2024-02-01", "--end", "2024-02-01") == (
        "No campaign has results on 2024-02-01.\n"
    )


def test_a_number_that_is_missing_is_an_empty_cell_of_the_csv_file(shop: Shop, tmp_path: Path) -> None:
    shop.execute("CREATE TABLE campaign_results (customer_id text, date text, revenue real, conversions integer)")
    shop.execute("INSERT INTO campaign_results VALUES ('A', '2024-01-01', 5.0, NULL)")
    asked("run", "--database", shop.database)

    asked("campaigns", "--database", shop.database, "--csv", tmp_path / "campaigns.csv")

    _, row = (tmp_path / "campaigns.csv").read_text().splitlines()
    assert row == "2024-01-01,A,(none),(none),(none),1,5.0,,,,1,0,,,"


def test_the_csv_file_has_the_rows_of_the_table_in_the_range(ads: Shop, tmp_path: Path) -> None:
    result(ads)
    result(ads, day="2024-01-02", clicks=0)
    computed(ads)

    asked("campaigns", "--database", ads.database, "--start", "2024-01-02", "--csv", tmp_path / "campaigns.csv")

    heading, *rows = (tmp_path / "campaigns.csv").read_text().splitlines()
    assert heading == ",".join(schema()["campaign_performance"].column_names)
    assert rows == ["2024-01-02,A,ENABLED,CONVERSION,TOYS,1,100.0,4,1000,0,1,1,0.0,0.04,"]


def test_the_command_says_what_to_do_where_there_are_no_results(shop: Shop) -> None:
    ran = CliRunner().invoke(main, ["campaigns", "--database", str(shop.database)])

    assert (ran.exit_code, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)


def test_a_day_shows_its_sums_rates_customers_and_chart(ads: Shop) -> None:
    result(ads, "A<b>", 100, 4)
    result(ads, "B", None, None, clicks=None)
    computed(ads)

    shown = campaigns_of_days(ads.settings(), ads.warehouse, Days("2024-01-01", "2024-01-02"))

    day = shown["2024-01-01"]
    assert [day[name] for name in ("rows", "revenue", "conversions", "impressions", "clicks", "CTR")] == [
        2, 100.0, 4, 2000, 50, 0.025
    ]  # fmt: skip
    assert "B|1|||1,000" in day["customers"].value
    assert len(day["chart"].value) < 1000
    assert shown["2024-01-02"] == {}


def test_a_day_of_many_customers_has_a_chart_that_is_shown_at_once(ads: Shop) -> None:
    for number in range(40):
        result(ads, f"A customer with a long name, {number}", number)
    computed(ads)

    assert len(campaigns_of_days(ads.settings(), ads.warehouse, DAYS)["2024-01-01"]["chart"].value) < 1000


# -- claimed against credited ------------------------------------------------------------------------------------------

CLAIM_DAYS = Days("2023-09-01", "2023-09-02")


@pytest.fixture
def claiming(shop: Shop) -> Shop:
    """The shop with every optional source, and without rows."""
    shop.add_optional_sources()
    return shop


def session(shop: Shop, session_id: str, user: str, at: str, campaign: str | None) -> None:
    shop.session(session_id, user, f"2023-09-{at}", "Ads")
    shop.execute("UPDATE session_sources SET campaign_id = ? WHERE session_id = ?", campaign, session_id)


def claim(
    shop: Shop, campaign: str, conversions: Any, revenue: Any, *, day: str = "01", market: str = "", cost: Any = 1
) -> None:
    columns = "date, campaign_id, market, cost, conversions, revenue"
    shop.execute(
        f"INSERT INTO ad_costs ({columns}) VALUES (?, ?, ?, ?, ?, ?)",
        *(f"2023-09-{day}", campaign, market, cost, conversions, revenue),
    )


def claims(shop: Shop, days: Days = CLAIM_DAYS, **choices: Any) -> list[tuple[Any, ...]]:
    """The rows of platform_claims of the days, where the sessions of a journey share its credit equally."""
    chosen = shop.settings(**{"lookback_days": 1, **choices})
    warehouse = chosen.warehouse
    warehouse.prepare()
    query = query_of(chosen, CUSTOMER_JOURNEYS, Days("2023-09-01", "2023-09-03"))
    warehouse.replace_days(schema()["customer_journeys"], "conv_date", Days("2023-09-01", "2023-09-03"), query)
    shop.execute("DELETE FROM attribution_customer_journey")
    shop.execute(
        "INSERT INTO attribution_customer_journey "
        "SELECT conv_id, session_id, 1.0 / count(*) OVER (PARTITION BY conv_id), conv_date FROM customer_journeys"
    )
    warehouse.replace_days(schema()["platform_claims"], "date", days, query_of(chosen, PLATFORM_CLAIMS, days))
    return shop.table("platform_claims")


def differing(shop: Shop, **choices: Any) -> list[dict[str, Any]]:
    """What the check of the claims finds."""
    chosen = shop.settings(**{"lookback_days": 1, **choices})
    asked = check_parameters(chosen, PLATFORM_CLAIMS, CLAIM_DAYS)
    return run_check(chosen.warehouse, "platform_claims", PLATFORM_CLAIMS.checks[0], asked).rows


def test_what_a_platform_claims_stands_beside_the_credit_of_the_campaigns_sessions_of_the_day(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "01 10:00:00", "brand")
    session(claiming, "s2", "anna", "02 10:00:00", "video")
    claiming.conversion("c1", "anna", "2023-09-02 12:00:00", 100)
    claim(claiming, "brand", 2, 150, cost=3)
    claim(claiming, "video", 1, 100, day="02")

    assert claims(claiming) == [
        ("2023-09-01", "brand", 3.0, 2.0, 0.5, 4.0, 150.0, 50.0, 3.0),
        ("2023-09-02", "video", 1.0, 1.0, 0.5, 2.0, 100.0, 50.0, 2.0),
    ]
    assert differing(claiming) == []


def test_credit_of_the_days_after_within_the_lookback_counts(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "02 10:00:00", "brand")
    claiming.conversion("c1", "anna", "2023-09-03 12:00:00", 100)

    assert [row[4] for row in claims(claiming)] == [1.0]


def test_a_campaign_with_credit_of_which_the_platform_says_nothing_has_a_row(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "01 10:00:00", "brand")
    claiming.conversion("c1", "anna", "2023-09-01 12:00:00", 100)

    assert claims(claiming) == [("2023-09-01", "brand", None, None, 1.0, None, None, 100.0, None)]


def test_the_ratio_of_a_range_is_that_of_the_days_that_have_a_claim(claiming: Shop) -> None:
    claims(claiming)
    claiming.execute("DELETE FROM platform_claims")
    add = "INSERT INTO platform_claims VALUES (?, 'brand', 1, ?, ?, NULL, ?, ?, NULL)"
    claiming.execute(add, "2023-09-01", None, 2.0, None, 20.0)
    claiming.execute(add, "2023-09-02", 1.0, 1.0, 15.0, 10.0)

    rows = claiming.warehouse.rows(Query("claims_of_campaigns", {"first_day": "2023-09-01", "last_day": "2023-09-02"}))

    assert [(row["credited_orders"], row["orders_ratio"], row["revenue_ratio"]) for row in rows] == [(3.0, 1.0, 1.5)]
    assert set(rows[0]) == {
        *("campaign_id", "cost", "claimed_conversions", "credited_orders", "orders_ratio"),
        *("claimed_revenue", "credited_revenue", "revenue_ratio"),
    }


def test_a_claim_without_credit_has_no_ratio(claiming: Shop) -> None:
    claim(claiming, "brand", 2, 150)

    assert claims(claiming) == [("2023-09-01", "brand", 1.0, 2.0, 0.0, None, 150.0, 0.0, None)]


def test_sessions_without_a_campaign_are_in_no_row(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "01 10:00:00", "")
    session(claiming, "s2", "anna", "01 11:00:00", None)
    claiming.conversion("c1", "anna", "2023-09-01 12:00:00", 100)

    assert claims(claiming) == []
    assert differing(claiming) == []


def test_claims_of_several_markets_of_a_campaign_are_summed_and_what_is_not_claimed_is_unknown(claiming: Shop) -> None:
    claim(claiming, "brand", 1.5, None, market="DE")
    claim(claiming, "brand", None, None, market="AT")

    assert [(row[3], row[6]) for row in claims(claiming)] == [(1.5, None)]


def test_claimed_revenue_is_converted_by_the_rate_of_its_day_and_conversions_are_not(claiming: Shop) -> None:
    claim(claiming, "brand", 2, 150)
    claiming.execute("UPDATE ad_costs SET currency = 'USD'")
    claiming.execute("INSERT INTO exchange_rates VALUES ('2023-09-01', 'USD', 2)")

    assert [row[2:7] for row in claims(claiming)] == [(2.0, 2.0, 0.0, None, 300.0)]


@pytest.mark.parametrize(("column", "value"), [("conversions", "many"), ("revenue", "much")])
def test_a_claim_that_is_no_number_is_refused_and_the_spend_is_placed_all_the_same(
    claiming: Shop, column: str, value: str
) -> None:
    claim(claiming, "brand", 1, 1)
    claiming.execute(f"UPDATE ad_costs SET {column} = ?", value)

    with pytest.raises(AttributionError, match=f"campaign 'brand' of '2023-09-01' has {column} '{value}', which is not a num"):
        claims(claiming)

    query = query_of(claiming.settings(), SESSION_SPEND, CLAIM_DAYS)
    assert sum(claiming.warehouse.replace_days(schema()["session_spend"], "date", CLAIM_DAYS, query).rows.values()) == 1


def test_with_the_backend_as_truth_its_revenue_is_credited_and_an_order_without_a_session_is_in_no_row(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "01 10:00:00", "brand")
    claiming.conversion("c1", "anna", "2023-09-01 12:00:00", 100)
    for conv_id, revenue in (("c1", 80), ("not tracked", 500)):
        claiming.execute("INSERT INTO conversions_backend VALUES (?, 'anna', '2023-09-01', NULL, ?, NULL)", conv_id, revenue)
    claim(claiming, "brand", 1, 120)

    assert claims(claiming, conversions="backend") == [("2023-09-01", "brand", 1.0, 1.0, 1.0, 1.0, 120.0, 80.0, 1.5)]
    assert differing(claiming, conversions="backend") == []


def test_both_engines_compute_the_same_bits(claiming: Shop) -> None:
    for number in range(30):
        campaign = ("brand", "video", "", None)[number % 4]
        session(claiming, f"s{number}", f"u{number % 5}", f"0{number % 2 + 1} {number % 12:02}:00:00", campaign)
        claiming.conversion(f"c{number}", f"u{number % 5}", f"2023-09-0{number % 3 + 1} 13:00:00", number / 7)
    for campaign in ("brand", "lost"):
        claim(claiming, campaign, 1 / 3, 0.1)
        claim(claiming, campaign, None, 0.2, market="AT")
    by_sqlite = claims(claiming, compute="sqlite")
    claiming.execute("DROP TABLE exchange_rates")  # what is converted is left to SQLite

    assert claims(claiming, compute="duckdb") == by_sqlite
    assert len(by_sqlite) == 3
    assert differing(claiming, compute="duckdb") == []


def test_claims_or_credit_that_differ_from_their_sources_are_named_with_day_and_campaign(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "01 10:00:00", "brand")
    claiming.conversion("c1", "anna", "2023-09-01 12:00:00", 100)
    claim(claiming, "brand", 2, 150)
    claims(claiming)

    claiming.execute("UPDATE platform_claims SET claimed_revenue = 151, campaign_id = 'video'")

    assert [(row["campaign_id"], row["figure"], row["reported"], row["of_sources"]) for row in differing(claiming)][:4] == [
        ("brand", "claimed conversions", 0.0, 2.0),
        ("brand", "claimed revenue", 0.0, 150.0),
        ("brand", "cost", 0.0, 1.0),
        ("brand", "credited orders", 0.0, 1.0),
    ]


def test_the_command_shows_claims_beside_credit_and_by_which_model(claiming: Shop) -> None:
    session(claiming, "s1", "anna", "01 10:00:00", "brand")
    session(claiming, "s2", "anna", "02 10:00:00", "brand")
    claiming.conversion("c1", "anna", "2023-09-01 12:00:00", 100)
    claiming.conversion("c2", "anna", "2023-09-02 12:00:00", 100)
    claim(claiming, "brand", 3, 150, cost=3)
    claim(claiming, "brand", 1, 250, cost=2, day="02")
    claim(claiming, "lost", None, None, cost=1)
    claims(claiming, lookback_days=0)
    claiming.execute("INSERT INTO ihc_results SELECT conv_id, session_id, conv_date, 1, 1, 1, ihc, 'embedded', 'challenge' "
                     "FROM attribution_customer_journey")  # fmt: skip

    told = json.loads(asked("campaigns", "--database", claiming.database, "--json"))["claims"]
    printed = asked("campaigns", "--database", claiming.database)

    assert (told["model"], told["parameters"], told["currency"]) == ("ihc", "challenge", "EUR")
    assert told["campaigns"] == [
        {"campaign_id": "brand", "cost": 5.0, "claimed_conversions": 4.0, "credited_orders": 2.0, "orders_ratio": 2.0}
        | {"claimed_revenue": 400.0, "credited_revenue": 200.0, "revenue_ratio": 2.0},
        {"campaign_id": "lost", "cost": 1.0, "claimed_conversions": None, "credited_orders": 0.0, "orders_ratio": None}
        | {"claimed_revenue": None, "credited_revenue": 0.0, "revenue_ratio": None},
    ]
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "brand 4.00 2.00 2.00" in lines
    assert "lost 1.00 0.00" in lines
    assert "Credit by the IHC model (embedded) with the parameters challenge" in printed


def test_claims_are_null_where_nothing_is_claimed(ads: Shop) -> None:
    result(ads)

    assert analysed(ads)["claims"] is None


@pytest.fixture
def automated(tmp_path: Path, instance: dg.DagsterInstance) -> Automated:
    """Ten days in which anna comes by a campaign and buys every day, with claims of the third, and all computed."""
    automated = Automated.of_ten_days(tmp_path, instance)
    automated.shop.add_optional_sources()
    automated.shop.execute("UPDATE session_sources SET campaign_id = 'brand'")
    claim(automated.shop, "brand", 1, 10, day="03")
    automated.compute()
    return automated


def claimed_on(shop: Shop, day: str) -> list[tuple[Any, ...]]:
    columns = "campaign_id, claimed_conversions, claimed_revenue"
    return shop.execute(f"SELECT {columns} FROM platform_claims WHERE date = ? ORDER BY 1", day)


def test_a_day_shows_what_is_claimed_and_credited_and_a_day_without_claims_shows_none(automated: Automated) -> None:
    days = Days("2023-09-02", "2023-09-03")
    shown = row_of_day(PLATFORM_CLAIMS, automated.settings, automated.shop.warehouse, days)

    assert [(day["claimed conversions"], day["claimed revenue"]) for day in shown.values()] == [(None, None), (1.0, 10.0)]
    assert all(day["credited orders"] > 0 for day in shown.values())


def test_a_claim_that_the_platform_changes_restates_its_day(automated: Automated) -> None:
    automated.shop.execute("UPDATE ad_costs SET conversions = 2")

    assert automated.late_data_requests() == {"report_channels": ["2023-09-03"]}

    automated.report("2023-09-03")
    assert claimed_on(automated.shop, "2023-09-03") == [("brand", 2.0, 10.0)]
    assert automated.late_data_requests() == {}


def test_spend_that_changes_restates_the_costs_first_and_then_the_claims_beside_them(automated: Automated) -> None:
    automated.shop.execute("UPDATE ad_costs SET cost = 5")

    assert automated.late_data_requests() == {"sum_costs": ["2023-09-03"]}

    automated.sum_costs("2023-09-03")
    assert automated.conditions_request()["platform_claims"] == ["2023-09-03"]


def test_a_session_that_turns_out_to_be_of_another_campaign_restates_its_day(automated: Automated) -> None:
    automated.shop.execute("UPDATE session_sources SET campaign_id = 'video' WHERE event_date = '2023-09-05'")

    assert automated.late_data_requests()["report_channels"] == ["2023-09-05"]


# -- the rows as they are now ------------------------------------------------------------------------------------------


def test_rows_that_no_run_has_seen_count_at_once_and_after_the_run_both_give_the_same_bits(ads: Shop) -> None:
    for number in range(30):
        labels = (("ENABLED", "HIDDEN")[number % 2], ("CONVERSION", None)[number % 3 // 2], "TOYS")
        result(ads, "AB"[number % 2], number / 7, number, day=f"2024-01-0{number % 3 + 1}", labels=labels)
    computed(ads)
    result(ads, "C", 0.1, 3, day="2024-01-05")

    now = campaigns_now(ads.settings())

    assert (now["start"], now["end"]) == ("2024-01-01", "2024-01-05")
    assert [row["customer_id"] for row in now["conversion_rate"]["customers"]] == ["A", "B", "C"]
    assert now["conversion_rate"]["customers"][2]["conversions"] == 3
    computed(ads, Days("2024-01-01", "2024-01-05"))
    assert {**now, "claims": None} == campaigns(ads.settings())


def test_the_rows_of_now_are_asked_for_by_range_and_by_what_the_means_are_of(ads: Shop) -> None:
    result(ads, "A", 100, 1)
    result(ads, "A", 300, 2, day="2024-01-02", labels=("HIDDEN", "AWARENESS", "TOYS"))

    [mean] = campaigns_now(ads.settings(), "2024-01-02", None, {"type": "AWARENESS", "status": "HIDDEN"})["filtered"]

    assert mean == {"customer_id": "A", "average_revenue": 300.0, "average_conversions": 2.0, "rows": 1}


def test_rows_that_a_run_would_refuse_are_named_and_not_summed(ads: Shop) -> None:
    result(ads)
    result(ads, revenue="much")

    with pytest.raises(
        AttributionError,
        match=r"^campaign_totals cannot be computed, because .* has revenue 'much', which is not a number.* then try again\.$",
    ):
        campaigns_now(ads.settings())


def test_without_rows_of_now_one_is_told_to_import_some(shop: Shop) -> None:
    with pytest.raises(NotReadyError, match=r"no rows of campaign_results\. Import them"):
        campaigns_now(shop.settings())

    with_results(shop)
    with pytest.raises(NotReadyError, match=r"no rows of campaign_results\. Import them"):
        campaigns_now(shop.settings())


# -- the real file -----------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} of the case study is not there")
def test_the_figures_of_the_case_study_come_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = tmp_path / "study.db"
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    asked("import", "campaign_results", REAL, "--database", database)
    run = json.loads(asked("run", "--database", database, "--json"))
    told = json.loads(asked("campaigns", "--database", database, "--json"))

    def near(value: float) -> Any:
        return pytest.approx(value, rel=1e-12)

    assert (told["start"], told["end"]) == ("2024-01-02", "2024-08-14")
    customers = told["conversion_rate"]["customers"]
    assert [row["conversion_rate"] for row in customers] == [
        near(0.003924789161501688),
        near(0.004050734868376329),
        near(0.003935861046978741),
    ]
    assert told["conversion_rate"]["lowest"] == customers[0]
    assert told["conversion_rate"]["highest"] == customers[1]
    assert told["status_totals"] == [
        {"status": "ENABLED", "revenue": near(6_121_893.33), "conversions": 24_439, "rows": 244},
        {"status": "HIDDEN", "revenue": near(6_558_736.78), "conversions": 25_916, "rows": 256},
    ]
    assert told["top_category_type"] == {
        "category": "FASHION", "type": "CONVERSION", "revenue": near(1_415_989.95), "conversions": 5_271, "rows": 52
    }  # fmt: skip
    assert [(row["average_revenue"], row["average_conversions"]) for row in told["filtered"]] == [
        (near(26_084.475208333333), near(105.14583333333333)),
        (near(24_771.766249999997), near(112.19642857142857)),
        (near(24_451.51895833333), near(94.60416666666667)),
    ]
    shop = Shop.at(database, tmp_path)
    [sums] = shop.execute(
        "SELECT count(DISTINCT date), sum(revenue), sum(conversions), sum(impressions), sum(clicks) FROM campaign_performance"
    )
    assert sums == (204, near(12_680_630.11), 50_355, 26_367_262, 1_276_597)
    assert shop.execute("SELECT sum(rows) FROM campaign_performance GROUP BY customer_id ORDER BY customer_id") == [
        (167,), (169,), (164,)
    ]  # fmt: skip
    assert {check["check"]: check["sentence"].split()[0] for check in run["checks"]} == {
        "clicks_have_impressions": "6",
        "conversions_have_clicks": "12",
    }
    lines = asked("campaigns", "--database", database).splitlines()
    assert max(map(len, lines)) <= 80
    assert "Lowest: Customer A, 0.003925." in lines
    assert "Highest: Customer B, 0.004051." in lines
    assert "Most conversions: FASHION and CONVERSION, 5,271." in lines
