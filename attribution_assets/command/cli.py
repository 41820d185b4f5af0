"""The `attribution` command. Dagster and pandas are imported by the commands that need them, so that --help is quick."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attribution_assets.command.campaigns import campaigns
from attribution_assets.command.channels import channels
from attribution_assets.command.experiment import experiment_
from attribution_assets.command.funnel import funnel_
from attribution_assets.command.ihc import ihc
from attribution_assets.command.lake import lake
from attribution_assets.command.options import DATABASE, DAY, imports, plain_errors, print_json, settings_with, write_csv
from attribution_assets.command.printed import (
    PATHS_SHOWN,
    planned,
    print_cell,
    print_comparison,
    print_findings,
    print_imported,
    print_journey,
    print_paths,
    print_reconciliation,
    print_states,
    print_summary,
)
from attribution_assets.command.report import report
from attribution_assets.command.serve import serve_
from attribution_assets.command.terminal import progress, telling
from attribution_assets.errors import AttributionError

if TYPE_CHECKING:
    from attribution_assets.settings import Settings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="attribution_assets", prog_name="attribution")
def main() -> None:
    """Marketing attribution: sessions, conversions and costs in, daily channel reporting out."""


@main.command()
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first in the database]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last day with a session or conversion]")
@click.option(
    "--exports",
    type=click.Path(path_type=Path),
    help="Folder for the CSV files. [default: ATTRIBUTION_EXPORTS or data/exports]",
)
@click.option(
    "--groups",
    metavar="NAMES",
    help="What to run, between commas: attribution, funnel, campaigns. [default: all whose sources are there]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def run(
    database: str | None, start: str | None, end: str | None, exports: Path | None, groups: str | None, as_json: bool
) -> None:
    """Attribute the conversions of a range of days and rebuild the reports they affect; the same for funnel and campaigns.

    A group of reports is run if the database has its sources. `attribution` is everything that follows from sessions,
    conversions and costs; `funnel` needs events, `campaigns` campaign_results.
    """
    with plain_errors():
        settings = settings_with(database=database, exports=exports)
        with imports():
            from attribution_assets.analysis.plan import prepared_plan
            from attribution_assets.analysis.report import summary
            from attribution_assets.command.run import alerting, execute_plan
            from attribution_assets.orchestration.home import find_home

        with alerting(settings):
            find_home(settings)
            plan = prepared_plan(settings, start, end, [name.strip() for name in groups.split(",")] if groups else ())
            for line in planned(plan):
                click.echo(line, err=True)
            with progress() as on_event:
                checks = execute_plan(settings, plan, on_event)
            result = {**summary(settings, plan), "checks": checks}
    print_json(result) if as_json else print_summary(result)


@main.command("sample-data")
@click.option(
    "--database",
    type=click.Path(),
    help="New SQLite file. [default: ATTRIBUTION_DATABASE or data/attribution.db]",
)
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="Number of days.")
@click.option("--end", type=DAY, help="Last day. [default: yesterday (UTC)]")
@click.option("--sessions", type=click.IntRange(1), default=20_000, show_default=True, help="Number of sessions.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed; change it to get different rows."
)
def sample_data(database: str | None, days: int, end: str | None, sessions: int, seed: int) -> None:
    """Create a sample database: a shop's sessions, costs, conversions and events, and what an ad platform claims.

    The same options always give the same rows. An existing file is never overwritten.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.warehouse.sqlite.sample_data import write_sample

        if not settings.database.is_file:
            raise AttributionError(f"{settings.database} is no file. The sample is written to a new SQLite file.")
        last = date.fromisoformat(end) if end else datetime.now(UTC).date() - timedelta(days=1)
        write_sample(settings.database.path, days=days, end=last, sessions=sessions, seed=seed)
    click.echo(f"{settings.database}: {sessions:,} sessions over {days} days until {last}.")


@main.command("import")
@click.argument("table")
@click.argument("source")
@DATABASE
@click.option(
    "--mapping",
    metavar="FILE|NAME",
    help="TOML file that says which columns become which, or the name of one that comes along. [default: by their names]",
)
@click.option("--replace-days", is_flag=True, help="Delete all other rows of the days that occur in the file.")
@click.option("--check", is_flag=True, help="Say what would happen, and write nothing.")
@click.option(
    "--skip-broken",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Import the other rows, and keep those that cannot be read in this CSV file, with the problem of each.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def import_(
    table: str,
    source: str,
    database: str | None,
    mapping: str | None,
    replace_days: bool,
    check: bool,
    skip_broken: Path | None,
    as_json: bool,
) -> None:
    """Import a CSV, Parquet or JSON lines file, FILE:TABLE of an SQLite file, or what a server has, into a source table.

    SOURCE of a server is its URL: postgresql://USER@HOST/DATABASE or mysql://USER@HOST/DATABASE. The mapping names the table or
    the query.

    TABLE is session_sources, session_costs, conversions, conversions_backend, ad_costs, exchange_rates, campaign_results,
    events, order_items or products. The database and the table are made if there are none. Rows with the same key are replaced,
    so that the same file again changes nothing. If rows cannot be read, nothing is written and the exit code is 1.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.importing.loading import import_source
        from attribution_assets.importing.mapping import Importing, read_mapping
        from attribution_assets.warehouse.opening import source_in_sqlite

        with telling() as tell, source_in_sqlite(settings.warehouse, table, writes=not check) as warehouse:
            imported = import_source(
                warehouse,
                table,
                source,
                read_mapping(mapping) if mapping else Importing(),
                replace_days=replace_days,
                check=check,
                skip_broken=skip_broken,
                tell=tell,
            )
    print_json(imported.summary()) if as_json else print_imported(imported, check=check)
    sys.exit(1 if imported.broken > imported.skipped else 0)


@main.command("status")
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first that can run]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last that can run]")
@click.option("--strict", is_flag=True, help="Exit with code 1 if a day is stale.")
@click.option("--json", "as_json", is_flag=True, help="Print every day as a JSON array.")
def status(database: str | None, start: str | None, end: str | None, strict: bool, as_json: bool) -> None:
    """Show for each day whether its results exist and are up to date, when they are final, and the last run."""
    with plain_errors():
        settings = settings_with(database=database)
        with imports():
            from attribution_assets.analysis.plan import notes_on_engagement
            from attribution_assets.catalog.tables import tables_without_sources
            from attribution_assets.orchestration.home import history
            from attribution_assets.orchestration.status import day_states

        with history(settings) as instance:
            states = day_states(settings, instance, start, end)
        notes = notes_on_engagement(settings)
    print_json(states) if as_json else print_states(states, tables_without_sources(settings), notes)
    is_stale = any(asset["state"] == "stale" for state in states for asset in state["assets"].values())
    sys.exit(1 if strict and is_stale else 0)


@main.command()
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last with results]")
@click.option(
    "--credit",
    metavar="TABLE",
    help="Check the credit that others have computed, instead: a table or CSV file with conv_id, session_id and ihc.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON array.")
def check(database: str | None, start: str | None, end: str | None, credit: str | None, as_json: bool) -> None:
    """Check the sources and results of a range of days. Writes nothing; the exit code is 1 if a blocking check fails."""
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.checking import check_days
        from attribution_assets.analysis.foreign_credit import check_foreign_credit

        if credit and (start or end):
            raise click.UsageError("Give either --credit, or --start and --end.")
        findings = check_foreign_credit(settings, credit) if credit else check_days(settings, start, end)
    print_json([finding.summary() for finding in findings]) if as_json else print_findings(findings)
    sys.exit(1 if any(finding.state == "failed" for finding in findings) else 0)


@main.command("compare")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last with results]")
@click.option("--base", metavar="MODEL", help="Model to compare the others with. [default: ihc]")
@click.option(
    "--relearn",
    is_flag=True,
    help="Let intervals show how sure Markov, Shapley and self-trained IHC are: they learn from drawn journeys.",
)
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write every figure and interval to this CSV file.")
@click.option("--keep", is_flag=True, help="Keep the result in the table model_comparison, for pages and the API; print none.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare(
    database: str | None,
    start: str | None,
    end: str | None,
    base: str | None,
    relearn: bool,
    csv_file: Path | None,
    keep: bool,
    as_json: bool,
) -> None:
    """Compare what the attribution models say about the same journeys, and show which differences are noise.

    Compares the models in ATTRIBUTION_MODELS, or all of them if it is unset. Writes nothing but the --csv file, unless you keep
    the result; then ATTRIBUTION_MODELS must be set.
    """
    with plain_errors():
        settings = settings_with(database=database)
        if keep:
            asked = {"start": start, "end": end, "base": base, "relearn": relearn}
            _keep(settings, "model_comparison", asked, csv_file, as_json)
            return
        from attribution_assets.analysis.comparison import compare_models, compared_days
        from attribution_assets.analysis.report import basis

        with telling() as tell:
            comparison = compare_models(settings, compared_days(settings, start, end), base, tell, relearn=relearn)
        computed_by = basis(settings, comparison.days)
        if csv_file:
            by_ihc = {"parameters": comparison.channels["model"].map({"ihc": computed_by["parameters"]})}
            write_csv(comparison.channels.assign(**by_ihc, currency=computed_by["currency"]), csv_file, settings)
    if as_json:
        days = {"start": comparison.days.first, "end": comparison.days.last, "base": comparison.base, "notes": comparison.notes}
        channels = comparison.channels.rename(columns={"channel_name": "channel"})
        tables = {"channels": channels, "lookbacks": comparison.lookbacks}
        of_ihc = {name: value for name, value in computed_by.items() if name != "model"}
        print_json(of_ihc | days | {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()})
    else:
        print_comparison(comparison, computed_by)


def _keep(
    settings: Settings, table: str, config: Mapping[str, str | bool | None], csv_file: Path | None, as_json: bool
) -> None:
    """Fills the table in a run. Raises UsageError where the result is to be printed or written as well."""
    if csv_file or as_json:
        raise click.UsageError("Give either --keep, or --csv or --json.")
    from attribution_assets.command.run import keep

    with progress() as on_event:
        keep(settings, table, config, on_event)


@main.command("paths")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last with results]")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the report, with the hundred top paths, to this CSV file."
)
@click.option("--all", "show_all", is_flag=True, help="Show every row of the report, not only the first 20 of each section.")
@click.option("--keep", is_flag=True, help="Keep the result in the table path_report, for pages and the API; print none.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as a JSON array.")
def paths(
    database: str | None,
    start: str | None,
    end: str | None,
    csv_file: Path | None,
    show_all: bool,
    keep: bool,
    as_json: bool,
) -> None:
    """Show the paths that lead to conversions, their length, the time they take, and which channels assist.

    Writes nothing but the --csv file, unless you keep the result; then ATTRIBUTION_MODELS must be set.
    """
    with plain_errors():
        settings = settings_with(database=database)
        if keep:
            _keep(settings, "path_report", {"start": start, "end": end}, csv_file, as_json)
            return
        from attribution_assets.analysis.comparison import compared_days, report_paths

        days = compared_days(settings, start, end)
        report = report_paths(settings, days)
        if csv_file:
            write_csv(report, csv_file, settings)
    if as_json:
        print_json(json.loads(report.to_json(orient="records")))
    else:
        print_paths(report, f"conversions of {days}", None if show_all else PATHS_SHOWN)


@main.command("reconcile")
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first in the sources]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last in the sources]")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write every day's figures to this CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def reconcile_(database: str | None, start: str | None, end: str | None, csv_file: Path | None, as_json: bool) -> None:
    """Hold the tracking against the shop's backend, and ad spend against sessions. Needs no run; writes only the --csv file."""
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.reconciliation import as_frame, reconcile

        found = reconcile(settings, start, end)
        if csv_file:
            write_csv(as_frame(found), csv_file, settings)
    print_json(found) if as_json else print_reconciliation(found)


@main.command("explain")
@DATABASE
@click.option("--date", "day", type=DAY, help="A day in the report. Use with --channel.")
@click.option("--channel", metavar="NAME", help="A channel in the report. Use with --date.")
@click.option("--conversion", metavar="ID", help="A conversion, instead of a day and a channel.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(database: str | None, day: str | None, channel: str | None, conversion: str | None, as_json: bool) -> None:
    """Show what is behind a number: the conversions credited to a channel on a day, or the journey of a conversion.

    If the number is older than the rows behind it, the last line says so and the exit code is 1.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.explain import explain_cell, explain_conversion
        from attribution_assets.analysis.report import basis

        if day is not None and channel is not None and conversion is None:
            explanation = explain_cell(settings, day, channel)
        elif conversion is not None and day is None and channel is None:
            explanation = explain_conversion(settings, conversion)
        else:
            raise click.UsageError("Give either --date and --channel, or --conversion.")
        if as_json:
            print_json(basis(settings, explanation.conversion_days) | explanation.shown)
        elif conversion is None:
            print_cell(explanation.shown)
        else:
            print_journey(explanation.shown)
        if explanation.doubt:
            raise AttributionError(explanation.doubt)


@main.command("home")
@DATABASE
def home(database: str | None) -> None:
    """Print the folder that holds the history of the database, and make it if there is none yet."""
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.orchestration.home import make_home
        from attribution_assets.orchestration.instance import consume_from_now_on, dagster_instance

        folder = make_home(settings)
        with dagster_instance(folder) as instance:
            consume_from_now_on(instance)
    click.echo(str(folder))


main.add_command(campaigns)
main.add_command(channels)
main.add_command(experiment_)
main.add_command(funnel_)
main.add_command(ihc)
main.add_command(lake)
main.add_command(report)
main.add_command(serve_)
