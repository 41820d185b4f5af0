"""`attribution lake`: fills a lake, and shows, brings back and tidies the versions of its tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from attribution_assets.command.options import DATABASE, plain_errors, print_json, settings_with
from attribution_assets.command.printed import print_versions
from attribution_assets.errors import AttributionError

if TYPE_CHECKING:
    from attribution_assets.warehouse.lake.database import LakeWarehouse


@click.group()
def lake() -> None:
    """Keep a database as a lake: a folder of Delta tables, for what has outgrown one file."""


@lake.command("import")
@click.argument("file", required=False)
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def import_(file: str | None, database: str | None, as_json: bool) -> None:
    """Copy the source tables of the SQLite file FILE into the lake, which is made if there is none.

    Tables that are there are replaced. Without FILE, an empty lake is made, for sources that you put into its folder as Parquet
    or CSV files.
    """
    with plain_errors():
        lake = _lake(database)
        copied: dict[str, int] = {}
        if file:
            from attribution_assets.warehouse import Location
            from attribution_assets.warehouse.lake.loading import import_sources

            named = Location.of(file)
            if named.url or named.bucket:  # of which the one has a password, which the path of a file would show
                raise AttributionError(
                    "A lake is made of an SQLite file. The tables of a server are read where they are: set ATTRIBUTION_SOURCES."
                )
            copied = import_sources(lake, Path(file))
        else:
            lake.make()
    if as_json:
        print_json({"lake": str(lake.path), "rows": copied})
        return
    for table, rows in copied.items():
        click.echo(f"{table}: {rows:,} rows.")
    click.echo(f"{lake.path} is a lake. Attribute it: attribution run --database {lake.path}/")


@lake.command("history")
@click.argument("table")
@DATABASE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def history(table: str, database: str | None, as_json: bool) -> None:
    """Show the versions of TABLE that can be brought back, the newest first."""
    with plain_errors():
        versions = _lake(database).versions(table)
    print_json({"table": table, "versions": versions}) if as_json else print_versions(table, versions)


@lake.command("restore")
@click.argument("table")
@click.argument("version", type=click.IntRange(min=0))
@DATABASE
def restore(table: str, version: int, database: str | None) -> None:
    """Bring back the rows that TABLE had at VERSION, as a new version.

    `attribution status` then looks at every day again: where rows no longer match the sources, it says so.
    """
    with plain_errors():
        _lake(database).restore(table, version)
    click.echo(f"{table} has the rows of version {version} again.")


@lake.command("vacuum")
@DATABASE
def vacuum(database: str | None) -> None:
    """Delete the files that no version of the last ATTRIBUTION_LAKE_KEEP_DAYS days has. Each run does so, too."""
    with plain_errors():
        lake = _lake(database)
        removed = lake.vacuum()
    click.echo(f"{removed:,} files of {lake.path} are deleted.")


def _lake(database: str | None) -> LakeWarehouse:
    """The lake that is named, whether there is one yet or not; what `--database` names is one with and without a slash."""
    settings = settings_with(database=f"{database.rstrip('/')}/" if database else None)
    from attribution_assets.warehouse.opening import lake_at

    if not settings.database.is_lake:
        raise AttributionError(f"{settings.database} is no lake. Name a folder with a slash at its end: --database lake/")
    return lake_at(settings.database, settings.reading, settings.lake_keep_days, settings.sources_at)
