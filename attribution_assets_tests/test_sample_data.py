"""The sample database: deterministic, of the size asked for, with every awkward case it promises, and never in the way."""

from __future__ import annotations

import hashlib
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from attribution_assets.errors import AttributionError
from attribution_assets.warehouse import SOURCES, Query, SQLiteWarehouse, schema
from attribution_assets.warehouse.sqlite.sample_data import AD_CHANNELS, SHOP, write_sample

END = date(2023, 9, 30)
DEFAULT: dict[str, Any] = {"days": 30, "sessions": 20_000, "seed": 0}
SMALL: dict[str, Any] = {"days": 7, "sessions": 500, "seed": 0}

DIGESTS = {
    "session_sources": "9b2c137796b12cab",
    "session_costs": "2953ce18a4e1800d",
    "conversions": "80bcbd910be0a9e9",
}
"""Of the rows of the default sample, which are what every example and figure in the documentation is made from."""

AWKWARD = {
    "users who come back": "SELECT user_id FROM session_sources GROUP BY user_id HAVING count(*) > 1",
    "sessions after their user's conversion": """
        SELECT session_id FROM session_sources JOIN conversions USING (user_id)
        WHERE (event_date, event_time) > (conv_date, conv_time)""",
    "sessions at a conversion's very second": """
        SELECT session_id FROM session_sources JOIN conversions USING (user_id)
        WHERE (event_date, event_time) = (conv_date, conv_time)""",
    "users with sessions who convert twice within days": """
        SELECT one.user_id FROM conversions AS one JOIN conversions AS two USING (user_id) JOIN session_sources USING (user_id)
        WHERE julianday(two.conv_date, two.conv_time) - julianday(one.conv_date, one.conv_time) BETWEEN 0.01 AND 5""",
    "conversions of users without any session": """
        SELECT conv_id FROM conversions WHERE user_id NOT IN (SELECT user_id FROM session_sources)""",
    "sessions whose cost is NULL": """
        SELECT session_id FROM session_sources JOIN session_costs USING (session_id) WHERE cost IS NULL""",
    "sessions without a cost": """
        SELECT session_id FROM session_sources WHERE session_id NOT IN (SELECT session_id FROM session_costs)""",
    "channels without any cost": """
        SELECT channel_name FROM session_sources LEFT JOIN session_costs USING (session_id)
        GROUP BY channel_name HAVING count(cost) = 0""",
    "channels with costs": """
        SELECT channel_name FROM session_sources JOIN session_costs USING (session_id)
        GROUP BY channel_name HAVING sum(cost) > 0""",
}

BEGUN = """
    SELECT conv_id, max(event_date || ' ' || event_time) AS begun_at, conv_date || ' ' || conv_time AS bought_at
    FROM conversions JOIN session_sources USING (user_id)
    WHERE (event_date, event_time) <= (conv_date, conv_time) GROUP BY conv_id"""
"""Each conversion with the last session of its user that had begun."""

INCOHERENT = {
    "an event of no session": "SELECT event_id FROM events WHERE session_id NOT IN (SELECT session_id FROM session_sources)",
    "an event of another user than its session": """
        SELECT event_id FROM events JOIN session_sources USING (session_id) WHERE events.user_id <> session_sources.user_id""",
    "an event before its session": """
        SELECT event_id FROM events JOIN session_sources USING (session_id)
        WHERE created_at < event_date || ' ' || event_time""",
    "an event after the last day": "SELECT event_id FROM events WHERE created_at >= '2023-10-01'",
    "an order that was placed at another time or by another user": """
        SELECT event_id FROM events JOIN conversions ON conv_id = order_id WHERE event_type = 'checkout'
        AND (created_at <> conv_date || ' ' || conv_time OR events.user_id <> conversions.user_id)""",
    "an order that was placed in another session than its user's last": f"""
        SELECT event_id FROM events JOIN session_sources USING (session_id) JOIN ({BEGUN}) ON conv_id = order_id
        WHERE event_type = 'checkout' AND event_date || ' ' || event_time <> begun_at""",
    "an order soon after a session that was placed in none, or another one that was": f"""
        SELECT conv_id FROM conversions LEFT JOIN ({BEGUN}) USING (conv_id)
        WHERE coalesce(strftime('%s', bought_at) - strftime('%s', begun_at) <= 3600, 0)
        <> (conv_id IN (SELECT order_id FROM events WHERE event_type = 'checkout'))""",
    "an order that was placed twice": """
        SELECT order_id FROM events WHERE event_type = 'checkout' GROUP BY order_id HAVING count(*) > 1""",
    "an order without products": "SELECT conv_id FROM conversions WHERE conv_id NOT IN (SELECT order_id FROM order_items)",
    "products of no order": "SELECT order_id FROM order_items WHERE order_id NOT IN (SELECT conv_id FROM conversions)",
    "a product that nobody sells": """
        SELECT product_id FROM (SELECT product_id FROM events UNION SELECT product_id FROM order_items)
        WHERE product_id NOT IN (SELECT product_id FROM products)""",
    "a product that was bought and not viewed before": """
        SELECT order_items.* FROM events AS checkout JOIN order_items USING (order_id)
        WHERE event_type = 'checkout' AND NOT EXISTS (
            SELECT 1 FROM events WHERE session_id = checkout.session_id AND product_id = order_items.product_id
            AND event_type = 'page_view' AND created_at <= checkout.created_at)""",
    "a product that was added and not viewed before": """
        SELECT event_id FROM events AS added WHERE event_type = 'add_to_cart' AND NOT EXISTS (
            SELECT 1 FROM events WHERE session_id = added.session_id AND product_id = added.product_id
            AND event_type = 'page_view' AND created_at <= added.created_at)""",
    "a product that was added after the checkout": """
        SELECT added.event_id FROM events AS added JOIN events AS checkout USING (session_id)
        WHERE added.event_type = 'add_to_cart' AND checkout.event_type = 'checkout'
        AND added.created_at > checkout.created_at""",
    "a package that was shipped in another session than the order, or at once": """
        SELECT shipped.event_id FROM events AS shipped LEFT JOIN events AS checkout
        ON checkout.order_id = shipped.order_id AND checkout.event_type = 'checkout'
        WHERE shipped.event_type = 'package_shipped' AND (shipped.session_id IS NOT checkout.session_id
        OR julianday(shipped.created_at) - julianday(checkout.created_at) NOT BETWEEN 0.08 AND 4)""",
    "an ad with more clicks than impressions": "SELECT * FROM campaign_results WHERE clicks > impressions",
    "an order that was not paid for": """
        SELECT * FROM campaign_results WHERE (conversions = 0) <> (revenue = 0)""",
}
"""What does not hang together."""

AWKWARD_IN_THE_SHOP = {
    "sessions without any event": """
        SELECT session_id FROM session_sources WHERE session_id NOT IN (SELECT session_id FROM events)""",
    "sessions without any step": """
        SELECT session_id FROM events GROUP BY session_id
        HAVING sum(event_type IN ('page_view', 'add_to_cart', 'checkout')) = 0""",
    "sessions that add to the cart and buy nothing": """
        SELECT session_id FROM events GROUP BY session_id
        HAVING sum(event_type = 'add_to_cart') > 0 AND sum(event_type = 'checkout') = 0""",
    "checkouts without a product in the cart": """
        SELECT session_id FROM events GROUP BY session_id
        HAVING sum(event_type = 'add_to_cart') = 0 AND sum(event_type = 'checkout') > 0""",
    "sessions over midnight": """
        SELECT session_id FROM events WHERE event_type <> 'package_shipped'
        GROUP BY session_id HAVING date(min(created_at)) < date(max(created_at))""",
    "packages that are shipped on a later day": """
        SELECT order_id FROM events JOIN conversions ON conv_id = order_id
        WHERE event_type = 'package_shipped' AND date(created_at) > conv_date""",
    "conversions without a checkout": """
        SELECT conv_id FROM conversions
        WHERE conv_id NOT IN (SELECT order_id FROM events WHERE event_type = 'checkout')""",
    "orders of several products": "SELECT order_id FROM order_items GROUP BY order_id HAVING count(*) > 1",
    "pages of no product": "SELECT event_id FROM events WHERE event_type = 'page_view' AND product_id IS NULL",
    "campaigns that are hidden": "SELECT * FROM campaign_results WHERE status = 'HIDDEN'",
    "campaigns that are shown": "SELECT * FROM campaign_results WHERE status = 'ENABLED'",
    "campaigns that brought nothing": "SELECT * FROM campaign_results WHERE conversions = 0",
}


@pytest.fixture(scope="module", params=[DEFAULT, SMALL], ids=["default", "small"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """A sample database and its size."""
    size: dict[str, Any] = request.param
    path = tmp_path_factory.mktemp("sample") / "sample.db"
    write_sample(path, end=END, **size)
    return path, size


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default sample."""
    path = tmp_path_factory.mktemp("month") / "sample.db"
    write_sample(path, end=END, **DEFAULT)
    return path


def fetch(path: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def content(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of every source table."""
    return {source: fetch(path, f"SELECT * FROM {source}") for source in (*SOURCES, *SHOP)}


def problems(path: Path) -> list[tuple[Any, ...]]:
    """What stops a run that reads these tables."""
    days: dict[str, str | int | float] = {
        "first_day": "0000-01-01",
        "last_day": "9999-12-31",
        "last_conversion_day": "9999-12-31",
        "first_session_day": "0000-01-01",
    }
    guards = [Query(name, days) for name in ("broken_conversions", "broken_sessions", "broken_events")]
    return [row for guard in guards for row in SQLiteWarehouse(path).fetch(guard)[1]]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


# The same arguments, the same rows ------------------------------------------------------------------------------------


def test_the_same_arguments_give_the_same_rows(tmp_path: Path) -> None:
    for name in ("one.db", "two.db"):
        write_sample(tmp_path / name, end=END, **SMALL)

    assert content(tmp_path / "one.db") == content(tmp_path / "two.db")


def test_another_seed_gives_other_rows(tmp_path: Path) -> None:
    write_sample(tmp_path / "one.db", end=END, **SMALL)
    write_sample(tmp_path / "two.db", end=END, **{**SMALL, "seed": 1})

    one, two = content(tmp_path / "one.db"), content(tmp_path / "two.db")

    assert all(not set(one[source]) & set(two[source]) for source in (*SOURCES, "events", "order_items"))


@pytest.mark.parametrize("with_shop", [True, False])
def test_sessions_costs_and_conversions_stay_what_they_are(tmp_path: Path, with_shop: bool) -> None:
    write_sample(tmp_path / "sample.db", end=END, with_shop=with_shop, **DEFAULT)

    rows = {source: fetch(tmp_path / "sample.db", f"SELECT * FROM {source}") for source in SOURCES}

    assert {source: hashlib.sha256(repr(of).encode()).hexdigest()[:16] for source, of in rows.items()} == DIGESTS


def test_without_the_shop_there_are_sessions_costs_and_conversions_alone(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.db", end=END, with_shop=False, **SMALL)

    tables = fetch(tmp_path / "sample.db", "SELECT name FROM sqlite_master WHERE type = 'table'")

    assert {name for (name,) in tables} == set(SOURCES)


# What is in it --------------------------------------------------------------------------------------------------------


def test_the_sessions_and_days_are_as_many_as_asked_for(sample: tuple[Path, dict[str, int]]) -> None:
    path, size = sample

    assert fetch(path, "SELECT count(*), count(DISTINCT event_date) FROM session_sources") == [(size["sessions"], size["days"])]


@pytest.mark.parametrize(("days", "first"), [(30, "2023-09-01"), (7, "2023-09-24"), (1, "2023-09-30")])
def test_the_days_end_with_the_last_one_asked_for(tmp_path: Path, days: int, first: str) -> None:
    write_sample(tmp_path / "sample.db", days=days, end=END, sessions=500, seed=0)

    assert fetch(tmp_path / "sample.db", "SELECT min(event_date), max(event_date) FROM session_sources") == [
        (first, "2023-09-30")
    ]


@pytest.mark.parametrize("table", ["session_sources", "conversions"])
def test_every_date_and_time_is_real_and_within_the_days(sample: tuple[Path, dict[str, int]], table: str) -> None:
    path, size = sample
    prefix = "conv" if table == "conversions" else "event"
    first = END.toordinal() - size["days"] + 1

    wrong = fetch(
        path,
        f"SELECT * FROM {table} WHERE date({prefix}_date) IS NOT {prefix}_date OR time({prefix}_time) IS NOT {prefix}_time "
        f"OR {prefix}_date NOT BETWEEN '{date.fromordinal(first)}' AND '{END}'",
    )

    assert wrong == []


@pytest.mark.parametrize(("table", "key"), [("session_sources", "session_id"), ("conversions", "conv_id")])
def test_every_id_is_32_hex_digits_and_there_once(sample: tuple[Path, dict[str, int]], table: str, key: str) -> None:
    path, _ = sample
    ids = [id_ for (id_,) in fetch(path, f"SELECT {key} FROM {table}")]
    users = [id_ for (id_,) in fetch(path, f"SELECT user_id FROM {table}")]

    assert len(set(ids)) == len(ids)
    assert all(len(id_) == 32 and not set(id_) - set("0123456789abcdef") for id_ in ids + users)


@pytest.mark.parametrize("case", AWKWARD)
def test_an_awkward_case_is_there(sample: tuple[Path, dict[str, int]], case: str) -> None:
    path, _ = sample

    assert fetch(path, AWKWARD[case])


@pytest.mark.parametrize("case", INCOHERENT)
def test_the_shop_hangs_together_with_its_sessions_and_conversions(sample: tuple[Path, dict[str, int]], case: str) -> None:
    path, _ = sample

    assert fetch(path, INCOHERENT[case]) == []


@pytest.mark.parametrize("case", AWKWARD_IN_THE_SHOP)
def test_an_awkward_case_is_there_in_the_shop(month: Path, case: str) -> None:
    assert fetch(month, AWKWARD_IN_THE_SHOP[case])


def test_a_session_has_one_to_three_events_on_average(sample: tuple[Path, dict[str, int]]) -> None:
    path, size = sample

    assert size["sessions"] <= fetch(path, "SELECT count(*) FROM events")[0][0] <= 3 * size["sessions"]


def test_the_platform_counts_some_more_clicks_than_there_are_sessions(sample: tuple[Path, dict[str, int]]) -> None:
    path, _ = sample
    sessions = "SELECT event_date FROM session_sources WHERE channel_name IN ({})".format(", ".join(map(repr, AD_CHANNELS)))

    [(clicked, came)] = fetch(path, f"SELECT (SELECT sum(clicks) FROM campaign_results), (SELECT count(*) FROM ({sessions}))")
    fewer = fetch(
        path,
        f"SELECT event_date FROM ({sessions}) GROUP BY 1 "
        "HAVING count(*) > (SELECT sum(clicks) FROM campaign_results WHERE date = event_date)",
    )

    assert fewer == []
    assert came < clicked < 1.2 * came


def test_the_platform_claims_some_more_orders_than_its_clicks_brought(month: Path) -> None:
    placed = (
        "SELECT revenue FROM conversions JOIN events ON order_id = conv_id JOIN session_sources USING (session_id) "
        "WHERE event_type = 'checkout' AND channel_name IN ({})"
    ).format(", ".join(map(repr, AD_CHANNELS)))

    [(claimed, claimed_revenue, orders, revenue)] = fetch(
        month,
        "SELECT (SELECT sum(conversions) FROM campaign_results), (SELECT sum(revenue) FROM campaign_results), "
        f"count(*), sum(revenue) FROM ({placed})",
    )

    assert orders < claimed < 1.6 * orders
    assert revenue < claimed_revenue < 1.6 * revenue


def test_about_three_percent_of_the_users_convert(tmp_path: Path) -> None:
    write_sample(tmp_path / "sample.db", end=END, **DEFAULT)

    [(users, buyers)] = fetch(
        tmp_path / "sample.db",
        "SELECT count(DISTINCT user_id), count(DISTINCT user_id) FILTER (WHERE user_id IN (SELECT user_id FROM conversions)) "
        "FROM session_sources",
    )

    assert 0.02 <= buyers / users <= 0.045


def test_no_row_is_one_that_a_run_would_refuse(sample: tuple[Path, dict[str, int]]) -> None:
    path, _ = sample

    assert problems(path) == []


def test_the_tables_and_indexes_are_those_of_the_schema(sample: tuple[Path, dict[str, int]]) -> None:
    path, _ = sample
    declared = {schema()[source].create for source in (*SOURCES, *SHOP)}
    declared |= {create for source in (*SOURCES, *SHOP) for create in schema()[source].indexes.values()}

    assert {sql for (sql,) in fetch(path, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")} == declared


@pytest.mark.parametrize(("sessions", "days"), [(1, 1), (1, 7), (2, 1), (2, 30), (7, 1)])
def test_tiny_sizes_work(tmp_path: Path, sessions: int, days: int) -> None:
    write_sample(tmp_path / "sample.db", days=days, end=END, sessions=sessions, seed=0)

    assert fetch(tmp_path / "sample.db", "SELECT count(*) FROM session_sources") == [(sessions,)]
    assert fetch(tmp_path / "sample.db", "SELECT conv_id FROM conversions JOIN session_sources USING (user_id)")
    assert problems(tmp_path / "sample.db") == []


# Where it is written --------------------------------------------------------------------------------------------------


def test_the_folder_is_made_and_holds_nothing_but_the_database(tmp_path: Path) -> None:
    write_sample(tmp_path / "new" / "folder" / "sample.db", end=END, **SMALL)

    assert files(tmp_path) == [tmp_path / "new" / "folder" / "sample.db"]


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "sample.db"
    path.write_bytes(b"mine")

    with pytest.raises(AttributionError, match=r"sample\.db already exists and is never overwritten"):
        write_sample(path, end=END, **SMALL)

    assert path.read_bytes() == b"mine"
    assert files(tmp_path) == [path]


@pytest.mark.parametrize("below", ["sample.db", "folder/sample.db"])
def test_a_folder_that_is_a_file_is_said_in_one_line(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_bytes(b"mine")

    with pytest.raises(AttributionError, match=r"sample\.db cannot be written") as raised:
        write_sample(tmp_path / "file" / below, end=END, **SMALL)

    assert "\n" not in str(raised.value)
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert files(tmp_path) == [tmp_path / "file"]


@pytest.mark.parametrize("limit", [0, 8192, 100_000])
def test_a_disk_that_is_full_leaves_no_file_behind(tmp_path: Path, limit: int) -> None:
    with largest_file(limit), pytest.raises(AttributionError, match=r"sample\.db cannot be written") as raised:
        write_sample(tmp_path / "sample.db", end=END, **SMALL)

    assert "\n" not in str(raised.value)
    assert files(tmp_path) == []


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sample.db"
    monkeypatch.setattr(Path, "exists", lambda _: False)  # as it was when the writing began
    path.write_bytes(b"another one's")

    with pytest.raises(AttributionError, match=r"cannot be written: .*File exists"):
        write_sample(path, end=END, **SMALL)

    assert files(tmp_path) == [path]
    assert path.read_bytes() == b"another one's"


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file of this process grows beyond so many bytes: to SQLite that is a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
