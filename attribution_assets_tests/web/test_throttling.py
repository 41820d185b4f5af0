"""Who guesses passwords, or asks too often, has to wait; nobody else does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from requests.adapters import HTTPAdapter

from attribution_assets_tests.support import Shop
from attribution_assets_tests.web.accounts import PASSWORD
from attribution_assets_tests.web.live import LiveWeb

LOGINS = ("/login/", "/admin/login/", "/api-auth/login/")
TRIES = 5
FAILURES_OF_AN_ADDRESS = 50


@pytest.fixture
def web(shop: Shop) -> Iterator[LiveWeb]:
    """A server over an empty database."""
    with LiveWeb(shop.database) as live:
        yield live


def log_in(web: LiveWeb, password: str, name: str = "staff", address: str = "/login/", **headers: str) -> requests.Response:
    """The answer to the form of a login, filled in; 302 where it lets in."""
    session = requests.Session()
    session.headers.update(headers)
    session.get(web.url + address)
    data = {"username": name, "password": password, "csrfmiddlewaretoken": session.cookies["csrftoken"]}
    return session.post(web.url + address, data=data, headers={"Referer": web.url + address}, allow_redirects=False)


def stored(web: LiveWeb) -> list[bytes]:
    """What the file of the web application has, with what SQLite keeps beside it."""
    return [path.read_bytes() for name in ("web.db", "web.db-wal") if (path := web.folder / name).exists()]


@pytest.mark.parametrize("address", LOGINS)
def test_who_guesses_a_password_has_to_wait(web: LiveWeb, address: str) -> None:
    guessed = [log_in(web, f"guess {number}", address=address).status_code for number in range(TRIES)]
    known = log_in(web, PASSWORD, address=address)

    assert guessed == [200] * (TRIES - 1) + [429]
    assert (known.status_code, known.headers["Retry-After"]) == (429, "900")
    assert "The password was wrong too often. Try again in 15 minutes." in known.text


def test_it_does_not_matter_at_which_login_one_guesses(web: LiveWeb) -> None:
    for number in range(TRIES):
        log_in(web, f"guess {number}", address=LOGINS[number % len(LOGINS)])

    assert [log_in(web, PASSWORD, address=address).status_code for address in LOGINS] == [429] * 3


def test_others_still_get_in(web: LiveWeb) -> None:
    for number in range(TRIES):
        log_in(web, f"guess {number}")

    assert log_in(web, PASSWORD, name="reader").status_code == 302


def test_who_guesses_for_many_names_has_to_wait_for_all_of_them(web: LiveWeb) -> None:
    guessed = [log_in(web, "guess", name=f"name {number}").status_code for number in range(FAILURES_OF_AN_ADDRESS)]

    assert guessed == [200] * (FAILURES_OF_AN_ADDRESS - 1) + [429]
    assert log_in(web, PASSWORD, name="reader").status_code == 429


@pytest.mark.parametrize("address", LOGINS[::2])
def test_a_login_is_ours_wherever_it_is(web: LiveWeb, address: str) -> None:
    page = requests.get(web.url + address).text

    assert "/static/attribution/attribution.css" in page
    assert "<style" not in page


def test_a_forged_address_does_not_help(web: LiveWeb) -> None:
    guessed = [
        log_in(web, f"guess {number}", **{"X-Forwarded-For": f"10.0.0.{number}"}).status_code for number in range(TRIES + 1)
    ]

    assert guessed[-2:] == [429, 429]


def test_behind_a_proxy_its_word_counts_and_what_stands_before_it_does_not(shop: Shop) -> None:
    with LiveWeb(shop.database, ATTRIBUTION_WEB_URL="http://localhost") as web:
        for number in range(TRIES):
            log_in(web, f"guess {number}", **{"X-Forwarded-For": f"10.0.0.{number}, 203.0.113.7"})
        same = log_in(web, PASSWORD, **{"X-Forwarded-For": "10.0.0.99, 203.0.113.7"})
        other = log_in(web, PASSWORD, **{"X-Forwarded-For": "10.0.0.99, 203.0.113.8"})

    assert (same.status_code, other.status_code) == (429, 302)


def test_another_machine_is_not_believed_who_asks_through_it(shop: Shop) -> None:
    elsewhere = HTTPAdapter()
    elsewhere.init_poolmanager(1, 1, source_address=("127.0.0.2", 0))
    with LiveWeb(shop.database, ATTRIBUTION_WEB_URL="https://localhost", ATTRIBUTION_WEB_PUBLIC="true") as web:
        with requests.Session() as session:
            session.mount("http://", elsewhere)
            forwarded = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
            from_elsewhere = session.get(f"{web.url}/login/", headers=forwarded)
        from_the_proxy = requests.get(f"{web.url}/login/", headers=forwarded)

    assert "Strict-Transport-Security" not in from_elsewhere.headers
    assert "Strict-Transport-Security" in from_the_proxy.headers


def test_who_asks_too_often_has_to_wait_and_others_do_not(shop: Shop) -> None:
    with LiveWeb(shop.database, ATTRIBUTION_WEB_PUBLIC="true") as web, requests.Session() as nobody:
        before = stored(web)
        answers = [
            nobody.get(f"{web.url}/api/days/", headers={"X-Forwarded-For": f"10.0.{number // 250}.{number % 250}"})
            for number in range(601)
        ]
        reader = web.program().get(f"{web.url}/api/days/")
        after = stored(web)
        page = nobody.get(f"{web.url}/overview/")
        download = nobody.get(f"{web.url}/download/channels.csv")
    last = answers[-1]

    assert {answer.status_code for answer in answers[:-1]} == {409}
    assert (last.status_code, last.headers["Content-Type"]) == (429, "application/problem+json")
    assert 0 < int(last.headers["Retry-After"]) <= 60
    assert last.json()["detail"] == "Too many requests. Ask again later."
    assert reader.status_code == 409
    for each in (page, download):
        assert (each.status_code, "Too many requests. Ask again later." in each.text) == (429, True)
        assert 0 < int(each.headers["Retry-After"]) <= 60
    assert after == before
