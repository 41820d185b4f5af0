"""Runs that are started from the web application: who may start them, one at a time, and what becomes of them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from filelock import FileLock

from attribution_assets_tests.support import SHARED, Shop, wait_for
from attribution_assets_tests.web.live import LiveWeb

REAL = SHARED / "real" / "campaigns" / "campaign_results.csv"

PROCESS_DATA, COMPARE = "/worker/process-data/", "/worker/compare/"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

HEADER = "customer_id,revenue,conversions,status,type,category,date,impressions,clicks\n"
ROWS = (
    "fern,100.5,4,ENABLED,CONVERSION,TOYS,2024-01-02,1000,50\n"
    "fern,20,1,HIDDEN,CONVERSION,TOYS,2024-01-03,500,20\n"
    "moss,50,2,ENABLED,ROAS,BOOKS,2024-01-03,700,10\n"
)
RESULTS = "SELECT customer_id, date, revenue, conversions FROM campaign_results ORDER BY customer_id, date"
PERFORMANCE = "SELECT date, customer_id, revenue, conversions FROM campaign_performance ORDER BY date, customer_id"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Three campaign results."""
    path = tmp_path / "results.csv"
    path.write_text(HEADER + ROWS)
    return path


@pytest.fixture
def web(shop: Shop, file: Path) -> Iterator[LiveWeb]:
    """A server over an empty database, which knows the file, and every model."""
    with LiveWeb(shop.database, ATTRIBUTION_CAMPAIGN_FILE=str(file), ATTRIBUTION_MODELS="all") as live:
        yield live


def start(web: LiveWeb, address: str = PROCESS_DATA, **data: str) -> dict[str, Any]:
    answer = web.program("staff").post(web.url + address, data=data)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def run_of(web: LiveWeb, started: dict[str, Any]) -> dict[str, Any]:
    answer = web.program("staff").get(web.url + started["url"])
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ended(web: LiveWeb, started: dict[str, Any]) -> dict[str, Any]:
    return wait_for(lambda: run if (run := run_of(web, started))["state"] != "running" else None)


def succeeded(web: LiveWeb, started: dict[str, Any]) -> dict[str, Any]:
    run = ended(web, started)
    assert run["state"] == "succeeded", run["output"]
    return run


@contextmanager
def locked(shop: Shop) -> Iterator[None]:
    """Nobody can write to the database meanwhile: a run that is started waits."""
    with closing(sqlite3.connect(shop.database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def processes(run_id: str) -> list[int]:
    """The process of the run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if run_id.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def session_of(pid: int) -> list[bytes]:
    """The command lines of a process and of those that it has started."""
    lines = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.getsid(int(folder.name)) == pid:
                lines.append((folder / "cmdline").read_bytes())
    return lines


def kill(run_id: str) -> None:
    """Kills the run's process and those that it has started."""
    [pid] = wait_for(lambda: processes(run_id))
    os.killpg(pid, signal.SIGKILL)


def stored(web: LiveWeb, query: str) -> list[tuple[Any, ...]]:
    """What the file of the web application has."""
    with closing(sqlite3.connect(web.folder / "web.db")) as connection:
        return connection.execute(query).fetchall()


# -- what process-data does -------------------------------------------------------------------------------------------


def test_process_data_imports_the_file_and_reports_it(shop: Shop, web: LiveWeb) -> None:
    run = succeeded(web, start(web))

    assert shop.execute(RESULTS) == [
        ("fern", "2024-01-02", 100.5, 4),
        ("fern", "2024-01-03", 20.0, 1),
        ("moss", "2024-01-03", 50.0, 2),
    ]
    assert [row[0] for row in shop.execute(PERFORMANCE)] == ["2024-01-02", "2024-01-03", "2024-01-03"]
    assert run["commands"] == [
        f"attribution import campaign_results {web.folder / 'results.csv'}",
        "attribution run --groups campaigns",
    ]
    assert (run["kind"], run["exit_code"], run["started_by"]) == ("process-data", 0, "staff")
    assert run["seconds"] > 0
    assert "$ attribution run --groups campaigns\n" in run["output"]


def test_the_same_file_again_changes_nothing_and_new_rows_arrive(shop: Shop, web: LiveWeb, file: Path) -> None:
    succeeded(web, start(web))
    first = (shop.execute(RESULTS), shop.execute(PERFORMANCE))

    succeeded(web, start(web))
    again = (shop.execute(RESULTS), shop.execute(PERFORMANCE))
    file.write_text(file.read_text() + "moss,7,1,ENABLED,ROAS,BOOKS,2024-01-04,70,10\n")
    before = shop.execute(RESULTS)
    succeeded(web, start(web))

    assert again == first
    assert before == first[0]
    assert shop.execute(RESULTS)[3:] == [("moss", "2024-01-04", 7.0, 1)]
    assert len(shop.execute(PERFORMANCE)) == 4


def test_the_endpoints_have_new_rows_once_the_file_is_processed_and_rows_put_in_by_hand_at_once(
    shop: Shop, web: LiveWeb, file: Path
) -> None:
    def highest() -> str:
        return str(web.program().get(f"{web.url}/api/conversion-rate/").json()["highest"]["customer_id"])

    succeeded(web, start(web))
    first = highest()
    file.write_text(file.read_text() + "moss,1,9000,ENABLED,ROAS,BOOKS,2024-01-04,70,10\n")
    between = highest()
    succeeded(web, start(web))
    processed = highest()
    shop.execute("UPDATE campaign_results SET customer_id = 'by hand' WHERE customer_id = 'moss'")

    assert between == first
    assert (processed, highest()) == ("moss", "by hand")


@pytest.mark.skipif(not REAL.exists(), reason="the real campaign results are not here")
def test_the_real_results_are_imported_whole(shop: Shop, web: LiveWeb, file: Path) -> None:
    shutil.copy(REAL, file)

    succeeded(web, start(web))

    for table in ("campaign_results", "campaign_performance"):
        [sums] = shop.execute(f"SELECT round(sum(revenue), 2), sum(conversions), sum(clicks) FROM {table}")
        assert sums == (12_680_630.11, 50_355, 1_276_597)
    assert shop.execute("SELECT count(*) FROM campaign_results") == [(500,)]


def test_a_broken_file_fails_the_run_and_nothing_follows(shop: Shop, web: LiveWeb, file: Path) -> None:
    file.write_text(HEADER + "fern,many,4,ENABLED,CONVERSION,TOYS,2024-01-02,1000,50\n")

    run = ended(web, start(web))

    assert (run["state"], run["exit_code"]) == ("failed", 1)
    assert "nothing was imported" in run["output"]
    assert "attribution run" not in run["output"]


def test_without_a_file_in_the_settings_process_data_names_the_variable(shop: Shop) -> None:
    with LiveWeb(shop.database) as web:
        answers = [getattr(web.program("staff"), method)(web.url + PROCESS_DATA) for method in ("get", "post")]
        page = web.login().get(web.url + PROCESS_DATA, headers=BROWSER)

    assert [answer.status_code for answer in (*answers, page)] == [409] * 3
    assert all("ATTRIBUTION_CAMPAIGN_FILE is not set" in answer.json()["detail"] for answer in answers)
    assert "ATTRIBUTION_CAMPAIGN_FILE is not set" in page.text
    assert "<button" not in page.text


def test_a_file_that_is_missing_is_named(web: LiveWeb, file: Path) -> None:
    file.unlink()

    answer = web.program("staff").post(web.url + PROCESS_DATA)

    assert answer.status_code == 409
    assert answer.json()["detail"].startswith(f"There is no file {file.name}, which ATTRIBUTION_CAMPAIGN_FILE names.")


def test_a_path_in_the_settings_begins_at_the_folder_of_the_server(shop: Shop, file: Path) -> None:
    with LiveWeb(shop.database, ATTRIBUTION_CAMPAIGN_FILE=file.name, ATTRIBUTION_EXPORTS="csv", DAGSTER_HOME="there") as web:
        succeeded(web, start(web))

    assert (web.folder / "there" / "dagster.yaml").exists()
    assert len(shop.execute(RESULTS)) == 3


# -- one at a time, in a process of its own ---------------------------------------------------------------------------


def test_while_a_run_is_under_way_everybody_gets_that_one(shop: Shop, web: LiveWeb) -> None:
    with locked(shop):
        with ThreadPoolExecutor(8) as at_once:
            started = list(at_once.map(lambda _: start(web), range(8)))
        other = start(web, COMPARE, start="2024-01-01", end="2024-01-02")
        kill(started[0]["id"])

    assert len({each["id"] for each in (*started, other)}) == 1
    assert other["kind"] == "process-data"
    assert stored(web, "SELECT count(*) FROM web_run") == [(1,)]


def test_a_second_server_does_not_start_another(shop: Shop, web: LiveWeb, file: Path) -> None:
    with locked(shop), LiveWeb(shop.database, ATTRIBUTION_CAMPAIGN_FILE=str(file)) as other:
        first, second = start(web), start(other)
        kill(first["id"])

    assert second["id"] == first["id"]


def test_a_run_that_is_killed_has_failed(shop: Shop, web: LiveWeb) -> None:
    with locked(shop):
        started = start(web)
        kill(started["id"])
        killed = ended(web, started)
        again = start(web)
    succeeded(web, again)

    assert (killed["state"], killed["finished"], killed["exit_code"]) == ("failed", None, None)
    assert "The run was killed." in killed["output"]
    assert again["id"] != started["id"]
    assert dict(stored(web, "SELECT state, count(*) FROM web_run GROUP BY state")) == {"failed": 1, "succeeded": 1}


def test_a_run_goes_on_when_the_server_is_killed(shop: Shop, web: LiveWeb, file: Path) -> None:
    with locked(shop):
        started = start(web)
        wait_for(lambda: processes(started["id"]))
        web.process.kill()
        web.process.wait()

    with LiveWeb(shop.database, ATTRIBUTION_CAMPAIGN_FILE=str(file)) as after:
        succeeded(after, started)

    assert len(shop.execute(RESULTS)) == 3


def test_a_run_says_that_it_waits_for_another_command(shop: Shop, web: LiveWeb) -> None:
    succeeded(web, start(web))

    with FileLock(web.folder / "home" / ".attribution_run.lock"):
        started = start(web)
        wait_for(lambda: "Another `attribution run` is using" in run_of(web, started)["output"])
        state = run_of(web, started)["state"]

    assert state == "running"
    succeeded(web, started)


def test_no_secret_is_on_a_command_line(shop: Shop, file: Path) -> None:
    secrets = {"IHC_API_KEY": "a-key-to-keep", "IHC_CONV_TYPE_ID": "shop", "IHC_BACKEND": "embedded"}
    with LiveWeb(shop.database, ATTRIBUTION_CAMPAIGN_FILE=str(file), **secrets) as web, locked(shop):
        started = start(web)
        [pid] = wait_for(lambda: processes(started["id"]))
        lines = wait_for(lambda: lines if len(lines := session_of(pid)) > 1 else None)
        kill(started["id"])

    assert [line for line in lines if b"a-key-to-keep" in line] == []


# -- who may, and how -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", [PROCESS_DATA, PROCESS_DATA.rstrip("/")])
def test_an_address_is_the_same_without_its_final_slash(web: LiveWeb, address: str) -> None:
    assert web.program("staff").get(web.url + address).json() == {"last_run": None}


def test_only_staff_may_see_and_start_runs(web: LiveWeb) -> None:
    started = start(web)
    kill(started["id"])
    asked = [("get", PROCESS_DATA), ("post", PROCESS_DATA), ("get", started["url"]), ("post", COMPARE)]

    def answers(session: requests.Session) -> set[tuple[int, str]]:
        given = [getattr(session, method)(web.url + address) for method, address in asked]
        return {(answer.status_code, answer.headers["Content-Type"]) for answer in given}

    assert answers(web.program("reader")) == {(403, "application/problem+json")}
    assert answers(requests.Session()) == {(401, "application/problem+json")}
    assert stored(web, "SELECT count(*) FROM web_run") == [(1,)]


def test_people_are_sent_to_the_login_or_told_that_they_may_not(web: LiveWeb) -> None:
    nobody = requests.get(web.url + PROCESS_DATA, headers=BROWSER, allow_redirects=False)
    reader = web.login("reader").get(web.url + PROCESS_DATA, headers=BROWSER)

    assert (nobody.status_code, nobody.headers["Location"]) == (302, f"/login/?next={PROCESS_DATA}")
    assert (reader.status_code, reader.headers["Content-Type"]) == (403, "text/html; charset=utf-8")
    assert "Not allowed" in reader.text


def test_the_button_starts_a_run_and_leads_to_its_page(web: LiveWeb) -> None:
    staff = web.login()
    staff.headers.update(BROWSER)
    page = staff.get(web.url + PROCESS_DATA)
    token = {"csrfmiddlewaretoken": staff.cookies["csrftoken"]}

    pressed = staff.post(web.url + PROCESS_DATA, data=token, allow_redirects=False)
    run_page = wait_for(
        lambda: page if "Refresh" not in (page := staff.get(web.url + pressed.headers["Location"])).headers else None
    )

    assert "<button>Process data</button>" in page.text
    assert pressed.status_code == 303
    assert "<strong>succeeded</strong>" in run_page.text
    assert "$ attribution import campaign_results" in run_page.text
    assert "<strong>succeeded</strong>" in staff.get(web.url + PROCESS_DATA).text


def test_the_page_of_a_run_that_is_under_way_looks_again(shop: Shop, web: LiveWeb) -> None:
    with locked(shop):
        started = start(web)
        page = web.login().get(web.url + started["url"], headers=BROWSER)
        kill(started["id"])

    assert page.headers["Refresh"] == "2"
    assert "Under way since" in page.text


def test_another_site_cannot_press_the_button(web: LiveWeb) -> None:
    staff = web.login()

    answer = staff.post(web.url + PROCESS_DATA)

    assert answer.status_code == 403
    assert "CSRF" in answer.json()["detail"]
    assert stored(web, "SELECT count(*) FROM web_run") == [(0,)]


def test_looking_writes_nothing(shop: Shop, web: LiveWeb) -> None:
    started = start(web)
    kill(started["id"])
    staff = web.login()

    def files() -> dict[str, bytes]:
        of_databases = (path for path in web.folder.iterdir() if ".db" in path.name and "-shm" not in path.name)
        return {path.name: path.read_bytes() for path in of_databases}

    before = files()
    for session in (staff, web.program("staff")):
        for headers in (BROWSER, {"Accept": "application/json"}):
            for address in (PROCESS_DATA, started["url"], "/worker/runs/00000000-0000-0000-0000-000000000000/"):
                assert session.get(web.url + address, headers=headers).status_code in {200, 404}

    assert files() == before


def test_an_unknown_run_is_not_found(web: LiveWeb) -> None:
    unknown = web.program("staff").get(f"{web.url}/worker/runs/00000000-0000-0000-0000-000000000000")

    assert (unknown.status_code, unknown.json()["title"]) == (404, "Not found")


# -- compare ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "says"),
    [
        ({"start": "2024-01-01", "end": "yesterday"}, "end: Date has wrong format."),
        ({"start": "2024-02-01", "end": "2024-01-01"}, "end: must not be before start"),
    ],
)
def test_a_comparison_refuses_days_that_make_no_range(web: LiveWeb, days: dict[str, str], says: str) -> None:
    answer = web.program("staff").post(web.url + COMPARE, json=days)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith(says)


def test_a_comparison_refuses_what_it_does_not_know(web: LiveWeb) -> None:
    staff = web.program("staff")
    unknown = staff.post(web.url + COMPARE, json={"start": "2024-01-01", "until": "2024-01-31"})
    in_the_address = staff.post(web.url + COMPARE, params={"start": "2024-01-01"})

    assert (unknown.status_code, unknown.json()["detail"]) == (400, "until: is unknown. There are start, end.")
    assert (in_the_address.status_code, in_the_address.json()["detail"]) == (
        400,
        "Give the range in the body of the request, not in its address.",
    )


def test_without_models_there_is_nothing_to_compare(shop: Shop) -> None:
    says = "Without models there is no table model_comparison. Set ATTRIBUTION_MODELS to `all`"
    with LiveWeb(shop.database) as web:
        posted = web.program("staff").post(web.url + COMPARE)
        looked = web.login().get(web.url + COMPARE, headers=BROWSER)
        models = web.login().get(f"{web.url}/models/").text

    assert (posted.status_code, posted.json()["detail"].startswith(says)) == (409, True)
    assert (looked.status_code, says in looked.text) == (409, True)
    assert COMPARE not in models


def test_the_form_compares_the_range_that_it_shows(web: LiveWeb) -> None:
    staff = web.login()
    form = staff.get(f"{web.url}{COMPARE}?start=2024-01-01&end=2024-01-31", headers=BROWSER)
    days = dict(re.findall(r'type="date" name="(\w+)" value="([^"]*)"', form.text))
    answer = staff.post(
        web.url + COMPARE,
        data={**days, "csrfmiddlewaretoken": staff.cookies["csrftoken"]},
        headers={**BROWSER, "Referer": web.url + COMPARE},
        allow_redirects=False,
    )

    assert answer.status_code == 303, answer.text
    assert ended(web, {"url": answer.headers["Location"]})["commands"][0] == (
        "attribution compare --keep --start 2024-01-01 --end 2024-01-31"
    )


def test_without_days_a_comparison_is_of_all_of_them(web: LiveWeb) -> None:
    started = start(web, COMPARE)
    kill(started["id"])

    assert run_of(web, started)["commands"] == ["attribution compare --keep", "attribution paths --keep"]


def test_a_comparison_keeps_models_and_paths_of_the_range(web: LiveWeb) -> None:
    run = ended(web, start(web, COMPARE, start="2024-01-01", end="2024-01-31"))

    assert run["commands"] == [
        "attribution compare --keep --start 2024-01-01 --end 2024-01-31",
        "attribution paths --keep --start 2024-01-01 --end 2024-01-31",
    ]
