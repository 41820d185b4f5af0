"""`attribution channels`: the rules that give sessions their channel, tried out and applied."""

from __future__ import annotations

from pathlib import Path

import click

from attribution_assets.command.options import DATABASE, plain_errors, print_json, settings_with
from attribution_assets.command.printed import print_applied_rules, print_tried_rules

FILE = click.argument("file", type=click.Path(path_type=Path), required=False)


@click.group()
def channels() -> None:
    """Give sessions their channel by rules, from utm_source, utm_medium, utm_campaign, the referrer and the click id."""


@channels.command("rules")
def rules() -> None:
    """Print the rules that come along, which follow Google Analytics 4: a file to begin yours with."""
    from attribution_assets.importing.channel_rules import SHIPPED

    click.echo(SHIPPED.read_text(encoding="utf-8"), nl=False)


@channels.command("test")
@FILE
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(file: Path | None, database: str | None, as_json: bool) -> None:
    """Show how many sessions each rule of FILE takes, and how many would get another channel. Writes nothing.

    Without FILE, these are the rules that come along.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.importing.channel_rules import SHIPPED
        from attribution_assets.importing.channels import TABLE, try_rules
        from attribution_assets.warehouse.opening import source_in_sqlite

        with source_in_sqlite(settings.warehouse, TABLE, writes=False) as warehouse:
            tried = try_rules(warehouse, file or SHIPPED)
    print_json(tried) if as_json else print_tried_rules(tried)


@channels.command("apply")
@FILE
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def apply(file: Path | None, database: str | None, as_json: bool) -> None:
    """Write the channels of the sessions by the rules of FILE. `attribution run` then restates the days that this changes.

    Without FILE, these are the rules that come along. Sessions of which nothing is tracked keep their channel.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.importing.channel_rules import SHIPPED
        from attribution_assets.importing.channels import TABLE, apply_rules
        from attribution_assets.warehouse.opening import source_in_sqlite

        with source_in_sqlite(settings.warehouse, TABLE, writes=True) as warehouse:
            applied = apply_rules(warehouse, file or SHIPPED)
    print_json(applied) if as_json else print_applied_rules(applied)
