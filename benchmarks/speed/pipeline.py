"""This project's compute without Dagster: `python pipeline.py DATABASE FIRST LAST REPORTS_FROM` prints its figures as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from attribution_assets.catalog.queries import attribution_query, costs_query, journeys_query, reporting_query
from attribution_assets.ihc import IHCParameters
from attribution_assets.ihc.service import embedded_results
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Frames, schema


def compute(database: Path, days: Days, report_days: Days) -> dict[str, float]:
    """Journeys, IHC, shares and costs of the days, and the reports; each table replaced in a transaction of its own."""
    settings = Settings(database=database, lookback_days=30)
    warehouse, tables = settings.warehouse, schema()
    cost_days = report_days if len(days) > 1 else days
    warehouse.replace_days(tables["customer_journeys"], "conv_date", days, journeys_query(settings, days))
    journeys = warehouse.stream(tables["customer_journeys"], "conv_date", days)
    parameters = IHCParameters.load(settings.ihc_parameters)
    results = Frames(embedded_results(frame, parameters, None) for frame in journeys)
    warehouse.replace_days(tables["ihc_results"], "conv_date", days, results)
    warehouse.replace_days(tables["attribution_customer_journey"], "conv_date", days, attribution_query(days))
    warehouse.replace_days(tables["channel_costs"], "date", cost_days, costs_query(settings, cost_days))
    warehouse.replace_days(tables["channel_reporting"], "date", report_days, reporting_query(settings, report_days))
    with warehouse.connect() as connection:
        in_report = f"FROM channel_reporting WHERE date >= '{report_days.first}'"
        counted = "customer_journeys" if len(days) > 1 else f"(SELECT * {in_report})"
        [figures] = connection.execute(
            f"SELECT (SELECT count(*) FROM {counted}), sum(cost), sum(ihc), sum(ihc_revenue) {in_report}"
        ).fetchall()
    return dict(zip(("rows", "cost", "orders", "revenue"), figures, strict=True))


if __name__ == "__main__":
    database, first, last, reports_from = sys.argv[1:]
    print(json.dumps(compute(Path(database), Days(first, last), Days(reports_from, last))))
