"""What tests of the web application begin with: a small shop's sample, reported by every model, and a server over it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.web.live import LiveWeb

EVERY_MODEL = {"ATTRIBUTION_MODELS": "all", "ATTRIBUTION_LOOKBACK_DAYS": "14"}
"""The settings of the sample."""


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Ten days of the sample, with a shop, until 2023-09-10: attributed and reported by every model."""
    templates.copy("web", report_sample, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[LiveWeb]:
    """A server over such a sample, for the tests of a module that change nothing."""
    folder = templates.copy("web", report_sample, tmp_path_factory.mktemp("web"))
    with LiveWeb(folder / "shop.db", "--unthrottled", **EVERY_MODEL) as live:
        yield live


def report_sample(folder: Path) -> None:
    write_sample(folder / "shop.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=0)
    places = {
        "ATTRIBUTION_DATABASE": str(folder / "shop.db"),
        "ATTRIBUTION_EXPORTS": str(folder / "exports"),
        "DAGSTER_HOME": str(folder / "home"),
    }
    result = CliRunner().invoke(main, ["run"], env={**EVERY_MODEL, **places})
    assert result.exit_code == 0, result.output
