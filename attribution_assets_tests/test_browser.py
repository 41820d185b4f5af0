"""The Dagster UI in a real browser, clicked through as a person does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect, sync_playwright

from attribution_assets.warehouse import SOURCES
from attribution_assets_tests.live import LOOKBACK, LiveDagster, busy, command
from attribution_assets_tests.support import TABLES, Shop

pytestmark = pytest.mark.live

PATIENCE = 0  # the page may take as long as it needs for a step: to Playwright, 0 is no limit

WIDE: ViewportSize = {"width": 2560, "height": 1240}
LAPTOP: ViewportSize = {"width": 1440, "height": 900}

HIDDEN = """() => [...document.querySelectorAll("td td")]
    .filter((cell) => cell.getBoundingClientRect().right > innerWidth).map((cell) => cell.textContent)"""
"""The cells of tables within the page's own table that one would have to scroll to."""


@pytest.fixture
def page() -> Iterator[Page]:
    """A tab of the system's Chromium, wide enough for the whole graph. Without Chromium the test is skipped, but not in CI."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        missing = "no Chromium on the PATH (Debian: apt-get install chromium): the UI was not tried in a browser"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    expect.set_options(timeout=PATIENCE)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(
            executable_path=chromium,
            args=["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"],
        ) as browser,
        browser.new_page(viewport=WIDE) as page,
    ):
        page.set_default_timeout(PATIENCE)
        yield page


def test_a_person_sees_the_graph_and_backfills_ten_days_by_clicking_with_the_result_of_the_command_in_at_most_three_runs(
    shop: Shop, page: Page, tmp_path: Path, screenshot: Path | None
) -> None:
    busy(shop)
    commanded = Shop.at(tmp_path / "commanded.db", tmp_path / "commanded")
    shutil.copy(shop.database, commanded.database)

    with LiveDagster(shop, tmp_path / "dagster", **LOOKBACK) as dagster:
        page.goto(dagster.url)
        page.get_by_text("Lineage", exact=True).click()
        expect(page.get_by_text("sources", exact=True).last).to_be_visible()
        page.keyboard.press("Alt+KeyE")  # expands the groups
        for asset in (*TABLES, *SOURCES):
            expect(page.get_by_text(asset, exact=True)).to_be_visible()

        page.get_by_role("button", name="Materialize all").click()
        days = page.get_by_placeholder("ex: 2023-09-01")
        days.fill("[2023-09-10...2023-09-19]")
        days.press("Enter")
        page.get_by_role("button", name="Launch backfill").click()
        page.get_by_text("View", exact=True).click()
        page.wait_for_url("**/runs/b/*")
        backfill = page.url.split("/runs/b/")[1].split("?")[0]
        page.goto("about:blank")  # which draws nothing while the backfill runs
        command(commanded, tmp_path / "commanded_home", "--start", "2023-09-10", "--end", "2023-09-19")
        dagster.wait_for_backfill(backfill)
        runs = dagster.runs()

        page.goto(f"{dagster.url}/assets/channel_reporting?view=partitions")
        page.get_by_text("2023-09-19", exact=True).first.click()
        expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
        expect(page.get_by_role("row", name="dagster/partition_row_count")).to_contain_text("1")
        expect(page.get_by_alt_text("Cost, revenue and ROAS by channel")).to_be_visible()
        page.set_viewport_size(LAPTOP)
        assert page.evaluate(HIDDEN) == []
        page.set_viewport_size(WIDE)

        page.goto(f"{dagster.url}/assets/channel_costs?view=checks")
        expect(page.get_by_text("costs_add_up", exact=True).first).to_be_visible()
        page.goto(f"{dagster.url}/assets/channel_reporting?view=checks")
        expect(page.get_by_text("report_adds_up", exact=True).first).to_be_visible()

        if screenshot:
            page.goto(f"{dagster.url}/asset-groups")
            expect(page.get_by_text("% filled")).to_have_count(len(TABLES))
            page.screenshot(path=screenshot)

    assert len(runs) <= 3
    assert {run.status for run in runs} == {"SUCCESS"}
    assert shop.results() == commanded.results()
    assert shop.csv_bytes() == commanded.csv_bytes()
    for table in ("channel_costs", "channel_reporting"):
        assert shop.table(table, "min(date), max(date)") == [("2023-09-07", "2023-09-19")]
