"""`attribution campaigns`: what the ad platforms say that campaigns brought, and that beside the credit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from attribution_assets.command.options import DATABASE, DAY, plain_errors, print_json, settings_with, write_csv
from attribution_assets.command.printed import print_basis
from attribution_assets.command.terminal import Column, print_table

FORMATS = {"conversion_rate": "{:.6f}", "conversions": "{:,}", "rows": "{:,}"}
"""How numbers are printed that have other than two decimals."""

HEADINGS = {
    "customer_id": "customer",
    "conversion_rate": "conversions / revenue",
    "campaign_id": "campaign",
    "orders_ratio": "claimed / credited",
    "revenue_ratio": "claimed / credited",
}
"""The headings of columns whose names do not say enough."""


@click.command("campaigns")
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last with results]")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the rows of campaign_performance to this CSV file."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def campaigns(database: str | None, start: str | None, end: str | None, csv_file: Path | None, as_json: bool) -> None:
    """Show what the ad platforms say that campaigns brought: by customer, by status, by category and type, and on average.

    Where ad_costs has what platforms claim, shows it beside the credit of the campaigns' sessions. Reads what `attribution run`
    has computed. Writes nothing but the --csv file.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.campaigns import campaigns as analyses
        from attribution_assets.catalog.campaigns import CAMPAIGN_PERFORMANCE
        from attribution_assets.warehouse import Days, schema

        found = analyses(settings, start, end)
        if csv_file:
            table, days = schema()[CAMPAIGN_PERFORMANCE.name], Days(found["start"], found["end"])
            write_csv(settings.warehouse.read(table, CAMPAIGN_PERFORMANCE.day_column, days), csv_file, settings)
    print_json(found) if as_json else _print(found)


def _print(found: dict[str, Any]) -> None:
    """The four analyses, a section each, and the claims; of `analysis.campaigns.campaigns`."""
    days = found["start"] if found["start"] == found["end"] else f"{found['start']} to {found['end']}"
    has_results, has_claims = bool(found["status_totals"]), bool(found["claims"] and found["claims"]["campaigns"])
    if has_results:
        _print_analyses(found, days)
    if has_results and has_claims:
        click.echo()
    if has_claims:
        _print_claims(found["claims"], days)
    if not has_results and not has_claims:
        click.echo(f"No campaign has results on {days}.")


def _print_analyses(found: dict[str, Any], days: str) -> None:
    rates, top = found["conversion_rate"], found["top_category_type"]
    _print_rows(f"Conversions per unit of revenue, {days}", rates["customers"])
    for name in ("lowest", "highest"):
        if row := rates[name]:
            click.echo(f"{name.capitalize()}: {row['customer_id']}, {row['conversion_rate']:.6f}.")
    click.echo()
    _print_rows("Status by type and category", found["status_distribution"])
    click.echo()
    _print_rows("Each status in total", found["status_totals"])
    click.echo()
    _print_rows("Category and type", found["category_type"])
    if top:
        click.echo(f"Most conversions: {top['category']} and {top['type']}, {top['conversions']:,}.")
    click.echo()
    if found["filtered"]:
        _print_rows("Means per row of type CONVERSION", found["filtered"])
    else:
        click.echo("No row is of type CONVERSION.")


def _print_claims(claims: dict[str, Any], days: str) -> None:
    conversions = ("campaign_id", "claimed_conversions", "credited_orders", "orders_ratio")
    revenue = ("campaign_id", "cost", "claimed_revenue", "credited_revenue", "revenue_ratio")
    for title, names in ((f"Conversions that platforms claim, {days}", conversions), ("Revenue that they claim", revenue)):
        _print_rows(title, [{name: row[name] for name in names} for row in claims["campaigns"]])
        click.echo()
    print_basis(claims)
    if claims["provisional_from"]:
        click.echo(f"Days from {claims['provisional_from']} on are provisional: later orders can still be credited to them.")


def _print_rows(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """A table of the rows: text as it is, an empty cell for an undefined number."""

    def shown(name: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        return "" if value is None else FORMATS.get(name, "{:,.2f}").format(value)

    print_table(
        title,
        [
            Column(
                HEADINGS.get(name, name.replace("_", " ")),
                [shown(name, row[name]) for row in rows],
                is_text=isinstance(rows[0][name], str),
            )
            for name in rows[0]
        ],
    )
