"""The web application over a lake: it answers what it answers over the SQLite file of the same rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets.pages.registry import PAGES
from attribution_assets.warehouse import schema
from attribution_assets_tests.lakes import rows_of
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.web.conftest import EVERY_MODEL, report_all, report_sample
from attribution_assets_tests.web.examples import examples
from attribution_assets_tests.web.live import LiveWeb
from attribution_assets_tests.web.test_runs import start, succeeded

pytestmark = pytest.mark.xdist_group("web over a lake")  # one process computes the lake


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[LiveWeb]:
    folder = templates.copy("web", report_sample, tmp_path_factory.mktemp("file"))
    with LiveWeb(folder / "shop.db", "--unthrottled", **EVERY_MODEL) as live:
        yield live


@pytest.fixture(scope="module")
def lake(file: LiveWeb, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWeb]:
    """A lake with the same sources, of which every report is computed, too."""
    folder = tmp_path_factory.mktemp("of-lake")
    imported = ["lake", "import", str(file.folder / "shop.db"), "--database", f"{folder / 'lake'}/"]
    assert CliRunner().invoke(main, imported).exit_code == 0
    report_all(folder, f"{folder / 'lake'}/")
    results = folder / "results.csv"
    results.write_text(
        "customer_id,revenue,conversions,status,type,category,date,impressions,clicks\n"
        "fern,100.5,4,ENABLED,CONVERSION,TOYS,2024-01-02,1000,50\n"
    )
    with LiveWeb(folder / "lake", "--unthrottled", **EVERY_MODEL, ATTRIBUTION_CAMPAIGN_FILE=str(results)) as live:
        yield live


def test_every_endpoint_answers_as_over_the_file(file: LiveWeb, lake: LiveWeb) -> None:
    over_file, over_lake = examples(file), examples(lake)

    assert "totals" in over_lake
    assert over_lake == over_file


def test_every_page_answers_as_over_the_file(file: LiveWeb, lake: LiveWeb) -> None:
    over_file, over_lake = (
        {name: live.login().get(f"{live.url}/{name.replace('_', '-')}/").status_code for name in PAGES} for live in (file, lake)
    )

    assert 200 in over_lake.values()
    assert over_lake == over_file


def test_the_admin_leaves_out_campaign_results_which_django_cannot_read(lake: LiveWeb) -> None:
    browser = lake.login()

    assert "campaignresult" not in browser.get(f"{lake.url}/admin/").text
    assert browser.get(f"{lake.url}/admin/web/campaignresult/").status_code == 404


def test_process_data_imports_into_the_lake(lake: LiveWeb) -> None:
    succeeded(lake, start(lake))

    results = rows_of(Path(lake.folder / "lake"), schema()["campaign_performance"])
    assert ("2024-01-02", "fern") in [row[:2] for row in results]
