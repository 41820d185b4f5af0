"""The pages and their downloads as a browser asks for them: their numbers, what they refuse, and whom they let in."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote

import openpyxl
import pytest
import requests
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets.pages.registry import PAGES
from attribution_assets_tests.support import PROJECT, Shop, wait_for
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.web.accounts import TOKENS
from attribution_assets_tests.web.conftest import EVERY_MODEL, report_sample
from attribution_assets_tests.web.live import LiveWeb

WHOLE = "start=2023-09-01&end=2023-09-10"

HOSTILE = ("<script>alert(1)</script>", "\"quoted\" & 'single'", "=1+1", "@sum", "مرحبا", "🎯 & co", "a/b?c=d&e#f", "x" * 300)
"""Names that channels may have."""


def rows_of(page: str, heading: str) -> dict[str, list[str]]:
    """By the first cell the other cells of the table below a heading."""
    _, _, after = page.partition(f">{heading}</h2>")
    table = after.partition("<tbody>")[2].partition("</tbody>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)]
    texts = [[html.unescape(re.sub(r"<[^>]+>", "", cell)).strip() for cell in row] for row in rows]
    return {row[0]: row[1:] for row in texts}


# Numbers --------------------------------------------------------------------------------------------------------------


def test_numbers_on_pages_in_the_api_in_files_and_in_a_run_are_the_same(sample: Shop, tmp_path: Path) -> None:
    environment = {
        **EVERY_MODEL,
        "ATTRIBUTION_DATABASE": str(sample.database),
        "ATTRIBUTION_EXPORTS": str(sample.exports),
        "DAGSTER_HOME": str(tmp_path / "home"),
    }

    def command(*arguments: str) -> str:
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    told = json.loads(command("run", "--json"))
    days = ("--start", told["report_start"], "--end", told["report_end"])
    command("report", *days, "--html", str(tmp_path / "r.html"), "--xlsx", str(tmp_path / "r.xlsx"))
    with LiveWeb(sample.database, **EVERY_MODEL) as server:
        page = server.login().get(f"{server.url}/overview/?{WHOLE}").text
        answered = server.program().get(f"{server.url}/api/channels/?{WHOLE}").json()["rows"]
        downloaded = server.login().get(f"{server.url}/download/channels.csv?{WHOLE}").text

    figures = ("cost", "orders", "revenue")
    by_run = {row["channel"]: tuple(row[name] for name in figures) for row in told["channels"]}
    to_the_cent = {channel: [f"{value:,.2f}" for value in values] for channel, values in by_run.items()}
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx")["Channels"]
    by_sheet = {row[0]: row[1:4] for row in sheet.iter_rows(min_row=2, max_row=len(by_run) + 1, values_only=True)}
    assert len(by_run) > 5
    assert {row["channel"]: tuple(row[name] for name in figures) for row in answered} == by_run
    assert {
        row["channel"]: tuple(float(row[name]) for name in figures) for row in csv.DictReader(io.StringIO(downloaded))
    } == by_run
    assert {channel: pytest.approx(values, rel=1e-14) for channel, values in by_sheet.items()} == by_run
    assert {channel: cells[:3] for channel, cells in rows_of(page, "Channels").items()} == to_the_cent
    assert {
        channel: cells[:3] for channel, cells in rows_of((tmp_path / "r.html").read_text(), "Channels").items()
    } == to_the_cent


def test_the_range_before_is_compared_only_where_the_report_has_all_of_it(server: LiveWeb) -> None:
    session = server.login()

    whole = session.get(f"{server.url}/overview/?start=2023-09-06&end=2023-09-10").text
    cut = session.get(f"{server.url}/overview/?start=2023-09-05&end=2023-09-10").text

    assert (
        rows_of(whole, "All channels together")["all"][5]
        == rows_of(session.get(f"{server.url}/overview/?start=2023-09-01&end=2023-09-05").text, "All channels together")["all"][
            0
        ]
    )
    assert rows_of(cut, "All channels together")["all"][5:] == [""] * 5


def test_a_page_shows_500_rows_and_the_download_has_all(sample: Shop) -> None:
    sample.execute(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 700) INSERT INTO channel_report "
        "SELECT '2023-09-01', 'c' || i, 1, 0, 0, NULL, 0, 'ihc', 'challenge', 'EUR', '2023-09-15' FROM n"
    )
    with LiveWeb(sample.database, **EVERY_MODEL) as server:
        session = server.login()
        page = session.get(f"{server.url}/overview/?{WHOLE}").text
        downloaded = session.get(f"{server.url}/download/channels.csv?{WHOLE}").text

    assert len(rows_of(page, "Channels")) == 500
    assert "These are the first 500 of 712 rows." in page
    assert len(downloaded.splitlines()) == 713


# Hostile text ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[LiveWeb]:
    """A server over a sample whose channels have names that somebody chose to do harm with."""
    folder = templates.copy("web", report_sample, tmp_path_factory.mktemp("hostile"))
    with closing(sqlite3.connect(folder / "shop.db")) as connection, connection:
        names = [name for (name,) in connection.execute("SELECT DISTINCT channel FROM channel_report ORDER BY channel")]
        for table, column in (
            ("channel_report", "channel"),
            ("channel_reporting", "channel_name"),
            ("session_sources", "channel_name"),
        ):
            connection.executemany(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", zip(HOSTILE, names, strict=False))
    with LiveWeb(folder / "shop.db", **EVERY_MODEL) as live:
        yield live


def test_names_of_channels_are_text_and_nothing_else(hostile: LiveWeb) -> None:
    page = hostile.login().get(f"{hostile.url}/overview/?{WHOLE}").text

    assert {*HOSTILE} <= rows_of(page, "Channels").keys()
    assert "<script>alert" not in page


def test_a_channel_of_any_name_can_be_clicked(hostile: LiveWeb) -> None:
    session = hostile.login()
    page = session.get(f"{hostile.url}/overview/?{WHOLE}").text
    links = [html.unescape(link) for link in re.findall(r'href="(/why/\?[^"]*channel=[^"]*)"', page)]

    for link in links:
        answer = session.get(f"{hostile.url}{link}")
        assert (answer.status_code, "There are no rows" in answer.text) == (200, False), unquote(link)
    assert len(links) >= len(HOSTILE)


def test_downloads_guard_text_against_formulas_and_leave_numbers_alone(hostile: LiveWeb) -> None:
    session = hostile.login()
    rows = [*csv.reader(io.StringIO(session.get(f"{hostile.url}/download/channels.csv?{WHOLE}").text))]
    sheet = openpyxl.load_workbook(io.BytesIO(session.get(f"{hostile.url}/download/channels.xlsx?{WHOLE}").content))["Channels"]

    assert {"'=1+1", "'@sum"} <= {row[0] for row in rows}
    assert all(float(cell or 0) or True for row in rows[1:] for cell in row[1:])
    assert {("=1+1", "s"), ("@sum", "s")} <= {(cell.value, cell.data_type) for [cell] in sheet.iter_rows(max_col=1)}


# What is refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/overview/?start=yesterday", 400, "is not a date"),
        ("/overview/?start=2023-09-05&end=2023-09-01", 400, "reversed"),
        ("/overview/?model=best", 400, "There is no model"),
        ("/overview/?colour=red", 400, "There is no parameter"),
        ("/overview/?start=2023-09-01&start=2023-09-02", 400, "once"),
        ("/download/channels.csv?end=2023-13-01", 400, "is not a date"),
        ("/download/totals.csv?channel=nonsense", 400, "There is no parameter 'channel' here. There are start, end, model."),
        ("/download/checks.csv?start=2023-09-01", 400, "There is no parameter 'start' here."),
        (
            "/why/?conversion=none&channel=Referral",
            400,
            "There is no parameter 'channel' here. There are start, end, model, conversion.",
        ),
        ("/download/nothing.csv", 404, "There is no page"),
        ("/download/channels.exe", 404, "There is no page"),
        ("/nothing/", 404, "There is no page"),
        ("/why/?conversion=none", 200, "There is no conversion"),
    ],
)
def test_a_wrong_address_is_told_what_is_wrong(server: LiveWeb, address: str, status: int, said: str) -> None:
    answer = server.login().get(f"{server.url}{address}")

    assert (answer.status_code, said in html.unescape(answer.text)) == (status, True)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(
    "days", ["start=0001-01-01&end=9999-12-31", "start=0001-01-01&end=0001-01-01", "end=9999-12-31", "start=2050-01-01", ""]
)
def test_every_page_answers_for_every_range(server: LiveWeb, name: str, days: str) -> None:
    assert server.login().get(f"{server.url}/{name}/?{days}").status_code == 200


def test_a_page_says_which_rows_a_filter_leaves_and_how_to_see_all(server: LiveWeb) -> None:
    session = server.login()

    page = session.get(f"{server.url}/why/?date=2023-09-05&{WHOLE}").text

    assert rows_of(page, "Channels by day").keys() == {"2023-09-05"}
    assert 'Only date <strong>2023-09-05</strong> · <a href="/why/?start=2023-09-01&amp;end=2023-09-10">show all</a>' in page
    assert "Only" not in session.get(f"{server.url}/why/?{WHOLE}").text


def test_a_download_has_the_rows_of_its_table_and_not_more(server: LiveWeb) -> None:
    session = server.login()
    page = session.get(f"{server.url}/breakdowns/?dimension=market&{WHOLE}").text
    links = [html.unescape(link) for link in re.findall(r'href="(/download/[^"]*csv[^"]*)"', page)]

    files = [[*csv.DictReader(io.StringIO(session.get(f"{server.url}{link}").text))] for link in links]

    assert [link.count("dimension=market") for link in links] == [1, 0]
    assert {row["dimension"] for row in files[0]} == {"market"}
    assert files[1]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_to_a_download_is_answered(server: LiveWeb, name: str) -> None:
    session = server.login()
    page = session.get(f"{server.url}/{name}/?{WHOLE}&model=last_touch").text

    for link in re.findall(r'href="(/download/[^"]*csv[^"]*)"', page):
        assert session.get(f"{server.url}{html.unescape(link)}").status_code == 200, link


def test_a_page_can_only_be_read(server: LiveWeb) -> None:
    session = server.login()

    answer = session.post(
        f"{server.url}/overview/", data={"csrfmiddlewaretoken": session.cookies["csrftoken"]}, headers={"Referer": server.url}
    )

    assert answer.status_code == 405


def test_a_database_that_is_missing_or_locked_is_one_sentence_without_its_folder(tmp_path: Path, sample: Shop) -> None:
    with LiveWeb(tmp_path / "missing.db") as server:
        missing = server.login().get(f"{server.url}/overview/")
    with closing(sqlite3.connect(sample.database, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = delete")
        writer.execute("BEGIN EXCLUSIVE")
        with LiveWeb(sample.database) as server:
            locked = server.login().get(f"{server.url}/overview/")

    assert (missing.status_code, locked.status_code, locked.headers["Retry-After"]) == (409, 503, "5")
    assert "There is no database missing.db." in missing.text
    assert "shop.db stayed locked by another process for 5 s. Ask again in a moment." in locked.text
    assert str(tmp_path) not in missing.text + locked.text


@contextmanager
def held_up(file: Path) -> Iterator[None]:
    """Whoever reads the file waits until the block ends."""
    content, pipe, beside = file.read_text(), file.with_name("pipe"), file.with_name("beside")
    os.mkfifo(pipe)
    file.rename(beside)
    pipe.rename(file)
    try:
        yield
    finally:
        file.rename(pipe)
        beside.rename(file)
        with os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "w") as waiting:
            waiting.write(content)


def test_who_asks_about_the_history_at_once_does_not_stop_the_server(sample: Shop) -> None:
    with LiveWeb(sample.database, ATTRIBUTION_WEB_PUBLIC="true", **EVERY_MODEL) as server, ThreadPoolExecutor(9) as people:
        with held_up(server.folder / "home" / "database.json"):
            asked = [people.submit(requests.get, f"{server.url}/health/?{WHOLE}") for _ in range(9)]
            wait_for(lambda: sum(each.done() for each in asked) == 7)
            others = [requests.get(f"{server.url}{address}").status_code for address in ("/health-check/", "/overview/")]
            status = requests.get(f"{server.url}/api/status/")
            refused = [each.result() for each in asked if each.done()]

        statuses = sorted(each.result().status_code for each in asked)

    assert [(each.status_code, each.headers["Retry-After"]) for each in (*refused, status)] == [(503, "5")] * 8
    assert others == [200, 200]
    assert statuses == [200, 200] + [503] * 7


def test_with_the_history_of_another_database_each_table_that_needs_it_says_so(sample: Shop) -> None:
    home = sample.database.parent / "home" / "database.json"
    home.write_text(json.dumps({**json.loads(home.read_text()), "database_id": "another"}))

    with LiveWeb(sample.database, **EVERY_MODEL) as server:
        page = server.login().get(f"{server.url}/health/?{WHOLE}")
        status = server.program().get(f"{server.url}/api/status/")

    assert page.status_code == 200
    assert page.text.count("holds the history of") == 4
    assert rows_of(page.text, "Tracking against the backend")
    assert status.status_code == 409


# Who may see what -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["/", *(f"/{name}/" for name in PAGES), "/download/channels.csv"])
def test_who_has_not_logged_in_is_sent_to_the_login_and_back(server: LiveWeb, address: str) -> None:
    answer = requests.get(f"{server.url}{address}", allow_redirects=False, timeout=60)

    assert (answer.status_code, unquote(answer.headers["Location"])) == (302, f"/login/?next={address}")


def test_the_login_leads_to_no_other_host(server: LiveWeb) -> None:
    session = requests.Session()
    session.get(f"{server.url}/login/?next=//example.com/")
    form = {"username": "reader", "password": "a word that is secret", "next": "//example.com/"}

    answer = session.post(
        f"{server.url}/login/",
        data={**form, "csrfmiddlewaretoken": session.cookies["csrftoken"]},
        headers={"Referer": f"{server.url}/login/"},
        allow_redirects=False,
    )

    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_who_has_logged_in_can_look_at_the_login(server: LiveWeb) -> None:
    assert server.login().get(f"{server.url}/login/?next=/login/").status_code == 200


def test_public_reports_are_open_and_runs_and_the_admin_are_not(sample: Shop) -> None:
    with LiveWeb(sample.database, ATTRIBUTION_WEB_PUBLIC="true") as server:
        statuses = [
            requests.get(f"{server.url}{address}", allow_redirects=False, timeout=60).status_code
            for address in ("/overview/", "/download/channels.csv", "/api/channels/", "/admin/web/run/")
        ]

    assert statuses == [200, 200, 200, 302]


def test_every_answer_forbids_what_comes_from_elsewhere(server: LiveWeb) -> None:
    session = server.login()

    for address in (
        "/overview/",
        "/login/",
        "/admin/",
        "/api/channels/",
        "/nothing/",
        "/health-check/",
        "/static/attribution/attribution.js",
    ):
        policy = session.get(f"{server.url}{address}").headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy


def test_a_reader_is_shown_no_way_to_what_staff_does(server: LiveWeb) -> None:
    pages = {name: server.login(name).get(f"{server.url}/overview/").text for name in ("staff", "reader")}

    assert {name: "/admin/" in page for name, page in pages.items()} == {"staff": True, "reader": False}


# What is kept ---------------------------------------------------------------------------------------------------------


def test_a_page_is_sent_again_only_if_something_has_changed(sample: Shop) -> None:
    with LiveWeb(sample.database, **EVERY_MODEL) as server:
        session = server.login()
        first = session.get(f"{server.url}/overview/?{WHOLE}")
        again = session.get(f"{server.url}/overview/?{WHOLE}", headers={"If-None-Match": first.headers["ETag"]})
        sample.execute("UPDATE channel_report SET revenue = revenue + 1000 WHERE channel = 'Referral' AND date = '2023-09-02'")
        changed = session.get(f"{server.url}/overview/?{WHOLE}", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content, changed.status_code) == (304, b"", 200)
    before, after = (float(rows_of(page.text, "Channels")["Referral"][2].replace(",", "")) for page in (first, changed))
    assert after - before == pytest.approx(1000)


@pytest.mark.parametrize("form", ["{}", "W/{}", '"another", {}', "*"])
def test_a_tag_is_known_in_every_form_that_it_can_have(server: LiveWeb, form: str) -> None:
    session = server.login()
    tag = session.get(f"{server.url}/overview/?{WHOLE}").headers["ETag"]

    again = session.get(f"{server.url}/overview/?{WHOLE}", headers={"If-None-Match": form.format(tag)})
    wrong = session.get(f"{server.url}/overview/?model=best", headers={"If-None-Match": form.format(tag)})

    assert (again.status_code, again.headers["ETag"], wrong.status_code) == (304, tag, 400)


def test_data_health_follows_the_history_too(sample: Shop, tmp_path: Path) -> None:
    with LiveWeb(sample.database, **EVERY_MODEL) as server:
        session = server.login()
        first = session.get(f"{server.url}/health/?{WHOLE}")
        again = session.get(f"{server.url}/health/?{WHOLE}", headers={"If-None-Match": first.headers["ETag"]})
        environment = {**EVERY_MODEL, "ATTRIBUTION_DATABASE": str(sample.database), "DAGSTER_HOME": str(tmp_path / "home")}
        result = CliRunner().invoke(main, ["run", "--groups", "campaigns", "--exports", str(sample.exports)], env=environment)
        assert result.exit_code == 0, result.output
        changed = session.get(f"{server.url}/health/?{WHOLE}", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, changed.status_code) == (304, 200)


# The documentation ----------------------------------------------------------------------------------------------------

ASKING = [
    content
    for content in re.findall(r"^```bash\n(.*?)^```$", (PROJECT / "docs" / "web.md").read_text(), re.MULTILINE | re.DOTALL)
    if content.startswith("curl")
]


@pytest.mark.parametrize("command", ASKING, ids=["channels", "process-data"])
def test_what_the_documentation_asks_is_answered(sample: Shop, tmp_path: Path, command: str) -> None:
    (tmp_path / "results.csv").write_text(
        "customer_id,date,status,type,category,revenue,conversions\nshop,2023-09-01,ENABLED,CONVERSION,TOYS,1,1\n"
    )
    with LiveWeb(sample.database, ATTRIBUTION_CAMPAIGN_FILE=str(tmp_path / "results.csv"), **EVERY_MODEL) as server:
        script = command.replace("http://127.0.0.1:8000", server.url).replace("curl", "curl --silent --fail-with-body")
        asked = subprocess.run(
            ["bash", "-c", script], env={**os.environ, "TOKEN": TOKENS["staff"]}, capture_output=True, text=True, check=False
        )
        if "process-data" in command:
            wait_for(
                lambda: (
                    server.program("staff").get(f"{server.url}{answer['url']}").json()["finished"]
                    if (answer := json.loads(asked.stdout))
                    else None
                )
            )

    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert json.loads(asked.stdout).keys() >= (
        {"id", "url", "state"} if "process-data" in command else {"start", "model", "rows", "next"}
    )
