"""`attribution funnel`: how sessions move through the steps of the shop, as tables in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from attribution_assets.command.options import DATABASE, DAY, plain_errors, print_json, settings_with, write_csv
from attribution_assets.command.terminal import Column, print_table
from attribution_assets.formats import number

SHOWN = 20
"""How many days and products are printed."""


@click.command("funnel")
@DATABASE
@click.option("--start", type=DAY, help="First day. [default: the first with results]")
@click.option("--end", type=DAY, help="Last day, included. [default: the last with results]")
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Write every day, channel and step to this CSV file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def funnel_(database: str | None, start: str | None, end: str | None, csv_file: Path | None, as_json: bool) -> None:
    """Show how sessions move through the steps of the shop, where they are lost, its products and its buyers.

    Reads what `attribution run` has computed; writes only the --csv file.
    """
    with plain_errors():
        settings = settings_with(database=database)
        from attribution_assets.analysis.funnel import as_frame, funnel, funnel_days

        found = funnel(settings, start, end)
        if csv_file:
            write_csv(as_frame(settings, funnel_days(settings, start, end)), csv_file, settings)
    print_json(found) if as_json else print_funnel(found)


def print_funnel(found: dict[str, Any]) -> None:
    """Tables of the steps, channels, days, products and buyers; of `analysis.funnel.funnel`."""
    total, days = found["total"], _span(found)
    print_table(
        f"Funnel, sessions of {days}",
        [
            Column("step", ["all sessions", *found["steps"]], is_text=True),
            Column("sessions", [_count(total["sessions"]), *map(_count, total["steps"].values())]),
            Column("share", ["", *(_share(rate) for rate in total["rates"].values())]),
            Column("or a later step", ["", *map(_count, total["levels"].values())]),
            Column("lost before", ["", *(_count(lost["sessions"]) for lost in found["drop_off"])]),
            Column("share lost", ["", *(_share(lost["share"]) for lost in found["drop_off"])]),
        ],
    )
    if (largest := found["largest_drop_off"]) and largest["sessions"]:
        click.echo(
            f"The largest share is lost from {largest['from']} to {largest['to']}: {_count(largest['sessions'])} "
            f"session{'' if largest['sessions'] == 1 else 's'}, {_share(largest['share'])}."
        )
    if len(found["channels"]) > 1:
        channels = ({"channel": row["channel"], "sessions": row["sessions"], **row["steps"]} for row in found["channels"])
        _print_sessions("Sessions by channel", list(channels))
    _print_sessions(
        "Sessions by day", [{name: row[name] for name in ("date", "sessions", *found["steps"])} for row in found["days"]]
    )
    _print_products(found["products"])
    _print_customers(found["customers"])


def _print_sessions(title: str, rows: list[dict[str, Any]]) -> None:
    """A table of the rows, each a name and numbers of sessions."""
    if not rows:
        return
    name, *figures = rows[0]
    click.echo()
    print_table(
        title,
        [
            Column(name, [row[name] for row in rows[:SHOWN]], is_text=True),
            *(Column(figure, [_count(row[figure]) for row in rows[:SHOWN]]) for figure in figures),
        ],
    )
    _say_more(rows)


def _print_products(products: list[dict[str, Any]]) -> None:
    if not products:
        return
    shown = products[:SHOWN]
    click.echo()
    print_table(
        "Products, sessions that viewed, added and bought them",
        [
            Column("product", [row["name"] or row["product_id"] for row in shown], is_text=True),
            *(Column(figure, [_count(row[figure]) for row in shown]) for figure in ("viewed", "added", "bought")),
            Column("conversion", [_share(row["conversion"]) for row in shown]),
        ],
    )
    _say_more(products)


def _print_customers(customers: list[dict[str, Any]]) -> None:
    if not customers:
        return
    shown = customers[:SHOWN]
    click.echo()
    print_table(
        "Buyers by day of the order",
        [
            Column("date", [row["date"] for row in shown], is_text=True),
            *(Column(name, [_count(row[name]) for row in shown]) for name in ("orders", "buyers")),
            Column("new", [_count(row["new_buyers"]) for row in shown]),
            Column("returning", [_count(row["returning_buyers"]) for row in shown]),
            Column("repeat rate", [_share(row["repeat_rate"]) for row in shown]),
            Column("hours to first order", [number(row["hours_to_first_order"]) for row in shown]),
        ],
    )
    _say_more(customers)


def _say_more(rows: list[dict[str, Any]]) -> None:
    if len(rows) > SHOWN:
        click.echo(f"{SHOWN} of {len(rows):,} rows. --json has every one.")


def _span(found: dict[str, Any]) -> str:
    return str(found["start"]) if found["start"] == found["end"] else f"{found['start']} to {found['end']}"


def _count(value: int) -> str:
    return f"{value:,}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
