"""The admin: runs and campaign results, which one can look at and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
import requests

from attribution_assets.shipped import read_sql
from attribution_assets_tests.support import Shop
from attribution_assets_tests.web.live import LiveWeb

RESULTS = "/admin/web/campaignresult/"
RUNS = "/admin/web/run/"


@pytest.fixture
def results(shop: Shop) -> Shop:
    """A database with two campaign results."""
    shop.execute(next(part for part in read_sql("optional_sources").split(";") if "CREATE TABLE campaign_results" in part))
    shop.execute(
        "INSERT INTO campaign_results VALUES ('<b>fern</b>', '2024-01-02', 'ENABLED', 'CONVERSION', 'TOYS', 100.5, 4, 9, 5)"
    )
    shop.execute("INSERT INTO campaign_results VALUES ('moss', '2024-01-03', NULL, 'ROAS', NULL, 50, 2, NULL, NULL)")
    return shop


@pytest.fixture
def web(shop: Shop) -> Iterator[LiveWeb]:
    """A server over the database."""
    with LiveWeb(shop.database) as live:
        yield live


def say_staff(web: LiveWeb, name: str) -> None:
    """Makes an account one of staff, who has no rights of Django's."""
    with closing(sqlite3.connect(web.folder / "web.db")) as connection, connection:
        connection.execute("UPDATE auth_user SET is_staff = 1 WHERE username = ?", [name])


def test_rows_put_in_by_hand_are_seen_at_once(results: Shop, web: LiveWeb) -> None:
    staff = web.login()

    before = staff.get(web.url + RESULTS).text
    results.execute("UPDATE campaign_results SET category = 'PLANTS' WHERE customer_id = 'moss'")
    after = staff.get(web.url + RESULTS).text

    assert "2 campaign results" in before
    assert "PLANTS" not in before
    assert "PLANTS" in after
    assert "&lt;b&gt;fern&lt;/b&gt;" in before


def test_rows_can_be_searched_and_filtered(results: Shop, web: LiveWeb) -> None:
    staff = web.login()

    found = [staff.get(f"{web.url}{RESULTS}?{query}").text for query in ("q=moss", "status__exact=ENABLED", "q=nobody")]

    assert ["moss</a></th>" in page for page in found] == [True, False, False]
    assert ["1 campaign result\n" in page for page in found] == [True, True, False]


def test_nobody_may_add_or_delete(results: Shop, web: LiveWeb) -> None:
    staff = web.login()

    for address in (f"{RESULTS}add/", f"{RESULTS}1/delete/", f"{RUNS}add/"):
        assert staff.get(web.url + address).status_code == 403


def test_nobody_may_change_a_row(results: Shop, web: LiveWeb) -> None:
    staff = web.login()
    rows = results.execute("SELECT * FROM campaign_results")

    page = staff.get(f"{web.url}{RESULTS}1/change/")
    data = {"csrfmiddlewaretoken": staff.cookies["csrftoken"], "customer_id": "me"}
    changed = staff.post(f"{web.url}{RESULTS}1/change/", data=data)

    assert page.status_code == 200
    assert '<input type="submit"' not in page.text.partition('<div class="submit-row">')[2]
    assert changed.status_code == 403
    assert results.execute("SELECT * FROM campaign_results") == rows


def test_staff_without_further_rights_see_runs_and_results(results: Shop, web: LiveWeb) -> None:
    say_staff(web, "reader")
    reader = web.login("reader")

    assert [reader.get(web.url + address).status_code for address in ("/admin/", RESULTS, RUNS)] == [200, 200, 200]
    assert reader.get(f"{web.url}/admin/auth/user/").status_code == 403


def test_a_reader_does_not_get_in(results: Shop, web: LiveWeb) -> None:
    answer = web.login("reader").get(web.url + RESULTS, allow_redirects=False)

    assert (answer.status_code, answer.headers["Location"]) == (302, f"/admin/login/?next={RESULTS}")


def test_without_the_table_a_line_says_what_to_do(web: LiveWeb) -> None:
    page = web.login().get(web.url + RESULTS)

    assert page.status_code == 409
    assert "shows no campaign results (no such table: campaign_results). Import them at /worker/process-data/." in page.text


def test_without_the_database_a_line_says_what_to_do(shop: Shop, web: LiveWeb) -> None:
    shop.database.unlink()

    page = web.login().get(web.url + RESULTS)

    assert page.status_code == 409
    assert "unable to open database file" in page.text


def test_a_view_instead_of_the_table_breaks_nothing(results: Shop, web: LiveWeb) -> None:
    results.execute("ALTER TABLE campaign_results RENAME TO kept")
    results.execute("CREATE VIEW campaign_results AS SELECT * FROM kept")

    page = web.login().get(web.url + RESULTS)

    assert page.status_code in {200, 409}  # whether rows of views have a number depends on how SQLite was built


def test_a_token_that_staff_make_lets_a_program_in(web: LiveWeb) -> None:
    staff = web.login()
    page = staff.get(f"{web.url}/admin/authtoken/tokenproxy/")
    with closing(sqlite3.connect(web.folder / "web.db")) as connection, connection:
        [(user,)] = connection.execute("SELECT id FROM auth_user WHERE username = 'reader'")
        connection.execute("DELETE FROM authtoken_token WHERE user_id = ?", [user])

    made = staff.post(
        f"{web.url}/admin/authtoken/tokenproxy/add/",
        data={"csrfmiddlewaretoken": staff.cookies["csrftoken"], "user": user},
        headers={"Referer": web.url},
    )
    with closing(sqlite3.connect(web.folder / "web.db")) as connection:
        [(token,)] = connection.execute("SELECT key FROM authtoken_token WHERE user_id = ?", [user])
    asked = requests.get(f"{web.url}/worker/process-data/", headers={"Authorization": f"Token {token}"})
    forged = requests.get(f"{web.url}/worker/process-data/", headers={"Authorization": f"Token {token[::-1]}"})

    assert (page.status_code, made.status_code) == (200, 200)
    assert (asked.status_code, forged.status_code) == (403, 401)  # a reader may not, and nobody must not
