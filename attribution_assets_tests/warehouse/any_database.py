"""Databases that nobody made by hand: ties, late and moved rows, refunds, empty days; and all tables computed over one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from attribution_assets.analysis.crediting import by_every_model, with_ihc
from attribution_assets.analysis.learning import channel_values
from attribution_assets.catalog.tables import query_of, tables
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.embedded import embedded_results
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Frames, Warehouse, schema
from attribution_assets.warehouse.query import Source
from attribution_assets_tests.support import Shop

USERS = st.sampled_from(["anna", "ben", "c'ara", "ä", "7"])
DAYS = st.integers(1, 8).map("2023-09-0{}".format)
EARLIER = st.sampled_from(["2023-08-31", "2023-08-15", "2023-06-01"])
TIMES = st.sampled_from(["00:00:00", "10:00:00", "10:00:00.5", "10:00:00.50", "23:59:59"])
CHANNELS = st.sampled_from(["Email", "email", "Ads", "Direct", "", "SEO, local"])
MONEY = st.sampled_from([0, 0.1, 0.2, 12.5, -3, 1e-9, 99.99]) | st.floats(-1e6, 1e6).map(lambda amount: round(amount, 3))
CAMPAIGNS = st.sampled_from(["brand", "video", "", None])
MARKETS = st.sampled_from(["DE", "", None])
CURRENCIES = st.sampled_from([None, "EUR", "EUR", ""])
STEPS = st.sampled_from(["page_view", "add_to_cart", "checkout", "scroll"])


def rows_of(*columns: st.SearchStrategy[Any], most: int) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    return st.lists(st.tuples(*columns), max_size=most)


@st.composite
def a_database(draw: st.DrawFn) -> dict[str, list[tuple[Any, ...]]]:
    """By table, its rows, without ids."""
    return {
        "session_sources": draw(
            rows_of(USERS, DAYS | EARLIER, TIMES, CHANNELS, CAMPAIGNS, MARKETS, st.none() | MONEY, st.integers(0, 1), most=25)
        ),
        "session_costs": draw(rows_of(st.none() | MONEY, CURRENCIES, most=15)),
        "conversions": draw(rows_of(USERS, DAYS, TIMES, MONEY, MARKETS, CURRENCIES, most=10)),
        "conversions_backend": draw(rows_of(USERS, DAYS, MARKETS, MONEY, CURRENCIES, most=10)),
        "ad_costs": draw(rows_of(DAYS, CAMPAIGNS.filter(bool), CHANNELS | st.none(), MONEY, st.none() | MONEY, most=6)),
        "events": draw(rows_of(st.integers(0, 12), USERS, STEPS, DAYS, TIMES, st.integers(0, 3), st.integers(0, 9), most=25)),
        "campaign_results": draw(
            rows_of(st.sampled_from(["A", "B"]), DAYS, MARKETS, MONEY, st.integers(0, 9), st.none() | st.integers(0, 9), most=6)
        ),
        "late": draw(rows_of(st.integers(0, 24), DAYS, CHANNELS, most=3)),
        "moved": draw(rows_of(st.integers(0, 9), DAYS, MONEY, most=3)),
    }


def write(database: Path, rows: Mapping[str, list[tuple[Any, ...]]]) -> None:
    shop = Shop(database, database.parent)
    shop.add_optional_sources()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(
            "INSERT INTO session_sources (session_id, user_id, event_date, event_time, channel_name, campaign_id, market, cpc, "
            "holder_engagement, closer_engagement, impression_interaction) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9, 0)",
            [(f"s{number}", *row) for number, row in enumerate(rows["session_sources"])],
        )
        for table in ("session_costs", "conversions"):
            connection.executemany(
                f"INSERT INTO {table} VALUES ({', '.join('?' * (len(schema()[table].columns)))})",
                [(f"{table[0]}{number}", *row) for number, row in enumerate(rows[table])],
            )
        connection.executemany(
            "INSERT INTO conversions_backend VALUES (?, ?, ?, ?, ?, ?)",
            [(f"c{number}", *row) for number, row in enumerate(rows["conversions_backend"])],
        )
        connection.executemany(
            "INSERT INTO ad_costs (platform, date, campaign_id, channel_name, cost, revenue) VALUES (?, ?, ?, ?, ?, ?)",
            [(str(number), *row) for number, row in enumerate(rows["ad_costs"])],
        )
        connection.executemany(
            "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7)",
            [
                (f"e{number}", f"s{session}", user, step, f"{day} {at}", f"p{product}", f"c{order}" if order < 8 else None)
                for number, (session, user, step, day, at, product, order) in enumerate(rows["events"])
            ],
        )
        connection.execute("INSERT INTO order_items VALUES ('c1', 'p1', 1), ('c2', 'p2', 2), ('c2', 'p1', 1)")
        connection.execute("INSERT INTO products VALUES ('p1', 'Fern')")
        connection.executemany(
            "INSERT INTO campaign_results VALUES (?1, ?2, ?3, 'CONVERSION', NULL, ?4, ?5, ?6, 3)", rows["campaign_results"]
        )


def change(shop: Shop, rows: Mapping[str, list[tuple[Any, ...]]]) -> None:
    """Makes the changes that come late: sessions and conversions of other days, with other channels and revenues."""
    for number, day, channel in rows["late"]:
        late = "UPDATE session_sources SET event_date = ?, channel_name = ? WHERE session_id = ?"
        shop.execute(late, day, channel, f"s{number}")
    for number, day, revenue in rows["moved"]:
        shop.execute("UPDATE conversions SET conv_date = ?, revenue = ? WHERE conv_id = ?", day, revenue, f"c{number}")


def stored_frames(warehouse: Warehouse, name: str, days: Days) -> Frames:
    """The table's rows of the days, as the IO manager gives them to an asset."""
    table = schema()[name]
    return Frames(warehouse.stream(table, "conv_date", days), Source(table, "conv_date", days))


def computed(settings: Settings, days: Days) -> None:
    """Fills all tables of the days."""
    warehouse = settings.warehouse
    warehouse.prepare()
    for table in tables(settings):
        stored = schema().get(table.name)
        if stored is None:
            continue
        journeys = stored_frames(warehouse, "customer_journeys", days)
        match table.name:
            case "ihc_results":
                model = partial(embedded_results, parameters=IHCParameters.load("challenge"), redistribution=None)
                rows: Any = journeys.each(model)
            case "channel_values":
                rows = values = channel_values(settings, days)
            case "model_attribution":
                shares = stored_frames(warehouse, "attribution_customer_journey", days)
                both = journeys.beside(shares, "ihc", with_ihc(journeys, shares))
                rows = both.each(by_every_model(settings, values))
            case "model_comparison" | "path_report":
                continue
            case _:
                rows = query_of(settings, table, days)
        warehouse.replace_days(stored, table.day_column, days, rows)
