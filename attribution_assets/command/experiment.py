"""`attribution experiment`: what switching a channel off or on changed, and how small a change an experiment would show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from attribution_assets.command.options import DATABASE, DAY, plain_errors, print_json, settings_with
from attribution_assets.command.terminal import Column, print_table

if TYPE_CHECKING:
    from attribution_assets.analysis.experiment import Switched


@click.command("experiment")
@DATABASE
@click.option("--channel", metavar="NAME", required=True, help="The channel.")
@click.option("--switched", type=click.Choice(["off", "on"]), help="Whether it was switched off or on.")
@click.option("--from", "day", type=DAY, help="The day of the switch, the first without or with the channel.")
@click.option("--to", "end", type=DAY, help="Last day to look at. [default: the last with results]")
@click.option("--since", type=DAY, help="First day to compare with. [default: 84 days before, or the first with results]")
@click.option(
    "--column",
    metavar="NAME",
    help="The column of the markets, of conversions or of session_sources. [default: conversions.market]",
)
@click.option(
    "--treated",
    metavar="VALUE",
    multiple=True,
    help="A market where the channel was switched; repeat it for several. The others are compared with. [default: everywhere]",
)
@click.option(
    "--power", "is_planned", is_flag=True, help="Before you switch: show how small an effect an experiment would show."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def experiment_(
    database: str | None,
    channel: str,
    switched: Switched | None,
    day: str | None,
    end: str | None,
    since: str | None,
    column: str | None,
    treated: tuple[str, ...],
    is_planned: bool,
    as_json: bool,
) -> None:
    """Show what switching a channel off or on changed in orders, beside what each model credits to it.

    Markets in which it was switched are held against those in which it was not. Without --treated, days are held against
    earlier days, which is weaker. Reads what `attribution run` has computed; writes nothing.
    """
    if column and not treated:
        raise click.UsageError("Give --treated with --column: the markets in which the channel was switched.")
    if is_planned and (switched or end):
        raise click.UsageError("Give either --power, or --switched and --to.")
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.experiment import COLUMN, experiment, power_of

        where: dict[str, Any] = {"since": since, "column": column or COLUMN, "treated": treated}
        if is_planned:
            found = power_of(settings, channel, day=day, **where)
        elif switched and day:
            found = experiment(settings, channel, switched, day, end=end, **where)
        else:
            raise click.UsageError("Give --switched and --from, or --power.")
    if as_json:
        print_json(found)
    elif is_planned:
        print_power(found)
    else:
        print_experiment(found)


def print_experiment(found: Mapping[str, Any]) -> None:
    """What an experiment says, and what models had credited; of `analysis.experiment.experiment`."""
    before, after, effect = found["before"], found["after"], found["effect"]
    print_table(
        f"{found['channel']} switched {found['switched']} {_where(found)}, {found['method']}",
        [
            Column("days", ["before the switch", "from it on", "as expected without it"], is_text=True),
            Column("from", [before["start"], after["start"], after["start"]], is_text=True),
            Column("to", [before["end"], after["end"], after["end"]], is_text=True),
            Column(
                "orders a day",
                [f"{found[name]:,.1f}" for name in ("orders_per_day_before", "orders_per_day", "expected_per_day")],
            ),
        ],
    )
    per_day, share = _between(effect["per_day"], "{:+,.1f}", " orders a day"), _between(effect["relative"], "{:+.1%}")
    click.echo(f"Effect of the switch: {per_day}, {share}.")
    click.echo(f"Until {after['end']}: {_between(effect['total'], '{:+,.1f}', ' orders')}.")
    low, high = effect["per_day"]["low"], effect["per_day"]["high"]
    if low <= 0 <= high:
        click.echo("The interval includes 0: this experiment cannot tell the effect from none.")
    click.echo()
    brought = found["brought"]
    _print_credited(
        f"What {found['channel']} brings {_where(found)}, and what models credited, {_span(found['credited_days'])}",
        found["credited"],
        experiment=_between(brought, "{:,.1f}"),
    )
    _print_notes(found)


def print_power(found: Mapping[str, Any]) -> None:
    """How small an effect would show, and what models credit; of `analysis.experiment.power_of`."""
    rows = found["experiments"]
    print_table(
        f"Smallest effect that 80 of 100 experiments would show, {_where(found)}, {found['method']}",
        [
            Column("days of the experiment", [str(row["days"]) for row in rows], is_text=True),
            Column("orders a day", [f"{row['per_day']:,.1f}" for row in rows]),
            Column("share of orders", [f"{row['relative']:.1%}" for row in rows]),
        ],
    )
    click.echo(f"There were {found['orders_per_day_before']:,.1f} orders a day from {_span(found['before'])}.")
    click.echo()
    _print_credited(f"What models credited to {found['channel']} {_where(found)}", found["credited"])
    _print_notes(found)


def _print_credited(title: str, credited: Sequence[Mapping[str, Any]], **first: str) -> None:
    """A table of orders per day by model, with verdicts where there are any, below what the experiment says."""
    columns = [
        Column("model", [*first, *(each["model"] for each in credited)], is_text=True),
        Column("orders a day", [*first.values(), *(f"{each['orders_per_day']:,.1f}" for each in credited)]),
    ]
    if first:
        verdicts = [f"{each['verdict']} the interval" for each in credited]
        columns.append(Column("verdict", ["", *verdicts], is_text=True))
    if first or credited:
        print_table(title, columns)


def _print_notes(found: Mapping[str, Any]) -> None:
    for note in found["notes"]:
        click.echo(note)


def _where(found: Mapping[str, Any]) -> str:
    return f"in {', '.join(found['treated'])}" if found["treated"] else "everywhere"


def _between(interval: Mapping[str, float | None], form: str, unit: str = "") -> str:
    value, low, high = ("?" if interval[name] is None else form.format(interval[name]) for name in ("value", "low", "high"))
    return f"{value}{unit} (90 %: {low} to {high})"


def _span(days: Mapping[str, str]) -> str:
    return f"{days['start']} to {days['end']}"
