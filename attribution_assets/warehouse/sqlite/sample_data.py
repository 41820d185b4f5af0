"""A deterministic sample database: a shop's sessions, costs, conversions and events, including awkward cases."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self

import numpy as np

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import SOURCES, schema

CHANNELS = {  # channel: share of the sessions, mean cost of a session in Euro (0: never paid for)
    "Direct Traffic": (0.18, 0.0),
    "Organic Traffic": (0.14, 0.0),
    "Paid Search Brand": (0.12, 0.35),
    "Paid Search Non Brand": (0.12, 0.90),
    "FB & IG Ads": (0.11, 0.60),
    "Newsletter & Email": (0.08, 0.05),
    "Performance Max": (0.07, 0.70),
    "Affiliate & Partnerships": (0.05, 0.45),
    "Social Organic": (0.04, 0.0),
    "TikTok Ads": (0.04, 0.40),
    "Microsoft Ads": (0.03, 0.80),
    "Referral": (0.02, 0.0),
}
SESSIONS_PER_USER = 3.3
CONVERTING_USERS = 0.03
DAY = 86_400
ROWS_PER_INSERT = 100_000

SHOP = ("events", "order_items", "products", "campaign_results")
"""The tables that say what happened in the shop, and what the ad platform claims."""

PRODUCTS = {  # name: category
    "Monstera": "House plants",
    "Snake plant": "House plants",
    "Peace lily": "House plants",
    "Rubber tree": "House plants",
    "String of hearts": "House plants",
    "Lavender": "Garden plants",
    "Hydrangea": "Garden plants",
    "Boxwood": "Garden plants",
    "Terracotta pot": "Pots and care",
    "Hanging basket": "Pots and care",
    "Potting soil": "Pots and care",
    "Watering can": "Pots and care",
}
CATEGORIES = tuple(dict.fromkeys(PRODUCTS.values()))
POPULARITY = 1 / np.arange(3, len(PRODUCTS) + 3)  # of the products in their order
POPULARITY /= POPULARITY.sum()
MOST_VIEWS = MOST_ITEMS = 3
PAGE_VIEW, ADD_TO_CART, CHECKOUT, PACKAGE_SHIPPED, NEWSLETTER_SIGNUP = range(5)
EVENT_TYPES = ("page_view", "add_to_cart", "checkout", "package_shipped", "newsletter_signup")
PAGES = {CHECKOUT: "/checkout", NEWSLETTER_SIGNUP: "/newsletter"}
SITE = "https://shop.example"

AD_CHANNELS = {  # channel: type of its campaigns
    "Paid Search Brand": "CONVERSION",
    "Paid Search Non Brand": "CONVERSION",
    "Performance Max": "CONVERSION",
    "Microsoft Ads": "CONVERSION",
    "FB & IG Ads": "ENGAGEMENT",
    "TikTok Ads": "AWARENESS",
}
IMPRESSIONS_PER_CLICK = {"AWARENESS": 150, "ENGAGEMENT": 70, "CONVERSION": 25}
CUSTOMER = "plant-shop"


Ints = np.ndarray[Any, np.dtype[np.int64]]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def write_sample(path: Path, *, days: int, end: date, sessions: int, seed: int, with_shop: bool = True) -> None:
    """Creates the database at `path` with `sessions` sessions over `days` days, the last being `end`; deterministic.

    3 % of the users convert. There are users with two conversions close together, sessions after the conversion, sessions in
    the same second as it, conversions of users without a session, sessions with NULL or no cost, and channels without cost.
    With the shop, there are the tables of SHOP too. A conversion soon after a session of its user was placed in that session.
    There are sessions without any event, without any step, and over midnight, and conversions without a checkout.
    Raises AttributionError if the file already exists or cannot be written.
    """
    if path.exists():
        raise AttributionError(f"{path} already exists and is never overwritten. Remove it, or choose another --database.")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.unlink(missing_ok=True)
        with closing(sqlite3.connect(unfinished)) as connection, connection:
            rng = np.random.default_rng(seed)
            _fill(connection, days=days, end=end, sessions=sessions, rng=rng, of_shop=rng.spawn(1)[0] if with_shop else None)
        path.hardlink_to(unfinished)  # unlike a rename, refuses to replace what has come to be there meanwhile
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise AttributionError(f"{path} cannot be written: {reason}. Choose another --database.") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _fill(
    connection: sqlite3.Connection,
    *,
    days: int,
    end: date,
    sessions: int,
    rng: np.random.Generator,
    of_shop: np.random.Generator | None,
) -> None:
    tables = (*SOURCES, *SHOP) if of_shop else SOURCES
    for name in tables:
        connection.execute(schema()[name].create)
    first_second = int(np.datetime64(end.isoformat(), "D").astype("datetime64[s]").astype(np.int64)) - (days - 1) * DAY
    drawn = _Sessions.draw(days, sessions, rng)
    for start in range(0, sessions, ROWS_PER_INSERT):
        drawn.insert(connection, first_second, start)
    conversions = _insert_conversions(connection, drawn, first_second, days, rng)
    if of_shop:
        orders = _Orders.draw(conversions, drawn, of_shop)
        _insert_products_and_items(connection, orders, of_shop)
        _insert_events(connection, drawn, orders, first_second, days, of_shop)
        _insert_campaign_results(connection, drawn, orders, end, days, of_shop)
    for name in tables:
        for index in schema()[name].indexes.values():
            connection.execute(index)


@dataclass(frozen=True)
class _Sessions:
    """What was drawn of every session: in the order of time, arrays of shape (sessions,), `flags` of shape (3, sessions).

    `time` in seconds since the first day began; `user` and `channel` by number; ids are 16 bytes each.
    """

    time: Ints
    user: Ints
    channel: Ints
    cost: Floats
    has_unknown_cost: np.ndarray[Any, np.dtype[np.bool_]]
    flags: Ints
    session_ids: bytes
    user_ids: bytes

    @classmethod
    def draw(cls, days: int, sessions: int, rng: np.random.Generator) -> Self:
        """Sessions over `days` days; a few users come back very often."""
        users = max(1, round(sessions / SESSIONS_PER_USER))
        time = np.sort(rng.integers(0, days * DAY, sessions))
        user = (users * rng.random(sessions) ** 1.5).astype(np.int64)
        shares, mean_costs = np.array(list(CHANNELS.values())).T
        channel = rng.choice(len(CHANNELS), sessions, p=shares)
        cost = np.round(rng.exponential(1.0, sessions) * mean_costs[channel], 3)
        has_unknown_cost = rng.random(sessions) < 0.01
        flags = (rng.random((3, sessions)) < [[0.6], [0.3], [0.1]]).astype(np.int64)
        return cls(time, user, channel, cost, has_unknown_cost, flags, rng.bytes(16 * sessions), rng.bytes(16 * users))

    def insert(self, connection: sqlite3.Connection, first_second: int, start: int) -> None:
        """Inserts ROWS_PER_INSERT of the sessions, from number `start` on, and their costs."""
        names, mean_costs = list(CHANNELS), [mean for _, mean in CHANNELS.values()]
        chunk = slice(start, start + ROWS_PER_INSERT)
        ids = list(_ids(self.session_ids[16 * start : 16 * (start + ROWS_PER_INSERT)]))
        dates, times = _dates_and_times(first_second + self.time[chunk])
        channels = self.channel[chunk].tolist()
        _insert(
            connection,
            "session_sources",
            ids,
            [_id(self.user_ids, user) for user in self.user[chunk].tolist()],
            dates,
            times,
            [names[channel] for channel in channels],
            *self.flags[:, chunk].tolist(),
        )
        costs = zip(ids, self.cost[chunk].tolist(), self.has_unknown_cost[chunk].tolist(), channels, strict=True)
        paid = [(id_, None if unknown else cost) for id_, cost, unknown, channel in costs if mean_costs[channel] > 0]
        connection.executemany("INSERT INTO session_costs VALUES (?, ?)", paid)


@dataclass(frozen=True)
class _Conversions:
    """What was drawn of every conversion, arrays of shape (conversions,): `user` as of sessions, -1 for who has none."""

    time: Ints
    user: Ints
    revenue: Floats
    ids: bytes


def _insert_conversions(
    connection: sqlite3.Connection, sessions: _Sessions, first_second: int, days: int, rng: np.random.Generator
) -> _Conversions:
    """Conversions soon after a session of some users, of every twentieth of them again within days, and of strangers."""
    shuffled = rng.permutation(len(sessions.time))
    visitors, at = np.unique(sessions.user[shuffled], return_index=True)
    users = len(sessions.user_ids) // 16
    chosen = rng.permutation(len(visitors))[: max(1, round(CONVERTING_USERS * users))]
    gap = rng.integers(1, 3600, len(chosen))
    gap[::200] = 0  # a session at the conversion's very second
    buyer, bought = visitors[chosen], sessions.time[shuffled[at[chosen]]] + gap
    again = slice(0, None, 20)
    later = bought[again] + rng.integers(DAY, 5 * DAY, len(bought[again]))
    strangers = [f"{i:032x}" for i in range(1 + len(chosen) // 100)]  # they buy without any session
    conversion_user = [_id(sessions.user_ids, user) for user in [*buyer.tolist(), *buyer[again].tolist()]] + strangers
    second = np.concatenate([bought, later, rng.integers(0, days * DAY, len(strangers))])
    within = second < days * DAY
    count = int(within.sum())
    ids, revenue = rng.bytes(16 * count), np.round(rng.lognormal(3.9, 0.6, count), 2)
    dates, times = _dates_and_times(first_second + second[within])
    _insert(
        connection,
        "conversions",
        list(_ids(ids)),
        [id_ for id_, inside in zip(conversion_user, within.tolist(), strict=True) if inside],
        dates,
        times,
        revenue.tolist(),
    )
    user = np.concatenate([buyer, buyer[again], np.full(len(strangers), -1)])
    return _Conversions(second[within], user[within], revenue, ids)


@dataclass(frozen=True)
class _Orders:
    """The conversions as orders, arrays of shape (conversions,), `product` of shape (conversions, MOST_ITEMS).

    `session` by number: in which it was placed, -1 where it was in none. The first `items` of its products were bought.
    """

    conversions: _Conversions
    session: Ints
    items: Ints
    product: Ints

    @classmethod
    def draw(cls, conversions: _Conversions, sessions: _Sessions, rng: np.random.Generator) -> Self:
        """An order is placed in the last session of its user that had begun, if that was within an hour."""
        span = max(sessions.time.max(), conversions.time.max()) + 1  # so that one number tells user and time
        in_order = np.lexsort([sessions.time, sessions.user])
        began = sessions.user[in_order] * span + sessions.time[in_order]
        bought = conversions.user * span + conversions.time
        last = np.searchsorted(began, bought, side="right") - 1
        session = np.where((last >= 0) & (conversions.user >= 0) & (bought - began[last] <= 3600), in_order[last], -1)
        count = len(session)
        items = rng.choice(np.arange(1, MOST_ITEMS + 1), count, p=[0.6, 0.3, 0.1])
        drawn = np.log(POPULARITY) + rng.gumbel(size=(count, len(PRODUCTS)))  # the highest are a draw without replacement
        return cls(conversions, session, items, np.argsort(-drawn, axis=1)[:, :MOST_ITEMS])

    def placed(self) -> Ints:
        """The numbers of those that were placed in a session."""
        return np.flatnonzero(self.session >= 0)


def _insert_products_and_items(connection: sqlite3.Connection, orders: _Orders, rng: np.random.Generator) -> None:
    _insert(connection, "products", [_product_id(number) for number in range(len(PRODUCTS))], list(PRODUCTS))
    order, place = np.nonzero(np.arange(MOST_ITEMS) < orders.items[:, np.newaxis])
    _insert(
        connection,
        "order_items",
        [_id(orders.conversions.ids, number) for number in order.tolist()],
        [_product_id(number) for number in orders.product[order, place].tolist()],
        rng.choice([1, 2, 3], len(order), p=[0.85, 0.1, 0.05]).tolist(),
    )


def _insert_events(
    connection: sqlite3.Connection,
    sessions: _Sessions,
    orders: _Orders,
    first_second: int,
    days: int,
    rng: np.random.Generator,
) -> None:
    """The events of the days, in the order of time."""
    drawn = [*_browsing(sessions, orders, rng), *_buying(sessions, orders, rng)]
    columns = np.concatenate([np.stack(np.broadcast_arrays(*event)) for event in drawn], axis=1)
    columns = columns[:, columns[0] < days * DAY]
    columns = columns[:, np.argsort(columns[0], kind="stable")]
    for start in range(0, columns.shape[1], ROWS_PER_INSERT):
        time, session, type_, product, order = columns[:, start : start + ROWS_PER_INSERT]
        types, products = type_.tolist(), product.tolist()
        dates, times = _dates_and_times(first_second + time)
        _insert(
            connection,
            "events",
            list(_ids(rng.bytes(16 * len(types)))),
            [_id(sessions.session_ids, number) for number in session.tolist()],
            [_id(sessions.user_ids, number) for number in sessions.user[session].tolist()],
            [EVENT_TYPES[number] for number in types],
            [f"{day} {time_of_day}" for day, time_of_day in zip(dates, times, strict=True)],
            [_page(number, seen) for number, seen in zip(types, products, strict=True)],
            [_product_id(number) if number >= 0 else None for number in products],
            [_id(orders.conversions.ids, number) if number >= 0 else None for number in order.tolist()],
        )


_Event = tuple[Ints, Ints, int, Ints | int, Ints | int]
"""Events of one type: time, session, type, and product and order, -1 where there is none."""


def _browsing(sessions: _Sessions, orders: _Orders, rng: np.random.Generator) -> Iterator[_Event]:
    """The events of sessions in which no order was placed: page views, and now and then one product goes into the cart."""
    count, begun = len(sessions.time), sessions.time
    chance, number = rng.random(count), np.arange(count)
    does = np.bincount(orders.session[orders.placed()], minlength=count) == 0
    views = np.where(does & (chance >= 0.155), 1 + rng.binomial(MOST_VIEWS - 1, 0.3, count), 0)
    signs_up = np.flatnonzero(does & (chance < 0.005))
    yield begun[signs_up] + 20, signs_up, NEWSLETTER_SIGNUP, -1, -1
    pause = np.array([[0, 5], [5, 600], [5, 600]])  # in seconds, before each view
    viewed = begun + rng.integers(pause[:, :1], pause[:, 1:], (MOST_VIEWS, count)).cumsum(axis=0)
    product = rng.choice(len(PRODUCTS), (MOST_VIEWS, count), p=POPULARITY)
    product[0, rng.random(count) < 0.25] = -1  # the first page is that of the shop
    for place in range(MOST_VIEWS):
        views_it = np.flatnonzero(views > place)
        yield viewed[place, views_it], views_it, PAGE_VIEW, product[place, views_it], -1
    last = views - 1
    adds = np.flatnonzero((rng.random(count) < 0.12) & (views > 0) & (product[last, number] >= 0))
    added = viewed[last[adds], adds] + rng.integers(3, 120, len(adds))
    yield added, adds, ADD_TO_CART, product[last[adds], adds], -1


def _buying(sessions: _Sessions, orders: _Orders, rng: np.random.Generator) -> Iterator[_Event]:
    """The events of sessions in which an order was placed: products are viewed and added, then bought, and later shipped."""
    order = orders.placed()
    session, product, bought = orders.session[order], orders.product[order], orders.conversions.time[order]
    begun = sessions.time[session]
    moments = np.sort(rng.random((2 * MOST_ITEMS, len(order))), axis=0)
    times = begun + (moments * (bought - begun)).astype(np.int64)
    is_tracked = rng.random(len(order)) >= 0.05  # of the others, nothing says that products were added
    for place in range(MOST_ITEMS):
        has = orders.items[order] > place
        yield times[2 * place, has], session[has], PAGE_VIEW, product[has, place], -1
        adds = has & is_tracked
        yield times[2 * place + 1, adds], session[adds], ADD_TO_CART, product[adds, place], -1
    yield bought, session, CHECKOUT, -1, order
    yield bought + rng.integers(DAY // 12, 4 * DAY, len(order)), session, PACKAGE_SHIPPED, -1, order


def _insert_campaign_results(
    connection: sqlite3.Connection, sessions: _Sessions, orders: _Orders, end: date, days: int, rng: np.random.Generator
) -> None:
    """A row per day, type and category. A platform counts more clicks than there are sessions, and claims orders of others."""
    types = list(IMPRESSIONS_PER_CLICK)
    shape = (days, len(types), len(CATEGORIES))
    type_of_channel = np.array([types.index(AD_CHANNELS[name]) if name in AD_CHANNELS else -1 for name in CHANNELS])
    category_of_product = np.array([CATEGORIES.index(category) for category in PRODUCTS.values()])
    day, type_ = sessions.time // DAY, type_of_channel[sessions.channel]
    category = rng.integers(0, len(CATEGORIES), len(day))
    order = orders.placed()
    session, sold = orders.session[order], category_of_product[orders.product[order, 0]]
    category[session] = sold
    of_ads = type_ >= 0
    clicks = np.zeros(shape, np.int64)
    np.add.at(clicks, (day[of_ads], type_[of_ads], category[of_ads]), 1)
    clicks += rng.poisson(0.04 * clicks)
    impressions = rng.poisson((clicks + 1) * np.array(list(IMPRESSIONS_PER_CLICK.values()))[:, np.newaxis])
    conversions, revenue = np.zeros(shape, np.int64), np.zeros(shape)
    seen = rng.integers(0, len(types), len(order))  # of which type the buyer saw an ad, without a click on it
    for claims, claimed in ((of_ads[session], type_[session]), (rng.random(len(order)) < 0.15, seen)):
        of = (day[session[claims]], claimed[claims], sold[claims])
        np.add.at(conversions, of, 1)
        np.add.at(revenue, of, orders.conversions.revenue[order[claims]])
    cells = np.indices(shape).reshape(3, -1)
    _insert(
        connection,
        "campaign_results",
        [CUSTOMER] * cells.shape[1],
        [date.fromordinal(end.toordinal() - days + 1 + number).isoformat() for number in cells[0].tolist()],
        ["HIDDEN" if number % 10 == 4 else "ENABLED" for number in cells[0].tolist()],
        [types[number] for number in cells[1].tolist()],
        [CATEGORIES[number] for number in cells[2].tolist()],
        np.round(revenue, 2).ravel().tolist(),
        conversions.ravel().tolist(),
        impressions.ravel().tolist(),
        clicks.ravel().tolist(),
    )


def _product_id(number: int) -> str:
    return f"P{number + 1:02}"


def _page(type_: int, product: int) -> str | None:
    """The address of the page on which an event of this type happened; None for what did not happen on one."""
    if type_ in (PAGE_VIEW, ADD_TO_CART):
        return f"{SITE}/products/{_product_id(product)}" if product >= 0 else f"{SITE}/"
    return f"{SITE}{PAGES[type_]}" if type_ in PAGES else None


def _insert(connection: sqlite3.Connection, table: str, *columns: list[Any]) -> None:
    connection.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})", zip(*columns, strict=True))


def _ids(raw: bytes) -> Iterator[str]:
    """Identifiers of 32 hex digits, one for every 16 bytes."""
    return (_id(raw, i) for i in range(len(raw) // 16))


def _id(raw: bytes, i: int) -> str:
    return raw[16 * i : 16 * (i + 1)].hex()


def _dates_and_times(seconds: Ints) -> tuple[list[str], list[str]]:
    """The UTC dates and times of seconds since 1970, as text."""
    texts = np.datetime_as_string(seconds.astype("datetime64[s]")).tolist()
    return [text[:10] for text in texts], [text[11:] for text in texts]
