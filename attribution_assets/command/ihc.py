"""`attribution ihc`: what the IHC API would cost, how the embedded model compares with its answers, and its own training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from attribution_assets.command.options import DATABASE, DAY, plain_errors, print_json, settings_with
from attribution_assets.command.printed import print_errors, print_training
from attribution_assets.command.terminal import print_frame, telling
from attribution_assets.errors import AttributionError

if TYPE_CHECKING:
    import pandas as pd

    from attribution_assets.ihc import Redistribution
    from attribution_assets.settings import Settings


@click.group()
def ihc() -> None:
    """Estimate what the IHC API would cost, and compare, calibrate or train the embedded model."""


@ihc.command("estimate")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first in the database]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last in the database]")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as one JSON object.")
def estimate(database: str | None, start: str | None, end: str | None, as_json: bool) -> None:
    """Count the journeys, sessions and requests that a range of conversion days would cost. Sends nothing."""
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.plan import estimate_plan, plan_run

        plan = plan_run(settings, start, end)
        counts = estimate_plan(settings, plan)
    if as_json:
        print_json(counts)
        return
    click.echo(f"IHC API, conversions of {counts.pop('start')} to {counts.pop('end')}:")
    for name, count in counts.items():
        click.echo(f"{count:>12,}  {name}")


USE = click.option("--use", is_flag=True, help="Choose the parameters for the database, as `attribution ihc use` does.")


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
    with plain_errors():
        settings = settings_with(ihc_parameters=parameters)
        from attribution_assets.ihc.answers import compare_answers

        loaded = settings.parameters_in_use
        recorded, redistribution = _recorded_answers(settings, answers, ledger)
        comparison = compare_answers(recorded, loaded, redistribution)
    print_errors(f"{loaded.name} against {len(recorded):,} answers", comparison.errors)
    click.echo()
    shifts = comparison.channels.reset_index().rename(columns={"channel_label": "channel", "relative_shift": "relative shift"})
    print_frame("Orders by channel", shifts, {"relative shift": "{:+z.2%}", "shift": "{:+z,.2f}"}, "{:,.2f}")


@ihc.command("use")
@click.argument("parameters", metavar="FILE|PRESET")
@DATABASE
def use(parameters: str, database: str | None) -> None:
    """Choose the parameters of the embedded model for a database, which keeps them: a JSON file, or a preset.

    They lead where IHC_PARAMETERS is not set, on every machine, and in every copy of the database. Results that are there
    stay as they are, and `attribution status` calls their days stale.
    """
    with plain_errors():
        settings = settings_with(database=database)
        _use(settings, parameters)


def _use(settings: Settings, named: str) -> None:
    """Chooses the parameters for the database of the settings, and tells it."""
    from attribution_assets.ihc.chosen import choose

    chosen = choose(named, settings.warehouse)
    click.echo(f"{settings.database} computes IHC with {chosen.told} from now on. Run its days again to restate them.")
    if settings.ihc_parameters:
        click.echo(f"IHC_PARAMETERS={settings.ihc_parameters} still leads here. Unset it.")


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
@USE
@DATABASE
def calibrate(
    answers: Path | None, ledger: bool, output: Path, holdout: float, seed: int, use: bool, database: str | None
) -> None:
    """Learn the parameters of the embedded model from recorded answers, so that it computes what the API would answer."""
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.ihc.calibration import calibrate_and_check

        recorded, redistribution = _recorded_answers(settings, answers, ledger)
        if redistribution:
            raise AttributionError(
                "Redistributed answers do not show what the model itself computed, so nothing can be learned from them. "
                "Unset IHC_REDISTRIBUTION."
            )
        calibration = calibrate_and_check(recorded, holdout=holdout, seed=seed)
        which = "held-out conversions" if calibration.left_out else "conversions that they were learned from"
        print_errors(f"Learned parameters, checked on {calibration.checked:,} {which}", calibration.errors)
        calibration.write(output)
        click.echo(
            f"Wrote {output}. Set IHC_PARAMETERS to this file, and the embedded model computes what the API would answer."
        )
        if use:
            _use(settings, str(output))


@ihc.command("train")
@DATABASE
@click.option("--start", type=DAY, help="First conversion day. [default: the first in the database]")
@click.option("--end", type=DAY, help="Last conversion day, included. [default: the last in the database]")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="JSON file to write, for use as IHC_PARAMETERS.")
@USE
def train(database: str | None, start: str | None, end: str | None, output: Path, use: bool) -> None:
    """Train the parameters of the embedded model on your journeys alone, without answers of the API.

    The rule was found on one account and is not the service's: on a second account it is worse than a linear model. Prints
    how far the report would move, and how much of that is chance.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.training import train_on

        with telling() as tell:
            trained = train_on(settings, start, end, tell)
        trained.training.parameters.write(output)
        print_training(trained)
        if use:
            click.echo(f"Wrote {output}.")
            _use(settings, str(output))
        else:
            click.echo(
                f"Wrote {output}. `attribution ihc use {output}` chooses it for the database, and IHC_PARAMETERS for one run. "
                "Every row and report will then say `self-trained`."
            )


def _recorded_answers(settings: Settings, answers: Path | None, ledger: bool) -> tuple[pd.DataFrame, Redistribution | None]:
    """The answers of the file or the ledger, and the redistribution they were given with."""
    from attribution_assets.analysis.plan import ihc_account
    from attribution_assets.ihc.answers import read_answers
    from attribution_assets.ihc.ledger import Ledger

    if ledger == (answers is not None):
        raise click.UsageError("Give either --answers FILE or --ledger.")
    account = ihc_account(settings)
    recorded = read_answers(answers) if answers else Ledger(settings.ihc_ledger).answers(account)
    return recorded, account.redistribution
