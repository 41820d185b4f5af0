"""This project's compute without Dagster: `python pipeline.py DATABASE FIRST LAST REPORTS_FROM` prints its figures as JSON.

DATABASE: an SQLite file, or the folder of a lake, with / at its end.
"""

from __future__ import annotations

import json
import sys
from functools import partial

from attribution_assets.catalog.attribution import ATTRIBUTION_CUSTOMER_JOURNEY, CUSTOMER_JOURNEYS
from attribution_assets.catalog.reporting import CHANNEL_COSTS, CHANNEL_REPORTING
from attribution_assets.catalog.table import DailyTable
from attribution_assets.catalog.tables import query_of
from attribution_assets.ihc.embedded import embedded_results
from attribution_assets.settings import Settings
from attribution_assets.warehouse import Days, Frames, schema
from attribution_assets.warehouse.query import Source


def compute(database: str, days: Days, report_days: Days) -> dict[str, float]:
    """Journeys, IHC, shares and costs of the days, and the reports; each table replaced in a transaction of its own."""
    settings = Settings(database=database, lookback_days=30)
    warehouse, tables = settings.warehouse, schema()
    warehouse.prepare()

    def replace(table: DailyTable, of_days: Days) -> None:
        warehouse.replace_days(tables[table.name], table.day_column, of_days, query_of(settings, table, of_days))

    replace(CUSTOMER_JOURNEYS, days)
    stored = Source(tables["customer_journeys"], "conv_date", days)
    journeys = Frames(warehouse.stream(stored.table, stored.day_column, days), stored)
    model = partial(embedded_results, parameters=settings.parameters_in_use, redistribution=None)
    warehouse.replace_days(tables["ihc_results"], "conv_date", days, journeys.each(model))
    replace(ATTRIBUTION_CUSTOMER_JOURNEY, days)
    replace(CHANNEL_COSTS, report_days if len(days) > 1 else days)
    replace(CHANNEL_REPORTING, report_days)
    with warehouse.connect() as connection:
        in_report = f"FROM channel_reporting WHERE date >= '{report_days.first}'"
        counted = "customer_journeys" if len(days) > 1 else f"(SELECT * {in_report})"
        [figures] = connection.execute(
            f"SELECT (SELECT count(*) FROM {counted}), sum(cost), sum(ihc), sum(ihc_revenue) {in_report}"
        ).fetchall()
    return dict(zip(("rows", "cost", "orders", "revenue"), figures, strict=True))


if __name__ == "__main__":
    database, first, last, reports_from = sys.argv[1:]
    print(json.dumps(compute(database, Days(first, last), Days(reports_from, last))))
