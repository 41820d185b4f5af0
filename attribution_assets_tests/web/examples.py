"""`make examples`: asks a server over the sample for the examples of the OpenAPI document, and writes them into the package."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attribution_assets.pages.registry import REPORTS
from attribution_assets.shipped import shipped
from attribution_assets_tests.web.conftest import EVERY_MODEL, report_sample
from attribution_assets_tests.web.live import LiveWeb

ANALYSES = ("conversion_rate", "status_distribution", "category_type_performance", "filtered_aggregation")
"""The endpoints of the campaigns, which are no reports."""

ROWS = "2"


def behind_a_number(live: LiveWeb) -> dict[str, str]:
    """The day and the channel of the largest revenue, and the first of the conversions that it is of."""

    def rows(report: str, **asked: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = live.program().get(f"{live.url}/api/{report}/", params=asked).json()["rows"]
        return found

    largest = max(rows("channel-reporting"), key=lambda row: row["revenue"])
    cell = {"date": largest["date"], "channel": largest["channel"]}
    return {**cell, "conversion": rows("cell", **cell)[0]["conv_id"]}


def examples(live: LiveWeb) -> dict[str, Any]:
    """By the name of an endpoint, an address and what it answers. Reports that tell of runs, and when these were, have none."""
    of_database = [report for report in REPORTS.values() if not report.of_history]
    known = behind_a_number(live)
    asked = {report.name: {name: known[name] for name in report.requires} | {"limit": ROWS} for report in of_database}
    asked |= {analysis: {"start": "2023-09-01", "end": "2023-09-03"} for analysis in ANALYSES}
    found = {}
    for name, query in asked.items():
        address = f"/api/{name.replace('_', '-')}/"
        response = live.program().get(f"{live.url}{address}", params=query)
        if response.ok:
            found[name] = {"address": response.url.removeprefix(live.url), "answer": response.json()}
    return found


def main() -> None:
    """Writes them."""
    with TemporaryDirectory() as folder, chdir(folder):  # where nothing of the developer's settings is read
        report_sample(Path(folder))
        with LiveWeb(Path(folder) / "shop.db", "--unthrottled", **EVERY_MODEL) as live:
            text = json.dumps(examples(live), indent=1, ensure_ascii=False)
    shipped("web/examples.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
