"""The graph in a running Dagster, asked for as its UI asks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from attribution_assets_tests.live import LiveDagster
from attribution_assets_tests.support import Shop
from attribution_assets_tests.test_definitions import TABLES

LOOKBACK = {"ATTRIBUTION_LOOKBACK_DAYS": "3", "ATTRIBUTION_END_DATE": "2023-09-20"}


def test_a_backfill_of_ten_days_gives_the_tables_of_the_command_in_at_most_three_runs(shop: Shop, tmp_path: Path) -> None:
    for day in range(1, 21):
        shop.session(f"s{day}", "anna", f"2023-09-{day:02} 10:00:00", "Email" if day % 2 else "Ads", cost=day / 7)
        shop.conversion(f"c{day}", "anna", f"2023-09-{day:02} 12:00:00", day * 1.1)
    commanded = Shop.at(tmp_path / "commanded.db", tmp_path / "commanded")
    shutil.copy(shop.database, commanded.database)

    with LiveDagster(shop, tmp_path / "dagster", **LOOKBACK) as dagster:
        backfill = dagster.backfill(TABLES, [f"2023-09-{day}" for day in range(10, 20)])
        subprocess.run(
            [
                *(sys.executable, "-m", "attribution_assets.cli", "run", "--start", "2023-09-10", "--end", "2023-09-19"),
                *("--database", commanded.database, "--exports", commanded.exports),
            ],
            env={**os.environ, **LOOKBACK, "DAGSTER_HOME": str(tmp_path / "commanded_home")},
            check=True,
            capture_output=True,
        )
        dagster.wait_for_backfill(backfill)
        runs = dagster.runs()

    assert len(runs) <= 3
    assert {run.status for run in runs} == {"SUCCESS"}
    assert shop.results() == commanded.results()
    assert shop.csv_bytes() == commanded.csv_bytes()
    assert shop.table("channel_reporting", "min(date), max(date)") == [("2023-09-07", "2023-09-19")]
