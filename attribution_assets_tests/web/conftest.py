"""What tests of the web application begin with: a small shop's sample, reported by every model, and a server over it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from attribution_assets.command.cli import main
from attribution_assets.warehouse import schema
from attribution_assets.warehouse.sqlite.sample_data import write_sample
from attribution_assets_tests.support import Shop
from attribution_assets_tests.templates import Templates
from attribution_assets_tests.web.live import LiveWeb

EVERY_MODEL = {"ATTRIBUTION_MODELS": "all", "ATTRIBUTION_LOOKBACK_DAYS": "14", "ATTRIBUTION_BREAKDOWNS": "market"}
"""The settings of the sample."""


@pytest.fixture
def sample(tmp_path: Path, templates: Templates) -> Shop:
    """Ten days of the sample until 2023-09-10, with every source that a report reads, and with every report computed."""
    templates.copy("web", report_sample, tmp_path)
    return Shop.at(tmp_path / "shop.db", tmp_path / "exports")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, templates: Templates) -> Iterator[LiveWeb]:
    """A server over such a sample, for the tests of a module that change nothing."""
    folder = templates.copy("web", report_sample, tmp_path_factory.mktemp("web"))
    with LiveWeb(folder / "shop.db", "--unthrottled", **EVERY_MODEL) as live:
        yield live


def report_sample(folder: Path) -> None:
    """Makes the `sample`: campaigns of two channels, their spend and claims, markets, and what the shop's backend knows."""
    write_sample(folder / "shop.db", days=10, end=date(2023, 9, 10), sessions=2_000, seed=0)
    shop = Shop.at(folder / "shop.db", folder / "exports")
    spend = (
        "SELECT event_date, campaign_id, sum(cost), count(*) / 20, count(*) * 5.0 FROM session_sources JOIN session_costs "
        "USING (session_id) WHERE campaign_id IS NOT NULL AND cost > 0 GROUP BY event_date, campaign_id"
    )
    for statement in (
        "ALTER TABLE session_sources ADD COLUMN campaign_id text",
        "ALTER TABLE session_sources ADD COLUMN market text",
        "UPDATE session_sources SET market = CASE WHEN user_id < '8' THEN 'AT' ELSE 'DE' END",
        "UPDATE session_sources SET campaign_id = channel_name || ' 1' WHERE channel_name IN ('FB & IG Ads', 'TikTok Ads')",
        schema()["ad_costs"].create,
        f"INSERT INTO ad_costs (date, campaign_id, cost, conversions, revenue) {spend}",
        schema()["conversions_backend"].create,
        "INSERT INTO conversions_backend SELECT conv_id, user_id, conv_date, 'DE', revenue, NULL FROM conversions",
    ):
        shop.execute(statement)
    report_all(folder, str(folder / "shop.db"))


def report_all(folder: Path, database: str) -> None:
    """Computes every report of the sample in the database."""
    places = {
        "ATTRIBUTION_DATABASE": database,
        "ATTRIBUTION_EXPORTS": str(folder / "exports"),
        "DAGSTER_HOME": str(folder / "home"),
    }
    for command in (["run"], ["compare", "--keep"], ["paths", "--keep"]):
        result = CliRunner().invoke(main, command, env={**EVERY_MODEL, **places})
        assert result.exit_code == 0, result.output
