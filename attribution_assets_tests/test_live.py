"""The graph in a running Dagster, asked for as its UI asks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from attribution_assets_tests.automated import september
from attribution_assets_tests.live import ENDED, LOOKBACK, LiveDagster, Materialization, busy, command
from attribution_assets_tests.support import TABLES, Shop, wait_for

pytestmark = pytest.mark.live

ATTRIBUTION = ("attribution_customer_journey", "customer_journeys", "ihc_results")
REPORTS = ("channel_reporting", "channel_reporting_csv", "channel_report", "channel_report_csv")


@pytest.mark.every_warehouse(lake_is_long=True)
def test_new_and_late_data_restate_exactly_the_days_that_they_touch(shop: Shop, tmp_path: Path) -> None:
    busy(shop)
    home = tmp_path / "dagster" / "dagster_home"

    with LiveDagster(shop, tmp_path / "dagster", **LOOKBACK) as dagster:
        command(shop, home, "--end", "2023-09-12")
        dagster.wait_for_run(dagster.materialize(TABLES, "2023-09-13"))
        computed = set(dagster.materializations(TABLES))

        wait_for_equality(shop, rebuilt(shop, tmp_path / "with the new day", "2023-09-13"))
        restated = set(dagster.materializations(TABLES)) - computed
        assert days_by_asset(restated) == dict.fromkeys(REPORTS, september(10, 11, 12))
        ended, rebuilt_at = max(event.at for event in computed), min(event.at for event in restated)
        assert sum(ended < tick < rebuilt_at for tick in dagster.ticks("restate")) <= 3

        computed |= restated
        shop.session("late", "anna", "2023-09-02 11:00:00", "Social", cost=1.5)  # before the conversions of 02 to 05
        shop.execute("UPDATE conversions SET revenue = 99 WHERE conv_id = 'c7'")
        shop.execute("DELETE FROM conversions WHERE conv_id = 'c13'")
        shop.publish()
        wait_for_equality(shop, rebuilt(shop, tmp_path / "with late data", "2023-09-13"))
        wait_for(lambda: all(run.status in ENDED for run in dagster.runs()))
        restated = set(dagster.materializations(TABLES)) - computed
        assert days_by_asset(restated) == {
            **dict.fromkeys(ATTRIBUTION, september(2, 3, 4, 5, 13)),
            "channel_costs": september(2),
            **dict.fromkeys(REPORTS, september(1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13)),
        }


def rebuilt(shop: Shop, folder: Path, end: str) -> Shop:
    """A copy of the shop's sources, computed anew until `end`."""
    copy = shop.copy_sources(folder)
    command(copy, folder / "home", "--end", end)
    return copy


def wait_for_equality(shop: Shop, other: Shop) -> None:
    """Until both shops' tables and CSV files are the same, to the byte."""
    wait_for(lambda: shop.csv_bytes() == other.csv_bytes(), every=1)
    assert shop.results() == other.results()


def days_by_asset(materializations: Iterable[Materialization]) -> dict[str, list[str]]:
    days: dict[str, list[str]] = {}
    for event in materializations:
        days.setdefault(event.asset, []).append(event.day)
    return {asset: sorted(of_asset) for asset, of_asset in sorted(days.items())}
