"""`attribution report`: files to send to people who use neither this command nor the web application."""

from __future__ import annotations

from pathlib import Path

import click

from attribution_assets.command.options import DATABASE, DAY, plain_errors, settings_with


@click.command("report")
@DATABASE
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write every page to this HTML file.")
@click.option("--xlsx", type=click.Path(path_type=Path), metavar="FILE", help="Write every table to this workbook.")
@click.option("--start", type=DAY, help="First day. [default: 30 days up to the last one]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last with results]")
@click.option("--model", default="ihc", show_default=True, help="By which model orders and revenue are credited.")
def report(database: str | None, html: Path | None, xlsx: Path | None, start: str | None, end: str | None, model: str) -> None:
    """Write a report to send: an HTML file that needs no server and no network, and a workbook with a sheet per table.

    Reads what `attribution run` has computed. Writes nothing but these files.
    """
    with plain_errors():
        settings = settings_with(database=database)
        if not html and not xlsx:
            raise click.UsageError("Give --html, --xlsx or both.")
        if html == xlsx:
            raise click.UsageError("Give --html and --xlsx two files.")
        from attribution_assets.analysis.reports.form import Asked
        from attribution_assets.pages.files import write_files

        for line in write_files(settings, Asked(start, end, model), html, xlsx):
            click.echo(f"Left out: {line}", err=True)
    for file in filter(None, (html, xlsx)):
        click.echo(file)
