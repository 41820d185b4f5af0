"""The web application in a real browser, used as a marketer does."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import openpyxl
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from attribution_assets.pages.registry import PAGES
from attribution_assets_tests.support import Shop
from attribution_assets_tests.web.accounts import PASSWORD
from attribution_assets_tests.web.conftest import EVERY_MODEL
from attribution_assets_tests.web.live import LiveWeb

PATIENCE = 300_000  # milliseconds: a page may take long on a busy machine, but not for ever

SERIOUS = {"serious", "critical"}


@pytest.fixture(scope="module")
def browser(server: LiveWeb) -> Iterator[Browser]:
    """The system's Chromium, started after the sample is made. Without it the test is skipped, but not in CI."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        missing = "no Chromium on the PATH (Debian: apt-get install chromium): the pages were not tried in a browser"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    expect.set_options(timeout=PATIENCE)
    quiet = [
        "--no-sandbox",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright, playwright.chromium.launch(executable_path=chromium, args=quiet) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A tab, which takes down what it asked for and what it complained about."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context, context.new_page() as page:
        page.set_default_timeout(PATIENCE)
        yield page


class Heard:
    """What a tab asks for, and what its console says."""

    def __init__(self, page: Page) -> None:
        self.addresses: list[str] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self.addresses.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


def log_in(page: Page, server: LiveWeb, address: str = "/") -> None:
    page.goto(f"{server.url}{address}")
    page.get_by_label("Name").fill("staff")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(r"/overview/|" + re.escape(address)))


def test_a_marketer_reads_the_report_and_takes_a_number_apart(sample: Shop, page: Page, tmp_path: Path) -> None:
    provisional = {**EVERY_MODEL, "ATTRIBUTION_END_DATE": "2023-09-10"}
    with LiveWeb(sample.database, **provisional) as server:
        heard = Heard(page)
        log_in(page, server)
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        expect(page.locator(".basis .mark.provisional")).to_be_visible()
        expect(page.locator("figure.chart canvas").first).to_be_visible()

        page.get_by_label("From").fill("2023-09-03")
        page.get_by_label("to", exact=True).fill("2023-09-08")
        page.get_by_label("Model").select_option("linear")
        page.get_by_role("button", name="Show").click()
        page.wait_for_url("**/overview/?start=2023-09-03&end=2023-09-08&model=linear")
        expect(page.locator(".days")).to_have_text(re.compile("2023-09-03 to 2023-09-08"))
        expect(page.locator(".basis").first).to_contain_text("By the model linear")

        page.goto(f"{server.url}/overview/?start=2023-09-03&end=2023-09-08")
        with page.expect_download() as started:
            page.get_by_role("link", name="XLSX of Channels", exact=True).click()
        started.value.save_as(tmp_path / "channels.xlsx")
        sheet = openpyxl.load_workbook(tmp_path / "channels.xlsx")["Channels"]
        shown = page.locator("section", has=page.get_by_role("heading", name="Channels", exact=True)).locator("tbody tr").first
        channel, cost = shown.locator("td").nth(0).inner_text(), shown.locator("td").nth(1).inner_text()
        assert (sheet["A2"].value, f"{sheet['B2'].value:,.2f}") == (channel, cost)

        page.get_by_role("link", name=channel, exact=True).click()
        page.get_by_role("link", name="2023-09-0").first.click()
        journeys = page.locator("tbody a")
        expect(journeys.first).to_be_visible()
        journeys.first.click()
        expect(page.get_by_role("cell", name=channel, exact=True).first).to_be_visible()

    assert heard.complaints == []
    assert [address for address in heard.addresses if not address.startswith((server.url, "blob:", "data:"))] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_serious_fault_for_who_uses_keyboard_or_screen_reader(server: LiveWeb, page: Page, name: str) -> None:
    heard = Heard(page)
    log_in(page, server, f"/{name}/")
    expect(page.locator("main h1")).to_be_visible()

    found = Axe().run(page).response["violations"]

    assert [(fault["id"], fault["nodes"][0]["html"]) for fault in found if fault["impact"] in SERIOUS] == []
    assert heard.complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_on_a_phone_in_light_and_dark(server: LiveWeb, browser: Browser, scheme: str) -> None:
    with (
        browser.new_context(
            viewport={"width": 390, "height": 800}, color_scheme="dark" if scheme == "dark" else "light"
        ) as context,
        context.new_page() as page,
    ):
        page.set_default_timeout(PATIENCE)
        log_in(page, server)

        found = Axe().run(page).response["violations"]

        assert [fault["id"] for fault in found if fault["impact"] in SERIOUS] == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_pages_work_with_scripts_blocked_but_for_the_charts(server: LiveWeb, browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context, context.new_page() as page:
        page.set_default_timeout(PATIENCE)
        log_in(page, server)
        expect(page.get_by_text("The chart needs scripts.").first).to_be_visible()

        page.get_by_label("From").fill("2023-09-03")
        page.get_by_role("button", name="Show").click()

        expect(page.locator(".days")).to_contain_text("2023-09-03 to")
        expect(page.locator("tbody tr").first).to_be_visible()


def test_a_table_sorts_by_the_column_that_is_clicked(server: LiveWeb, page: Page) -> None:
    log_in(page, server)
    table = page.locator("section", has=page.get_by_role("heading", name="Channels", exact=True))

    table.get_by_role("button", name="cost", exact=True).click()

    shown = [float(text.replace(",", "")) for text in table.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    assert len({*shown}) > 1


@pytest.mark.parametrize("address", ["/api/docs/", "/api/redoc/"])
def test_the_documents_of_the_api_load_everything_from_the_server(server: LiveWeb, page: Page, address: str) -> None:
    heard = Heard(page)
    log_in(page, server, address)
    expect(page.get_by_text("/api/channels/", exact=True).first).to_be_visible()
    page.wait_for_load_state("networkidle")

    assert heard.complaints == []
    assert [asked for asked in heard.addresses if not asked.startswith((server.url, f"blob:{server.url}", "data:"))] == []
