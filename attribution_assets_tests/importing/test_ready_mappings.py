"""The mappings that come along, each on a small made-up file of the form that its comment exports."""

from __future__ import annotations

from typing import Any

import pytest

from attribution_assets.importing.mapping import READY
from attribution_assets_tests.importing.importing import Imports
from attribution_assets_tests.support import PROJECT

SHOPIFY = """Name,Email,Financial Status,Total,Created at,Lineitem name,Shipping Country,Cancelled at,Refunded Amount,Id
#1001,Anna@example.org,paid,74.91,2023-09-01 00:30:00 +0200,Shirt,DE,,10.00,5001
#1001,Anna@example.org,,,2023-09-01 00:30:00 +0200,Socks,,,,
#1002,ben@example.org,voided,22.91,2023-09-01 12:00:00 +0200,Shirt,AT,2023-09-01 13:00:00 +0200,0.00,5002
#1003,,paid,5.00,2023-09-01 12:00:00 +0200,Socks,AT,,0.00,5003
"""

ACTIONS = ("visit_total_actions", "visit_total_time", "visit_goal_buyer")
VISITS = "\n".join(
    "\t".join(cells.split("|"))
    for cells in (
        f"idvisit|visitor|visit_first_action_time|referer_type|referer_name|referer_url|{'|'.join(ACTIONS)}",
        "7|A1B2C3D4E5F60708|2023-09-01 10:00:00|2|Google|https://www.google.com/|1|4|0",
        "8|1e10000000000000|2023-09-01 11:00:00|6|spring||5|300|1",
        "9|A1B2C3D4E5F60708|2023-09-01 12:00:00|1|||1|11|0",
    )
)

GA4_EVENTS = (
    "user_pseudo_id,event_timestamp,event_name,item_id,transaction_id,ga_session_id,page_location\n"
    "111.222,1693562400123456,view_item,fern,(not set),1693562400,https://example.org/fern\n"
    "111.222,1693562500000000,purchase,fern,1001,1693562400,\n"
    "111.222,1693562500000000,purchase,moss,1001,1693562400,\n"
    "111.222,1693562600000000,purchase,,(not set),1693562400,\n"
    "111.222,1693562700000000,view_item,fern,,,\n"
)
SESSIONS = """user_pseudo_id,ga_session_id,started,source,medium,campaign,campaign_id,gclid,country,engaged,cart
111.222,1693562400,1693562400123456,google,organic,brand,42,EAIa,Germany,1,1
111.222,1693648800,1693648800000000,,,,,,Germany,,0
"""

SNOWPLOW = """session_identifier,user_identifier,start_tstamp,channel,mkt_campaign,geo_country,views,engaged_time_in_s,intents
s1,anna,2023-09-01 10:00:00.5,Paid Search,brand,DE,1,20,1
s2,anna,2023-09-02 10:00:00,direct,,DE,1,5,0
s3,ben,2023-09-02 11:00:00,,,AT,2,,0
""".replace("channel", "default_channel_group")

CASES: dict[str, tuple[str, str, str, list[tuple[Any, ...]]]] = {
    "google_ads": (
        "ad_costs",
        "costs.csv",
        (
            "segments.date,campaign.id,metrics.cost_micros,metrics.clicks,metrics.impressions,metrics.conversions,"
            "metrics.conversions_value\n2023-09-01,42,1234567,3,90,1.5,74.91\n"
        ),
        [("2023-09-01", "42", "Google Ads", None, 1.234567, 3, 90, 1.5, 74.91)],
    ),
    "meta_ads": (
        "ad_costs",
        "meta.jsonl",
        (
            '{"campaign_id":"120","spend":"12.30","inline_link_clicks":"4","impressions":"99","date_start":"2023-09-01",'
            '"conversions":2,"revenue":119.8}\n'
            '{"campaign_id":"121","spend":"0.50","impressions":"7","date_start":"2023-09-01","conversions":0,"revenue":0}\n'
        ),
        [
            ("2023-09-01", "120", "Meta Ads", None, 12.3, 4, 99, 2.0, 119.8),
            ("2023-09-01", "121", "Meta Ads", None, 0.5, None, 7, 0.0, 0.0),
        ],
    ),
    "shopify_orders": (
        "conversions_backend",
        "orders_export.csv",
        SHOPIFY,
        [("5001", "anna@example.org", "2023-08-31", "DE", 64.91), ("5003", "unknown", "2023-09-01", "AT", 5.0)],
    ),
    "matomo_visits": (
        "session_sources",
        "visits.tsv",
        VISITS,
        [
            (
                *("7", "A1B2C3D4E5F60708", "2023-09-01", "10:00:00", "Organic Search", 0, 0, 0),
                *("Google", "organic", None, "https://www.google.com/", 1, 4.0, "page_views and duration"),
            ),
            (
                *("8", "1e10000000000000", "2023-09-01", "11:00:00", "Unassigned", 1, 1, 0),
                *(None, "campaign", "spring", None, 5, 300.0, "page_views and duration"),
            ),
            (
                *("9", "A1B2C3D4E5F60708", "2023-09-01", "12:00:00", "Direct", 1, 0, 0),
                *(None, None, None, None, 1, 11.0, "page_views and duration"),
            ),
        ],
    ),
    "matomo_conversions": (
        "conversions",
        "conversions.tsv",
        "idorder\tvisitor\tserver_time\trevenue\n1001\tA1B2C3D4E5F60708\t2023-09-01 10:30:00\t74.91\n",
        [("1001", "A1B2C3D4E5F60708", "2023-09-01", "10:30:00", 74.91)],
    ),
    "ga4_sessions": (
        "session_sources",
        "sessions.csv",
        SESSIONS,
        [
            (
                *("111.222.1693562400", "111.222", "2023-09-01", "10:00:00.123456", "Paid Search", 1, 1, 0, "42", "Germany"),
                *("google", "organic", "brand", "gclid=EAIa"),
            ),
            (
                *("111.222.1693648800", "111.222", "2023-09-02", "10:00:00", "Direct", 0, 0, 0, None, "Germany"),
                *(None, None, None, None),
            ),
        ],
    ),
    "ga4_events": (
        "events",
        "events.csv",
        GA4_EVENTS,
        [
            (
                *("111.222.1693562400123456.view_item.fern", "111.222.1693562400", "111.222", "view_item"),
                *("2023-09-01 10:00:00.123456", "https://example.org/fern", "fern", None),
            ),
            (
                *("111.222.1693562500000000.purchase.fern", "111.222.1693562400", "111.222", "purchase"),
                *("2023-09-01 10:01:40", None, "fern", "1001"),
            ),
            (
                *("111.222.1693562500000000.purchase.moss", "111.222.1693562400", "111.222", "purchase"),
                *("2023-09-01 10:01:40", None, "moss", "1001"),
            ),
            (
                *("111.222.1693562600000000.purchase", "111.222.1693562400", "111.222", "purchase"),
                *("2023-09-01 10:03:20", None, None, None),
            ),
        ],
    ),
    "snowplow_sessions": (
        "session_sources",
        "sessions.csv",
        SNOWPLOW,
        [
            ("s1", "anna", "2023-09-01", "10:00:00.5", "Paid Search", 1, 1, 0, "brand", "DE"),
            ("s2", "anna", "2023-09-02", "10:00:00", "Direct", 0, 0, 0, None, "DE"),
            ("s3", "ben", "2023-09-02", "11:00:00", "Unassigned", 1, 0, 0, None, "AT"),
        ],
    ),
    "snowplow_conversions": (
        "conversions",
        "conversions.csv",
        "cv_id,user_identifier,cv_tstamp,cv_value\ne1transaction,anna,2023-09-02 10:05:00,74.91\n",
        [("e1transaction", "anna", "2023-09-02", "10:05:00", 74.91)],
    ),
    "store_orders": (
        "conversions",
        "orders.csv",
        "order_id,user_id,promo_id,created_at,order_cost,order_total\no1,anna,,2021-02-11T23:30:34Z,551.9,557.06\n",
        [("o1", "anna", "2021-02-11", "23:30:34", 557.06)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_ready_mapping_reads_what_it_exports(imports: Imports, name: str) -> None:
    table, file, content, rows = CASES[name]

    imports.done(table, imports.file(file, content), "--mapping", name)

    assert imports.shop.execute(f"SELECT * FROM {table} ORDER BY rowid") == rows


WITHOUT_CLAIMS = {
    "google_ads": (
        "costs.csv",
        "segments.date,campaign.id,metrics.cost_micros,metrics.clicks,metrics.impressions\n2023-09-01,42,1234567,3,90\n",
        [("2023-09-01", "42", "Google Ads", None, 1.234567, 3, 90)],
    ),
    "meta_ads": (
        "meta.jsonl",
        '{"campaign_id":"121","spend":"0.50","impressions":"7","date_start":"2023-09-01"}\n',
        [("2023-09-01", "121", "Meta Ads", None, 0.5, 7)],
    ),
}


@pytest.mark.parametrize("name", WITHOUT_CLAIMS)
def test_costs_that_were_exported_without_claims_are_read(imports: Imports, name: str) -> None:
    file, content, rows = WITHOUT_CLAIMS[name]

    imports.done("ad_costs", imports.file(file, content), "--mapping", name)

    assert imports.shop.execute("SELECT * FROM ad_costs") == rows


def test_claims_that_come_later_are_added_to_the_costs_that_are_there(imports: Imports) -> None:
    file, content, _ = WITHOUT_CLAIMS["google_ads"]
    imports.done("ad_costs", imports.file(file, content), "--mapping", "google_ads")

    imports.done("ad_costs", imports.file(file, CASES["google_ads"][2]), "--mapping", "google_ads")

    assert imports.shop.execute("SELECT cost, conversions, revenue FROM ad_costs") == [(1.234567, 1.5, 74.91)]


def test_every_ready_mapping_is_tested_documented_and_says_first_how_to_export() -> None:
    names = {path.stem for path in READY.glob("*.toml")}
    documented = (PROJECT / "docs" / "your-data.md").read_text()

    assert names == set(CASES)
    assert all(f"| [{name}](" in documented for name in names)
    assert all(path.read_text().startswith("# ") for path in READY.glob("*.toml"))
