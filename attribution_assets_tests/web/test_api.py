"""The API as programs ask it: what it answers, what it refuses and how it says so, and that it keeps no answer too long."""

from __future__ import annotations

import csv
import io
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets.pages.registry import REPORTS
from attribution_assets.web.asked import MOST_LETTERS
from attribution_assets_tests.support import SHARED, Shop
from attribution_assets_tests.web.examples import ANALYSES
from attribution_assets_tests.web.live import LiveWeb

REAL = SHARED / "real" / "campaigns" / "campaign_results.csv"

OF_CAMPAIGNS = tuple(name.replace("_", "-") for name in ANALYSES)
ADDRESSES = (*OF_CAMPAIGNS, *(name.replace("_", "-") for name, report in REPORTS.items() if not report.requires))
"""The endpoints that answer without being told what about."""

WITH_DAYS = (
    *OF_CAMPAIGNS,
    *(name.replace("_", "-") for name, report in REPORTS.items() if report.has_days and not report.requires),
)

HOSTILE = (
    "<script>alert(1)</script>",
    "'; DROP TABLE channel_report; --",
    '"quoted", with a comma',
    "=1+1",
    "+1",
    "-1",
    "@cmd",
    "\ttab",
    "\rreturn",
    "🦊 fox",
    "شبكة",
    "a\u202eb",
    "50 % & more?",
    "two\nlines",
)
FORMULAS = ("=1+1", "+1", "-1", "@cmd", "\ttab", "\rreturn")


def answer(live: LiveWeb, address: str, **parameters: Any) -> Any:
    """What a program gets as JSON."""
    response = live.program().get(f"{live.url}/api/{address}/", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def problem(response: requests.Response) -> tuple[int, str]:
    """The status and the detail of a problem, which says both in its JSON, too."""
    assert response.headers["Content-Type"] == "application/problem+json"
    said = response.json()
    assert (set(said), said["status"]) == ({"type", "title", "status", "detail"}, response.status_code)
    return response.status_code, said["detail"]


def asked(live: LiveWeb, address: str, **parameters: Any) -> tuple[int, str]:
    return problem(live.program().get(f"{live.url}/api/{address}", params=parameters))


def reported(shop: Shop, *rows: tuple[str, str, float]) -> Shop:
    """The shop with these rows of channel_report: day, channel, and what stands for cost, orders and revenue."""
    shop.warehouse.prepare()
    for day, channel, figure in rows:
        shop.execute(
            "INSERT INTO channel_report "
            "(date, channel, cost, orders, revenue, CPO, ROAS, model, parameters, currency, final_after) VALUES "
            "(?1, ?2, ?3, ?3, ?3, 1, 1, 'ihc', 'challenge', 'EUR', ?1)",
            day,
            channel,
            figure,
        )
    return shop


# -- the endpoints of the campaigns -----------------------------------------------------------------------------------


@pytest.mark.skipif(not REAL.exists(), reason=f"{REAL.name} of the case study is not there")
def test_the_endpoints_of_the_campaigns_give_the_figures_of_the_case_study(tmp_path: Path) -> None:
    database = tmp_path / "study.db"
    result = CliRunner().invoke(main, ["import", "campaign_results", str(REAL), "--database", str(database)])
    assert result.exit_code == 0, result.output

    with LiveWeb(database) as live:
        rates, statuses, categories, means = (answer(live, address) for address in OF_CAMPAIGNS)
        without_slash = live.program().get(f"{live.url}/api/conversion-rate")

    def near(value: float) -> Any:
        return pytest.approx(value, rel=1e-12)

    assert (rates["start"], rates["end"]) == ("2024-01-02", "2024-08-14")
    assert [row["conversion_rate"] for row in rates["customers"]] == [
        near(0.003924789161501688),
        near(0.004050734868376329),
        near(0.003935861046978741),
    ]
    assert (rates["lowest"], rates["highest"]) == (rates["customers"][0], rates["customers"][1])
    assert without_slash.json() == rates
    assert statuses["status_totals"] == [
        {"status": "ENABLED", "revenue": near(6_121_893.33), "conversions": 24_439, "rows": 244},
        {"status": "HIDDEN", "revenue": near(6_558_736.78), "conversions": 25_916, "rows": 256},
    ]
    assert sum(row["rows"] for row in statuses["status_distribution"]) == 500
    assert categories["top_category_type"] == {
        "category": "FASHION", "type": "CONVERSION", "revenue": near(1_415_989.95), "conversions": 5_271, "rows": 52
    }  # fmt: skip
    assert means["type"] == "CONVERSION"
    assert [(row["average_revenue"], row["average_conversions"]) for row in means["filtered"]] == [
        (near(26_084.475208333333), near(105.14583333333333)),
        (near(24_771.766249999997), near(112.19642857142857)),
        (near(24_451.51895833333), near(94.60416666666667)),
    ]


def test_a_campaign_row_that_somebody_puts_into_the_table_shows_at_once(sample: Shop) -> None:
    with LiveWeb(sample.database) as live:
        before = answer(live, "conversion-rate")
        sample.execute("INSERT INTO campaign_results VALUES ('new', '2023-09-11', 'ENABLED', 'CONVERSION', 'TOYS', 8, 4, 9, 9)")
        after = answer(live, "conversion-rate")
        of_new = answer(live, "filtered-aggregation", category="TOYS")

    assert [row["customer_id"] for row in before["customers"]] == ["plant-shop"]
    assert after["customers"][0] == {"customer_id": "new", "revenue": 8.0, "conversions": 4, "conversion_rate": 0.5}
    assert (after["end"], after["highest"]["customer_id"]) == ("2023-09-11", "new")
    assert of_new["filtered"] == [{"customer_id": "new", "average_revenue": 8.0, "average_conversions": 4.0, "rows": 1}]


def test_the_means_are_of_the_rows_that_one_asks_for(server: LiveWeb) -> None:
    every = answer(server, "status-distribution", start="2023-09-02", end="2023-09-05")
    means = answer(server, "filtered-aggregation", start="2023-09-02", end="2023-09-05", type="AWARENESS", status="HIDDEN")

    rows = [row for row in every["status_distribution"] if (row["status"], row["type"]) == ("HIDDEN", "AWARENESS")]
    assert (means["type"], means["status"], means["category"]) == ("AWARENESS", "HIDDEN", None)
    assert [row["rows"] for row in means["filtered"]] == [sum(row["rows"] for row in rows)]


# -- the reports ------------------------------------------------------------------------------------------------------


def test_numbers_are_numbers_and_what_is_undefined_is_null(server: LiveWeb) -> None:
    rows = answer(server, "channels")["rows"]

    assert all(isinstance(row["cost"], float) and isinstance(row["revenue"], float) for row in rows)
    assert {row["channel"] for row in rows if row["roas"] is None} == {row["channel"] for row in rows if row["cost"] == 0}


def test_pages_of_rows_are_all_rows_once(server: LiveWeb) -> None:
    whole = answer(server, "channel-reporting")
    pages, following = [], "/api/channel-reporting/?limit=50"
    while following:
        page = server.program().get(f"{server.url}{following}").json()
        pages.append(page["rows"])
        following = page["next"]

    assert whole["next"] is None
    assert [row for page in pages for row in page] == whole["rows"]
    assert [len(page) for page in pages] == [50] * (whole["count"] // 50) + [whole["count"] % 50]


def test_csv_has_every_row_unless_fewer_are_asked_for(server: LiveWeb) -> None:
    def lines(**parameters: Any) -> list[list[str]]:
        response = server.program().get(f"{server.url}/api/channel-reporting/", params={"format": "csv", **parameters})
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        return list(csv.reader(io.StringIO(response.content.decode(), newline="")))

    head, *rows = lines()
    assert head == list(answer(server, "channel-reporting", limit=1)["rows"][0])
    assert len(rows) == answer(server, "channel-reporting", limit=1)["count"]
    assert lines(limit=2, offset=3) == [head, *rows[3:5]]


def test_a_filter_gives_the_rows_that_have_the_value(server: LiveWeb) -> None:
    found = answer(server, "channel-reporting", channel="Direct Traffic", start="2023-09-02", end="2023-09-03")

    assert [(row["date"], row["channel"]) for row in found["rows"]] == [
        ("2023-09-02", "Direct Traffic"), ("2023-09-03", "Direct Traffic")
    ]  # fmt: skip


@pytest.mark.parametrize("address", WITH_DAYS)
def test_every_range_of_days_that_there_are_is_answered(server: LiveWeb, address: str) -> None:
    statuses = [
        server.program().get(f"{server.url}/api/{address}/", params={"start": start, "end": end}).status_code
        for start, end in (
            ("0001-01-01", "9999-12-31"),
            ("0001-01-01", "0001-01-01"),
            ("1999-12-31", "2000-01-01"),
            ("9999-12-31", "9999-12-31"),
        )
    ]

    assert set(statuses) <= {200, 404, 409}


def test_a_range_without_data_has_no_rows(server: LiveWeb) -> None:
    assert answer(server, "channels", start="1999-12-31", end="2000-01-01")["rows"] == []
    assert answer(server, "conversion-rate", start="1999-12-31", end="2000-01-01") == {
        "start": "1999-12-31", "end": "2000-01-01", "customers": [], "highest": None, "lowest": None
    }  # fmt: skip


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("color=red", "no parameter 'color'"),
        ("channel=", "channel: must not be empty"),
        ("start=", "start: must not be empty"),
        ("start=2023-09-31", "not a date"),
        ("start=20230901", "not a date"),
        ("start=2023-09-02&end=2023-09-01", "reversed"),
        ("start=2023-09-01&start=2023-09-02", "Give start once"),
        ("model=oracle", "no model 'oracle'"),
        ("limit=0", "whole number from 1"),
        ("limit=10001", "to 10000"),
        ("limit=٣", "whole number"),
        ("limit=1e3", "whole number"),
        ("offset=-1", "whole number from 0"),
        ("offset=99999999999999999999", "whole number from 0"),
        ("format=xml", "Choose from json, csv"),
        ("spreadsheet=yes", "Choose from true, false"),
        ("channel=a%00b", "a letter that no text has"),
        (f"channel={'a' * (MOST_LETTERS + 1)}", f"more than {MOST_LETTERS} letters"),
    ],
)
def test_a_wrong_parameter_is_named(server: LiveWeb, query: str, said: str) -> None:
    status, detail = problem(server.program().get(f"{server.url}/api/channel-reporting/?{query}"))

    assert status == 400
    assert said in detail


def test_an_endpoint_refuses_what_it_could_not_heed(server: LiveWeb) -> None:
    assert asked(server, "conversion-rate/", model="ihc") == (
        400, "There is no parameter 'model' here. There are start, end."
    )  # fmt: skip
    assert asked(server, "", start="2023-09-01") == (400, "There is no parameter 'start' here. There are none.")


def test_sql_in_a_value_is_a_value(server: LiveWeb) -> None:
    for text in ("' OR 1=1 --", "x'; DROP TABLE channel_report; --", '"'):
        assert answer(server, "channel-reporting", channel=text)["rows"] == []
        assert answer(server, "filtered-aggregation", category=text)["filtered"] == []

    assert answer(server, "channel-reporting", channel="Direct Traffic")["rows"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_who_does_not_just_read_is_told_what_is_possible(server: LiveWeb, method: str) -> None:
    response = server.program().request(method, f"{server.url}/api/channels/")

    assert problem(response)[0] == 405
    assert response.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("accept", ["text/csv", "text/html", "application/xml", "*/*"])
def test_what_is_answered_follows_from_the_address_whatever_one_prefers(server: LiveWeb, accept: str) -> None:
    program = server.program()
    types = [
        program.get(f"{server.url}/api/{address}", headers={"Accept": accept}).headers["Content-Type"]
        for address in ("channels/?format=csv", "channels/", "conversion-rate/", "schema/")
    ]

    assert types == [
        "text/csv; charset=utf-8",
        "application/json",
        "application/json",
        "application/vnd.oai.openapi; charset=utf-8",
    ]


def test_a_name_that_the_server_does_not_know_is_a_problem_and_one_line_of_the_log(sample: Shop) -> None:
    with LiveWeb(sample.database) as live:
        before = live.log
        api, page = (
            requests.get(f"{live.url}{address}", headers={"Host": "elsewhere.example"}) for address in ("/api/days/", "/login/")
        )
        written = live.log.removeprefix(before)

    said = "The server does not know this name. Set ATTRIBUTION_WEB_URL to the URL that people use."
    assert problem(api) == (400, said)
    assert (page.status_code, said in page.text) == (400, True)
    assert len(written.splitlines()) == 2
    assert "Traceback" not in written


def test_head_is_get_without_the_body(server: LiveWeb) -> None:
    by_get, by_head = (server.program().request(method, f"{server.url}/api/channels/") for method in ("GET", "HEAD"))

    assert (by_head.status_code, by_head.content) == (200, b"")
    assert {name: by_head.headers[name] for name in ("Content-Type", "Content-Length", "ETag")} == {
        name: by_get.headers[name] for name in ("Content-Type", "Content-Length", "ETag")
    }


def test_an_address_of_ten_megabytes_is_too_long(server: LiveWeb) -> None:
    with suppress(requests.ConnectionError):  # it does not read to the end what it will not answer
        assert server.program().get(f"{server.url}/api/channels/?start={'1' * 10**7}").status_code == 431
    assert answer(server, "channels")["count"]


def test_an_address_that_is_none_is_a_problem_too(server: LiveWeb) -> None:
    assert asked(server, "no-such-report/") == (404, "There is no page /api/no-such-report/.")


# -- who may ask ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [*ADDRESSES, "", "schema"])
def test_who_has_not_logged_in_is_told_how(server: LiveWeb, address: str) -> None:
    response = requests.get(f"{server.url}/api/{address}")

    assert problem(response)[0] == 401
    assert response.headers["WWW-Authenticate"] == "Token"


@pytest.mark.parametrize("authorization", ["Token wrong", "Token", "Token a b", "Token \xff", "Basic c3RhZmY6eA=="])
def test_a_token_that_is_none_opens_nothing(server: LiveWeb, authorization: str) -> None:
    response = requests.get(f"{server.url}/api/channels/", headers={"Authorization": authorization.encode("latin-1")})

    assert problem(response)[0] == 401


def test_who_has_logged_in_with_a_browser_may_ask_and_try_the_endpoints_on_their_pages(server: LiveWeb) -> None:
    browser = server.login("reader")

    assert browser.get(f"{server.url}/api/channels/").status_code == 200
    assert browser.get(f"{server.url}/api/docs/").headers["Content-Type"] == "text/html; charset=utf-8"
    assert requests.get(f"{server.url}/api/docs/").url == f"{server.url}/login/?next=%2Fapi%2Fdocs%2F"


def test_where_reports_are_public_anybody_may_ask(sample: Shop) -> None:
    with LiveWeb(sample.database, ATTRIBUTION_WEB_PUBLIC="true") as live:
        assert requests.get(f"{live.url}/api/channels/").json()["count"]


# -- names that want to be something else -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWeb]:
    """A server over a shop whose channels have names that somebody has thought up."""
    folder = tmp_path_factory.mktemp("hostile")
    shop = Shop(folder / "shop.db", folder / "exports")
    reported(shop, *(("2023-09-01", name, -number - 1.5) for number, name in enumerate(HOSTILE)))
    with LiveWeb(shop.database, "--unthrottled") as live:
        yield live


def test_channels_keep_their_names_whatever_these_are(hostile: LiveWeb) -> None:
    assert sorted(row["channel"] for row in answer(hostile, "channels")["rows"]) == sorted(HOSTILE)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_channel_is_found_by_its_name_whatever_that_is(hostile: LiveWeb, name: str) -> None:
    assert [row["channel"] for row in answer(hostile, "channel-reporting", channel=name)["rows"]] == [name]


def test_csv_is_raw_for_programs_and_guarded_for_spreadsheets(hostile: LiveWeb) -> None:
    def cells(spreadsheet: str) -> dict[str, str]:
        parameters = {"format": "csv", "spreadsheet": spreadsheet}
        response = hostile.program().get(f"{hostile.url}/api/channel-reporting/", params=parameters)
        rows = csv.DictReader(io.StringIO(response.content.decode(), newline=""))
        return {row["channel"]: row["revenue"] for row in rows}

    raw, guarded = cells("false"), cells("true")

    assert sorted(raw) == sorted(HOSTILE)
    assert sorted(guarded) == sorted(f"'{name}" if name in FORMULAS else name for name in HOSTILE)
    assert sorted(raw.values()) == sorted(guarded.values()) == sorted(str(-number - 1.5) for number in range(len(HOSTILE)))


# -- databases that have no answer ------------------------------------------------------------------------------------


def test_without_a_database_or_without_results_one_is_told_what_to_do_and_a_locked_one_says_when_to_ask_again(
    tmp_path: Path,
) -> None:
    database = tmp_path / "shop.db"
    with LiveWeb(database) as live:
        status, detail = asked(live, "channels/")
        assert (status, "There is no database" in detail) == (409, True)

        shop = Shop(database, tmp_path / "exports")
        status, detail = asked(live, "channels/")
        assert (status, detail.endswith("Run `attribution run` first.")) == (409, True)
        status, detail = asked(live, "conversion-rate/")
        assert (status, detail.endswith("Import them with `attribution import campaign_results`.")) == (409, True)

        reported(shop, ("2023-09-01", "Email", 1.0))
        assert answer(live, "channels")["count"] == 1
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("PRAGMA journal_mode = delete")
            other.execute("BEGIN EXCLUSIVE")
            response = live.program().get(f"{live.url}/api/days/")
            assert problem(response)[0] == 503
            assert response.headers["Retry-After"] == "5"

        assert answer(live, "days")["count"] == 1


def test_a_model_that_is_not_computed_is_no_wrong_question(hostile: LiveWeb) -> None:
    status, detail = asked(hostile, "channels/", model="markov")

    assert (status, "Add markov to ATTRIBUTION_MODELS" in detail) == (409, True)


# -- answers that are kept --------------------------------------------------------------------------------------------


def test_an_answer_is_sent_once_and_then_only_that_it_still_holds(server: LiveWeb) -> None:
    first = server.program().get(f"{server.url}/api/days/")
    again = server.program().get(f"{server.url}/api/days/", headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])


def test_a_change_of_the_database_from_outside_shows_at_once(tmp_path: Path) -> None:
    shop = reported(Shop(tmp_path / "shop.db", tmp_path / "exports"), ("2023-09-01", "Email", 0.0))
    with LiveWeb(shop.database, "--unthrottled") as live:
        tag = live.program().get(f"{live.url}/api/days/").headers["ETag"]
        for revenue in range(1, 20):
            shop.execute("UPDATE channel_report SET revenue = ?", revenue)
            response = live.program().get(f"{live.url}/api/days/", headers={"If-None-Match": tag})
            tag = response.headers["ETag"]

            assert response.json()["total"]["revenue"] == revenue


def test_other_settings_give_other_answers_from_the_same_cache(tmp_path: Path) -> None:
    shop = reported(Shop(tmp_path / "shop.db", tmp_path / "exports"), ("2023-09-01", "Email", 1.0))

    def currency(code: str) -> Any:
        with LiveWeb(shop.database, ATTRIBUTION_CURRENCY=code) as live:
            return answer(live, "days")["currency"]

    assert [currency(code) for code in ("EUR", "USD", "EUR")] == ["EUR", "USD", "EUR"]


SWAP = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
for factor in iter(lambda: sys.stdin.readline().strip(), ""):
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE channel_report SET revenue = ? * CAST(substr(channel, 2) AS integer)", (float(factor),))
    connection.execute("COMMIT")
    print("done", flush=True)
"""
"""A writer that waits for nobody: where somebody has the file, it fails."""


def test_fifty_readers_get_whole_answers_of_one_state_while_another_process_writes_and_is_not_held_up(tmp_path: Path) -> None:
    rows = [(f"2023-09-{day:02}", f"c{number:02}", float(number)) for day in range(1, 11) for number in range(1, 21)]
    shop = reported(Shop(tmp_path / "shop.db", tmp_path / "exports"), *rows)
    states = [[(5.0 * factor * number, 5.0 * factor * number) for number in range(20, 0, -1)] for factor in (1, 2)]

    with (
        LiveWeb(shop.database, "--unthrottled") as live,
        subprocess.Popen(
            [sys.executable, "-c", SWAP, shop.database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as writer,
        ThreadPoolExecutor(50) as readers,
    ):
        assert writer.stdin
        assert writer.stdout
        program = live.program()

        def revenues(number: int) -> list[tuple[float, float]]:
            asked_for: dict[str, str | int] = {
                "start": "2023-09-06",
                "end": "2023-09-10",
                "limit": 20 + number % 7,
            }  # not all get what is kept
            response = program.get(f"{live.url}/api/channels/", params=asked_for)
            return [(row["revenue"], row["revenue_before"]) for row in response.json()["rows"]]

        answers = [readers.submit(revenues, number) for number in range(200)]
        swaps = 0
        while not all(answer.done() for answer in answers):
            writer.stdin.write(f"{swaps % 2 + 1}\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "done\n"
            swaps += 1
        writer.stdin.close()
        got = [answer.result() for answer in answers]

    assert writer.returncode == 0
    assert swaps > 2
    assert [revenues for revenues in got if revenues not in states] == []
    assert all(state in got for state in states)
