"""The `attribution` command. Dagster and pandas are imported by the commands that need them, so that --help is quick."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from attribution_assets.command.terminal import console, print_findings, print_frame, print_rows, progress
from attribution_assets.errors import AttributionError
from attribution_assets.formats import number

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.analysis.comparison import Comparison
    from attribution_assets.ihc import Redistribution
    from attribution_assets.settings import Settings


class Day(click.ParamType[str]):
    """An option that is a day, as text in ISO format."""

    name = "date"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The day; what is none is answered in one line."""
        try:
            return datetime.strptime(value, "%Y-%m-%d").date().isoformat()
        except ValueError:
            self.fail(f"{value!r} is not a day like 2023-09-30.", param, ctx)


DAY = Day()
DATABASE = click.option(
    "--database", type=click.Path(path_type=Path), help="SQLite file. [default: ATTRIBUTION_DATABASE or data/attribution.db]"
)


PATHS_SHOWN = 20
"""How many rows of each section of the path report the terminal shows."""


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
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one JSON object.")
def run(database: Path | None, start: str | None, end: str | None, exports: Path | None, as_json: bool) -> None:
    """Attribute the conversions of a range of days and rebuild the reports they affect."""
    with _plain_errors():
        settings = _settings(database=database, exports=exports)
        from attribution_assets.analysis.plan import plan_run
        from attribution_assets.analysis.report import summary
        from attribution_assets.command.run import execute_plan

        plan = plan_run(settings, start, end)
        click.echo(f"Attributing conversions of {plan.conversion_days}; rebuilding reports of {plan.report_days}.", err=True)
        for note in plan.notes:
            click.echo(note, err=True)
        with progress() as on_event:
            execute_plan(settings, plan, on_event)
        result = summary(settings, plan)
    click.echo(json.dumps(result, ensure_ascii=False, allow_nan=False, indent=2)) if as_json else _print_summary(result)


@main.command("sample-data")
@click.option(
    "--database",
    type=click.Path(path_type=Path),
    help="New SQLite file. [default: ATTRIBUTION_DATABASE or data/attribution.db]",
)
@click.option("--days", type=click.IntRange(1), default=30, show_default=True, help="Number of days.")
@click.option("--end", type=DAY, help="Last day. [default: yesterday (UTC)]")
@click.option("--sessions", type=click.IntRange(1), default=20_000, show_default=True, help="Number of sessions.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed; change it to get different rows."
)
def sample_data(database: Path | None, days: int, end: str | None, sessions: int, seed: int) -> None:
    """Create a sample database. The same options always give the same rows. An existing file is never overwritten."""
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.warehouse.sqlite.sample_data import write_sample

        last = date.fromisoformat(end) if end else _yesterday()
        write_sample(settings.database, days=days, end=last, sessions=sessions, seed=seed)
    click.echo(f"{settings.database}: {sessions:,} sessions over {days} days until {last}.")


@main.command("status")
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first that can run]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last that can run]")
@click.option("--json", "as_json", is_flag=True, help="Print every day as a JSON array.")
def status(database: Path | None, start: str | None, end: str | None, as_json: bool) -> None:
    """Show for each day whether its results exist and are up to date, when they are final, and the last run."""
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.orchestration.instance import dagster_instance
        from attribution_assets.orchestration.status import day_states

        with dagster_instance(settings.dagster_home) as instance:
            states = day_states(settings, instance, start, end)
    click.echo(json.dumps(states, indent=2)) if as_json else _print_states(states)


def _print_states(states: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Table

    from attribution_assets.catalog.tables import table_named
    from attribution_assets.orchestration.status import grouped, reasons

    headings = {asset: table_named(asset).heading for asset in states[0]["assets"]}
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("days", *headings.values(), "provisional", "last run"):
        table.add_column(heading, no_wrap=True)
    for days, state in grouped(states):
        run = state["last_run"]
        seconds = f" {run['seconds']:,.1f} s" if run and run["seconds"] is not None else ""
        table.add_row(
            str(days),
            *(state["assets"][asset]["state"] for asset in headings),
            "final" if state["final"] else f"until {state['final_on']}",
            f"{run['status']}{seconds}" if run else "",
        )
    console().print(table)
    for reason in reasons(states):
        click.echo(reason)


@main.command()
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last with results]")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as a JSON array.")
def check(database: Path | None, start: str | None, end: str | None, as_json: bool) -> None:
    """Check the sources and results of a range of days. Writes nothing; the exit code is 1 if a blocking check fails."""
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.analysis.checking import check_days

        findings = check_days(settings, start, end)
    if as_json:
        click.echo(json.dumps([finding.summary() for finding in findings], ensure_ascii=False, default=str, indent=2))
    else:
        print_findings(findings)
    sys.exit(1 if any(finding.state == "failed" for finding in findings) else 0)


@main.command("compare")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last with results]")
@click.option("--base", metavar="MODEL", help="Model to compare the others with. [default: ihc]")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write every figure and interval to this CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def compare_(
    database: Path | None, start: str | None, end: str | None, base: str | None, csv_file: Path | None, as_json: bool
) -> None:
    """Compare what the attribution models say about the same journeys, and show which differences are noise.

    Compares the models in ATTRIBUTION_MODELS, or all of them if it is unset. Writes nothing but the --csv file.
    """
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.analysis.comparison import compare_models, compared_days

        comparison = compare_models(settings, compared_days(settings, start, end), base)
        if csv_file:
            _write_csv(comparison.channels, csv_file)
    if as_json:
        days = {"start": comparison.days.first, "end": comparison.days.last, "base": comparison.base}
        tables = {"channels": comparison.channels, "lookbacks": comparison.lookbacks}
        _print_json(days | {name: json.loads(table.to_json(orient="records")) for name, table in tables.items()})
    else:
        _print_comparison(comparison)


@main.command("paths")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last with results]")
@click.option(
    "--csv", "csv_file", type=click.Path(path_type=Path), help="Write the report, with the hundred top paths, to this CSV file."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as a JSON array.")
def paths(database: Path | None, start: str | None, end: str | None, csv_file: Path | None, as_json: bool) -> None:
    """Show the paths that lead to conversions, their length, the time they take, and which channels assist."""
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.analysis.comparison import compared_days, report_paths

        days = compared_days(settings, start, end)
        report = report_paths(settings, days)
        if csv_file:
            _write_csv(report, csv_file)
    if as_json:
        _print_json(json.loads(report.to_json(orient="records")))
    else:
        _print_paths(report, f"conversions of {days}")


@main.group()
def ihc() -> None:
    """Estimate what the IHC API would cost, and compare or calibrate the embedded model with its answers."""


@ihc.command("estimate")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first in the database]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last in the database]")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def estimate(database: Path | None, start: str | None, end: str | None, as_json: bool) -> None:
    """Count the journeys, sessions and requests that a range of conversion days would cost. Sends nothing."""
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.analysis.plan import estimate_plan, plan_run

        plan = plan_run(settings, start, end)
        counts = estimate_plan(settings, plan)
    if as_json:
        click.echo(json.dumps(counts, indent=2))
        return
    click.echo(f"IHC API, conversions of {counts.pop('start')} to {counts.pop('end')}:")
    for name, count in counts.items():
        click.echo(f"{count:>12,}  {name}")


def answers_options(command: Callable[..., None]) -> Callable[..., None]:
    """--answers FILE or --ledger."""
    file = click.option("--answers", type=click.Path(path_type=Path), help="CSV file of recorded answers.")
    ledger = click.option("--ledger", is_flag=True, help="Use the answers in the ledger (IHC_LEDGER).")
    return file(ledger(command))


@ihc.command("compare")
@answers_options
@click.option("--parameters", metavar="NAME|FILE", help="Parameters of the embedded model. [default: IHC_PARAMETERS]")
def compare(answers: Path | None, ledger: bool, parameters: str | None) -> None:
    """Compare the embedded model with recorded answers: the errors, and the credit that would move between channels."""
    with _plain_errors():
        settings = _settings(ihc_parameters=parameters)
        from attribution_assets.ihc import IHCParameters
        from attribution_assets.ihc.answers import compare as compare_answers

        loaded = IHCParameters.load(settings.ihc_parameters)
        recorded, redistribution = _recorded_answers(settings, answers, ledger)
        comparison = compare_answers(recorded, loaded, redistribution)
    _print_errors(f"{loaded.name} against {len(recorded):,} answers", comparison.errors)
    shifts = comparison.channels.reset_index().rename(columns={"channel_label": "channel", "relative_shift": "relative shift"})
    print_frame("Orders by channel", shifts, {"relative shift": "{:+z.2%}", "shift": "{:+z,.2f}"}, "{:,.2f}")


@ihc.command("calibrate")
@answers_options
@click.option("--output", type=click.Path(path_type=Path), required=True, help="JSON file to write, for use as IHC_PARAMETERS.")
@click.option(
    "--holdout",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the conversions to hold out and check against; with 0, the check uses those that were learned from.",
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Random seed; change it to hold out other conversions."
)
def calibrate(answers: Path | None, ledger: bool, output: Path, holdout: float, seed: int) -> None:
    """Learn the parameters of the embedded model from recorded answers, so that it computes what the API would answer."""
    with _plain_errors():
        settings = _settings()
        from attribution_assets.ihc.calibration import calibrate_and_check

        recorded, redistribution = _recorded_answers(settings, answers, ledger)
        if redistribution:
            raise AttributionError("Redistributed answers do not show what the model gave: unset IHC_REDISTRIBUTION.")
        calibration = calibrate_and_check(recorded, holdout=holdout, seed=seed)
        others = "other conversions" if calibration.left_out else "conversions, which it was learned from"
        _print_errors(f"What was learned, on {calibration.checked:,} {others}", calibration.errors)
        calibration.write(output)
    click.echo(f"{output}: set IHC_PARAMETERS to it, and the model here computes what the API would answer.")


@main.command("explain")
@DATABASE
@click.option("--date", "day", type=DAY, help="A day in the report. Use with --channel.")
@click.option("--channel", metavar="NAME", help="A channel in the report. Use with --date.")
@click.option("--conversion", metavar="ID", help="A conversion, instead of a day and a channel.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(database: Path | None, day: str | None, channel: str | None, conversion: str | None, as_json: bool) -> None:
    """Show what is behind a number: the conversions credited to a channel on a day, or the journey of a conversion.

    If the number is older than the rows behind it, the last line says so and the exit code is 1.
    """
    with _plain_errors():
        settings = _settings(database=database)
        from attribution_assets.analysis.explain import explain_cell, explain_conversion

        if day is not None and channel is not None and conversion is None:
            explanation = explain_cell(settings, day, channel)
        elif conversion is not None and day is None and channel is None:
            explanation = explain_conversion(settings, conversion)
        else:
            raise click.UsageError("Give --date and --channel, or --conversion.")
        if as_json:
            click.echo(json.dumps(explanation.shown, ensure_ascii=False, allow_nan=False, indent=2))
        elif conversion is None:
            _print_cell(explanation.shown)
        else:
            _print_journey(explanation.shown)
        if explanation.doubt:
            raise AttributionError(explanation.doubt)


def _recorded_answers(settings: Settings, answers: Path | None, ledger: bool) -> tuple[pd.DataFrame, Redistribution | None]:
    """The answers of the file or the ledger, and the redistribution they were given with."""
    from attribution_assets.analysis.plan import ihc_account
    from attribution_assets.ihc.answers import read_answers
    from attribution_assets.ihc.ledger import Ledger

    if ledger == (answers is not None):
        raise click.UsageError("Give --answers FILE or --ledger, one of them.")
    account = ihc_account(settings)
    recorded = read_answers(answers) if answers else Ledger(settings.ihc_ledger).answers(account)
    return recorded, account.redistribution


def _print_errors(title: str, errors: pd.DataFrame) -> None:
    table = errors.rename_axis("error of").reset_index().rename(columns={"within_0.001": "within 0.001"})
    print_frame(title, table, {"within 0.001": "{:.2%}"}, "{:.5f}")


@contextmanager
def _plain_errors() -> Iterator[None]:
    """AttributionError becomes one line and exit code 1."""
    try:
        yield
    except AttributionError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


def _settings(**options: Any) -> Settings:
    """Settings from the environment, with the options given on the command line before it."""
    from attribution_assets.settings import read_settings

    return read_settings(**{name: value for name, value in options.items() if value is not None})


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _print_summary(result: dict[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    title = f"Channels, sessions of {result['report_start']} to {result['report_end']}"
    table = Table(title=title, box=box.SIMPLE_HEAD, show_footer=True)
    totals = {name: sum(row[name] for row in result["channels"]) for name in ("cost", "orders", "revenue")}
    totals["CPO"] = totals["cost"] / totals["orders"] if totals["orders"] else None
    totals["ROAS"] = totals["revenue"] / totals["cost"] if totals["cost"] else None
    table.add_column("channel", footer="total")
    for name, value in totals.items():
        table.add_column(name, justify="right", footer=number(value))
    for row in result["channels"]:
        table.add_row(row["channel"], *(number(row[name]) for name in totals))
    console().print(table)
    missed, before = result["conversions_without_session"], result["credit_before_first_day"]
    click.echo(
        f"{missed['conversions']:,} conversions of {result['start']} to {result['end']} have no session "
        f"(revenue {number(missed['revenue'])}); no channel gets them."
    )
    if before["orders"]:
        click.echo(
            f"{number(before['orders'])} orders (revenue {number(before['revenue'])}) are credited to sessions before "
            "ATTRIBUTION_START_DATE, which have no report."
        )
    click.echo(result["csv"])


def _write_csv(frame: pd.DataFrame, file: Path) -> None:
    try:
        frame.to_csv(file, index=False, lineterminator="\n")
    except OSError as error:
        raise AttributionError(f"{file} cannot be written: {error.strerror}. Name another --csv.") from error


def _print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))


def _print_comparison(comparison: Comparison) -> None:
    def print_table(title: str, table: pd.DataFrame) -> None:
        print_frame(title, table.rename_axis("channel").reset_index(), {}, "{:,.2f}")

    def print_figure(title: str, figure: str) -> None:
        print_table(title, comparison.by_model(figure))

    days, base = comparison.days, comparison.base
    print_figure(f"Orders, conversions of {days}", "orders")
    print_figure("Revenue", "revenue")
    print_figure("ROAS", "ROAS")
    rank, change = comparison.by_model("rank"), comparison.by_model("rank_change")
    print_table(
        f"Rank by revenue, and places gained against {base}",
        rank.astype("str") + change.map(lambda places: f" ({places:+})" if places else ""),
    )
    shift, noise = comparison.by_model("orders_shift"), comparison.by_model("is_noise")
    print_table(
        f"Orders more than by {base}; in brackets where the 90 % interval includes 0: noise",
        shift.map("{:+z,.2f}".format).where(~noise, shift.map("({:+z,.2f})".format)).drop(columns=base),
    )
    moved = comparison.lookbacks.pivot(index="model", columns="lookback_days", values="moved")
    moved = moved.reindex(comparison.lookbacks["model"].drop_duplicates())
    moved.columns = [f"{lookback} days" for lookback in moved.columns]
    print_frame("Credit that another lookback moves to other channels", moved.reset_index(), {}, "{:.1%}")


def _print_paths(report: pd.DataFrame, title: str) -> None:
    headings = {"path": "path", "length": "sessions", "lag": "days to conversion", "channel": "channel"}
    further = {"path": ["rate"], "length": ["rate"], "lag": [], "channel": ["rate", "assisted"]}
    formats = dict.fromkeys(("journeys", "conversions", "closed", "assisted"), "{:,.0f}") | {"rate": "{:.1%}"}
    for section, heading in headings.items():
        rows = report[report["section"] == section].head(PATHS_SHOWN)
        table = rows[["item", "journeys", "conversions", "revenue", *further[section]]].rename(columns={"item": heading})
        if section == "channel":
            table = table.rename(columns={"conversions": "closed"})
        print_frame(f"By {heading}, {title}", table, formats, "{:,.2f}")


def _print_cell(cell: dict[str, Any]) -> None:
    rows = [
        {"conversion": row["conv_id"], "session": row["session_id"], "revenue": row["revenue"]}
        | {"orders (ihc)": row["ihc"], "of the revenue": row["ihc_revenue"]}
        for row in cell["conversions"]
    ]
    title = f"{cell['channel']}, sessions of {cell['date']}"
    if rows:
        print_rows(title, rows, {"orders (ihc)": "{:.4f}"}, ("orders (ihc)", "of the revenue"))
    else:
        click.echo(f"{title}: no conversion is credited to them.")
    click.echo(f"The channel's sessions of that day cost {number(cell['cost'])}.")


def _print_journey(journey: dict[str, Any]) -> None:
    title = f"{journey['conv_id']}, {journey['conv_date']} {journey['conv_time']}, revenue {number(journey['revenue'])}"
    if not journey["sessions"]:
        click.echo(f"{title}: no session of its user lies in the window before it, so no channel gets it.")
        return
    shares = dict.fromkeys(("initializer", "holder", "closer", "ihc"), "{:.4f}")
    rows = [
        {"time": row["timestamp"], "channel": row["channel"]}
        | {name: row[name] for name in shares}
        | {"revenue": row["ihc_revenue"], "session": row["session_id"]}
        for row in journey["sessions"]
    ]
    print_rows(title, rows, shares, ("ihc", "revenue"))


if __name__ == "__main__":
    main()
